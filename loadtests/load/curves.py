"""How many users are active at each moment of a run: pure, as shares of the total."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

SPAWNED_PER_SECOND_MAX = 1_000.0
"""Most users that Locust starts per second, so that a rise is never a step."""


AHEAD_S = 1.0
"""Seconds between two questions of Locust, about."""


class Curve(Protocol):
    """The number of users over time."""

    def share(self, at: float) -> float:
        """Share of users that are active at ``at``, which runs from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Plateau:
    """All users arrive within ``rise`` of the run, and stay."""

    rise: float

    def share(self, at: float) -> float:
        """Linear rise, then constant."""
        return 1.0 if at >= self.rise else max(at, 0.0) / self.rise


@dataclass(frozen=True, slots=True)
class National:
    """The quarter of an hour after an announcement on television.

    Doctolib counted half a million to 2.1 million visitors in 15 minutes on 12 July
    2021 and 20,000 bookings a minute. The steep start and the slow decline are known;
    the points between are estimates.
    """

    points: tuple[tuple[float, float], ...] = (
        (0.0, 0.05),
        (0.08, 0.25),
        (0.2, 1.0),
        (0.45, 0.9),
        (0.7, 0.65),
        (1.0, 0.45),
    )

    def share(self, at: float) -> float:
        """Linear interpolation between the points."""
        for (before, low), (after, high) in pairwise(self.points):
            if at <= after:
                way = (max(at, before) - before) / (after - before)
                return low + (high - low) * way
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Step:
    """Locust's input: number of users, and users started or ended per second."""

    users: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run."""

    users: int
    seconds: float


def step(curve: Curve, size: Size, now: float, have: int) -> Step | None:
    """The target one second after ``now``; None when the run is over.

    The rate is from the ``have`` users of the last step, however late that was.
    """
    if now >= size.seconds:
        return None
    share = curve.share(min(1.0, (now + AHEAD_S) / size.seconds))
    then = max(1, round(size.users * share))
    per_second = min(SPAWNED_PER_SECOND_MAX, max(1.0, abs(then - have) / AHEAD_S))
    return Step(then, per_second)


class SlowClock:
    """The time of a run for its curve: no step is longer than ``step_max`` seconds.

    If starting users takes longer than planned, the run becomes longer instead of
    losing its later phases.
    """

    def __init__(self, step_max: float) -> None:
        self._step_max = step_max
        self._asked = self._now = 0.0

    def at(self, elapsed: float, *, held: bool = False) -> float:
        """The run's time after ``elapsed`` seconds of wall-clock time.

        ``held``: the run's time has stood still since the last call.
        """
        if elapsed < self._asked:  # Locust reset the shape
            self._asked = self._now = 0.0
        if not held:
            self._now += min(self._step_max, elapsed - self._asked)
        self._asked = elapsed
        return self._now


PEAK_VISITORS = 2_100_000
PEAK_MINUTES = 15
PEAK_BOOKINGS_PER_MINUTE = 20_000
"""The evening that ``National`` is scaled from."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a run compared with that evening."""

    visitors: int
    bookings_per_minute: float
    seconds: float

    def sentence(self) -> str:
        """The comparison as a sentence of the report."""
        visitors = self.visitors / PEAK_VISITORS
        bookings = self.bookings_per_minute / PEAK_BOOKINGS_PER_MINUTE
        faster = PEAK_MINUTES * 60 / self.seconds
        return (
            f"Scale: {self.visitors:,} visitors are 1 in {1 / visitors:,.0f} of "
            f"{PEAK_VISITORS:,}; the quarter of an hour took {self.seconds:,.0f} s, "
            f"{faster:.1f} times as fast; its peak minute had "
            f"{self.bookings_per_minute:,.0f} bookings a minute, "
            f"{100 * bookings:.1f} % of {PEAK_BOOKINGS_PER_MINUTE:,}."
            if self.visitors
            else "Scale: no users arrived."
        )
