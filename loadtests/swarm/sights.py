"""The time from the request for a change until a watcher sees it.

The times of a request and of the first sight of the resulting state are recorded. A
slot that many request is timed from the request that won, so a sight before the answer
waits for it. Times are on one process's monotonic clock: changes by other processes are
not timed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

KEPT_MAX = 20_000
"""Most changes that are kept; the oldest is dropped."""

Key = tuple[str, str, str]
"""Topic, start, state."""


@dataclass(slots=True)
class _Change:
    asked: float | None = None
    """When the successful request was sent; None: not known yet."""
    open: int = 0
    """Requests without an answer."""
    seen: array[float] = field(default_factory=lambda: array("d"))
    """Sights before that is known: when, and since when the watcher is connected."""


class Sights:
    """Matches requests with sights; ``report`` receives milliseconds."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self._changes: dict[Key, _Change] = {}

    def asked(self, key: Key) -> None:
        """Record a request for this state."""
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
        """The request sent at ``asked`` succeeded."""
        change = self._changes.get(key)
        if change is None:
            return
        change.open -= 1
        change.asked = asked
        waiting, change.seen = change.seen, array("d")
        for seen, since in zip(waiting[::2], waiting[1::2], strict=True):
            self._judge(asked, seen, since)

    def refused(self, key: Key) -> None:
        """A request failed or was never answered."""
        change = self._changes.get(key)
        if change is None:
            return
        change.open -= 1
        if not change.open and change.asked is None:
            del self._changes[key]

    def seen(self, key: Key, now: float, since: float) -> None:
        """A watcher that has been connected since ``since`` sees the state.

        Requests from before that do not count: the watcher was not connected then.
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
