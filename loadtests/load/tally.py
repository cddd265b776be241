"""The counts of a run: timings by name and second, and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from loadtests.histogram import Timing, joined, timing_of


class Tally:
    """Timings by name and second, and the count of each outcome."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[int, Timing]] = {}
        self.outcomes: dict[str, Counter[str]] = {}

    def took(
        self, name: str, ms: float | None, second: int, *, failed: bool = False
    ) -> None:
        """Count one event of a name."""
        by_second = self.seconds.get(name)
        if by_second is None:
            by_second = self.seconds[name] = {}
        timing = by_second.get(second)
        if timing is None:
            timing = by_second[second] = Timing()
        timing.took(ms, failed=failed)

    def add_timing(self, name: str, second: int, timing: Timing) -> None:
        """Count many events of a name."""
        self.seconds.setdefault(name, {}).setdefault(second, Timing()).add(timing)

    def ended(self, name: str, outcome: str) -> None:
        """Count an outcome: ``201``, ``slot_unavailable``."""
        self.outcomes.setdefault(name, Counter())[outcome] += 1

    def drain(self) -> dict[str, Any]:
        """The counts since the last call, for another process to add."""
        drained = self.document()
        self.seconds, self.outcomes = {}, {}
        return drained

    def document(self) -> dict[str, Any]:
        """All counts, for JSON or a message between processes."""
        return {
            "seconds": {
                name: {str(second): one.document() for second, one in by.items()}
                for name, by in self.seconds.items()
            },
            "outcomes": {name: dict(codes) for name, codes in self.outcomes.items()},
        }

    def add(self, document: Mapping[str, Any]) -> None:
        """Add the counts that another tally drained."""
        for name, by in document["seconds"].items():
            mine = self.seconds.setdefault(name, {})
            for second, one in by.items():
                mine.setdefault(int(second), Timing()).add(timing_of(one))
        for name, codes in document["outcomes"].items():
            self.outcomes.setdefault(name, Counter()).update(codes)

    def whole(self, name: str) -> Timing:
        """One name over the whole run."""
        return joined(self.seconds.get(name, {}).values())

    @property
    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self.seconds)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last second in which anything was counted."""
        seconds = [second for by in self.seconds.values() for second in by]
        return (min(seconds), max(seconds)) if seconds else (0, 0)
