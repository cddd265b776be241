"""Three nodes as an operator starts them: joined, booked on, lost, and brought back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from tests.fixtures.cluster import ClusterOnOneMachine, wait_until
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.server import ROOT

pytestmark = pytest.mark.acceptance
SAMPLE = str(ROOT / "tests" / "samples" / "practices_good.csv")
SHARDS = 6
BACK_S = 15.0
"""Within this time after the loss of a node all calendars answer again."""


class Patients:
    """Books through every gateway, on every provider, and retries with its key."""

    def __init__(self, cluster: ClusterOnOneMachine) -> None:
        self.cluster = cluster
        token = cluster.token("patient", "pat_7")
        self.headers = {"Authorization": f"Bearer {token}"}
        self.booked: dict[str, tuple[str, str]] = {}
        """Booking id to provider and start, of all that was acknowledged."""
        self.client = httpx.Client(timeout=4.0, trust_env=False)
        asked = [f"prv_X9000{clinic}_{n}" for clinic in range(1, 7) for n in (1, 2)]
        self.providers = [one for one in asked if self._exists(one)]
        assert len(self.providers) == 6

    def _exists(self, provider: str) -> bool:
        url = f"{self.cluster.head.url}/v1/providers/{provider}"
        return self.client.get(url).is_success

    def slots(self, provider: str, url: str) -> list[str]:
        """Starts of free slots of some days that do not overlap."""
        view = self._get(f"{url}/v1/providers/{provider}")
        first = view["visit_types"][0]["next_free"]
        day = date.fromisoformat(first[:10])
        query = f"visit_type=consult&from={day}&to={day + timedelta(days=10)}"
        page = self._get(f"{url}/v1/providers/{provider}/slots?{query}")
        return [one["start"] for one in page["slots"] if one["state"] == "free"][::4]

    def book(self, provider: str, start: str, url: str, within_s: float = 20.0) -> None:
        """One booking, acknowledged; asked again with its key until it is."""
        key = f"{provider}-{start}"
        body = {"provider_id": provider, "visit_type": "consult", "start": start}
        headers = {**self.headers, "Idempotency-Key": key}
        deadline = time.monotonic() + within_s
        said = ""
        while time.monotonic() < deadline:
            try:
                answer = self.client.post(
                    f"{url}/v1/bookings", json=body, headers=headers
                )
            except httpx.HTTPError as error:
                said = repr(error)
                continue
            if answer.status_code == 201:
                booking = answer.json()
                self.booked[booking["booking_id"]] = (provider, start)
                return
            said = answer.text
            assert answer.status_code in {502, 503, 504}, said
            time.sleep(0.1)
        pytest.fail(f"{provider} at {url} took no booking in {within_s} s: {said}")

    def all_there(self, url: str) -> None:
        """Every acknowledged booking is in the calendar, once."""
        for provider in self.providers:
            token = self.cluster.token("doctor", provider)
            page = self._get(
                f"{url}/v1/providers/{provider}/schedule?{_whole()}",
                {"Authorization": f"Bearer {token}"},
            )
            items = page["items"] if "items" in page else page["bookings"]
            kept = {one["booking_id"]: one["start"] for one in items}
            mine = {
                booking: start
                for booking, (whose, start) in self.booked.items()
                if whose == provider
            }
            assert kept == mine
            assert len(set(kept.values())) == len(kept)

    def _get(self, url: str, headers: dict[str, str] | None = None) -> Any:
        return self.client.get(url, headers=headers or {}).raise_for_status().json()


def _whole() -> str:
    first = time.strftime("%Y-%m-%d", time.gmtime())
    last = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
    return f"from={first}&to={last}"


def shard_nodes(cluster: ClusterOnOneMachine) -> dict[str, int]:
    """How many shards each node has."""
    return {name: len(pids) for name, pids in cluster.pids("shard").items()}


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
    made = Patients(cluster)
    yield made
    made.client.close()


def test_nodes_that_join_receive_the_shards(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """Shards leave the head for the nodes that joined, and every gateway books."""
    wait_until(
        lambda: shard_nodes(cluster) == {"n1": 0, "n2": 3, "n3": 3}, 40, cluster.story
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
    """kill -9 of a whole node: its calendars answer within 15 s, nothing is lost."""
    url = cluster.nodes["n2"].url
    starts = {one: patients.slots(one, url) for one in patients.providers}

    def load() -> None:
        for number in range(4):
            for provider in patients.providers:
                patients.book(provider, starts[provider][number], url)

    loading = threading.Thread(target=load)
    before = len(patients.booked)
    loading.start()
    wait_until(lambda: len(patients.booked) > before + 3, 20)
    lost_at = time.monotonic()
    cluster.kill_node("n3")
    for provider in patients.providers:
        patients.book(provider, starts[provider][5], url, within_s=BACK_S)
    took = time.monotonic() - lost_at
    loading.join(60)
    assert took < BACK_S
    assert len(patients.booked) == before + 5 * len(patients.providers)
    patients.all_there(url)


def test_bookings_go_on_without_the_head_and_it_comes_back(
    cluster: ClusterOnOneMachine, patients: Patients
) -> None:
    """The head killed: other nodes book on. Started again, it knows the old shards."""
    node = cluster.nodes["n2"]
    wait_until(lambda: len(node.pids("shard")) == SHARDS, 30, cluster.story)
    shards = set(node.pids("shard"))
    starts = {one: patients.slots(one, node.url) for one in patients.providers}
    cluster.kill_node("n1")
    for provider in patients.providers:
        patients.book(provider, starts[provider][0], node.url)
    told = cluster.json("cluster", "status", node="n2")
    assert not told["well"]
    assert any("head" in one for one in told["troubles"])
    cluster.head.start()
    cluster.wait_ready()
    assert set(node.pids("shard")) == shards, "nobody was started anew"
    for provider in patients.providers:
        patients.book(provider, starts[provider][1], cluster.head.url)
    victim = min(shards)
    os.kill(victim, signal.SIGKILL)
    for provider in patients.providers:
        patients.book(provider, starts[provider][2], cluster.head.url)
    patients.all_there(node.url)
