"""Values and rules of idempotency keys; pure.

A request with a key claims it, runs, and stores its answer under it. Until the answer
is stored, the claim keeps a second request with the same key from running beside the
first. A claim expires: a gateway that died in between must not lock the key for a day.
The request then runs again, so an effect that must never happen twice needs a
constraint of its own (a unique column, a job's key).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis

KEEP_MS: Final = 24 * 3_600_000
"""How long an answer is kept; as long as calendars remember keys."""
CLAIM_MS: Final = 60_000
"""How long a claim lasts without an answer: longer than any request may take."""
BODY_BYTES_MAX: Final = 1 << 20
"""Size of a body that can be stored; a write that answers more declares no key."""
KEPT_REFUSALS: Final = frozenset({404, 409, 410, 412})
"""Refusals that are outcomes of the operation. Others (bad input, no right, limits,
failures) say nothing of it: the same key may be sent again with what was missing."""


class StoredAnswer(Struct, frozen=True):
    """An HTTP answer that can be stored and replayed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Claim(Struct, frozen=True):
    """A key that this request holds until it stores an answer, or until ``until``."""

    key: str
    until: Millis


class Stored(Struct, frozen=True):
    """The key has an answer."""

    answer: StoredAnswer


class InProgress(Struct, frozen=True):
    """An earlier request with the same key is running, or has died."""


class OtherRequest(Struct, frozen=True):
    """The key was used for another request."""


Found = Claim | Stored | InProgress | OtherRequest


def is_kept(status: int) -> bool:
    """Whether an answer with this status is stored under the request's key."""
    return status < HTTPStatus.BAD_REQUEST or status in KEPT_REFUSALS
