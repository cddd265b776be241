"""Whether the machine's clock can be trusted, and the time a shard uses.

The wall clock is compared with steady time, which cannot be set. Between the two the
shard keeps a time of its own that follows the wall clock slowly, so that a hold lasts
as long as was promised although the clock is corrected meanwhile:

- a step of at most ``step_ms`` is followed at a tenth of the pace of time;
- a larger one is not believed until it has stayed for ``confirm_ms``. Until then
  nothing is decided. If the clock comes back before that, nothing happened;
- the shard's time is never before the journal's newest instant (the floor). Where that
  is ahead of the clock, the shard's time goes on from there, at nine tenths of the
  pace, and an alarm says so;
- a clock that comes back to where it stood before a step that had been believed shows
  that the step was wrong: the floor may then be lowered (``ClockReading.may_lower``).

Pure: both times are arguments.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis

STEP_MS: Final = 60_000
"""In ms. A step of the clock up to this is a correction; a larger one may be a
fault."""
CONFIRM_MS: Final = 300_000
"""A step is trusted after it has lasted this long, in ms."""
_FOLLOW: Final = 10
"""The shard's time gains or loses one part in this many while it follows the clock."""
_FORMER_MAX: Final = 4


class ClockReading(Struct, frozen=True):
    """The time of one batch."""

    wall: Millis
    """The machine's clock: deadlines of commands were set by such clocks."""
    now: Millis
    """The shard's time; decisions are made and journaled with it."""
    doubt: str = ""
    """Why no command may be decided now."""
    may_lower: bool = False
    """The journal's newest instant is ahead and was written by a wrong clock."""


class ClockWatch:
    """Follows one machine's clock, for one shard."""

    def __init__(self, step_ms: int = STEP_MS, confirm_ms: int = CONFIRM_MS) -> None:
        self.ahead_ms = 0
        """How far the shard's time is ahead of the clock; as last seen."""
        self._step_ms = step_ms
        self._confirm_ms = confirm_ms
        self._begun = False
        self._seen_at = 0
        """Steady time at which the clock was last followed."""
        self._offset = 0
        """The shard's time less steady time."""
        self._believed = 0
        """The wall clock less steady time, as long as the clock is believed."""
        self._doubted: tuple[int, int] | None = None
        """A step not yet believed: its offset, and since when it stays."""
        self._former: deque[int] = deque(maxlen=_FORMER_MAX)
        self._came_back = False
        self._floor = Millis(0)
        self._may_go_back = False
        """A step was just believed, or the floor lowered."""

    @property
    def doubts(self) -> bool:
        """Whether a step of the clock is still to be confirmed."""
        return self._doubted is not None

    @property
    def is_behind_journal(self) -> bool:
        """Whether the journal is further ahead of the clock than a correction."""
        return self.ahead_ms > self._step_ms

    def see(self, wall: Millis, steady: Millis, floor: Millis) -> ClockReading:
        """The time now; ``floor`` is the journal's newest instant."""
        shown = wall - steady
        if not self._begun:
            self._begun = True
            self._seen_at, self._offset, self._believed = steady, shown, shown
        self._may_go_back = self._may_go_back or floor < self._floor
        self._floor = floor
        doubt = self._judge(shown, steady)
        if not doubt:
            self._believed = shown
            self._follow(shown, steady, floor - steady)
        self._offset = max(self._offset, floor - steady)
        now = Millis(steady + self._offset)
        self.ahead_ms = max(0, now - wall) if not doubt else 0
        if not doubt and floor - wall <= self._step_ms:
            self._came_back = False
        return ClockReading(wall, now, doubt, self._came_back and not doubt)

    def _judge(self, shown: int, steady: int) -> str:
        """Trust the clock, or return why not."""
        step = shown - self._believed
        if abs(step) <= self._step_ms:
            self._doubted = None
            return ""
        if any(abs(shown - former) <= self._step_ms for former in self._former):
            self._came_back = True
            self._believe()
            return ""
        offset, since = self._doubted or (shown, steady)
        if abs(shown - offset) > self._step_ms:
            offset, since = shown, steady
        self._doubted = offset, since
        if steady - since >= self._confirm_ms:
            self._believe()
            return ""
        return (
            f"the machine's clock was set {_span(abs(step))} "
            f"{'ahead' if step > 0 else 'back'}; it is believed if it stays so for "
            f"{_span(self._confirm_ms)}"
        )

    def _believe(self) -> None:
        """Take the step; what the clock showed before is remembered."""
        self._former.append(self._believed)
        self._doubted = None
        self._may_go_back = True

    def _follow(self, shown: int, steady: int, floor: int) -> None:
        """Bring the shard's time nearer to the clock's."""
        apart = shown - self._offset
        if apart > self._step_ms or (apart < -self._step_ms and self._may_go_back):
            self._offset = max(shown, floor)
            apart = shown - self._offset
        self._may_go_back = False
        most = max(0, steady - self._seen_at) // _FOLLOW
        if most or not apart:
            self._seen_at = steady
        self._offset += max(-most, min(apart, most))


def _span(ms: int) -> str:
    """A span of time in words: the largest unit that fits twice."""
    for unit, size in (("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000)):
        if ms >= 2 * size:
            return f"{ms // size} {unit}"
    return f"{ms // 1000} seconds"
