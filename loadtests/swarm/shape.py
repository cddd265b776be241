"""The scenario's curve as a Locust shape, followed by the closing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from locust import LoadTestShape

from loadtests.load.curves import Size, SlowClock, step
from loadtests.swarm.closing import Closing
from loadtests.swarm.shift import SHIFT

TICK_MAX_S = 2.0
"""Longest step in seconds; Locust asks once a second unless starting users lags."""


class ScenarioShape(LoadTestShape):
    """The shape; called about once a second on the master or the only process."""

    closing: Closing | None = None
    """Set when Locust is ready."""
    conductor: Callable[[float], bool] | None = None
    """A scenario's one-time event: called with the run's time, returns whether the
    run's time has to stand still."""

    def __init__(self) -> None:
        cast(Any, super()).__init__()
        self._last: tuple[int, float] = (1, 1.0)
        self._clock = SlowClock(TICK_MAX_S)
        self._is_held = False

    def tick(self) -> Any:
        """Target number of users and the rate of change; None ends the run."""
        plan, now = (
            SHIFT.plan,
            self._clock.at(cast(Any, self).get_run_time(), held=self._is_held),
        )
        size = Size(plan.users, plan.seconds)
        wanted = step(plan.kind.curve, size, now, have=self._last[0])
        if wanted is not None:
            conductor = type(self).conductor
            self._is_held = conductor is not None and conductor(now)
            self._last = (wanted.users, wanted.per_second)
            return self._last
        closing = type(self).closing
        return None if closing is None or closing.is_over() else self._last
