"""When the system cannot answer now, or a shard may no longer write.

::

    SchedulingError                 code, retryable
    ├── Unavailable   retryable     the system cannot answer now; nothing is lost
    │   ├── CalendarRecovering      a shard is starting or moving
    │   │   └── EpochTooLow         it must be reopened before it adopts a calendar
    │   ├── JournalUnavailable      no acknowledgement is possible just now
    │   ├── JournalFull             space is short: no new holds, then no bookings
    │   ├── Overloaded              a bounded queue is full
    │   └── VersionNotReached       a read of a version that is still to come
    └── OwnershipError              internal to the shard, never a client's
        ├── Fenced                  a newer epoch owns the shard: leave for good
        ├── OutcomeUnknown          an append may or may not be durable: crash, recover
        └── JournalCorrupt          refuse to start; says which file and offset

Refusals of a calendar are values: see actors/domain/messages/refusals.py.
"""

from __future__ import annotations


class SchedulingError(Exception):
    """The root; ``code`` is the error code for clients."""

    code = "internal"
    retryable = False


class Unavailable(SchedulingError):
    """The system cannot answer now; retry with the same key after a while."""

    code = "unavailable"
    retryable = True

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail or (type(self).__doc__ or "").splitlines()[0])
        self.retry_after_s = retry_after_s


class CalendarRecovering(Unavailable):
    """The calendar is being recovered; try again in a moment."""


class ShardAsleep(CalendarRecovering):
    """The shard is passive: nothing happens there until a request arrives."""


class EpochTooLow(CalendarRecovering):
    """The calendar comes from a shard with a higher epoch; try again in a moment."""


class JournalUnavailable(Unavailable):
    """The journal does not answer, so nothing can be confirmed; try again soon."""


class JournalFull(Unavailable):
    """The journal's disk is nearly full; the operator must make room."""


class Overloaded(Unavailable):
    """Too much is waiting; try again in a moment."""


class VersionNotReached(Unavailable):
    """The calendar has not reached the version of at_least yet: ask again soon."""


class OwnershipError(SchedulingError):
    """The shard must stop using its memory."""


class Fenced(OwnershipError):
    """A newer epoch owns this shard."""


class OutcomeUnknown(OwnershipError):
    """It is not known whether the append is durable; only the journal can tell."""


class JournalCorrupt(OwnershipError):
    """A record before the journal's tail is damaged."""
