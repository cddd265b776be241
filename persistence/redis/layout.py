"""A site's layout in Redis: what every node must agree on.

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
        """What is there; None if there is nothing. Raises JournalUnavailable."""
        reply = await self._store.ask("GET", self._key)
        return None if reply is None else bytes(reply)

    async def create(self, content: bytes) -> bool:
        """Put it there if nothing is; whether it was this call that did.

        Raises:
            JournalUnavailable: no answer; it may be there.
        """
        return await self.replace(b"", content)

    async def replace(self, old: bytes, new: bytes) -> bool:
        """Put ``new`` in the place of ``old``; False if something else is there.

        Raises:
            JournalUnavailable: no answer; it may be there.
        """
        try:
            return bool(await self._store.call("swap", (self._key,), (old, new)))
        except (LostReply, TooFewCopies) as error:
            raise JournalUnavailable(str(error)) from error

    async def close(self) -> None:
        """End the connection."""
        await self._store.close()
