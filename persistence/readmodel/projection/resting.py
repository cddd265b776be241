"""How a projector that has caught up rests: until its journal has news, or a while.

A journal that can tell of news (files, Redis) wakes it within a millisecond and costs
nothing meanwhile; any other is polled, ever more rarely. A wake-up that was followed by
no work (a shard that cannot be projected) counts for nothing: the next rest is a pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, runtime_checkable

from actors.domain.ids import ShardId
from actors.ports import Journal

POLL_LEAST_S, POLL_MOST_S = 0.005, 0.1
"""Pause after a round that found nothing; doubles while nothing comes."""
NEWS_S = 1.0
"""The longest wait for news: new shards are found after it."""


@runtime_checkable
class TellsNews(Protocol):
    """A journal that knows when something was appended."""

    async def wait_for_news(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        """The shards with something after these seqs; waits for one."""
        ...


class Rest:
    """The pauses of one projector."""

    def __init__(self, journal: Journal) -> None:
        self._tells = journal if isinstance(journal, TellsNews) else None
        self._poll_s = POLL_LEAST_S
        self._rang = False

    def worked(self) -> None:
        """The last round found something."""
        self._poll_s = POLL_LEAST_S
        self._rang = False

    async def pause(self, stop: asyncio.Event, reached: Mapping[ShardId, int]) -> None:
        """Rest until there is something to do, until ``stop``, or a while.

        Raises:
            Unavailable: the journal does not answer.
        """
        if self._tells is not None and reached and not self._rang:
            news = self._tells.wait_for_news(reached, NEWS_S)
            self._rang = bool(await _unless(stop, news))
            return
        self._rang = False
        await pause(stop, self._poll_s)
        self._poll_s = min(self._poll_s * 2, POLL_MOST_S)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until ``stop``."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _unless(
    stop: asyncio.Event, work: Coroutine[Any, Any, frozenset[ShardId]]
) -> frozenset[ShardId]:
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else frozenset()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
