"""The bounds of a shard: every queue and every wait has one."""

from __future__ import annotations

from msgspec import Struct


class ShardLimits(Struct, frozen=True):
    """Bounds of one shard. Times in milliseconds."""

    batch_max: int = 512
    """Requests decided together; one journal write for all of them."""
    mailbox_max: int = 16_384
    """Requests waiting; more are answered as overloaded."""
    answer_ms: int = 5000
    """How long a request may wait in the mailbox, recovery included."""
    append_ms: int = 5000
    """A journal silent for so long is taken for down."""
    open_ms: int = 60_000
    """How long sealing, or reading a part of the tail, may take: logs are long."""
    retry_ms: int = 50
    retry_max_ms: int = 2000
    """The pause before opening again doubles from the first to the second."""
    tail_chunk: int = 2000
    """Records read at a time while opening."""
    load_chunk: int = 128
    """Calendars read from the snapshots at a time."""
    feed_max: int = 8192
    """Changes kept for gateways that poll."""
    poll_bytes: int = 64 * 1024
    due_max: int = 64
    """Calendars whose holds or windows are looked after in one batch."""
    watched_ms: int = 120_000
    """So long after a reader asked, a calendar's window goes on advancing, and so long
    after a gateway with watchers asked, its changes name their slots: longer than a
    gateway's interval of verification and the life of an unwatched topic together."""
    passivate_ms: int = 600_000
    """An idle calendar leaves memory after this; live holds keep it."""
    snapshot_events: int = 10_000
    snapshot_gap_ms: int = 15_000
    """A round begins after this many events, but leaves a gap: replaying what
    a busy shard journals in the gap takes about a second."""
    snapshot_ms: int = 60_000
    """A round begins at the latest so long after a change."""
    snapshot_chunk: int = 32
    snapshot_bytes: int = 512 * 1024
    """Calendars encoded at a time, and the size from which no other one is: a few
    milliseconds of the loop, however many bookings a calendar has."""
    close_ms: int = 5000
    flush_ms: int = 10_000
    """How long storing what changed may take before a hand-off goes on."""
    tail_short: int = 500
    """A tail that is replayed in a few milliseconds: not worth another round."""
    check_ms: int = 2500
    """After so long without an answer of the journal, the shard asks it who owns the
    shard, even without requests: a former owner must notice by itself."""
    look_ms: int = 1000
    """How long that question may take; after ``append_ms`` of silence it stops."""
    full_for_holds: float = 0.90
    full_for_bookings: float = 0.97
    """Journal pressure from which new holds, then new bookings, are refused."""
