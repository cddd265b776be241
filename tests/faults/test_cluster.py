"""Real faults on a cluster of three nodes with a Redis journal and a MariaDB.

Each test breaks one thing under load, lets it heal, and ends in the same check: see
checking.py. They share a cluster and its history.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from loadtests.workload.plan import Plan
from tests.faults.loads import World
from tests.faults.three_nodes import ThreeNodes, open_three_nodes

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.deep(
        "tests/acceptance/test_cluster_nodes.py",
        "tests/acceptance/test_node_life.py",
        "tests/acceptance/test_hand_off.py",
        "tests/faults/test_one_server.py",
    ),
    pytest.mark.timeout(600),
]
PLAN = Plan(providers=12, patients=18, days=4, rate=90, timeout_s=6)
NODE_LOST_S = 90.0
"""Far longer than a lost node's calendars are away; the soak says how long."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    with open_three_nodes(tmp_path_factory.mktemp("nodes")) as made:
        yield made


@pytest.fixture(scope="module")
def world(nodes: ThreeNodes) -> World:
    return World(nodes.site, PLAN)


@pytest.fixture(autouse=True)
def repaired(nodes: ThreeNodes) -> Iterator[None]:
    """What a test that failed left broken does not fail the next one."""
    yield
    nodes.repair()


async def test_1_shards_are_killed_on_every_node(
    nodes: ThreeNodes, world: World
) -> None:
    """Fault 1: kill -9 of a shard's process on each node in turn."""
    async with world.load() as load:
        await load.more(60)
        one_each = dict(nodes.pids("shard"))
        for pid in one_each.values():
            os.kill(pid, signal.SIGKILL)
            await load.more(60)


async def test_8_gateways_are_killed(nodes: ThreeNodes, world: World) -> None:
    """Fault 8: every gateway is killed once; patients and watchers come back."""
    async with world.load() as load:
        await load.more(60)
        for _, pid in nodes.pids("gateway"):
            os.kill(pid, signal.SIGKILL)
            await load.heard(0)
            await load.more(60)
        assert load.watchers.reconnects > 0


async def test_9_the_leading_projector_is_killed(
    nodes: ThreeNodes, world: World
) -> None:
    """Fault 9: all projectors but one are killed; a stand-by follows on."""
    async with world.load() as load:
        await load.more(40)
        for _, pid in nodes.pids("projector")[:-1]:
            os.kill(pid, signal.SIGKILL)
        await load.more(80)


async def test_3_a_node_is_lost_and_comes_back(nodes: ThreeNodes, world: World) -> None:
    """Fault 3: kill -9 of everything on a node; its calendars answer from
    elsewhere, and the node joins again."""
    async with world.load() as load:
        await load.more(60)
        await asyncio.to_thread(nodes.cluster.kill_node, "n3")
        await load.every_calendar_answers(NODE_LOST_S)
        await asyncio.to_thread(nodes.cluster.nodes["n3"].start)
        await load.more(60)


async def test_10_the_head_is_away(nodes: ThreeNodes, world: World) -> None:
    """Fault 10: Ray's control service is killed: running shards go on."""
    async with world.load() as load:
        await load.more(60)
        for _, pid in nodes.pids("gcs"):
            os.kill(pid, signal.SIGKILL)
        await load.more(150)


async def test_11_a_node_stands_still_and_comes_to(
    nodes: ThreeNodes, world: World
) -> None:
    """Fault 11: every process of a node is stopped for longer than it takes to
    be given up, then goes on: its shards are fenced at the write, no request is refused
    out of an old memory."""
    async with world.load() as load:
        await load.more(60)
        frozen = nodes.all_pids("n2")
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            await load.every_calendar_answers(NODE_LOST_S)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        await load.more(100)


async def test_4_redis_is_killed_beneath_the_cluster(
    nodes: ThreeNodes, world: World
) -> None:
    """Fault 4 on the cluster: bookings pause on every node, and go on."""
    async with world.load() as load:
        await load.more(60)
        await asyncio.to_thread(nodes.redis.kill)
        await load.heard(503, 10)
        await asyncio.to_thread(nodes.redis.start)
        await load.more(80)
