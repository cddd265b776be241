"""The pauses of a projector that has caught up: until new records, or a while.

A journal that reports new records (files, Redis) wakes it within a millisecond and
costs nothing meanwhile; any other is polled at growing intervals. After a wake-up
without work (a shard that cannot be projected) the next rest is a pause, so that it
does not spin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, runtime_checkable

from actors.domain.ids import ShardId
from actors.ports import Journal

POLL_LEAST_S, POLL_MOST_S = 0.005, 0.1
"""Pause in seconds after a round that found nothing; doubles while idle."""
NEWS_S = 1.0
"""The longest wait in seconds; new shards are discovered after it."""


@runtime_checkable
class TellsNews(Protocol):
    """A journal that can wait for new records."""

    async def wait_for_news(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        """The shards with records after these seqs; waits until there is one."""
        ...


class Rest:
    """The pauses of one projector."""

    def __init__(self, journal: Journal, news_s: float = NEWS_S) -> None:
        self._news_s = news_s
        self._tells = journal if isinstance(journal, TellsNews) else None
        self._poll_s = POLL_LEAST_S
        self._rang = False

    def worked(self) -> None:
        """Note that the last round found records."""
        self._poll_s = POLL_LEAST_S
        self._rang = False

    async def pause(self, stop: asyncio.Event, reached: Mapping[ShardId, int]) -> None:
        """Rest until there are new records, until ``stop``, or for a while.

        Raises:
            Unavailable: the journal does not answer.
        """
        if self._tells is not None and reached and not self._rang:
            news = self._tells.wait_for_news(reached, self._news_s)
            self._rang = bool(await _unless(stop, news))
            return
        self._rang = False
        await pause(stop, self._poll_s)
        self._poll_s = min(self._poll_s * 2, POLL_MOST_S)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for the coroutine, but end at once when ``stop`` is set."""
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
