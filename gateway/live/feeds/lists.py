"""Watched lists: what is drawn again is sent to their watchers.

A list is a topic; it is kept current for as long as the topic is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from time import monotonic
from typing import Final, Protocol

from actors.ports import Clock
from gateway.directory.lists.names import ListQuery
from gateway.directory.lists.shown import ListView
from gateway.live.topics.coalescing import LIST_WINDOW_MS
from gateway.live.topics.hub import Hub

EVERY_S: Final = LIST_WINDOW_MS / 1000
"""Interval of drawing: what happens meanwhile costs one question to each shard."""
LOOK_S: Final = 1.0
"""Longest wait for a change: time passes, and feeds become silent, without one."""
REST: Final = 2.0
"""Drawing pauses for this multiple of the time it took."""


class Lists(Protocol):
    """The lists that this gateway keeps current; by the names of their topics."""

    async def begin(self, name: str, query: ListQuery) -> ListView:
        """A list, which is kept from now on. Raises Unavailable."""
        ...

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other lists."""
        ...

    def touch(self, name: str) -> None:
        """Let the next step show a list again."""
        ...

    async def until_touched(self, wait_s: float) -> None:
        """Wait until a list may have changed, at most so long."""
        ...

    async def step(self) -> Mapping[str, ListView]:
        """Draw lists that may have changed."""
        ...

    async def renew(self) -> None:
        """Ask calendars of which nothing was heard for a while."""
        ...


class ListFeed:
    """Keeps watched lists current."""

    def __init__(self, lists: Lists, hub: Hub, clock: Clock) -> None:
        self._lists = lists
        self._hub = hub
        self._clock = clock

    async def run(self) -> None:
        """Draw and send, until cancelled."""
        while True:
            await self._lists.until_touched(LOOK_S)
            began = monotonic()
            await self.step()
            await asyncio.sleep(max(EVERY_S, REST * (monotonic() - began)))

    async def renew(self) -> None:
        """Find out what no feed has told, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._lists.renew()

    async def step(self) -> None:
        """Draw once what has changed, and send it."""
        self._lists.keep_only(self._hub.index.searches.keys())
        views = await self._lists.step()
        now = self._clock.now()
        for wire, view in views.items():
            if not self._hub.on_list(wire, view, now):
                self._lists.touch(wire)
