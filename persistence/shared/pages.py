"""Hot pages in Redis: read on a request's way, so with the shortest of patience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from care.sharing import Standing
from persistence.redis.link import REQUEST_S, RedisLink

KEEP_S: Final = 0.25
"""Keeping is done in the background."""
PAGE_BYTES_MAX: Final = 64 * 1024
"""A larger page is not kept: it would hold up all others."""


class RedisPages:
    """Implements HotPages."""

    def __init__(self, url: str, site: str) -> None:
        self._reading = RedisLink(url, timeout_s=REQUEST_S)
        self._writing = RedisLink(url, timeout_s=KEEP_S)
        self._prefix = f"{site}:page:"

    async def find(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """See HotPages.find."""
        if not names:
            return {}
        keys = [self._prefix + name for name in names]

        async def ask(redis: Redis) -> list[Any]:
            return list(await redis.mget(keys))

        found = await self._reading.call(ask)
        return {
            name: page
            for name, page in zip(names, found, strict=True)
            if page is not None
        }

    async def keep(self, pages: Mapping[str, bytes], ttl_s: float) -> None:
        """See HotPages.keep."""
        small = {n: page for n, page in pages.items() if len(page) <= PAGE_BYTES_MAX}
        if not small:
            return
        ttl_ms = int(ttl_s * 1000)

        async def ask(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                for name, page in small.items():
                    pipeline.set(self._prefix + name, page, px=ttl_ms)
                await pipeline.execute()

        await self._writing.call(ask)

    def standing(self) -> Standing:
        """See HotPages.standing."""
        reading = self._reading.standing()
        return reading if not reading.ok else self._writing.standing()

    async def close(self) -> None:
        """Give the connections back."""
        await self._reading.close()
        await self._writing.close()
