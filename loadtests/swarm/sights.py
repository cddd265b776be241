"""From asking for a change until a watcher sees it.

A request and the first sight of the state that it led to are both noted with their
time. A slot that many ask for is timed from the request that got it, so what is seen
before the answer waits for it. Times are of one process's monotonic clock: changes of
other processes are not timed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

KEPT_MAX = 20_000
"""Changes that are remembered; the oldest is forgotten."""

Key = tuple[str, str, str]
"""Topic, start, state."""


@dataclass(slots=True)
class _Change:
    asked: float | None = None
    """When the one whose wish came true had asked; None: not known yet."""
    open: int = 0
    """Wishes without an answer."""
    seen: array[float] = field(default_factory=lambda: array("d"))
    """Before that is known: when it was seen, and since when that watcher was there."""


class Sights:
    """What was asked for and what was seen of it; ``report`` gets ms."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self._changes: dict[Key, _Change] = {}

    def asked(self, key: Key) -> None:
        """Note a request for this state."""
        topic, start, state = key
        for other in ("free", "held", "booked", "cancelled"):
            if other != state:
                known = self._changes.get((topic, start, other))
                if known is not None and not known.open:
                    del self._changes[topic, start, other]
        change = self._changes.get(key)
        if change is None:
            while len(self._changes) >= KEPT_MAX:
                del self._changes[next(iter(self._changes))]
            change = self._changes[key] = _Change()
        change.open += 1

    def happened(self, key: Key, asked: float) -> None:
        """Who asked at ``asked`` got it."""
        change = self._changes.get(key)
        if change is None:
            return
        change.open -= 1
        change.asked = asked
        waiting, change.seen = change.seen, array("d")
        for seen, since in zip(waiting[::2], waiting[1::2], strict=True):
            self._judge(asked, seen, since)

    def refused(self, key: Key) -> None:
        """Who asked did not get it, or never heard."""
        change = self._changes.get(key)
        if change is None:
            return
        change.open -= 1
        if not change.open and change.asked is None:
            del self._changes[key]

    def seen(self, key: Key, now: float, since: float) -> None:
        """A watcher who has been connected since ``since`` sees it.

        What was asked for before that is no sight: the watcher was not there to see.
        """
        change = self._changes.get(key)
        if change is None:
            return
        if change.asked is None:
            change.seen.extend((now, since))
        else:
            self._judge(change.asked, now, since)

    def _judge(self, asked: float, seen: float, since: float) -> None:
        if since <= asked <= seen:
            self._report(1000 * (seen - asked))
