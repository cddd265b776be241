"""Three nodes as an operator starts them: joined, booked on, lost, and brought back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.fixtures.cluster import ClusterOnOneMachine, shard_nodes, wait_until
from tests.fixtures.patients import PATIENCE_S, SAMPLE, Patients
from tests.fixtures.redis_server import RedisServer

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]
SHARDS = 6


@pytest.fixture(scope="module")
def cluster(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterOnOneMachine]:
    with ClusterOnOneMachine(
        tmp_path_factory.mktemp("cluster"),
        shards=SHARDS,
        SLOTCAST_JOURNAL=redis_server.url,
        SLOTCAST_SITE="three-nodes",
    ) as made:
        made.start()
        done = made.run("import", "practices", SAMPLE, "--providers-per-clinic", "2")
        assert done.returncode == 0, done.stderr
        yield made
        made.stop()
        assert {name: one.survivors() for name, one in made.nodes.items()} == {
            name: [] for name in made.nodes
        }


@pytest.fixture(scope="module")
def patients(cluster: ClusterOnOneMachine) -> Iterator[Patients]:
    made = Patients(cluster, cluster.head.url)
    yield made
    made.client.close()


def test_nodes_that_join_receive_the_shards(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """Shards leave the head for the nodes that joined, and every gateway books."""
    wait_until(
        lambda: shard_nodes(cluster) == {"n1": 0, "n2": 3, "n3": 3},
        PATIENCE_S,
        cluster.story,
    )
    starts = {one: patients.slots(one, cluster.head.url) for one in patients.providers}
    for number, url in enumerate(cluster.gateway_urls):
        for provider in patients.providers:
            patients.book(provider, starts[provider][number], url)
    patients.all_there(cluster.nodes["n3"].url)
    told = cluster.json("cluster", "status", node="n3")
    assert [one["node"] for one in told["nodes"]] == ["n1", "n2", "n3"]
    assert {one["node"] for one in told["shards"]} == {"n2", "n3"}
    assert len(told["gateways"]) == 3


def test_a_lost_node_under_load_loses_nothing(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """kill -9 of a whole node: its calendars answer again, nothing is lost."""
    url = cluster.nodes["n2"].url
    starts = {one: patients.slots(one, url) for one in patients.providers}

    def load() -> None:
        for number in range(4):
            for provider in patients.providers:
                patients.book(provider, starts[provider][number], url)

    loading = threading.Thread(target=load)
    before = len(patients.booked)
    loading.start()
    wait_until(lambda: len(patients.booked) > before + 3, PATIENCE_S)
    cluster.kill_node("n3")
    for provider in patients.providers:
        patients.book(provider, starts[provider][5], url)
    loading.join(2 * PATIENCE_S)
    assert not loading.is_alive()
    assert len(patients.booked) == before + 5 * len(patients.providers)
    patients.all_there(url)


def test_bookings_go_on_without_the_head_and_it_comes_back(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """The head killed: other nodes book on. Started again, it knows the old shards."""
    node = cluster.nodes["n2"]
    wait_until(lambda: len(node.pids("shard")) == SHARDS, PATIENCE_S, cluster.story)
    shards = set(node.pids("shard"))
    starts = {one: patients.slots(one, node.url) for one in patients.providers}
    cluster.kill_node("n1")
    for provider in patients.providers:
        patients.book(provider, starts[provider][0], node.url)
    told = cluster.json("cluster", "status", node="n2")
    assert not told["well"]
    assert any("head" in one for one in told["troubles"])
    refused = cluster.run("cluster", "rebalance", node="n2")
    assert refused.returncode != 0
    assert "head of the cluster" in refused.stderr
    cluster.head.start()
    cluster.wait_ready()
    assert set(node.pids("shard")) == shards, "no shard was restarted"
    for provider in patients.providers:
        patients.book(provider, starts[provider][1], cluster.head.url)
    victim = min(shards)
    os.kill(victim, signal.SIGKILL)
    for provider in patients.providers:
        patients.book(provider, starts[provider][2], cluster.head.url)
    patients.all_there(node.url)
