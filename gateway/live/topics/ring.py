"""The recent frames of one topic, for watchers that reconnect.

Entries chain: each one's ``before`` is the ``version`` of the one ahead of it. A client
with a position inside the chain is brought up to date without asking a calendar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from gateway.live.core.frames import Frame, Rows

ENTRIES_MAX: Final = 256
AGE_MS_MAX: Final = 5 * 60_000


class SentDelta(Struct, frozen=True):
    """One delta as it was sent: from ``before`` to ``version``, at an instant."""

    before: int
    version: int
    rows: Rows
    frame: Frame
    at: Millis


class Ring:
    """At most 256 deltas, none older than five minutes."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: deque[SentDelta] = deque(maxlen=ENTRIES_MAX)

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, entry: SentDelta) -> None:
        """Append a delta; when full, the oldest is dropped."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Clear: later deltas do not chain to earlier ones."""
        self._entries.clear()

    def expire(self, now: Millis) -> None:
        """Drop entries that are too old for resuming."""
        entries = self._entries
        while entries and entries[0].at + AGE_MS_MAX < now:
            entries.popleft()

    def after(self, version: int) -> Sequence[SentDelta] | None:
        """Everything that follows a version; None if it is not where a delta began.

        A delta is the difference between its two ends. A client at a version in between
        may show a change that was undone before the end, which the delta does not
        mention.
        """
        found: list[SentDelta] = []
        for entry in reversed(self._entries):
            if entry.version <= version:
                break
            found.append(entry)
        if not found or found[-1].before != version:
            return None
        found.reverse()
        return found
