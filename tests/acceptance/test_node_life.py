"""The life of nodes: their gateways, drained, stopped, and with parts of them lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from cluster.own_ray.parts import kind_of
from loadtests.workload.rooms import RoomLoad, RoomPlan
from tests.faults.rooms import ROLES, Killing, kill_each, settled
from tests.faults.sites import Site
from tests.fixtures.cluster import (
    ClusterOnOneMachine,
    NodeProcess,
    shard_nodes,
    wait_until,
)
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.patients import PATIENCE_S, SAMPLE, Patients
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.reserved import two_free_ports

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]
SITE = "node-life"
SHARDS = 4
EVEN = {"n1": 0, "n2": 2, "n3": 2, "n4": 0}
RAY_IS_BACK = "has ended; Ray is started again"


@pytest.fixture(scope="module")
def cluster(
    redis_server: RedisServer,
    mariadb_server: MariaDbServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterOnOneMachine]:
    """n1 without gateways, n2 with two on one port, n3 with a port each, n4 bare."""
    mariadb_server.create_database("node_life")
    with ClusterOnOneMachine(
        tmp_path_factory.mktemp("life"),
        nodes=0,
        shards=SHARDS,
        SLOTCAST_JOURNAL=redis_server.url,
        SLOTCAST_DATABASE=mariadb_server.url("node_life"),
        SLOTCAST_SITE=SITE,
    ) as made:
        made.add(gateways=0)
        made.add(gateways=2)
        first = two_free_ports()
        made.add("--ports", f"{first}-{first + 1}").port = first
        made.add("--no-shards", gateways=0)
        made.start()
        done = made.run("import", "practices", SAMPLE, "--providers-per-clinic", "2")
        assert done.returncode == 0, done.stderr
        even_again(made)
        yield made
        made.stop()
        assert {name: one.survivors() for name, one in made.nodes.items()} == {
            name: [] for name in made.nodes
        }


@pytest.fixture(scope="module")
def patients(cluster: ClusterOnOneMachine) -> Iterator[Patients]:
    made = Patients(cluster, cluster.nodes["n2"].url)
    yield made
    made.client.close()


def listening(node: NodeProcess) -> list[tuple[int, int]]:
    """Port and pid of gateways of a node that take connections."""
    found = []
    for pid in node.pids("gateway"):
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        found += [
            (one.laddr.port, pid)
            for one in connections
            if one.status == psutil.CONN_LISTEN and one.laddr.ip == node.host
        ]
    own = range(node.port, node.port + 2)
    return sorted(one for one in found if one[0] in own)


def even_again(cluster: ClusterOnOneMachine) -> None:
    """Move the shards back at once: the keeper would wait for quiet."""
    told = cluster.json("cluster", "rebalance")
    assert not told["problem"]
    wait_until(lambda: shard_nodes(cluster) == EVEN, PATIENCE_S, cluster.story)


def test_gateways_share_a_port_or_have_one_each(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """Two processes listen on n2's port and n3's have one each; one of two that share
    is killed: the port goes on, and has two again."""
    n2, n3 = cluster.nodes["n2"], cluster.nodes["n3"]
    assert not cluster.head.pids("gateway")
    assert [port for port, _ in listening(n3)] == [n3.port, n3.port + 1]
    shared = listening(n2)
    assert [port for port, _ in shared] == [n2.port, n2.port]
    with patients.booking(n2.url, f"http://{n3.host}:{n3.port + 1}") as rush:
        os.kill(shared[0][1], signal.SIGKILL)
        rush.more(5)
        wait_until(lambda: len(listening(n2)) == 2, PATIENCE_S, n2.story)
    assert shared[0] not in listening(n2)


def test_a_drained_node_ends_empty_and_no_hold_is_lost(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """drain, undrain, rebalance and restart-shards while people hold and book."""
    n2, n3 = cluster.nodes["n2"], cluster.nodes["n3"]
    held = {one: patients.slots(one, n3.url)[-1] for one in patients.providers}
    holds = [patients.hold(one, start, n3.url) for one, start in held.items()]
    with patients.booking(n2.url, n3.url) as rush:
        done = cluster.run("cluster", "drain", "n2", node="n3")
        assert done.returncode == 0, done.stderr
        assert shard_nodes(cluster) == {**EVEN, "n2": 0, "n3": SHARDS}
        told = cluster.json("cluster", "status", node="n2")
        states = {one["node"]: one["state"] for one in told["nodes"]}
        assert states["n2"] == "draining"
        rush.more(3)
        assert cluster.run("cluster", "undrain", "n2").returncode == 0
        even_again(cluster)
        old = set(n2.pids("shard"))
        told = cluster.json("cluster", "restart-shards")
        assert not told["problem"]
        assert [one["shard"] for one in told["moved"]] == [
            f"s{index:04}" for index in range(SHARDS)
        ]
        assert not any(one["fault"] for one in told["moved"])
        assert not old & set(n2.pids("shard"))
        rush.more(3)
    assert rush.asked_again == 0
    for hold in holds:
        patients.confirm(hold, n2.url)
    patients.all_there(n3.url)


def test_a_node_that_is_not_there_cannot_be_drained(
    cluster: ClusterOnOneMachine,
) -> None:
    """Exit code 2, and a sentence, for people and for programs."""
    done = cluster.run("cluster", "drain", "n9", "--json")
    assert done.returncode == 2
    assert "There is no node n9" in done.stdout


def test_a_node_that_stops_hands_its_shards_over(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """SIGTERM: its shards are elsewhere before it ends, and no request waits for them;
    a node without shards just ends."""
    n2, n3, n4 = (cluster.nodes[name] for name in ("n2", "n3", "n4"))
    with patients.booking(n2.url) as rush:
        assert n4.stop() == 0
        assert n3.stop() == 0
        assert shard_nodes(cluster) == {**EVEN, "n2": SHARDS, "n3": 0}
        rush.more(6)
    assert rush.asked_again == 0
    assert "2 shards moved" in n3.output
    assert "handing" not in n4.output
    patients.all_there(n2.url)
    n3.start()
    even_again(cluster)


def test_bookings_never_stop_while_the_control_service_starts_again(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """kill -9 of gcs_server alone: its supervisor starts Ray of the head again; the
    shards stay as they are."""
    shards = cluster.pids("shard")
    (lost,) = cluster.head.pids("gcs")
    with patients.booking(cluster.nodes["n2"].url, cluster.nodes["n3"].url) as rush:
        os.kill(lost, signal.SIGKILL)
        wait_until(
            lambda: cluster.head.pids("gcs") not in ([], [lost]),
            PATIENCE_S,
            cluster.story,
        )
        wait_until(lambda: bool(cluster.head.pids("keeper")), PATIENCE_S, cluster.story)
        rush.more(10)
    assert rush.asked_again == 0
    assert cluster.pids("shard") == shards


@pytest.mark.parametrize("kind", ["raylet", "runtime-environment agent"])
def test_a_nodes_ray_is_back_whatever_part_of_it_dies(
    cluster: ClusterOnOneMachine, patients: Patients, kind: str
) -> None:
    """Its supervisor says so and starts Ray again, the gateways with it; the node's
    shards open elsewhere meanwhile, and nothing acknowledged is lost."""
    n2, n3 = cluster.nodes["n2"], cluster.nodes["n3"]
    before, told = n2.pids("raylet"), n2.output.count(RAY_IS_BACK)
    gateways = {pid for _, pid in listening(n2)}
    with patients.booking(n3.url) as rush:
        rush.more(3)
        part_of(n2, kind).kill()
        wait_until(
            lambda: n2.pids("raylet") not in ([], before), PATIENCE_S, cluster.story
        )
        wait_until(
            lambda: len({pid for _, pid in listening(n2)} - gateways) == 2,
            PATIENCE_S,
            cluster.story,
        )
        rush.more(6)
    # It names the part whose end it saw first: the others end with it.
    assert n2.output.count(RAY_IS_BACK) > told
    patients.all_there(n3.url)
    cluster.wait_ready()
    even_again(cluster)


def part_of(node: NodeProcess, kind: str) -> psutil.Process:
    """The process of a node's Ray that does this."""
    for process in node.tree():
        with suppress(psutil.Error):
            if kind_of(process.name(), " ".join(process.cmdline())) == kind:
                return process
    raise AssertionError(f"{node.name} has no {kind}: {node.story()}")


def test_a_gateway_lost_while_the_head_is_away_is_back_with_it(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """It cannot join Ray without the head and tries on; the other on its port serves;
    soon after the head is back there are two."""
    n2 = cluster.nodes["n2"]
    cluster.kill_node("n1")
    with patients.booking(n2.url) as rush:
        os.kill(listening(n2)[0][1], signal.SIGKILL)
        rush.more(20)
        assert len(listening(n2)) == 1
        cluster.head.start()
        wait_until(lambda: len(listening(n2)) == 2, PATIENCE_S, n2.story)
    assert rush.asked_again <= 2, "only what the killed gateway had accepted"
    cluster.wait_ready()


def test_another_projector_takes_over_and_nothing_is_projected_twice(
    cluster: ClusterOnOneMachine, patients: Patients, redis_server: RedisServer
) -> None:
    """The one with the lease is killed: another has it when it has run out, and the
    read model is what the journal says."""

    def leader() -> int:
        length, token = redis_server.ask("GET", f"{SITE}:lease:projector").split(
            b"\r\n", 1
        )
        return 0 if length == b"$-1" else int(token.partition(b"-")[0])

    with patients.booking(cluster.nodes["n2"].url) as rush:
        wait_until(lambda: leader() > 0, PATIENCE_S)
        lost = leader()
        os.kill(lost, signal.SIGKILL)
        wait_until(lambda: leader() not in (0, lost), PATIENCE_S, cluster.story)
        rush.more(5)
    verdict = cluster.json("verify", node="n2")
    assert verdict["problems"] == []
    assert verdict["bookings"] > len(patients.booked), "those that were cancelled too"


def test_the_status_tells_how_the_journal_is(
    cluster: ClusterOnOneMachine, redis_server: RedisServer
) -> None:
    """A setting that breaks the promise is named, and nothing is well with it."""
    told: dict[str, Any] = {}

    def is_told() -> bool:
        # A journal that does not answer a busy machine in time is left out.
        told.update(cluster.json("cluster", "status", node="n3")["journal"] or {})
        return bool(told)

    wait_until(is_told, PATIENCE_S)
    assert told["state"] == "well"
    assert 0 < told["full"] < 1
    assert redis_server.ask("CONFIG", "SET", "appendfsync", "everysec") == b"+OK\r\n"
    try:
        done = cluster.run("cluster", "status", node="n3")
    finally:
        redis_server.ask("CONFIG", "SET", "appendfsync", "always")
    assert done.returncode == 1
    assert "refuses" in done.stdout
    assert "appendfsync everysec" in done.stderr


def test_visits_with_rooms_are_whole_whatever_is_killed(
    cluster: ClusterOnOneMachine,
) -> None:
    """kill -9 of a shard, a gateway and a worker under visits that take a doctor, a
    room and a device: none is lost, none lacks its room, no room has one without."""
    n2, n3 = cluster.nodes["n2"], cluster.nodes["n3"]
    urls = [n2.url, n3.url, f"http://{n3.host}:{n3.port + 1}"]
    site = Site(urls, cluster.head.settings)
    plan = RoomPlan(clinics=2, patients=16, rate=100)
    load = RoomLoad(urls, plan, site.tokens("admin", ["adm_r"])["adm_r"])
    killing = Killing(cluster, ["n2", "n3"], plan.seed)

    async def rush() -> list[str]:
        await load.open()
        tokens, stop = site.tokens("patient", plan.people), asyncio.Event()
        running = asyncio.create_task(load.run(tokens, 2 * PATIENCE_S, stop))
        await kill_each(load, killing, 40)
        stop.set()
        await running
        problems = await settled(load, frees=False)
        await load.close()
        return problems

    assert asyncio.run(rush()) == []
    assert dict(killing.killed) == dict.fromkeys(ROLES, 1)
    assert cluster.json("verify", node="n2")["problems"] == []
