"""Answers remembered under the keys of their commands, for retries.

An answer is kept for at least the retention time, measured by the instants of events,
so that dropping answers is part of the calendar's state and a replay drops the same.
"""

from __future__ import annotations

from itertools import islice

from actors.domain.ids import Millis
from actors.domain.messages.answers import Answer
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy

Entry = tuple[int, Millis, Answer]
"""Fingerprint of the command, instant of its event, answer."""


_WENT_BACK_MS = 60_000


class Remembered:
    """Keys and answers of one calendar, oldest first.

    Entries are dropped in steps (a sixteenth of the retention, a quarter of the bound),
    because finding them costs a scan of all.
    """

    __slots__ = ("_keep", "_max", "_newest_at", "_stride", "_sweep_at", "entries")

    def __init__(self, policy: Policy) -> None:
        self._keep = policy.key_retention_ms
        self._stride = policy.key_retention_ms // 16
        self._max = policy.keys_max
        self._sweep_at = 0
        self._newest_at = Millis(0)
        self.entries: dict[str, Entry] = {}

    def put(self, key: str, entry: Entry) -> None:
        """Remember an answer, and forget what is too old or too many."""
        entries = self.entries
        at = entry[1]
        if not entries:
            self._sweep_at = at + self._keep + self._stride
        elif self._newest_at > at + _WENT_BACK_MS:
            self._lower_to(at)
            entries = self.entries
        self._newest_at = at
        entries[key] = entry
        if at >= self._sweep_at or len(entries) > self._max:
            self._sweep(at)

    def _lower_to(self, at: Millis) -> None:
        """The clock was corrected (ClockTrusted): later entries count as of now."""
        self.entries = {
            key: (print_, min(was, at), answer)
            for key, (print_, was, answer) in self.entries.items()
        }
        self._schedule()

    def restore(self, entries: dict[str, Entry]) -> None:
        """Take over the entries of a snapshot."""
        self.entries = entries
        newest = next(reversed(entries.values()), None)
        self._newest_at = Millis(0) if newest is None else newest[1]
        self._schedule()

    def _sweep(self, now: Millis) -> None:
        entries = self.entries
        limit = now - self._keep
        old = []
        for key, entry in entries.items():
            if entry[1] >= limit:
                break  # entries are in the order of their events
            old.append(key)
        for key in old:
            del entries[key]
        if len(entries) > self._max:
            self._drop(len(entries) - self._max + self._max // 4)
        self._schedule()

    def _drop(self, excess: int) -> None:
        """Forget this many, the oldest refusals first, then the oldest others.

        Many refusals must not displace the answers of successful commands. The
        newest entry stays: its command is being answered.
        """
        entries = self.entries
        newest = next(reversed(entries))
        refused = (
            key
            for key, entry in entries.items()
            if type(entry[2]) is Refusal and key != newest
        )
        for key in list(islice(refused, excess)):
            del entries[key]
            excess -= 1
        for key in list(islice(entries, excess)):
            del entries[key]

    def _schedule(self) -> None:
        oldest = next(iter(self.entries.values()), None)
        if oldest is not None:
            self._sweep_at = oldest[1] + self._keep + self._stride
