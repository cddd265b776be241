"""Three Ray nodes on this machine, in a process of its own: ``python -m`` this.

A node joins, one is drained, one freezes. Prints facts as JSON; fails loudly.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil
import ray
from ray.cluster_utils import Cluster

from actors.domain.messages.answers import BookingView, ScheduleView
from actors.domain.messages.reads import ReadSchedule
from actors.domain.rules import Policy
from actors.errors import Unavailable
from actors.placement import Placement, placing, shard_name
from actors.ports import ShardStatus
from actors.remote.actor import NAMESPACE
from actors.remote.labels import NODE_LABEL
from actors.remote.links import RayLinks, ShardSpec
from actors.shard.limits import ShardLimits
from cluster.clock import SystemClock
from cluster.keeping.keeper import Keeper, KeeperLimits
from cluster.keeping.operations import Operations
from cluster.keeping.ray_actors import RayActors
from cluster.keeping.turns import FileTurn
from cluster.own_ray.local import _prepare_environment
from cluster.site.stores import StoresConfig
from cluster.wiring.shard import ShardConfig
from gateway.calendars.courier import Courier
from gateway.calendars.request_queue import BatchingLimits
from tests.acceptance.test_ray_shards import booking, days, free_starts
from tests.fixtures.ray import RaySite
from tests.unit.actors import practice as p

SHARDS = [shard_name(n) for n in range(6)]
STORE_BYTES = 80 * 1024 * 1024
QUICK = {  # a frozen node is found dead in two seconds, not in a minute
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 500,
    "health_check_failure_threshold": 4,
}


class Nodes:
    """A cluster of Ray nodes with names; the head takes no shards."""

    def __init__(self) -> None:
        self._cluster = Cluster()
        self._nodes: dict[str, Any] = {}
        self._add("head", 0, _system_config=QUICK)
        ray.init(
            address=self._cluster.address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level="ERROR",
        )

    def join(self, name: str) -> None:
        self._add(name, 2)

    def _add(self, name: str, num_cpus: int, **more: Any) -> None:
        self._nodes[name] = self._cluster.add_node(
            num_cpus=num_cpus,
            labels={NODE_LABEL: name},
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            **more,
        )

    def raylet(self, name: str) -> int:
        """The pid of a node's raylet."""
        (info,) = self._nodes[name].all_processes["raylet"]
        pid: int = info.process.pid
        return pid

    def stop(self) -> None:
        ray.shutdown()
        self._cluster.shutdown()


class Story:
    """What happens to the cluster, one thing after the other."""

    def __init__(self, folder: Path) -> None:
        self.nodes = Nodes()
        stores = StoresConfig(str(folder / "journal"), str(folder / "snapshots"))
        config = ShardConfig(stores, Policy(), ShardLimits()).encoded()
        spec = ShardSpec("cluster.wiring.shard:make_mailbox", config)
        self.actors = RayActors(spec)
        turn = FileTurn(folder / "moving.lock")
        limits = KeeperLimits(look_s=0.5, quiet_s=1.5)
        self.keeper = Keeper(self.actors, self._shards, turn, limits)
        self.operations = Operations(self.actors, turn)
        self.links = RayLinks(placing(Placement.SHARD, len(SHARDS)), SHARDS)
        courier = Courier(self.links, SystemClock(), BatchingLimits(command_ms=30_000))
        self.site = RaySite(self.links, courier, Placement.SHARD, spec)

    async def _shards(self) -> list[Any]:
        return SHARDS

    async def run(self) -> dict[str, Any]:
        stopping = asyncio.Event()
        keeping = asyncio.ensure_future(self.keeper.run(stopping))
        try:
            facts = await self._happen()
            stopping.set()
            await keeping
        finally:
            keeping.cancel()
            await self.site.courier.close()
            await self.links.close()
            self.actors.close()
        return facts

    async def _happen(self) -> dict[str, Any]:
        self.nodes.join("a")
        self.nodes.join("b")
        await self.site.open_practice()
        await self._until({"a": 3, "b": 3})
        self.nodes.join("c")
        await self._until({"a": 2, "b": 2, "c": 2})
        drained = [one async for one in self.operations.drain("b")]
        assert not any(one.fault for one in drained)
        assert await self._counts() == {"a": 3, "c": 3}
        return {
            "drain_pauses_ms": [round(one.pause_ms) for one in drained],
            **await self._freeze(),
        }

    async def _freeze(self) -> dict[str, Any]:
        """A node stops answering; its processes go on, and must not do harm."""
        site = self.site
        before = await self._status()
        starts = await free_starts(site)
        raylet = self.nodes.raylet(before.node)
        os.kill(raylet, signal.SIGSTOP)
        began = perf_counter()
        booked = []
        try:
            status = before
            while status.epoch == before.epoch:
                booked.append(await self._book(starts.pop()))
                await asyncio.sleep(0.05)
                status = await self._status()
            moved_s = perf_counter() - began
            booked.append(await self._book(starts.pop()))
        finally:
            os.kill(raylet, signal.SIGCONT)
        assert status.node != before.node
        await self._until_gone(before.pid)
        after = await self._status()
        # Ray may have put it on the drained node, and the keeper have moved it on.
        assert after.epoch >= status.epoch
        assert before.node != after.node
        assert before.pid != after.pid
        view = await site.courier.ask(ReadSchedule(p.ANA, *days(site)))
        assert isinstance(view, ScheduleView)
        kept = {one.booking_id: one.start for one in view.bookings}
        assert kept == {one.booking_id: one.start for one in booked}
        return {"moved_s": round(moved_s, 1), "bookings": len(kept)}

    async def _book(self, start: Any) -> BookingView:
        command = booking(f"n{start}", start, self.site.deadline(30))
        view = await self.site.courier.ask(command)
        assert isinstance(view, BookingView)
        return view

    async def _status(self) -> ShardStatus:
        async with asyncio.timeout(60):
            while True:
                try:
                    status = await self.links.status(self.links.shard_of(p.ANA))
                except Unavailable:
                    await asyncio.sleep(0.05)
                    continue
                if status.state == "open":
                    return status

    async def _counts(self) -> dict[str, int]:
        return dict(Counter((await self.actors.survey()).places().values()))

    async def _until(self, wanted: dict[str, int]) -> None:
        async with asyncio.timeout(60):
            while await self._counts() != wanted:  # noqa: ASYNC110 - no bell is rung
                await asyncio.sleep(0.1)

    async def _until_gone(self, pid: int) -> None:
        async with asyncio.timeout(60):
            while psutil.pid_exists(pid):  # noqa: ASYNC110 - no bell is rung
                await asyncio.sleep(0.1)


def main() -> None:
    """Run the story in the folder named on the command line."""
    _prepare_environment()
    story = Story(Path(sys.argv[1]))
    try:
        facts = asyncio.run(story.run())
    finally:
        story.nodes.stop()
    sys.stdout.write("\n" + json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
