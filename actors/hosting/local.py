"""Shards in this process: for tests, seeding, the command line, the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actors.domain.ids import ProviderId, ShardId
from actors.domain.messages.changes import FeedBatch
from actors.errors import Unavailable
from actors.hosting.mailbox import Mailbox
from actors.placement import Places, Placing
from actors.ports import Request, ShardReply, ShardStatus

MakeMailbox = Callable[[ShardId], Mailbox]
"""Makes a shard's mailbox, not yet started."""


class LocalLinks:
    """``ShardLinks`` to mailboxes of this process, opened when first asked.

    With placement "provider" ``shards`` is empty and every provider's shard comes
    into being with its first request. Must be closed; the stores are the caller's.
    """

    def __init__(
        self, placing: Placing, shards: Sequence[ShardId], make_mailbox: MakeMailbox
    ) -> None:
        self._places = Places(placing)
        self._fixed = tuple(shards)
        self._make_mailbox = make_mailbox
        self._mailboxes: dict[ShardId, Mailbox] = {}

    def shards(self) -> Sequence[ShardId]:
        """All shards for placement "shard"; the active ones for "provider"."""
        if not self._fixed:
            return tuple(self._mailboxes)
        return tuple(dict.fromkeys((*self._fixed, *self._places.exceptions())))

    def shard_of(self, provider: ProviderId) -> ShardId:
        """Which shard decides about this provider."""
        return self._places(provider)

    def moved(self, provider: ProviderId, shard: ShardId) -> None:
        """Note that ``shard`` decides about this provider now."""
        self._places.note(provider, shard)

    def mailbox(self, shard: ShardId) -> Mailbox:
        """The shard's mailbox, started."""
        mailbox = self._mailboxes.get(shard)
        if mailbox is None:
            if self._fixed and shard not in self.shards():
                raise Unavailable(f"there is no shard {shard}")
            mailbox = self._mailboxes[shard] = self._make_mailbox(shard)
            mailbox.start()
        return mailbox

    async def open(self) -> None:
        """Open all fixed shards. Raises as ``Mailbox.open``."""
        await asyncio.gather(*(self.mailbox(shard).open() for shard in self._fixed))

    async def execute(
        self, shard: ShardId, requests: Sequence[Request], timeout_s: float
    ) -> Sequence[ShardReply]:
        """Ask a shard; see ``ShardLinks.execute``."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.mailbox(shard).execute(requests)
        except TimeoutError:
            raise Unavailable("the shard did not answer in time") from None

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        """Changes after the cursor; see ``Feed.poll``."""
        return await self.mailbox(shard).poll(epoch, number, wait_ms)

    async def status(self, shard: ShardId) -> ShardStatus:
        """The shard's status."""
        return self.mailbox(shard).status()

    async def close(self) -> None:
        """Close all mailboxes, each within its bound."""
        boxes = list(self._mailboxes.values())
        await asyncio.gather(*(mailbox.close() for mailbox in boxes))
