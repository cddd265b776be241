"""Waiting for something new in any of a site's streams, not by asking again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from actors.domain.ids import ShardId
from persistence.journal.redis.records import entry_id
from persistence.journal.redis.tail import ends_of
from persistence.redis.client import RedisStore
from persistence.redis.functions import Word
from persistence.redis.keys import SiteKeys

WAIT_MAX_S = 30.0


class RedisNews:
    """A connection of its own that waits; one waiter at a time, others queue."""

    def __init__(self, url: str, keys: SiteKeys) -> None:
        self._store = RedisStore(url, name="slotcast-news")
        self._keys = keys
        self._turn = asyncio.Lock()

    async def wait(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        """The shards with something after these seqs; see ``RedisJournal``."""
        async with self._turn:
            shards = list(positions)
            ends = await ends_of(self._store, self._keys, shards)
            ahead = frozenset(
                shard for shard, (_, seq) in ends.items() if seq > positions[shard]
            )
            if ahead or not shards or timeout_s <= 0:
                return ahead
            return await self._blocked(shards, ends, min(timeout_s, WAIT_MAX_S))

    async def close(self) -> None:
        """End the connection; who waits is told that it does not answer."""
        await self._store.close()

    async def _blocked(
        self,
        shards: list[ShardId],
        ends: Mapping[ShardId, tuple[int, int]],
        timeout_s: float,
    ) -> frozenset[ShardId]:
        streams = [self._keys.of(shard).stream for shard in shards]
        after = [entry_id(*ends.get(shard, (0, 0))) for shard in shards]
        wait_ms = max(1, round(timeout_s * 1000))
        words: tuple[Word, ...] = (
            "XREAD",
            "COUNT",
            1,
            "BLOCK",
            wait_ms,
            "STREAMS",
            *streams,
            *after,
        )
        try:
            (reply,) = await self._store.ask_all([words], timeout_s + 2.0)
        except asyncio.CancelledError:
            self._store.drop()  # else the next question waits behind this one
            raise
        named = dict(zip(streams, shards, strict=True))
        return frozenset(named[stream.decode()] for stream, _ in reply or ())
