"""The benchmark of the search measures what it says, on a site as it says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from rapidfuzz.distance import OSA

from actors.domain.ids import Minute
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.reads import ReadProvider
from actors.domain.rules import VisitType
from care.directory.ports import RosterRow
from cluster.clock import SystemClock
from cluster.site.settings import read_settings
from cluster.site.site import site_made_if_needed
from cluster.wiring.calendars import local_calendars
from gateway.directory.roster.matching import Matcher, Order, Search
from gateway.directory.roster.roster import Roster
from loadtests.bench.searches import Asked, search_loop
from loadtests.wire.http_client import ConnectionLost, HttpClient, Response
from persistence.directory.roster_source import SqlRosterSource
from persistence.sql.engine import open_engine
from persistence.sql.records import Records
from tests.benchmarks.search_fill import fill
from tests.benchmarks.search_mix import a_search, with_one_error
from tests.benchmarks.search_oracle import Oracle, TooVague
from tests.benchmarks.search_people import Person, invented, practices

PEOPLE = 300


class World:
    """A roster and an oracle that were told the same."""

    def __init__(self) -> None:
        draw = random.Random(3)
        self.people = invented(practices(None, 20), PEOPLE)
        self.oracle, self.roster = Oracle(self.people), Roster()
        for one in self.people:
            row = self.roster.put(one.row)
            starts = {
                kind.visit_type: 15 * draw.randrange(1, 200)
                for kind in one.row.visit_types
            }
            self.oracle.starts[one.row.provider_id] = starts
            self.roster.services.set_starts(
                row, {kind: [Minute(at)] for kind, at in starts.items()}
            )

    def shown(self, search: Search, order: Order) -> list[str]:
        """The first page of the roster."""
        starts = self.roster.services.next_starts(
            search.visit_type, remote=search.telehealth
        )
        matcher = Matcher(self.roster)
        rows = matcher.page(matcher.find(search), order, None, 20, starts)
        return [self.roster.ids[row] for row in rows]

    def expected(self, search: Search, order: Order) -> list[str]:
        """That of the oracle."""
        return [one for one, _ in self.oracle.page(search, order, 20)[1]]


def _differences(world: World) -> tuple[int, int]:
    """Searches whose pages were compared, and those that differ."""
    draw = random.Random(8)
    compared = different = 0
    for _ in range(80):
        search, order = a_search(world.people, draw)
        try:
            expected = world.expected(search, order)
        except TooVague:
            continue
        compared += 1
        different += expected != world.shown(search, order)
    return compared, different


def test_pages_of_the_roster_are_those_of_the_oracle() -> None:
    """Words, filters, distances and orders of the mix; too vague ones are left out."""
    compared, different = _differences(World())
    assert compared > 40
    assert different == 0


def test_control_a_roster_that_missed_changes_is_found_out() -> None:
    """Starts that fell and a provider that went are seen in the pages."""
    world = World()
    for one in world.people[::9]:
        row = world.roster.row_of[one.row.provider_id]
        world.roster.services.set_starts(
            row, {kind.visit_type: [Minute(1)] for kind in one.row.visit_types}
        )
    world.roster.remove(world.people[1].row.provider_id)
    _, different = _differences(world)
    assert different > 10


def test_an_error_is_one_edit() -> None:
    """A letter left out, added, changed, or two swapped."""
    draw = random.Random(2)
    for _ in range(300):
        assert OSA.distance("bramick", with_one_error("bramick", draw)) == 1


async def test_a_filled_site_is_what_was_invented(tmp_path: Path) -> None:
    """Calendars come from their snapshots, rows of the search from both databases."""
    settings = read_settings(data=tmp_path / "data", shards=1)
    site = site_made_if_needed(settings, SystemClock().today())
    await fill(site, None, 27)
    people = invented(practices(None, 3), 27)
    async with local_calendars(site) as calendars:
        for one in people:
            view = await calendars.ask(ReadProvider(one.row.provider_id))
            assert isinstance(view, ProviderView)
            assert view.availability == one.availability
            assert view.profile.name == one.row.name
    assert await _rows_of(site.database_url, site.records_url) == {
        one.row.provider_id: _as_read(one) for one in people
    }


async def _rows_of(database: str, records_url: str) -> dict[str, RosterRow]:
    readers, records = open_engine(database, "reader"), Records(records_url)
    try:
        source = SqlRosterSource(readers, records)
        return {row.provider_id: row async for some in source.all() for row in some}
    finally:
        await records.close()
        await readers.dispose()


def _as_read(one: Person) -> RosterRow:
    kinds: tuple[VisitType, ...] = one.row.visit_types
    assert all(kind.active for kind in kinds)
    return one.row


class _Gateway(HttpClient):
    """Answers at once, or not at all."""

    def __init__(self, *, is_there: bool) -> None:
        self.paths: list[str] = []
        self._is_there = is_there

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        token: str = "",
        key: str = "",
    ) -> Response:
        await asyncio.sleep(0)
        assert (method, body, token, key) == ("GET", None, "", "")
        self.paths.append(path)
        if not self._is_there:
            raise ConnectionLost("gone")
        live = b"true" if path == "/live" else b"false"
        return Response(200, b'{"live":' + live + b"}", {}, 0.0)


async def test_searches_are_spread_and_none_is_forgotten() -> None:
    """In turn over gateways; a lost one counts; lists that are not live are told."""
    gateways = [_Gateway(is_there=True), _Gateway(is_there=False)]
    asked = [Asked("a", "/live"), Asked("b", "/old"), Asked("c", "/old")]
    told = await search_loop(gateways, asked, per_second=2_000, seconds=0.015)
    assert [len(one.paths) for one in gateways] == [15, 15]
    assert told["statuses"] == {"0": 15, "200": 15}
    assert {kind: one["searches"] for kind, one in told["kinds"].items()} == {
        "a": 5,
        "b": 5,
        "c": 5,
    }
    assert told["not_live"] == 10


@pytest.mark.parametrize("count", [20, 45])
def test_people_are_spread_over_practices(count: int) -> None:
    """The same ones each time; one in a hundred is open around the clock."""
    clinics = practices(None, 5)
    people = invented(clinics, count)
    assert people == invented(clinics, count)
    assert sum(one.is_busy for one in people) == 1
    assert {one.row.clinic.clinic_id for one in people} == {
        one.clinic_id for one in clinics
    }
