"""The network between the nodes of a cluster parts, and heals.

Needs root for network namespaces; skipped elsewhere with a reason, required in CI.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadtests.workload_plan import Plan
from tests.faults import netns
from tests.faults.loads import World
from tests.faults.parted import STORES, PartedEstate, a_parted_estate

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(netns.why_not()), reason=netns.why_not()),
]
PLAN = Plan(providers=12, patients=18, days=4, rate=90, timeout_s=6)
ONE_SIDE_GOES_ON_S = 40.0
"""Finding out that a silent node is lost takes Ray's health checks; then recovery."""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PartedEstate]:
    with a_parted_estate(tmp_path_factory.mktemp("parted")) as made:
        yield made


@pytest.fixture(scope="module")
def world(estate: PartedEstate) -> World:
    return World(estate.site, PLAN)


@pytest.fixture(autouse=True)
def healed(estate: PartedEstate) -> Iterator[None]:
    """What a test that failed left parted does not fail the next one."""
    yield
    estate.network.heal()


async def test_18_a_node_is_parted_from_all_others(
    estate: PartedEstate, world: World
) -> None:
    """Fault 18: n3 hears neither n1, n2 nor the stores: it pauses, the others take its
    calendars over and go on; healed, nothing is lost and nothing is twice."""
    async with world.load() as load:
        await load.more(60)
        estate.network.isolate("n3")
        await load.every_calendar_answers(ONE_SIDE_GOES_ON_S)
        estate.network.heal()
        await load.more(100)


async def test_18_a_node_is_parted_from_the_stores_alone(
    estate: PartedEstate, world: World
) -> None:
    """Fault 18: n2 hears its peers but neither Redis nor MariaDB: what it serves
    pauses with 503, the rest goes on, and after healing so does it."""
    async with world.load() as load:
        await load.more(60)
        estate.network.partition("n2", STORES)
        await load.heard(503, 3)
        await load.more(60)
        estate.network.heal()
        await load.every_calendar_answers(ONE_SIDE_GOES_ON_S)
