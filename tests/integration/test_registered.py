"""With a process per provider and the journal in Redis, strangers are told apart."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.placement import Placement
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed
from cluster.wiring.calendars import Registered
from persistence.journal.redis.journal import RedisJournal
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import new_site


def _site(folder: Path, url: str) -> Site:
    settings = read_settings(
        data=folder / "data",
        journal=url,
        site=new_site(),
        placement=Placement.PROVIDER,
        seed="none",
    )
    return site_made_if_needed(settings, date(2026, 9, 1))


def test_only_who_began_is_known(redis_server: RedisServer, tmp_path: Path) -> None:
    """Invented ids start no processes; a registered provider is known at once."""
    site = _site(tmp_path, redis_server.url)

    async def ask() -> None:
        known = Registered(site)
        journal = RedisJournal(redis_server.url, site.settings.site)
        assert not await known(ShardId("prv_ana"))
        await journal.seal(ShardId("prv_ana"))
        assert await known(ShardId("prv_ana"))
        assert not await known(ShardId("prv_ben"))
        await journal.close()
        await known.close()

    asyncio.run(ask())


def test_while_redis_is_away_nobody_is_called_a_stranger(tmp_path: Path) -> None:
    """A journal that does not answer is unavailable; it does not say "not found"."""
    with RedisServer(tmp_path / "redis") as server:
        site = _site(tmp_path, server.url)

    async def ask() -> None:
        known = Registered(site)
        with pytest.raises(Unavailable):
            await known(ShardId("prv_ana"))
        await known.close()

    asyncio.run(ask())
