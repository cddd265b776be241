"""A watcher that follows the wire's rules for live topics and keeps its own view."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import websockets

SUBPROTOCOL = "slotcast.v1"


@dataclass(slots=True)
class TopicView:
    """What a watcher believes of one topic."""

    epoch: int = 0
    version: int = -1
    slots: dict[str, str] = field(default_factory=dict)
    deltas: int = 0
    gaps: int = 0


@dataclass(slots=True)
class Watched:
    """All topics of one watcher, and how it fared."""

    topics: dict[str, TopicView] = field(default_factory=dict)
    frames: int = 0
    reconnects: int = 0
    byes: int = 0
    errors: list[str] = field(default_factory=list)


def apply_frame(view: TopicView, frame: dict[str, Any]) -> bool:
    """Apply a snapshot or a delta; False when the watcher must subscribe again."""
    if frame["t"] == "snapshot":
        view.epoch, view.version = frame["epoch"], frame["version"]
        view.slots = dict(frame["slots"])
        return True
    if frame["epoch"] == view.epoch and frame["version"] <= view.version:
        return True
    if frame["epoch"] != view.epoch or frame["from"] > view.version:
        view.gaps += 1
        return False
    for start, state in frame["slots"]:
        if state == "gone":
            view.slots.pop(start, None)
        else:
            view.slots[start] = state
    view.version = frame["version"]
    view.deltas += 1
    return True


class LiveWatcher:
    """One socket on some slots topics; reconnects and resumes until told to stop."""

    def __init__(self, url: str, topics: Sequence[str], seed: int = 0) -> None:
        self._url = url
        self.watched = Watched({topic: TopicView() for topic in topics})
        self._dice = random.Random(seed)
        self._stop = asyncio.Event()
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """End after the current frame."""
        self._stop.set()

    async def run(self) -> None:
        """Watch until stopped; never raises for a lost server."""
        attempt = 0
        while not self._stop.is_set():
            try:
                await self._session()
                attempt = 0
            except (OSError, websockets.WebSocketException, TimeoutError):
                attempt += 1
            if self._stop.is_set():
                return
            self.watched.reconnects += 1
            pause = self._dice.uniform(0, min(5.0, 0.25 * 2**attempt)) + 0.05
            try:
                await asyncio.wait_for(self._stop.wait(), pause)
            except TimeoutError:
                continue

    async def _session(self) -> None:
        async with websockets.connect(
            self._url,
            subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
            max_size=8 * 1024 * 1024,
            max_queue=4096,
            compression=None,
        ) as socket:
            await self._subscribe(socket, list(self.watched.topics))
            stopper = asyncio.ensure_future(self._stop.wait())
            try:
                await self._frames(socket, stopper)
            finally:
                stopper.cancel()

    async def _frames(
        self, socket: websockets.ClientConnection, stopper: asyncio.Future[Any]
    ) -> None:
        while not self._stop.is_set():
            reader = asyncio.ensure_future(socket.recv())
            await asyncio.wait({reader, stopper}, return_when="FIRST_COMPLETED")
            if not reader.done():
                reader.cancel()
                return
            await self._take(socket, json.loads(reader.result()))

    async def _subscribe(
        self, socket: websockets.ClientConnection, topics: list[str]
    ) -> None:
        known = {
            topic: [view.epoch, view.version]
            for topic in topics
            if (view := self.watched.topics[topic]).version >= 0
        }
        message: dict[str, Any] = {"op": "subscribe", "id": 1, "topics": topics}
        if known:
            message["since"] = known
        await socket.send(json.dumps(message))

    async def _take(
        self, socket: websockets.ClientConnection, frame: dict[str, Any]
    ) -> None:
        self.watched.frames += 1
        kind = frame.get("t")
        if kind in ("snapshot", "delta") and frame["topic"] in self.watched.topics:
            view = self.watched.topics[frame["topic"]]
            if not apply_frame(view, frame):
                view.version = max(view.version, 0)
                await self._subscribe(socket, [frame["topic"]])
        elif kind == "error":
            self.watched.errors.append(f"{frame.get('code')}: {frame.get('detail')}")
        elif kind == "bye":
            self.watched.byes += 1
        if all(view.version >= 0 for view in self.watched.topics.values()):
            self.ready.set()
