"""One connection of a crowd, and the counts of all of them.

A listener is one object for all its connections: when it is told to reconnect, it
remembers where it stood.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

from loadtests.crowd.wire import HEAD_END, KIND_AT, Sighting, refusal_of
from loadtests.wire.websocket import (
    CLOSE,
    CONTINUED,
    PING,
    PONG,
    TEXT,
    frame_at,
    masked,
)

DELTA, SNAPSHOT, RESULT, HEARTBEAT = b"dsrh"


class Refused(Exception):
    """The upgrade was refused: the server's status, and seconds until the next try."""

    def __init__(self, status: int, retry_s: float) -> None:
        super().__init__(f"no upgrade: {status}")
        self.status = status
        self.retry_s = retry_s


class Crowd:
    """Counts of all connections of this process."""

    def __init__(self, request: bytes, say: bytes, counts: bytes) -> None:
        self.request = request
        self.say = say
        self.counts = counts
        self.joined = 0
        self.lost = 0
        self.refused: Counter[int] = Counter()
        """Handshakes answered with a status other than 101."""
        self.closes: Counter[int] = Counter()
        """Close codes received."""
        self.ready = 0
        """Connections that received at least one frame after they joined."""
        self.round = 0
        self.listeners: list[Listener] = []
        self.reset()

    def reset(self) -> None:
        """Start counting from zero; every connection starts at its next frame."""
        self.round += 1
        self.at: list[float] = []
        self.seen: list[int] = []
        self.frames = 0
        """Deltas and snapshots received."""
        self.heartbeats = 0
        self.answered = 0
        """Subscriptions answered, and when the last one was."""
        self.answered_at = 0.0
        self.shown_at = 0.0
        """When the last joining connection received its first frame of a topic."""
        self.heads: dict[bytes, Sighting] = {}

    def note(self, number: int, now: float) -> None:
        """Count a connection's frame with this number."""
        if number >= len(self.at):
            self.at.append(now)
            self.seen.append(0)
        self.at[number] = now
        self.seen[number] += 1

    def sighting(self, head: bytes) -> Sighting:
        """The record of the delta or snapshot with this head."""
        found = self.heads.get(head)
        if found is None:
            found = self.heads[head] = Sighting(head)
        return found

    def report(self) -> dict[str, Any]:
        """All counts, without the individual deliveries."""
        return {
            "joined": self.joined,
            "ready": self.ready,
            "lost": self.lost,
            "refused": {str(status): n for status, n in self.refused.items()},
            "closes": {str(code): n for code, n in self.closes.items()},
            "at": self.at,
            "seen": self.seen,
            "frames": self.frames,
            "heartbeats": self.heartbeats,
            "answered": self.answered,
            "answered_at": self.answered_at,
            "shown_at": self.shown_at,
            "stands": self.stands(),
        }

    def stands(self) -> dict[str, dict[str, int]]:
        """How many connected listeners are at each version of each topic."""
        found: dict[str, Counter[str]] = {}
        for listener in self.listeners:
            if listener.is_lost:
                continue
            for topic, (_, version) in listener.stands().items():
                found.setdefault(topic, Counter())[str(version)] += 1
        return {topic: dict(counts) for topic, counts in found.items()}


class Listener(asyncio.Protocol):
    """One listener: its connection, and the next when it is told to reconnect."""

    __slots__ = (
        "_crowd",
        "_had",
        "_has_topic",
        "_is_shaken",
        "_last",
        "_others",
        "_rest",
        "_round",
        "_transport",
        "is_away",
        "is_lost",
        "is_noted",
        "number",
        "since",
        "topics",
        "up",
    )

    def __init__(
        self, crowd: Crowd, number: int = 0, topics: tuple[str, ...] = ()
    ) -> None:
        self._crowd = crowd
        self.number = number
        self.topics = topics
        self.since: dict[str, tuple[int, int]] | None = None
        """The position sent with its subscriptions; None: no position is sent."""
        self.is_noted = True
        """Whether its deliveries are kept."""
        self._had = -1
        self._round = 0
        self._last: Sighting | None = None
        self._others: dict[str, Sighting] | None = {} if len(topics) > 1 else None
        self.prepare()

    def prepare(self) -> None:
        """Forget the connection, but keep what was received on it."""
        self.is_away = False
        self.is_lost = False
        self._rest = b""
        self._is_shaken = False
        self._has_topic = False
        self._transport: Any = None
        self.up: asyncio.Future[None] | None = (
            asyncio.get_running_loop().create_future()
        )
        """Done when it is connected and its subscription, if any, is answered."""

    def stands(self) -> dict[str, tuple[int, int]]:
        """The newest positions of its topics."""
        last = [self._last] if self._last else []
        seen = last if self._others is None else list(self._others.values())
        return {one.topic: (one.epoch, one.version) for one in seen}

    def leave(self) -> None:
        """Abort the connection, like a machine that loses its network."""
        self.is_away = True
        if self._transport is not None:
            self._transport.abort()

    def stall(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def read_on(self) -> None:
        """Resume reading."""
        self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport
        self._transport.write(self._crowd.request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection as lost."""
        self.is_lost = self._is_shaken and not self.is_away
        self._crowd.lost += self.is_lost
        if self.up is not None and not self.up.done():
            self.up.set_exception(ConnectionError("no upgrade"))

    def data_received(self, data: bytes) -> None:
        """Count frames."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at = 0
        if not self._is_shaken:
            at = self._greeted(data)
            if not at:
                return
        now = time.monotonic()
        while True:
            body, end = frame_at(data, at)
            if not end:
                break
            if data[at] & 15 in (TEXT, CONTINUED):
                self._take(data, body, end, now)
            else:
                self._control(data[at] & 15, data[body:end])
            at = end
        if at < len(data):
            self._rest = data[at:]

    def _greeted(self, data: bytes) -> int:
        """Offset of the first frame after the handshake's answer; 0: incomplete."""
        mark = data.find(b"\r\n\r\n")
        if mark < 0:
            self._rest = data
            return 0
        if b" 101 " not in data[:16]:
            status, retry_s = refusal_of(data[:mark])
            self._crowd.refused[status] += 1
            if self.up is not None and not self.up.done():
                self.up.set_exception(Refused(status, retry_s))
            self._transport.abort()
            return 0
        self._is_shaken = True
        self._crowd.joined += 1
        words = self._words()
        if words:
            self._transport.write(masked(TEXT, words))
        else:
            self._is_up()
        return mark + 4

    def _words(self) -> bytes:
        if not self.topics:
            return self._crowd.say
        asked: dict[str, object] = {
            "op": "subscribe",
            "id": 1,
            "topics": list(self.topics),
        }
        if self.since:
            asked["since"] = self.since
        return json.dumps(asked).encode()

    def _is_up(self) -> None:
        if self.up is not None and not self.up.done():
            self.up.set_result(None)
        self.up = None

    def _take(self, data: bytes, body: int, end: int, now: float) -> None:
        crowd = self._crowd
        if self._had < 0:
            crowd.ready += 1
            self._had = 0
        if crowd.counts and data.startswith(crowd.counts, body, end):
            self._count(now)
        kind = data[body + KIND_AT] if end - body > KIND_AT else 0
        if kind in (DELTA, SNAPSHOT):
            if self.topics:
                self._saw(data, body, end, now)
        elif kind == RESULT:
            crowd.answered += 1
            crowd.answered_at = now
            self._is_up()
        elif kind == HEARTBEAT:
            crowd.heartbeats += 1

    def _saw(self, data: bytes, body: int, end: int, now: float) -> None:
        mark = data.find(HEAD_END, body, end)
        if mark < 0:
            return
        crowd = self._crowd
        crowd.frames += 1
        found = crowd.sighting(data[body:mark])
        if self.is_noted:
            found.at.append(now)
        self._last = found
        if self._others is not None:
            self._others[found.topic] = found
        if not self._has_topic:
            self._has_topic = True
            crowd.shown_at = now

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._transport.write(masked(PONG, payload))
        elif opcode == CLOSE:
            self._crowd.closes[int.from_bytes(payload[:2], "big")] += 1
            self._transport.close()

    def _count(self, now: float) -> None:
        crowd = self._crowd
        if self._round != crowd.round:
            self._round, self._had = crowd.round, 0
        crowd.note(self._had, now)
        self._had += 1
