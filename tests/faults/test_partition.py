"""The network between the nodes of a cluster parts, and heals.

Needs root for network namespaces; skipped elsewhere with a reason, required in CI.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import httpx
import pytest

from actors.domain.ids import ProviderId
from actors.placement import Placement, placing
from loadtests.workload.plan import Plan
from tests.faults import netns
from tests.faults.loads import World, until
from tests.faults.parted_nodes import STORES, PartedNodes, open_parted_nodes

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(netns.why_not()), reason=netns.why_not()),
]
PLAN = Plan(providers=12, patients=18, days=4, rate=90, timeout_s=6)
PATIENCE_S = 90.0
"""Far longer than anything takes; only a bug waits this long."""
SHARES = 3


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PartedNodes]:
    with open_parted_nodes(tmp_path_factory.mktemp("parted")) as made:
        yield made


@pytest.fixture(scope="module")
def world(parted: PartedNodes) -> World:
    return World(parted.site, PLAN)


@pytest.fixture(autouse=True)
def healed(parted: PartedNodes) -> Iterator[None]:
    """What a test that failed left parted does not fail the next one."""
    yield
    parted.network.heal()


class Asker:
    """Asks every calendar through one gateway for what changes nothing."""

    def __init__(self, parted: PartedNodes, url: str) -> None:
        self.longest_s = 0.0
        self._url = url
        token = parted.site.tokens("patient", ["pat_asker"])["pat_asker"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._numbers = itertools.count()
        self._client = httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False)

    async def all_answer(
        self, within_s: float, providers: Sequence[str] = PLAN.doctors
    ) -> float:
        """Wait until each of these calendars has answered; the seconds it took."""
        began = time.monotonic()
        waiting = list(providers)
        while waiting:
            told = await asyncio.gather(*(self._status(one) for one in waiting))
            paired = zip(waiting, told, strict=True)
            waiting = [one for one, status in paired if status == 503]
            assert time.monotonic() - began < within_s, waiting
        return time.monotonic() - began

    async def _status(self, provider: str) -> int:
        """A hold of a visit that is not offered is refused by the calendar itself."""
        body = {
            "provider_id": provider,
            "visit_type": "consult",
            "start": "2031-01-01T02:00:00Z",
        }
        headers = {**self._headers, "Idempotency-Key": f"asked-{next(self._numbers)}"}
        began = time.monotonic()
        answer = await self._client.post(
            f"{self._url}/v1/holds", json=body, headers=headers
        )
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        assert answer.status_code in {404, 409, 422, 503}, answer.text
        return answer.status_code

    async def is_ready(self, url: str) -> bool:
        """Whether a gateway says that it can serve."""
        try:
            return (await self._client.get(f"{url}/readyz")).is_success
        except httpx.HTTPError:
            return False

    async def is_unready(self, url: str) -> bool:
        """Whether it says that it cannot, or nothing."""
        return not await self.is_ready(url)

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()


async def shared_out(parted: PartedNodes) -> None:
    """Wait until n2 and n3 have their shares: what is on a node is what parts."""
    nodes = [parted.cluster.nodes[name] for name in ("n2", "n3")]

    def is_shared() -> bool:
        return all(len(node.pids("shard")) == SHARES for node in nodes)

    await until(is_shared, "shares on n2 and n3", PATIENCE_S)


async def calendars_on(parted: PartedNodes, node: str) -> list[str]:
    """Providers whose shards are on a node now."""
    done = await asyncio.to_thread(parted.site.slotcast, "cluster", "status", "--json")
    rows = json.loads(done.stdout)["shards"]
    nodes = {row["shard"]: row["node"] for row in rows}
    place = placing(Placement.SHARD, len(rows))
    return [one for one in PLAN.doctors if nodes[place(ProviderId(one))] == node]


async def test_18_a_node_is_parted_from_all_others(
    parted: PartedNodes, world: World
) -> None:
    """Fault 18: n3 hears neither n1, n2 nor the stores: it pauses, the others take its
    calendars over and go on; healed, nothing is lost and nothing is twice."""
    async with world.load() as load:
        await shared_out(parted)
        await load.more(60)
        parted.network.isolate("n3")
        await load.every_calendar_answers(PATIENCE_S)
        parted.network.heal()
        await load.more(100)


async def test_18_a_node_is_parted_from_the_stores_alone(
    parted: PartedNodes, world: World
) -> None:
    """Fault 18: n2 hears its peers but neither Redis nor MariaDB: what it serves
    pauses with 503, the rest goes on, and after healing so does it."""
    head = parted.cluster.head.url
    async with world.load() as load, Asker(parted, head) as asker:
        await shared_out(parted)
        elsewhere = await calendars_on(parted, "n3")
        assert elsewhere
        await load.more(60)
        parted.network.partition("n2", STORES)
        await load.heard(503, 3)
        # Not the patients' progress: soon all of them insist on a calendar of n2.
        await asker.all_answer(PATIENCE_S, elsewhere)
        parted.network.heal()
        await load.every_calendar_answers(PATIENCE_S)


async def test_an_isolated_node_is_given_up_and_joins_again(
    parted: PartedNodes, world: World
) -> None:
    """n3's packets vanish: the head gives it up; each request to its calendars
    elsewhere is answered, first 503, then by a successor; its own gateway is
    not ready; healed, Ray there starts again and has shards."""
    cluster = parted.cluster
    n3 = cluster.nodes["n3"]
    keeping = cluster.head.data / "logs" / "keeper.log"

    def times_given_up() -> int:
        return keeping.read_text().count('"nodes: n1, n2"')

    async with world.load() as load, Asker(parted, cluster.nodes["n2"].url) as asker:
        await until(lambda: len(n3.pids("shard")) == SHARES, "shards on n3", PATIENCE_S)
        raylets, shards = n3.pids("raylet"), set(n3.pids("shard"))
        before = times_given_up()
        parted.network.isolate("n3")
        given_up = await until(
            lambda: times_given_up() > before, "n3 given up", PATIENCE_S
        )
        answered = await asker.all_answer(PATIENCE_S)
        unready = await until(
            lambda: asker.is_unready(n3.url), "n3 unready", PATIENCE_S
        )
        await load.every_calendar_answers(PATIENCE_S)
        parted.network.heal()
        restarted = await until(
            lambda: n3.pids("raylet") not in ([], raylets), "a fresh raylet", PATIENCE_S
        )
        shared = await until(
            lambda: len(set(n3.pids("shard")) - shards) == SHARES, "shares", PATIENCE_S
        )
        assert not shards & set(n3.pids("shard")), "the fenced ones ended"
        await until(lambda: asker.is_ready(n3.url), "n3 ready", PATIENCE_S)
    figures = (given_up, answered, unready, restarted, shared, asker.longest_s)
    sys.stderr.write(" ".join(f"{one:.1f}" for one in figures) + "\n")
