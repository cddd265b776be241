"""When to reconnect: at random times, so that ten thousand clients do not collide.

A wait is drawn evenly between the floor and a ceiling that doubles with each attempt.
The floor is the lower end of the range and not a minimum applied afterwards: clamping
would bring many clients back in the same instant. This module cannot wait, read a
clock, or draw a number of its own: chance and time are arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

FLOOR_S: Final = 0.5
STEP_S: Final = 0.5
"""The ceiling is this, doubled with each attempt: 1 s, 2 s, 4 s, …"""
CEILING_S: Final = 20.0
STABLE_S: Final = 60.0
"""After a connection that lasted this long, attempts are counted from zero."""
TOLD_MAX_S: Final = 300.0
"""Upper bound of a wait that the server asks for."""


class Backoff:
    """One client's waits. ``attempts`` counts connections lost in a row."""

    def __init__(
        self,
        random: Random,
        *,
        floor_s: float = FLOOR_S,
        step_s: float = STEP_S,
        ceiling_s: float = CEILING_S,
        stable_s: float = STABLE_S,
    ) -> None:
        if not 0 <= floor_s <= ceiling_s:
            raise ValueError("a wait's floor is not above its ceiling")
        self.attempts = 0
        self._random = random
        self._floor_s = floor_s
        self._step_s = step_s
        self._ceiling_s = ceiling_s
        self._stable_s = stable_s
        self._since: float | None = None
        self._told_s: tuple[float, float] | None = None

    def connected(self, now: float) -> None:
        """The connection is open. ``now`` is in seconds, on a monotonic clock."""
        self._since = now
        self._told_s = None

    def told(self, retry_ms: tuple[int, int]) -> None:
        """The server named a range for the next wait: it replaces the drawn one."""
        first, last = (min(max(0, ms) / 1000, TOLD_MAX_S) for ms in retry_ms)
        self._told_s = (min(first, last), max(first, last))

    def lost(self, now: float, *, at_least_s: float = 0.0) -> float:
        """The connection ended, or could not be made: seconds until the next try.

        ``at_least_s`` is a server's Retry-After; the drawn wait is added to it, since
        every client that was turned away got the same value.
        """
        if self._since is not None and now - self._since >= self._stable_s:
            self.attempts = 0
        self._since = None
        self.attempts += 1
        told, self._told_s = self._told_s, None
        if told is not None:
            return self._random.uniform(*told)
        wait = self._random.uniform(self._floor_s, self._ceiling())
        return wait + min(max(0.0, at_least_s), TOLD_MAX_S)

    def _ceiling(self) -> float:
        # Beyond some power of two a float is infinite; the ceiling is reached before.
        doubled = self._step_s * 2.0 ** min(self.attempts, 60)
        return max(self._floor_s, min(self._ceiling_s, doubled))
