"""``Turn`` by a lease in Redis, for sites whose nodes are on several machines."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

from actors.errors import Unavailable
from persistence.shared.lease import RENEW_S, RedisLease

NAME = "moving"
_LOOK_AGAIN_S = 0.5


class LeaseTurn:
    """``Turn``: the lease is renewed while it is held, and expires if the process dies.

    While Redis is unavailable nothing can be moved anyway: shards cannot open.
    """

    def __init__(self, url: str, site: str) -> None:
        self._url = url
        self._site = site

    @asynccontextmanager
    async def mine(self, wait_s: float) -> AsyncIterator[None]:
        """See ``Turn``."""
        lease = RedisLease(self._url, self._site, NAME, secrets.token_hex(16))
        try:
            await _taken(lease, wait_s)
            renewing = asyncio.get_running_loop().create_task(_renew(lease))
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
                with suppress(Unavailable):  # it expires by itself
                    await lease.give_back()
        finally:
            await lease.close()


async def _taken(lease: RedisLease, wait_s: float) -> None:
    until = monotonic() + wait_s
    while not await lease.take():
        if monotonic() >= until:
            raise Unavailable("another process is moving shards just now")
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _renew(lease: RedisLease) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        with suppress(Unavailable):
            await lease.take()
