"""Answers remembered under the keys of their commands, for retries.

An answer is kept for at least the retention time, measured by the instants of events,
so that forgetting is part of the calendar's state and a replay forgets the same.
"""

from __future__ import annotations

from actors.domain.ids import Millis
from actors.domain.messages.answers import Answer
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy

Entry = tuple[int, Millis, Answer]
"""Fingerprint of the command, instant of its event, answer."""


_WENT_BACK_MS = 60_000


class Remembered:
    """Keys and answers of one calendar, oldest first.

    Forgetting goes in strides (a sixteenth of the retention, a quarter of the bound)
    because looking for who leaves costs a walk over all.
    """

    __slots__ = ("_keep", "_max", "_stride", "_sweep_at", "entries")

    def __init__(self, policy: Policy) -> None:
        self._keep = policy.key_retention_ms
        self._stride = policy.key_retention_ms // 16
        self._max = policy.keys_max
        self._sweep_at = 0
        self.entries: dict[str, Entry] = {}

    def put(self, key: str, entry: Entry) -> None:
        """Remember an answer, and forget what is too old or too many."""
        entries = self.entries
        if not entries:
            self._sweep_at = entry[1] + self._keep + self._stride
        newest = next(reversed(entries.values()), entry)
        if newest[1] > entry[1] + _WENT_BACK_MS:
            self._rise_no_later_than(entry[1])
        entries[key] = entry
        if entry[1] >= self._sweep_at or len(entries) > self._max:
            self._sweep(entry[1])

    def _rise_no_later_than(self, at: Millis) -> None:
        """Time was put right (ClockTrusted): what has a later time counts as of now."""
        self.entries = {
            key: (print_, min(was, at), answer)
            for key, (print_, was, answer) in self.entries.items()
        }
        self._schedule()

    def restore(self, entries: dict[str, Entry]) -> None:
        """Take over the entries of a snapshot."""
        self.entries = entries
        self._schedule()

    def _sweep(self, now: Millis) -> None:
        entries = self.entries
        limit = now - self._keep
        old = []
        for key, entry in entries.items():
            if entry[1] >= limit:
                break  # they stand in the order of their events
            old.append(key)
        for key in old:
            del entries[key]
        if len(entries) > self._max:
            # A crowd's refusals must not push out the answers of those who won.
            excess = len(entries) - self._max + self._max // 4
            newest = next(reversed(entries))
            noes = [
                key
                for key, (_, _, answer) in entries.items()
                if type(answer) is Refusal and key != newest
            ]
            leaving = noes if len(noes) >= excess else dict.fromkeys((*noes, *entries))
            for key in list(leaving)[:excess]:
                del entries[key]
        self._schedule()

    def _schedule(self) -> None:
        oldest = next(iter(self.entries.values()), None)
        if oldest is not None:
            self._sweep_at = oldest[1] + self._keep + self._stride
