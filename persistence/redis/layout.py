"""A site's layout in Redis, on which all nodes must agree.

It is also the proof that this Redis is the one that holds the site's journal.
"""

from __future__ import annotations

from actors.errors import JournalUnavailable
from persistence.redis.client import LostReply, RedisStore, TooFewCopies
from persistence.redis.keys import SiteKeys


class RedisLayout:
    """The bytes under ``<site>:layout``. Must be closed."""

    def __init__(self, url: str, site: str, *, replicas: int = 0) -> None:
        """``replicas`` as for the journal."""
        self._store = RedisStore(url, replicas=replicas, name="slotcast-layout")
        self._key = SiteKeys(site).layout

    async def read(self) -> bytes | None:
        """The stored layout; None without one. Raises JournalUnavailable."""
        reply = await self._store.ask("GET", self._key)
        return None if reply is None else bytes(reply)

    async def create(self, content: bytes) -> bool:
        """Store the layout if there is none; whether this call stored it.

        Raises:
            JournalUnavailable: no answer; it may have been done.
        """
        return await self.replace(b"", content)

    async def replace(self, old: bytes, new: bytes) -> bool:
        """Replace ``old`` by ``new``; False if another layout is stored.

        Raises:
            JournalUnavailable: no answer; it may have been done.
        """
        try:
            return bool(await self._store.call("swap", (self._key,), (old, new)))
        except (LostReply, TooFewCopies) as error:
            raise JournalUnavailable(str(error)) from error

    async def close(self) -> None:
        """End the connection."""
        await self._store.close()
