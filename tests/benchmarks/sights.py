"""From a change to its sight: changes joined with what listeners received.

A delta from version a to version b shows every change of its topic after a and up to b,
so one frame may bring several changes to sight.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loadtests.histogram import percentiles
from tests.benchmarks.changing import Change

QUANTILES = (
    *(q / 100 for q in range(0, 100, 2)),
    *(0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0),
)

Delivered = dict[str, Any]
"""A line of ``Crowds.deliveries``."""


@dataclass
class Sights:
    """Who saw what, and how long after it was asked for."""

    changes: int = 0
    frames: int = 0
    """Deltas delivered, of the changes that are known."""
    covered: int = 0
    """Changes that they brought to sight."""
    unseen: int = 0
    """Changes times watchers that no delta brought."""
    twice: int = 0
    """Changes times watchers that more than one delta brought."""
    seconds: list[np.ndarray[Any, Any]] = field(default_factory=list)
    """From asking to sight, for each change and watcher, in pieces."""
    newest: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int]] = field(
        default_factory=list
    )
    """By frame: when it came, the age of its newest change, changes it covers."""

    def ms(self) -> dict[str, float]:
        """The usual percentiles of change to sight."""
        return percentiles(_joined(self.seconds))

    def quantiles(self) -> list[list[float]]:
        """The distribution: share, and the milliseconds within which it saw."""
        seen = _joined(self.seconds)
        if not len(seen):
            return []
        found = np.quantile(seen, QUANTILES)
        return [
            [share, round(1000 * float(at), 3)]
            for share, at in zip(QUANTILES, found, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Everything but the distribution."""
        return {
            "changes": self.changes,
            "frames_delivered": self.frames,
            "changes_seen": self.covered,
            "unseen": self.unseen,
            "seen_twice": self.twice,
            "changes_per_frame": round(self.covered / max(1, self.frames), 3),
            "ms": self.ms(),
        }

    def by_second(self, began: float, seconds: int) -> dict[str, list[Any]]:
        """Frames, changes covered and the age of the newest, for each second."""
        bins: list[list[np.ndarray[Any, Any]]] = [[] for _ in range(seconds)]
        frames, covered = [0] * seconds, [0] * seconds
        for at, age, covers in self.newest:
            place = (at - began).astype(int)
            for second in np.unique(place):
                if 0 <= second < seconds:
                    chosen = age[place == second]
                    bins[second].append(chosen)
                    frames[second] += len(chosen)
                    covered[second] += covers * len(chosen)
        told = [percentiles(_joined(one)) for one in bins]
        return {
            "frames": frames,
            "covered": covered,
            **{name: [one.get(name) for one in told] for name in ("p50", "p99", "max")},
        }


def _joined(pieces: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return np.concatenate(pieces) if pieces else np.empty(0)


def joined(
    changes: Iterable[Change], delivered: Iterable[Delivered], watchers: dict[str, int]
) -> Sights:
    """Changes with their sights; ``watchers`` are how many watch each topic."""
    by_topic: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_topic[change.topic].append(change)
    frames: dict[str, list[Delivered]] = defaultdict(list)
    for one in delivered:
        if one["kind"] == "delta":
            frames[one["topic"]].append(one)
    found = Sights()
    for topic, made in by_topic.items():
        made.sort(key=lambda change: change.version)
        _join(found, made, frames[topic], watchers.get(topic, 0))
    return found


def _join(
    found: Sights, made: list[Change], frames: list[Delivered], watchers: int
) -> None:
    versions = [change.version for change in made]
    seen: Counter[int] = Counter()
    for one in frames:
        first = bisect_right(versions, one["from"])
        last = bisect_right(versions, one["version"])
        if first == last:
            continue
        at = one["first"] + np.array(one["us"]) * 1e-6
        found.frames += len(at)
        found.covered += len(at) * (last - first)
        found.newest.append((at, at - made[last - 1].asked, last - first))
        for number in range(first, last):
            seen[number] += len(at)
            found.seconds.append(at - made[number].asked)
    found.changes += len(made)
    for number in range(len(made)):
        found.unseen += max(0, watchers - seen[number])
        found.twice += max(0, seen[number] - watchers)
