"""Lists of providers are read once for many readers, and show changes all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import NextFreeView
from actors.domain.messages.reads import ReadNextFree
from actors.errors import Unavailable
from care.readmodel import ProviderQuery
from gateway.providers.kept_directory import ANSWERS_MAX, FOLLOWS_S, KeptDirectory
from gateway.providers.next_free import NextFree
from tests.fakes.api import CLINIC, Api, open_api, slot

EVER = 3600.0
ONE, TWO = ProviderId("prv_1"), ProviderId("prv_2")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """What lists show is believed for ever, but for what happens at this gateway."""
    async with open_api(lists_believed_s=EVER) as one:
        await one.add_provider(1)
        await one.add_provider(2)
        await one.project()
        yield one


async def starts(api: Api, query: str = "") -> dict[str, str]:
    items = (await api.client.get(f"/v1/providers?{query}")).json()["items"]
    return {item["provider_id"]: item["next_free"] for item in items}


class Counted:
    """An asynchronous function, how often it was called, and when it may answer."""

    def __init__(self, function: Callable[..., Awaitable[Any]]) -> None:
        self._function = function
        self.calls = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, *args: Any, **named: Any) -> Any:
        self.calls += 1
        answer = await self._function(*args, **named)
        await self.go.wait()
        return answer


@pytest.mark.parametrize("query", ["", "sort=soonest", "query=dr"])
async def test_many_who_open_the_page_cost_one_reading(
    api: Api, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """At the same time and a moment later: all have the same, read once."""
    calendars = Counted(api.ports.calendars.ask)
    monkeypatch.setattr(api.ports.calendars, "ask", calendars)
    reads = [Counted(getattr(api.read_model, name)) for name in ("find", "ids")]
    for read, name in zip(reads, ("find", "ids"), strict=True):
        monkeypatch.setattr(api.read_model, name, read)
    pages = await asyncio.gather(*(starts(api, query) for _ in range(20)))
    pages.append(await starts(api, query))
    assert all(page == pages[0] for page in pages)
    assert len(pages[0]) == 2
    assert sum(read.calls for read in reads) == 1
    assert calendars.calls <= 2  # one for each shard


@pytest.mark.parametrize("query", ["", "sort=soonest"])
async def test_a_booking_made_here_is_in_the_next_list(api: Api, query: str) -> None:
    """The next free start moves at once, that of others stays believed."""
    before = await starts(api, query)
    booked = await api.client.post(
        "/v1/bookings", json=slot(start=before["prv_1"]), headers=api.patient()
    )
    after = await starts(api, query)
    assert booked.status_code == 201
    assert after["prv_1"] > before["prv_1"]
    assert after["prv_2"] == before["prv_2"]


async def test_a_profile_changed_here_is_shown_as_soon_as_it_is_projected(
    api: Api,
) -> None:
    """Also when the list was opened between the change and its projection."""
    await starts(api)
    body = {"name": "Dr. Renamed", "specialty": "x", "clinic_id": CLINIC}
    changed = await api.client.put(
        "/v1/providers/prv_1", json=body, headers=api.admin()
    )
    assert changed.status_code == 200
    await starts(api)
    await api.project()
    items = (await api.client.get("/v1/providers")).json()["items"]
    assert "Dr. Renamed" in {item["name"] for item in items}


async def test_a_clinic_changed_here_is_shown_at_once(api: Api) -> None:
    """Its record is the list's."""
    await starts(api)
    put = await api.client.put(
        f"/v1/clinics/{CLINIC}",
        json={"name": "Renamed", "time_zone": "UTC"},
        headers=api.admin(),
    )
    assert put.status_code in (200, 201), put.text
    items = (await api.client.get("/v1/providers")).json()["items"]
    assert {item["clinic"]["name"] for item in items} == {"Renamed"}


# --- time, and what goes wrong ----------------------------------------------------


class Steps:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


class Links:
    def shard_of(self, provider_id: ProviderId) -> ShardId:
        return ShardId("a" if provider_id == ONE else "b")


class Calendars:
    """Answers with the number of the question; may fail, or wait."""

    def __init__(self) -> None:
        self.questions = 0
        self.silent: set[ProviderId] = set()
        self.go = asyncio.Event()
        self.go.set()

    async def ask(self, request: ReadNextFree) -> NextFreeView:
        self.questions += 1
        number = self.questions
        await self.go.wait()
        if self.silent & set(request.provider_ids):
            raise Unavailable("silent")
        kind = VisitTypeId("v")
        return NextFreeView(
            dict.fromkeys(request.provider_ids, Minute(number)),
            dict.fromkeys(request.provider_ids, kind),
        )


def a_next_free() -> tuple[NextFree, Calendars, Steps]:
    calendars, steps = Calendars(), Steps()
    links: Any = Links()
    return NextFree(calendars, links, 0.5, steps), calendars, steps  # type: ignore[arg-type]


async def test_a_start_is_believed_for_so_long_and_no_longer() -> None:
    """Then its calendar is asked again: a change elsewhere is seen within that time."""
    lists, calendars, steps = a_next_free()
    first = await lists.of([ONE], forgive=False)
    steps.at += 0.49
    assert await lists.of([ONE], forgive=False) == first
    steps.at += 0.02
    assert await lists.of([ONE], forgive=False) != first
    assert calendars.questions == 2


async def test_an_answer_from_before_a_change_is_not_kept() -> None:
    """A question that was under way when a command was answered says nothing later."""
    lists, calendars, _ = a_next_free()
    calendars.go.clear()
    early = asyncio.ensure_future(lists.of([ONE], forgive=False))
    while not calendars.questions:  # noqa: ASYNC110 - one turn of the loop
        await asyncio.sleep(0)
    lists.changed(ONE)
    calendars.go.set()
    assert (await early)[ONE] == (1, "v")
    assert (await lists.of([ONE], forgive=False))[ONE] == (2, "v")


async def test_a_silent_shard_is_forgiven_or_not_and_never_remembered() -> None:
    """A page is shown without its starts, an order is not; next time it is asked."""
    lists, calendars, _ = a_next_free()
    calendars.silent = {TWO}
    assert set(await lists.of([ONE, TWO], forgive=True)) == {ONE}
    with pytest.raises(Unavailable):
        await lists.of([ONE, TWO], forgive=False)
    calendars.silent = set()
    assert set(await lists.of([ONE, TWO], forgive=False)) == {ONE, TWO}


async def test_a_reader_who_leaves_takes_nothing_from_the_others() -> None:
    """Who began the reading may be cut off while others wait for it."""
    lists, calendars, steps = a_next_free()
    read = Counted(lambda *_args, **_named: asyncio.sleep(0, (["page"], None)))
    read.go.clear()
    directory: Any = type("D", (), {"find": read})()
    kept = KeptDirectory(directory, 0.5, steps)
    calendars.go.clear()
    for ask in (
        lambda: lists.of([ONE], forgive=False),
        lambda: kept.find(ProviderQuery(), after="", limit=1),
    ):
        first, second = asyncio.ensure_future(ask()), asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first})
        calendars.go.set()
        read.go.set()
        assert await second
    assert (calendars.questions, read.calls) == (1, 1)


async def test_a_page_is_believed_for_so_long_unless_it_failed_or_was_edited() -> None:
    """Failures and edits are followed by a reading, each time until it is projected."""
    steps, number = Steps(), 0
    fails = False

    async def find(*_args: Any, **_named: Any) -> Any:
        nonlocal number
        number += 1
        if fails:
            raise Unavailable("away")
        return [number], None

    directory: Any = type("D", (), {"find": staticmethod(find)})()
    kept = KeptDirectory(directory, 0.5, steps)

    async def page(limit: int = 1) -> Any:
        return (await kept.find(ProviderQuery(), after="", limit=limit))[0]

    assert [await page(), await page()] == [[1], [1]]
    steps.at += 0.6
    assert await page() == [2]
    kept.edited()
    assert [await page(), await page()] == [[3], [4]]
    steps.at += FOLLOWS_S
    assert [await page(), await page()] == [[5], [5]]
    steps.at += 0.6
    fails = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await page()
    fails = False
    assert await page() == [8]
    for limit in range(2 * ANSWERS_MAX):
        await page(limit)
    assert len(kept._answers) == ANSWERS_MAX
