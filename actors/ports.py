"""The ports of the actors, as protocols; adapters are in persistence/.

Every port has a memory twin, and one contract suite runs on the twin and on every
real adapter (tests/contracts/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import Reply
from actors.domain.messages.changes import FeedBatch
from actors.domain.messages.commands import Command, Transfer, TrustClock
from actors.domain.messages.events import Event
from actors.domain.messages.reads import Read

Request = Command | Transfer | TrustClock | Read
"""Any request to a shard."""


class TroubleCode(StrEnum):
    """Why a shard could not answer a request."""

    RECOVERING = "recovering"  # nothing was done; retry at once
    UNKNOWN = "unknown"  # it may have been done; retry with the same key
    OVERLOADED = "overloaded"  # nothing was done; retry later
    JOURNAL_DOWN = "journal_down"  # it may have been done; retry later
    JOURNAL_FULL = "journal_full"  # nothing was done; the operator must act
    MOVED = "moved"  # nothing was done; ask the shard that ``detail`` names
    CLOCK = "clock"  # nothing was done; the machine's clock is not believed now
    FAULT = "fault"  # nothing was done; an internal error, in the log


class Trouble(Struct, frozen=True, tag="trouble", gc=False):
    """Instead of a reply: the shard cannot answer this request now.

    A value, because errors lose their fields on the way between processes. It is
    never an answer: the gateway retries it or makes an Unavailable of it.
    """

    code: TroubleCode
    detail: str = ""
    retry_after_s: float = 1.0
    provider_id: ProviderId = ProviderId("")
    """The provider whose calendar has moved, since a request may be about several."""


ShardReply = Reply | Trouble
"""The result of one request to a shard."""


class Clock(Protocol):
    """The source of ``now``; only cluster/clock.py reads the system's clock."""

    def now(self) -> Millis:
        """The current instant."""
        ...


class SteadyClock(Clock, Protocol):
    """A clock with a second, monotonic time that cannot be set."""

    def steady(self) -> Millis:
        """Time since some fixed moment; it only goes forward, at the pace of time."""
        ...


class Sealed(Struct, frozen=True):
    """A shard's journal opened for writing under a new epoch."""

    epoch: int
    last_seq: int


class Record(Struct, frozen=True):
    """An event at its place in a shard's journal; ``seq`` starts at 1, no gaps."""

    seq: int
    epoch: int
    event: Event


class Journal(Protocol):
    """The durable ordered events of many shards: the source of truth.

    Single activation is never assumed: two writers may exist, and the one with the
    lower epoch is refused at each write.
    """

    async def seal(self, shard: ShardId) -> Sealed:
        """Open for writing under the next epoch; every older epoch is fenced.

        Load memory only after this returned.

        Raises:
            JournalCorrupt: a record before the tail is damaged.
            JournalUnavailable: cannot be reached or locked.
        """
        ...

    async def append(
        self, shard: ShardId, epoch: int, expected_seq: int, events: Sequence[Event]
    ) -> int:
        """Make events durable at ``expected_seq + 1`` onwards; the new last seq.

        One write and one sync for all of them: all are durable, or none.

        Raises:
            Fenced: a newer epoch owns the shard, or the seq is not the last one.
            JournalFull: refused before anything was written.
            OutcomeUnknown: the caller must drop its memory and recover.
        """
        ...

    async def check(self, shard: ShardId, epoch: int) -> None:
        """Return if ``epoch`` still owns the shard; a refusal needs this read.

        Raises:
            Fenced: a newer epoch owns the shard.
            JournalUnavailable: cannot be asked.
        """
        ...

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        """Durable records after ``after_seq``, in order, at most ``limit``.

        Raises:
            JournalCorrupt: a record is damaged, or ``after_seq + 1`` was trimmed.
        """
        ...

    async def last_seq(self, shard: ShardId) -> int:
        """The durable end of the shard's journal; 0 if it has no record."""
        ...

    async def trim(
        self, shard: ShardId, upto_seq: int, before: Millis | None = None
    ) -> None:
        """Records up to ``upto_seq`` may be forgotten (whole segments are).

        With ``before`` only those decided before that instant: a read model that is
        restored from a backup, or loses its last transactions in a power cut, finds
        what it needs again.
        """
        ...

    async def shards(self) -> Sequence[ShardId]:
        """Shards that have a journal."""
        ...

    def pressure(self) -> float:
        """Used fraction of the journal's size limit, 0 to 1.

        At 0.90 shards refuse new holds, at 0.97 also new bookings; cancellations and
        staff's commands continue.
        """
        ...

    async def close(self) -> None:
        """Release files and locks."""
        ...


class StoredCalendar(Struct, frozen=True):
    """One calendar's snapshot: its bytes and the seq it was taken at."""

    seq: int
    blob: bytes


class SnapshotStore(Protocol):
    """Stored calendars. Written by the owner of the shard, between batches.

    A shard's ``position`` is a seq up to which every event is in a stored calendar;
    recovery replays only what follows it. A calendar may be stored at a later seq
    than the position: replay skips its events up to its own seq.
    """

    async def position(self, shard: ShardId) -> int:
        """The shard's position; 0 if nothing was stored."""
        ...

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        """Stored calendars among ``providers``; missing ones were never stored."""
        ...

    async def save(
        self, shard: ShardId, epoch: int, calendars: Mapping[ProviderId, StoredCalendar]
    ) -> None:
        """Store calendars durably, atomically.

        Raises:
            Fenced: a newer epoch has stored something for this shard.
        """
        ...

    async def advance(self, shard: ShardId, epoch: int, position: int) -> None:
        """Set the shard's position, durably. Raises Fenced like save."""
        ...

    async def close(self) -> None:
        """Release files and locks."""
        ...


class Feed(Protocol):
    """The long poll of one shard: changes after a cursor, or silence."""

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        """Changes after the cursor ``(epoch, number)``; waits up to ``wait_ms``.

        Raises:
            Unavailable: poll again after a jittered pause.
        """
        ...


class ShardStatus(Struct, frozen=True):
    """The status of one shard."""

    shard: ShardId
    pid: int
    epoch: int
    last_seq: int
    snapshot_position: int
    calendars: int
    mailbox: int
    commands: int
    batches: int
    memory_bytes: int
    fsync_p50_ms: float = 0.0
    fsync_p99_ms: float = 0.0
    opened_at: int = 0
    state: str = "open"
    """warm, opening, open, left (fenced: another owner), corrupt or closed."""
    node: str = ""
    """The node it runs on, as its operator named it; empty without a cluster."""
    events: int = 0
    reads: int = 0
    snapshots: int = 0
    expiries: int = 0
    refusals: dict[str, int] = {}
    """By code, since the process began; troubles too, under their own codes."""
    batch_sizes: list[int] = []
    """Batches by size: a count per bound of actors/shard/counters.py, one for more."""
    append_seconds: list[int] = []
    """Journal appends by duration, likewise."""
    append_seconds_sum: float = 0.0
    tzdata: str = ""
    """The edition of the time zone database that its process computes with."""
    journal_pressure: float = 0.0
    """Used fraction of the journal's size limit, 0 to 1."""
    clock_doubt: str = ""
    """Why no command is decided now: the machine's clock made a step."""
    clock_doubted: bool = False
    clock_ahead_ms: int = 0
    """How far the journal is ahead of the machine's clock."""


class ShardLinks(Feed, Protocol):
    """Calls to every shard: batches go in, replies come back in the same order.

    Adapters: actors/hosting/local.py (same process) and actors/remote/links.py (Ray).
    """

    def shards(self) -> Sequence[ShardId]:
        """All shards for placement "shard"; the active ones for "provider"."""
        ...

    def shard_of(self, provider: ProviderId) -> ShardId:
        """Which shard decides about this provider."""
        ...

    def moved(self, provider: ProviderId, shard: ShardId) -> None:
        """Note that ``shard`` decides about this provider now."""
        ...

    async def execute(
        self, shard: ShardId, requests: Sequence[Request], timeout_s: float
    ) -> Sequence[ShardReply]:
        """Ask a shard; one reply per request, in order.

        Raises:
            Unavailable: the outcome is unknown; retry with the same keys.
        """
        ...

    async def status(self, shard: ShardId) -> ShardStatus:
        """The shard's status. Raises Unavailable."""
        ...


class Calendars(Protocol):
    """All calendars, as the gateway and the tools see them.

    The adapter gathers requests of one shard into batches and retries unknown
    outcomes with the same key until the command's deadline
    (gateway/calendars/courier.py).
    """

    async def ask(self, request: Request) -> Reply:
        """The answer to a command or a read; a Refusal is an answer.

        Raises:
            Unavailable: no answer in time; the same key may be retried.
        """
        ...
