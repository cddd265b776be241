"""What gateways share with one another, and with jobs in the background, as ports.

None of it decides who gets a slot, and all of it may be away: each port says what
holds then. Adapters: persistence/shared/memory.py (one process), persistence/*_redis.py
(all nodes), persistence/shared/revocations_file.py (the data folder).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import HoldId, Millis


class Standing(Struct, frozen=True):
    """How a port is doing. ``detail`` is a sentence for an operator; no secrets."""

    ok: bool
    detail: str = ""


class Spending(Struct, frozen=True):
    """What one caller spent at one gateway and has not been reported yet.

    ``key`` names the bucket and reveals no person. ``over_ms`` is how
    long ago the first of these ``tokens`` was spent.
    """

    key: str
    tokens: int
    over_ms: int
    rate_per_s: float
    burst: int


class RateBudgets(Protocol):
    """Token buckets that all gateways share; spending is reported afterwards.

    A bucket that is in debt stays at ``-burst``, and one without a report for so
    long that it must be full is forgotten.
    """

    async def settle(self, spendings: Sequence[Spending]) -> Sequence[float]:
        """Take what was spent; the tokens that are left in each bucket, in order.

        Raises:
            Unavailable: not recorded, or unknown whether; do not report it again.
        """
        ...

    def standing(self) -> Standing:
        """Whether the store can be reached."""
        ...


class RevocationKind(StrEnum):
    """What is revoked."""

    TOKEN = "token"  # noqa: S105 - a word of the wire
    SUBJECT = "subject"
    SESSION = "session"
    GRANT = "grant"
    PERSON = "person"
    """A patient was erased: what is remembered of their keys must be forgotten."""


class Revocation(Struct, frozen=True):
    """Tokens that hold no more, though their signature does.

    ``value`` is the id of a token (``jti``), of a session or of a grant; then it is
    about every token with this id, whenever it was issued. Or it is a subject: then it
    is about all tokens issued at ``at`` or before. After ``until`` they have all
    expired by themselves.
    """

    kind: RevocationKind
    value: str
    at: Millis
    until: Millis


Learn = Callable[[Sequence[Revocation]], None]
"""Receives revocations; some of them may be known already."""


class Revocations(Protocol):
    """Which tokens were revoked. A revocation is never undone; it expires."""

    async def add(self, revocation: Revocation) -> None:
        """Revoke; durable once this returned, and known to all gateways soon after.

        Raises:
            Unavailable: it may not be known everywhere; try again.
        """
        ...

    async def follow(self, learn: Learn) -> None:
        """Pass all revocations to ``learn``, then each new one, until cancelled.

        While the store does not answer there are no new ones, and those passed on
        stay valid; when it answers again, all of them are passed on again.
        """
        ...

    def standing(self) -> Standing:
        """Whether new ones would be received."""
        ...


class HoldNote(Struct, frozen=True):
    """A live hold, and until when; ``key`` stands for its patient, who is not named."""

    key: str
    hold_id: HoldId
    expires: Millis


class SharedHolds(Protocol):
    """Which live holds each patient has over all gateways; none is known for certain.

    A note lasts until its hold's deadline; only the calendar knows of an earlier end.
    While the store is away each gateway knows the holds that it saw placed.
    """

    async def exchange(
        self, notes: Sequence[HoldNote]
    ) -> Mapping[str, Sequence[HoldNote]]:
        """Add notes; all that are known under their keys. Raises Unavailable."""
        ...

    async def find(self, key: str) -> Sequence[HoldNote]:
        """All notes under a key, on a request's way. Raises Unavailable."""
        ...

    def standing(self) -> Standing:
        """Whether the other gateways can be told."""
        ...


class HotPages(Protocol):
    """Pages that were shown a moment ago, as bytes; a store may drop any of them."""

    async def find(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Those of these pages that are there. Raises Unavailable."""
        ...

    async def keep(self, pages: Mapping[str, bytes], ttl_s: float) -> None:
        """Keep pages for a while. Raises Unavailable."""
        ...

    def standing(self) -> Standing:
        """Whether pages can be had."""
        ...


OUTBOX: Final = "outbox"
"""Rung when the projection wrote notices to be sent."""
JOBS: Final = "jobs"
"""Rung when jobs were added."""


class Wakeups(Protocol):
    """Best-effort wake-ups for jobs that would otherwise poll.

    They must poll as well.
    """

    def notify(self, topic: str) -> None:
        """Ring; never waits and never fails."""
        ...

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """Wait for a wake-up; False if none arrived in ``timeout_s`` seconds.

        A ring since the last ``wait`` counts, so that none is lost in between.
        """
        ...

    async def close(self) -> None:
        """Ring no more."""
        ...
