"""The display: when the first, the median and the last watcher saw a change.

Pure: times to rows and bars. rich draws the screen where there is a
terminal; elsewhere each change is a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

BARS = 12
BAR_WIDTH = 44
BLINK_MS = (100, 400)
"""How long a blink of an eye takes, shortest and longest."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Sight:
    """One change, and after how many milliseconds each watcher saw it."""

    number: int
    what: str
    answered_ms: float
    seen_ms: Sequence[float]
    expected: int

    @property
    def first_ms(self) -> float:
        """Milliseconds until the first watcher saw it."""
        return min(self.seen_ms, default=0.0)

    @property
    def median_ms(self) -> float:
        """Milliseconds until half of the watchers had seen it."""
        return median(self.seen_ms) if self.seen_ms else 0.0

    @property
    def last_ms(self) -> float:
        """Milliseconds until the last watcher saw it."""
        return max(self.seen_ms, default=0.0)

    @property
    def is_whole(self) -> bool:
        """Whether all watchers saw it."""
        return len(self.seen_ms) == self.expected

    def line(self) -> str:
        """The change on one line, where there is no terminal."""
        return (
            f"{self.number:>4}  {self.what:<17} answered {self.answered_ms:6.1f} ms   "
            f"seen by the first {self.first_ms:6.1f}, half {self.median_ms:6.1f}, "
            f"the last {self.last_ms:6.1f} ms   "
            f"{len(self.seen_ms):,} of {self.expected:,}"
        )


@dataclass(slots=True)
class Show:
    """All changes so far."""

    topic: str
    watchers: int
    changes: int
    connected: int = 0
    lost: int = 0
    connecting_s: float = 0.0
    sights: list[Sight] = field(default_factory=list)

    @property
    def went_well(self) -> bool:
        """Whether all watchers stayed connected and saw every change."""
        is_whole = all(sight.is_whole for sight in self.sights)
        return is_whole and self.connected == self.watchers and self.lost == 0

    def heading(self) -> str:
        """The heading: how many watchers, on which topic."""
        return (
            f"{self.connected:,} of {self.watchers:,} watchers of {self.topic}, "
            f"{self.lost:,} lost"
        )

    def summary(self) -> str:
        """The closing line."""
        if not self.sights:
            return "No change was made."
        whole = sum(sight.is_whole for sight in self.sights)
        lasts = sorted(sight.last_ms for sight in self.sights)
        answers = median(sight.answered_ms for sight in self.sights)
        return (
            f"{whole} of {len(self.sights)} changes were seen by all "
            f"{self.watchers:,}. Answered after {answers:.1f} ms (median); the last "
            f"watcher saw it after {median(lasts):.1f} ms (median), "
            f"{lasts[-1]:.1f} ms at worst. A blink takes "
            f"{BLINK_MS[0]} to {BLINK_MS[1]} ms."
        )


def bars(seen_ms: Sequence[float]) -> list[tuple[float, int]]:
    """Histogram rows: upper end in milliseconds and count, in equal round steps."""
    if not seen_ms:
        return []
    step = round_step(max(seen_ms) / BARS)
    counts = [0] * (int(max(seen_ms) / step) + 1)
    for one in seen_ms:
        counts[int(one / step)] += 1
    return [((index + 1) * step, count) for index, count in enumerate(counts)]


def round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, … (and of 0.1, 0.2, …)."""
    power = 0.1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= least:
                return digit * power
        power *= 10


def bar(count: int, most: int, width: int = BAR_WIDTH) -> str:
    """A bar with a resolution of an eighth; the smallest count is still visible."""
    if count <= 0:
        return ""
    eighths = max(1, round(8 * width * count / most))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def screen(show: Show) -> RenderableType:
    """The whole display."""
    parts: list[RenderableType] = [Text(show.heading(), style="bold")]
    if not show.sights:
        parts.append(Text("connecting …" if not show.connected else "soon …"))
        return _framed(parts)
    sight = show.sights[-1]
    parts.append(Text(f"\nchange {sight.number} of {show.changes}: {sight.what}\n"))
    rows = Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(justify="right", style="bold")
    rows.add_row("answered after", f"{sight.answered_ms:.1f} ms")
    rows.add_row("the first watcher saw it after", f"{sight.first_ms:.1f} ms")
    rows.add_row("half of them", f"{sight.median_ms:.1f} ms")
    style = "green" if sight.last_ms <= BLINK_MS[0] else "yellow"
    last = Text(f"{sight.last_ms:.1f} ms", style=f"bold {style}")
    rows.add_row(f"the last of {len(sight.seen_ms):,}", last)
    parts += [rows, Text(), _histogram(sight.seen_ms), Text()]
    parts.append(Text(show.summary(), style="dim"))
    return _framed(parts)


def _histogram(seen_ms: Sequence[float]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim")
    table.add_column(style="cyan")
    table.add_column(justify="right", style="dim")
    found = bars(seen_ms)
    most = max((count for _, count in found), default=1)
    for until, count in found:
        shown = f"{count:,}" if count else ""
        table.add_row(f"to {until:g} ms", bar(count, most), shown)
    return table


def _framed(parts: Sequence[RenderableType]) -> Panel:
    return Panel(Group(*parts), title="In the time of a blink", padding=(1, 2))
