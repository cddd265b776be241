"""Watched slots of visits that need rooms follow the rooms, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import SlotsView
from actors.domain.messages.reads import ReadWeek
from actors.domain.messages.refusals import NO_PROVIDER
from gateway.wire.problems import of_refusal
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api
from tests.fixtures.resources import add_resource, offer_scans, open_hours, take_leave

WEEK = "slots/prv_1/scan/2026-W33"
TEN, ELEVEN = "2026-08-10T10:00:00Z", "2026-08-10T11:00:00Z"


@pytest.fixture
async def live() -> AsyncIterator[tuple[LiveApi, ProviderId]]:
    async with open_live_api() as opened:
        await opened.api.project()
        await offer_scans(opened.api)
        yield opened, await add_resource(opened.api, "Room 1")


async def watch(client: LiveClient, topic: str = WEEK, **more: Any) -> dict[str, Any]:
    answer = await client.ask("subscribe", topics=[topic], **more)
    assert answer["t"] == "result", answer
    return await client.next()


def freely(slots: dict[str, Any]) -> set[str]:
    return {start for start, state in slots.items() if state == "free"}


async def shown_until(
    client: LiveClient, slots: dict[str, Any], start: str, state: str | None
) -> dict[str, Any]:
    """The content after the frames up to the one that says so."""
    while slots.get(start) != state:
        frame = await client.next()
        if frame["t"] == "snapshot":
            slots = dict(frame["slots"])
        elif frame["t"] == "delta":
            slots = slots | dict(frame["slots"])
            slots = {one: said for one, said in slots.items() if said != "gone"}
    return slots


async def test_a_rooms_leave_reaches_who_watches_the_doctor(
    live: tuple[LiveApi, ProviderId],
) -> None:
    """The slots go when the only room is away, and come back with it."""
    site, room = live
    async with site.client() as client:
        slots = dict((await watch(client))["slots"])
        assert slots[TEN] == "free"
        await take_leave(site.api, room, TEN, ELEVEN)
        slots = await shown_until(client, slots, TEN, None)
        assert slots[ELEVEN] == "free"
        await open_hours(site.api, room, {})
        await shown_until(client, slots, ELEVEN, None)


async def test_the_doctors_own_changes_are_shown_with_the_rooms(
    live: tuple[LiveApi, ProviderId],
) -> None:
    """A slot that another visit of the doctor takes is held, and none that lacks a
    room comes back with it."""
    site, room = live
    await take_leave(site.api, room, TEN, ELEVEN)
    async with site.client() as client, site.client("patient", "pat_1") as patient:
        slots = dict((await watch(client))["slots"])
        assert TEN not in slots
        plain = {"provider_id": "prv_1", "visit_type": "consult"}
        held = await patient.ask("hold", start=ELEVEN, **plain)
        assert held["status"] == 201
        slots = await shown_until(client, slots, ELEVEN, "held")
        await patient.ask("release", hold_id=held["body"]["hold_id"])
        slots = await shown_until(client, slots, ELEVEN, "free")
        assert TEN not in slots


async def test_who_reconnects_gets_all_of_it_again(
    live: tuple[LiveApi, ProviderId],
) -> None:
    """The doctor's version does not move with a room: a position is no proof."""
    site, room = live
    async with site.client() as client:
        first = await watch(client)
        await take_leave(site.api, room, TEN, ELEVEN)
        await shown_until(client, dict(first["slots"]), TEN, None)
    at = [first["epoch"], first["version"]]
    async with site.client() as client:
        again = await watch(client, since={WEEK: at})
        assert again["t"] == "snapshot"
        assert TEN not in dict(again["slots"])


async def test_plain_visits_depend_on_no_room(
    live: tuple[LiveApi, ProviderId],
) -> None:
    """Their topics are not read again for a room."""
    site, room = live
    async with site.client() as client:
        await watch(client, "slots/prv_1/consult/2026-W33")
        reads = site.live.hub.tally.reads
        await take_leave(site.api, room, TEN, ELEVEN)
        assert site.live.hub.index.dependent == {}
        assert site.live.hub.tally.reads == reads


async def test_a_topic_that_is_kept_no_more_depends_on_nothing(
    live: tuple[LiveApi, ProviderId],
) -> None:
    """Also if it was dropped while it was being read."""
    site, _room = live
    hub = site.live.hub
    async with site.client() as client:
        await watch(client)
        (board,) = hub.index.composed
        view = await site.api.ports.calendars.ask(
            ReadWeek(board.name.provider_id, board.name.visit_type, board.name.week)
        )
        assert isinstance(view, SlotsView)
        hub.refused(board, of_refusal(NO_PROVIDER))
        assert not hub.index.composed
        assert not hub.index.dependent
        await site.live._reader._narrowed(board, view)
        assert not hub.index.composed
        assert not hub.index.dependent


async def test_a_visit_with_a_room_is_taken_over_the_socket(
    live: tuple[LiveApi, ProviderId],
) -> None:
    """Held, booked, moved and cancelled as over REST; watchers see each."""
    site, _room = live
    wanted = {"provider_id": "prv_1", "visit_type": "scan"}
    async with site.client() as client, site.client("patient", "pat_1") as patient:
        slots = dict((await watch(client))["slots"])
        held = await patient.ask("hold", key="k1", start=TEN, **wanted)
        assert held["status"] == 201, held
        slots = await shown_until(client, slots, TEN, "held")
        hold = {"hold_id": held["body"]["hold_id"]}
        booked = await patient.ask("book", key="k2", **hold)
        assert booked["status"] == 201, booked
        slots = await shown_until(client, slots, TEN, "booked")
        visit = {"booking_id": booked["body"]["booking_id"]}
        moved = await patient.ask("reschedule", key="k3", start=ELEVEN, **visit)
        assert moved["status"] == 200, moved
        slots = await shown_until(client, slots, ELEVEN, "booked")
        slots = await shown_until(client, slots, TEN, "free")
        cancelled = await patient.ask("cancel", key="k4", **visit)
        assert cancelled["status"] == 200, cancelled
        await shown_until(client, slots, ELEVEN, "free")
        at_once = await patient.ask("book", key="k5", start=TEN, **wanted)
        assert at_once["status"] == 201, at_once
    await site.api.app.state.services.groups.settled()
