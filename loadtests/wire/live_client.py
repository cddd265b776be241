"""A watcher during a load: the published client, with counts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slotcast.client import LiveClient, LiveError, TopicView
from slotcast.client.backoff import Backoff
from slotcast.client.events import (
    ByeSeen,
    Connected,
    DeltaSeen,
    Event,
    GapSeen,
    TopicRefused,
)


@dataclass(slots=True)
class Watched:
    """The topics of one watcher, and its counts."""

    topics: Mapping[str, TopicView]
    deltas: int = 0
    gaps: int = 0
    reconnects: int = 0
    byes: int = 0
    errors: list[str] = field(default_factory=list)


class LiveWatcher:
    """One socket on some slots topics; reconnects and resumes until stopped.

    It reconnects sooner than an ordinary client: servers of load tests are killed
    often, and have few watchers.
    """

    def __init__(self, url: str, topics: Sequence[str], seed: int = 0) -> None:
        dice = random.Random(seed)
        soon = Backoff(dice, floor_s=0.05, step_s=0.25, ceiling_s=5.0)
        self._client = LiveClient(url, topics, random=dice, reconnect=soon)
        self.watched = Watched(self._client.views)

    @property
    def frames(self) -> int:
        """Messages received, of any kind."""
        return self._client.messages

    def stop(self) -> None:
        """End after the current frame."""
        self._client.stop()

    async def ready(self) -> None:
        """Wait until every topic has content. Raises LiveError if it never will."""
        await self._client.shown()

    async def run(self) -> None:
        """Watch until stopped; never raises for a lost server."""
        async with self._client as client:
            try:
                async for event in client:
                    self._note(event)
            except LiveError as error:
                self.watched.errors.append(str(error))

    def _note(self, event: Event) -> None:
        watched = self.watched
        match event:
            case DeltaSeen():
                watched.deltas += 1
            case GapSeen():
                watched.gaps += 1
            case Connected(again=True):
                watched.reconnects += 1
            case ByeSeen():
                watched.byes += 1
            case TopicRefused():
                watched.errors.append(f"{event.code}: {event.detail}")
            case _:
                return
