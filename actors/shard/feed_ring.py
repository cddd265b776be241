"""A shard's recently published changes, numbered, for gateways that poll with a cursor.

The ring is bounded: a gateway that falls behind it must read again (``reset``), so a
gap is never silent and a slow gateway costs no memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from actors.domain.messages.changes import CalendarChange, FeedBatch

_CHANGE_BYTES = 48
_SLOT_BYTES = 7
_BOOKING_BYTES = 220
_START_BYTES = 5


def weight_of(change: CalendarChange) -> int:
    """About how many bytes a change takes on its way to a gateway."""
    slots = sum(32 + _SLOT_BYTES * len(part.starts) for part in change.slots)
    starts = _START_BYTES * sum(map(len, (change.starts or {}).values()))
    visits = len(change.bookings) + len(change.owed) + len(change.doubts)
    return _CHANGE_BYTES + slots + starts + _BOOKING_BYTES * visits


class FeedRing:
    """The last ``capacity`` changes of one epoch; numbers start at 1, no gaps."""

    def __init__(self, epoch: int, seq: int, capacity: int) -> None:
        self.epoch = epoch
        self.seq = seq
        self.number = 0
        self._changes: deque[tuple[int, CalendarChange]] = deque(maxlen=capacity)

    def publish(self, seq: int, changes: Sequence[CalendarChange]) -> None:
        """Append durable changes; ``seq`` is the journal position they reached."""
        self.seq = seq
        self.number += len(changes)
        self._changes.extend((weight_of(change), change) for change in changes)

    def has_after(self, epoch: int, number: int) -> bool:
        """Whether a poll with this cursor has something to say at once."""
        return epoch != self.epoch or number != self.number

    def since(self, epoch: int, number: int, limit_bytes: int) -> FeedBatch:
        """Changes after the cursor, about ``limit_bytes`` of them but at least one.

        A cursor of another epoch, older than the ring or from the future is
        answered with ``reset`` and the newest cursor.
        """
        behind = self.number - number
        if epoch != self.epoch or not 0 <= behind <= len(self._changes):
            return FeedBatch(self.epoch, self.number, self.seq, reset=True)
        changes: list[CalendarChange] = []
        room = limit_bytes
        # Few gateways are far behind: walking from the end is the short way.
        newest = list(islice(reversed(self._changes), behind))
        for weight, change in reversed(newest):
            if changes and weight > room:
                break
            room -= weight
            changes.append(change)
        reached = number + len(changes)
        return FeedBatch(
            self.epoch, reached, self.seq, changes, more=reached < self.number
        )
