"""A worker of a cluster leaves a line in Redis while it works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cluster.clock import SystemClock
from cluster.work.process import work_until
from persistence.shared.presence import WorkerPresence
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import new_site
from tests.fixtures.small_site import made_site


async def test_a_worker_is_shown_while_it_works(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node and index; told to stop, it takes the line away."""
    monkeypatch.setenv("SLOTCAST_JOURNAL", redis_server.url)
    monkeypatch.setenv("SLOTCAST_SITE", new_site())
    monkeypatch.setenv("SLOTCAST_NODE_NAME", "n7")
    site = await asyncio.to_thread(made_site, data=tmp_path)
    presence = WorkerPresence(redis_server.url, site.settings.site)
    stop = asyncio.Event()
    working = asyncio.ensure_future(work_until(site, stop, 2))
    async with asyncio.timeout(60):
        while not (lines := await presence.current(SystemClock().now())):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert [(line.node, line.index) for line in lines] == [("n7", 2)]
        stop.set()
        await working
    assert await presence.current(SystemClock().now()) == []
    await presence.close()
