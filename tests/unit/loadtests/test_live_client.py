"""A watcher of the load tests notes what it met, and ends when it is told to."""

from __future__ import annotations

import asyncio

from loadtests.wire.live_client import LiveWatcher
from tests.fakes.live_api import open_live_api
from tests.fakes.live_relay import open_relay

WEEK = "slots/prv_1/consult/2026-W33"
NINE = "2026-08-10T09:00:00Z"
SLOT = {"provider_id": "prv_1", "visit_type": "consult", "start": NINE}


async def test_a_watcher_counts_what_it_met() -> None:
    """Deltas, byes, reconnects and refused topics; its view follows by deltas alone."""
    async with (
        open_live_api() as api,
        open_relay(f"ws://127.0.0.1:{api.port}/v1/live") as relay,
        api.client("patient", "pat_1") as patient,
    ):
        watcher = LiveWatcher(relay.url, [WEEK, "slots/nonsense"], seed=1)
        running = asyncio.ensure_future(watcher.run())
        await watcher.ready()
        view = watcher.watched.topics[WEEK]
        assert view.slots[NINE] == "free"
        await relay.until(lambda it: len(it.said) == 1)
        relay.cut()
        held = await patient.ask("hold", key="k1", **SLOT)
        assert held["status"] == 201
        await relay.until(lambda it: len(it.said) == 2)
        await watcher._client.when(lambda _: view.slots[NINE] == "held")
        watcher.stop()
        await running
    watched = watcher.watched
    assert (watched.deltas, watched.gaps, watched.reconnects) == (1, 0, 1)
    assert len(watched.errors) == 1
    assert watched.errors[0].startswith("invalid_request: ")
    assert watcher.frames >= 4


async def test_a_watcher_survives_a_server_that_is_not_there() -> None:
    """It tries until it is stopped, and raises nothing."""
    watcher = LiveWatcher("ws://127.0.0.1:9/v1/live", [WEEK], seed=1)
    running = asyncio.ensure_future(watcher.run())
    await asyncio.sleep(0)
    watcher.stop()
    await running
    assert watcher.watched.topics[WEEK].position is None
