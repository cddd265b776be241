"""A server of a few topics as a client may imagine it, and a line that is unfair to it.

Deltas are lost, doubled and brought in any order; whole connections break. Only what a
client asked for is answered for sure, as on a connection that lives. The server is
written from WIRE.md and knows nothing of our code.
"""

from __future__ import annotations

import json
from collections import deque
from random import Random
from typing import Any

from slotcast.client.session import LiveSession

TOPICS = tuple(f"slots/prv_{n}/consult/2026-W49" for n in (1, 2))
STARTS = tuple(f"2026-12-01T{hour:02}:00:00Z" for hour in range(8, 14))
STATES = ("free", "held", "booked", "gone")
RING = 6


class TopicModel:
    """What the server has of one topic, and the deltas that it still knows."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.epoch = 1
        self.version = 10
        self.slots = dict.fromkeys(STARTS, "free")
        self.ring: deque[dict[str, Any]] = deque(maxlen=RING)

    def change(self, dice: Random) -> dict[str, Any]:
        starts = dice.sample(STARTS, dice.randint(1, 3))
        before, self.version = self.version, self.version + dice.randint(1, 4)
        pairs = [(start, dice.choice(STATES)) for start in starts]
        for start, state in pairs:
            if state == "gone":
                self.slots.pop(start, None)
            else:
                self.slots[start] = state
        delta = self._frame("delta", **{"from": before}, slots=pairs)
        self.ring.append(delta)
        return delta

    def begin_anew(self, dice: Random) -> dict[str, Any]:
        """Another owner: its versions may be lower, its content another."""
        self.epoch += 1
        self.version = dice.randint(1, 12)
        self.slots[dice.choice(STARTS)] = "booked"
        self.ring.clear()
        return self.snapshot()

    def snapshot(self) -> dict[str, Any]:
        return self._frame("snapshot", slots=sorted(self.slots.items()))

    def since(self, stands: list[int] | None) -> list[dict[str, Any]]:
        if stands is None or stands[0] != self.epoch:
            return [self.snapshot()]
        if stands[1] == self.version:
            return []
        for number, delta in enumerate(self.ring):
            if delta["from"] == stands[1]:
                return list(self.ring)[number:]
        return [self.snapshot()]

    def _frame(self, kind: str, **fields: Any) -> dict[str, Any]:
        position = {"epoch": self.epoch, "version": self.version}
        return {"t": kind, "topic": self.topic, **position, **fields}


class ClientWorld:
    """One session, its server, and what is on its way to it."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.models = {topic: TopicModel(topic) for topic in TOPICS}
        self.session = LiveSession(TOPICS, random=Random(seed))
        self.now = 0.0
        self.on_its_way: list[dict[str, Any]] = []
        self.answers = 0
        self.connect()

    # --- what may happen ---------------------------------------------------------

    def change(self) -> None:
        self.on_its_way.append(self._model().change(self.dice))

    def begin_anew(self) -> None:
        self.on_its_way.append(self._model().begin_anew(self.dice))

    def deliver(self) -> None:
        if self.on_its_way:
            self._hear(self.on_its_way.pop(0))

    def deliver_any(self) -> None:
        if self.on_its_way:
            place = self.dice.randrange(len(self.on_its_way))
            self._hear(self.on_its_way.pop(place))

    def lose(self) -> None:
        if self.on_its_way:
            self.on_its_way.pop(self.dice.randrange(len(self.on_its_way)))

    def double(self) -> None:
        if self.on_its_way:
            self.on_its_way.append(self.dice.choice(self.on_its_way))

    def beat(self) -> None:
        positions = {t: [m.epoch, m.version] for t, m in self.models.items()}
        told = {"t": "heartbeat", "now": "2026-12-01T08:00:00Z", "positions": positions}
        self._hear(told)

    def reconnect(self) -> None:
        self.on_its_way.clear()
        assert self.session.lost(1006, self.now) is not None
        self.connect()

    # --- the line ----------------------------------------------------------------

    def connect(self) -> None:
        self._say(self.session.connected(self.now))

    def settle(self) -> None:
        """All that is on its way arrives in order, then heartbeats until all is well.

        Raises AssertionError if that takes more questions than a gap may need.
        """
        for _ in range(4):
            while self.on_its_way:
                self.deliver()
            self.beat()
        assert not self.on_its_way, "the client never stops asking"

    def differences(self) -> list[str]:
        """Topics whose view is not what the server shows."""
        views = self.session.views
        return [t for t, m in self.models.items() if views[t].slots != m.slots]

    def _model(self) -> TopicModel:
        return self.models[self.dice.choice(TOPICS)]

    def _hear(self, frame: dict[str, Any]) -> None:
        self.now += 0.1
        self._say(self.session.heard(json.dumps(frame), self.now).send)

    def _say(self, texts: list[str]) -> None:
        for text in texts:
            asked = json.loads(text)
            assert asked["op"] == "subscribe"
            self.answers += 1
            body = {"topics": asked["topics"]}
            self._hear({"t": "result", "id": asked["id"], "status": 200, "body": body})
            for topic in asked["topics"]:
                stands = asked.get("since", {}).get(topic)
                self.on_its_way += self.models[topic].since(stands)
