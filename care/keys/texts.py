"""Sealed texts where text is expected: reasons in commands, events and rows; pure.

A prefix tells them from the clear texts that older journals hold. A person's own key is
made of a salt in their row; people without a row (tokens of trials) have a key of the
site's instead, which cannot be destroyed for one of them.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

from care.keys.sealing import SALT_BYTES, Place, SealBroken

BY_PERSON: Final = "sealed1:"
"""Prefix of a text sealed with a person's key."""
BY_SITE: Final = "sealed0:"
"""Prefix of a text sealed for a person without a row."""
NOT_NOW: Final = "not available now"
"""Shown instead of a text that cannot be opened at the moment."""
ERASED: Final = ""
"""Shown instead of a text of a person who was erased."""


def is_sealed(text: str) -> bool:
    """Whether a text is sealed."""
    return text.startswith((BY_PERSON, BY_SITE))


def written(prefix: str, sealed: bytes) -> str:
    """A sealed value as text."""
    return prefix + urlsafe_b64encode(sealed).decode().rstrip("=")


def read(text: str) -> bytes:
    """The sealed value of such a text. Raises SealBroken: it is none."""
    _, _, encoded = text.partition(":")
    try:
        return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raise SealBroken("this is not a sealed text") from None


def salt_without_row(patient_id: str) -> bytes:
    """The placeholder for the salt of a person without a row."""
    return sha256(b"no row|" + patient_id.encode()).digest()[:SALT_BYTES]


def reason_place(booking_id: str) -> Place:
    """The place of a visit's reason."""
    return Place("booking", "reason", booking_id)


def leave_reason_place(time_off_id: str) -> Place:
    """The place of a leave's reason."""
    return Place("time_off", "reason", time_off_id)


def cancel_reason_place(booking_id: str) -> Place:
    """The place of a cancellation's reason."""
    return Place("booking", "cancel_reason", booking_id)
