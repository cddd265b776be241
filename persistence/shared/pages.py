"""Hot pages in Redis, read on the request path and so with a short timeout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from persistence.redis.link import REQUEST_S, Linked, RedisLink

KEEP_S: Final = 0.25
"""Timeout in seconds for storing, which runs in the background."""
PAGE_BYTES_MAX: Final = 64 * 1024
"""Largest stored page in bytes: a larger one would delay all other replies."""


class RedisPages(Linked):
    """Implements HotPages."""

    def __init__(self, url: str, site: str) -> None:
        self._reading = RedisLink(url, timeout_s=REQUEST_S)
        self._writing = RedisLink(url, timeout_s=KEEP_S)
        super().__init__(self._reading, self._writing)
        self._prefix = f"{site}:page:"

    async def find(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """See HotPages.find."""
        if not names:
            return {}
        keys = [self._prefix + name for name in names]
        found = await self._reading.ask("MGET", *keys)
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
        await self._writing.ask_all(
            ("SET", self._prefix + name, page, "PX", ttl_ms)
            for name, page in small.items()
        )
