"""Ports of state that gateways share with one another and with background jobs.

None of it decides who gets a slot, and the store may be unavailable: each port says
what holds then. The adapters are in persistence/shared: memory.py (one process),
revocations_file.py (the data folder), the others over Redis (all nodes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import HoldId, Millis


class Standing(Struct, frozen=True):
    """The health of a port. ``detail`` is for operators, without secrets."""

    ok: bool
    detail: str = ""


class Spending(Struct, frozen=True):
    """A caller's spending at one gateway that has not been reported yet.

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
        """Subtract the spending; the remaining tokens of each bucket, in order.

        Raises:
            Unavailable: perhaps not recorded; do not report it again.
        """
        ...

    def standing(self) -> Standing:
        """Whether the store can be reached."""
        ...


class RevocationKind(StrEnum):
    """The kind of thing that is revoked."""

    TOKEN = "token"  # noqa: S105 - a word of the wire
    SUBJECT = "subject"
    SESSION = "session"
    GRANT = "grant"
    PERSON = "person"
    """A patient was erased: cached keys of the patient must be dropped."""
    RESTRICTION = "restriction"
    """A patient restricted the use of their data, or lifted that: ask again."""


class Revocation(Struct, frozen=True):
    """Tokens that are refused although their signature is valid.

    ``value`` is the id of a token (``jti``), of a session or of a grant; then every
    token with this id is revoked, whenever it was issued. Or it is a subject: then all
    its tokens issued at ``at`` or before are. After ``until`` they have all expired.

    ``kind`` is a word of RevocationKind, or of a newer version that shares the store.
    Stores keep those that this version does not know, and a gateway refuses tokens that
    carry such a value in whatever place.
    """

    kind: str
    value: str
    at: Millis
    until: Millis


Learn = Callable[[Sequence[Revocation]], None]
"""Receives revocations, some of which may be known already."""


class Revocations(Protocol):
    """The revoked tokens. A revocation is never undone; it expires."""

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
    """A live hold and its deadline; ``key`` stands for the unnamed patient."""

    key: str
    hold_id: HoldId
    expires: Millis


class SharedHolds(Protocol):
    """Hints about each patient's live holds over all gateways.

    A note lasts until its hold's deadline; only the calendar knows of an earlier end.
    While the store is unavailable each gateway knows the holds that it saw placed.
    """

    async def exchange(
        self, notes: Sequence[HoldNote]
    ) -> Mapping[str, Sequence[HoldNote]]:
        """Add notes; returns all notes under their keys. Raises Unavailable."""
        ...

    async def find(self, key: str) -> Sequence[HoldNote]:
        """All notes under a key, on the request path. Raises Unavailable."""
        ...

    def standing(self) -> Standing:
        """Whether the store can be reached."""
        ...


class HotPages(Protocol):
    """Recently shown pages as bytes; a store may drop any of them."""

    async def find(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """The stored ones of these pages. Raises Unavailable."""
        ...

    async def keep(self, pages: Mapping[str, bytes], ttl_s: float) -> None:
        """Store pages for a while. Raises Unavailable."""
        ...

    def standing(self) -> Standing:
        """Whether the store can be reached."""
        ...


OUTBOX: Final = "outbox"
"""Notified when the projection has written notices to be sent."""
JOBS: Final = "jobs"
"""Notified when jobs were added."""


class Wakeups(Protocol):
    """Best-effort wake-ups for jobs that would otherwise poll.

    They must poll as well.
    """

    def notify(self, topic: str) -> None:
        """Wake waiters; never waits and never fails."""
        ...

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """Wait for a wake-up; False if none arrived in ``timeout_s`` seconds.

        A wake-up since the last ``wait`` counts, so that none is lost in between.
        """
        ...

    async def close(self) -> None:
        """Stop sending and receiving wake-ups."""
        ...
