"""Short-lived addresses of a document's file, signed by this site; pure.

A browser downloads by an address, where it can send no token. The address is made for
a caller whose right was checked, and audited, a moment before.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from actors.domain.ids import Millis

LINK_MS: Final = 60_000
"""How long an address works: long enough to begin a download by it."""
_SIGNATURE_BYTES: Final = 24
_LINK: Final = re.compile(r"(doc_[0-9a-f]{32})\.([0-9]{1,15})\.([A-Za-z0-9_-]{32})")


class DocumentLinks:
    """Signs with the first of a site's keys, and takes what any of them signed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [
            hmac.digest(key, b"slotcast document links", sha256) for key in keys
        ]

    def make(self, document_id: str, until: Millis) -> str:
        """The last part of the address."""
        return f"{document_id}.{until}.{_signed(self._keys[0], document_id, until)}"

    def read(self, link: str, now: Millis) -> str | None:
        """The document that an address is of; None if it does not work, or no more."""
        found = _LINK.fullmatch(link)
        if found is None:
            return None
        document_id, until = found[1], Millis(int(found[2]))
        signatures = [_signed(key, document_id, until) for key in self._keys]
        matches = [hmac.compare_digest(one, found[3]) for one in signatures]
        return document_id if any(matches) and now < until else None


def _signed(key: bytes, document_id: str, until: Millis) -> str:
    made = hmac.digest(key, f"{document_id}|{until}".encode(), sha256)
    return urlsafe_b64encode(made[:_SIGNATURE_BYTES]).decode()
