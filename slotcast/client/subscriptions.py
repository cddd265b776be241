"""The topics of one client: their views, open subscriptions, and gaps.

Each ``subscribe`` has an id, and its result comes before the frames it causes: so a
topic is requested again at most once per result, however many frames show one gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct

from slotcast.client.events import (
    DeltaSeen,
    DeltaSkipped,
    Event,
    GapHealed,
    GapSeen,
    SnapshotSeen,
    Subscribed,
    TopicRefused,
)
from slotcast.client.frames import Position, ServerMessage
from slotcast.client.view import Applied, Gap, TopicView

TOPICS_PER_MESSAGE: Final = 100
"""With positions, and names of 200 characters, that stays below 64 KiB; those of lists
may be longer, but are few."""
TRIES_WITH_SINCE: Final = 2
"""Attempts to close a gap by deltas, before a snapshot is requested."""
UNAUTHENTICATED: Final = 401
COMES_AGAIN: Final = frozenset({429, 503})
"""Statuses of a refused topic that may be accepted later."""

Ask = Callable[..., tuple[int, str]]
"""Makes a message from an op and fields; returns its id and text."""


class Missing(Struct):
    """A gap that is being closed: until the view has reached ``wanted``."""

    wanted: Position
    tries: int = 0
    asked: int | None = None
    """Id of the ``subscribe`` that will close it; None once it has a result."""


class Subscriptions:
    """Views by topic, and the ``subscribe`` messages that keep them complete."""

    def __init__(self, topics: Iterable[str], ask: Ask) -> None:
        self.views: dict[str, TopicView] = {t: TopicView(t) for t in topics}
        self._ask = ask
        self._asked: dict[int, tuple[str, ...]] = {}
        self._missing: dict[str, Missing] = {}
        self._waiting: dict[str, int] = {}
        """Topics that were refused for now, with the status of the refusal."""

    # --- requests ------------------------------------------------------------------

    def begin(self) -> list[str]:
        """On a new connection: subscribe to every topic, with its position."""
        self._asked.clear()
        self._waiting.clear()
        for missing in self._missing.values():
            missing.asked = None
        return self._subscribe(self.views)

    def want(self, topics: Iterable[str]) -> list[str]:
        """Watch these too; returns what to send for those that are new."""
        new = [t for t in dict.fromkeys(topics) if t not in self.views]
        for topic in new:
            self.views[topic] = TopicView(topic)
        return self._subscribe(new)

    def leave(self, topics: Iterable[str]) -> list[str]:
        """Stop watching these and drop their views; returns what to send."""
        left = [t for t in dict.fromkeys(topics) if t in self.views]
        for topic in left:
            self._forget(topic)
        return [
            self._ask("unsubscribe", topics=part)[1]
            for part in _parts(left, TOPICS_PER_MESSAGE)
        ]

    def again(self, statuses: Iterable[int]) -> list[str]:
        """Subscribe again to topics that were refused with one of these statuses."""
        wanted = set(statuses)
        return self._subscribe([t for t, s in self._waiting.items() if s in wanted])

    def _subscribe(self, topics: Iterable[str]) -> list[str]:
        texts = []
        for part in _parts(list(topics), TOPICS_PER_MESSAGE):
            since = {t: stands for t in part if (stands := self._stands(t)) is not None}
            fields: dict[str, Any] = {"topics": part}
            if since:
                fields["since"] = since
            identifier, text = self._ask("subscribe", **fields)
            self._asked[identifier] = tuple(part)
            texts.append(text)
            for topic in part:
                self._waiting.pop(topic, None)
                if topic in self._missing:
                    self._missing[topic].tries += 1
                    self._missing[topic].asked = identifier
        return texts

    def _stands(self, topic: str) -> Position | None:
        missing = self._missing.get(topic)
        if missing is not None and missing.tries >= TRIES_WITH_SINCE:
            return None
        return self.views[topic].position

    def _forget(self, topic: str) -> None:
        self.views.pop(topic, None)
        self._missing.pop(topic, None)
        self._waiting.pop(topic, None)

    # --- what the server sends ----------------------------------------------------

    def answered(self, frame: ServerMessage) -> list[Event] | None:
        """A result or an error; None if no topic of ours is concerned."""
        if frame.t == "error" and frame.topic:
            return self._refused((frame.topic,), frame)
        if not isinstance(frame.id, int) or frame.id not in self._asked:
            return None
        topics = self._asked.pop(frame.id)
        for missing in self._missing.values():
            if missing.asked == frame.id:
                missing.asked = None
        if frame.t == "error":
            return self._refused(topics, frame)
        had = frame.body.get("topics", ()) if isinstance(frame.body, dict) else ()
        return [Subscribed(tuple(str(topic) for topic in had))]

    def _refused(self, topics: Iterable[str], frame: ServerMessage) -> list[Event]:
        events: list[Event] = []
        comes_again = frame.status in COMES_AGAIN or frame.status == UNAUTHENTICATED
        for topic in topics:
            if topic not in self.views:
                continue
            if comes_again:
                self._waiting[topic] = frame.status
            else:
                self._forget(topic)
            refused = TopicRefused(
                topic, frame.status, str(frame.code), frame.detail, comes_again
            )
            events.append(refused)
        return events

    def news(self, frame: ServerMessage) -> tuple[list[Event], list[str]]:
        """A snapshot or a delta: what it was, and what to send."""
        topic = frame.topic
        view = self.views.get(topic)
        if view is None:
            return [], []  # on its way when we left the topic
        found = view.apply(frame)
        if isinstance(found, Gap):
            return self._lacks(topic, found.wanted, by_heartbeat=False)
        if not isinstance(found, Applied):
            return [DeltaSkipped(topic, frame.position)], []
        kind = SnapshotSeen if frame.t == "snapshot" else DeltaSeen
        events: list[Event] = [kind(topic, frame.position, found.before, found.changes)]
        if self._is_healed(topic, frame):
            events.append(GapHealed(topic, frame.position))
        return events, []

    def _is_healed(self, topic: str, frame: ServerMessage) -> bool:
        missing = self._missing.get(topic)
        if missing is None:
            return False
        epoch, version = missing.wanted
        if frame.t == "delta" and frame.epoch == epoch and frame.version < version:
            return False
        del self._missing[topic]
        return True

    def compare(self, frame: ServerMessage) -> tuple[list[Event], list[str], list[str]]:
        """A heartbeat's positions: events, what to send, and the topics behind."""
        events: list[Event] = []
        send: list[str] = []
        behind = []
        for topic, position in frame.positions.items():
            view = self.views.get(topic)
            if view is None or not view.is_behind(position):
                continue
            behind.append(topic)
            seen, texts = self._lacks(topic, position, by_heartbeat=True)
            events += seen
            send += texts
        return events, send, behind

    def _lacks(
        self, topic: str, wanted: Position, *, by_heartbeat: bool
    ) -> tuple[list[Event], list[str]]:
        missing = self._missing.get(topic)
        if missing is not None:
            missing.wanted = max(missing.wanted, wanted)
            return [], [] if missing.asked is not None else self._subscribe([topic])
        self._missing[topic] = Missing(wanted)
        gap = GapSeen(topic, self.views[topic].position, wanted, by_heartbeat)
        return [gap], self._subscribe([topic])


def _parts(items: Iterable[str], size: int) -> list[list[str]]:
    whole = list(items)
    return [whole[first : first + size] for first in range(0, len(whole), size)]
