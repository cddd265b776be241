"""The worker settles what a gateway left behind: debts and doubts from the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.ids import BookingId, Millis
from actors.domain.messages.commands import AbortGroup, ConfirmHold, PlaceHold
from actors.errors import Unavailable
from actors.ports import Request
from care.jobs.jobs import Failed, Job, JobError
from cluster.work.settling import settling_handlers
from tests.fakes.api import Api
from tests.fixtures.resources import before, is_settled, taken
from tests.unit.gateway.calendars.test_group_bookings import SLOT, api, post

__all__ = ["api"]


def jobs(api: Api) -> list[Job]:
    """What the projection wrote for resolvers, as the worker claims it."""
    return [
        Job(n, one.kind, one.event_id, one.payload, one.at, 1, Millis(0))
        for n, one in enumerate(api.read_model.outbox.values())
        if one.kind.startswith("group.")
    ]


async def run(api: Api, kind: str) -> list[Failed]:
    """Run the jobs of a kind; how those ended that are tried again."""
    await api.project()
    handlers = settling_handlers(api.ports.calendars, api.clock)
    later = []
    for job in jobs(api):
        if job.kind == kind:
            try:
                await handlers[kind](job)
            except JobError as error:
                later.append(error.outcome)
    return later


def dying_at(kind: type, **fields: Any) -> Any:
    """A hook that lets nothing through from the first such command on."""
    dead = [False]

    async def hook(request: Request) -> None:
        is_it = isinstance(request, kind) and all(
            bool(getattr(request, name)) is value for name, value in fields.items()
        )
        dead[0] = dead[0] or is_it
        if dead[0]:
            raise Unavailable("killed")

    return hook


async def test_what_a_booking_owes_is_paid(api: Api) -> None:
    """The gateway ended after the commit: room and device are the visit's all the
    same, and the job finds nothing to do the next time."""
    async with before(api, dying_at(ConfirmHold, visit=True)):
        booked = await post(api, "bookings", SLOT)
    assert booked.status_code == 201
    assert await taken(api) == set()
    assert await run(api, "group.owed") == []
    assert len(await taken(api)) == 2
    assert await is_settled(api)
    assert await run(api, "group.owed") == []
    cancelled = f"bookings/{BookingId(booked.json()['booking_id'])}/cancel"
    async with before(api, dying_at(ConfirmHold, visit=True)):
        await post(api, cancelled)
    await run(api, "group.owed")
    assert await taken(api) == set()
    assert await is_settled(api)


async def test_doubtful_holds_are_freed(api: Api) -> None:
    """The gateway ended before the provider was asked: nothing stays blocked."""
    hook = dying_at(PlaceHold, group=True, patient_id=True)
    async with before(api, hook):
        await post(api, "bookings", SLOT)
    api.clock.step(600)
    assert (await post(api, "holds", SLOT, patient=2)).status_code == 409
    assert await run(api, "group.doubtful") == []
    assert await is_settled(api)
    assert (await post(api, "holds", SLOT, patient=2)).status_code == 201


async def test_a_doubt_waits_for_the_patient_and_for_calendars(api: Api) -> None:
    """Tried again when the hold ends, or soon if a calendar does not answer."""
    held = (await post(api, "holds", SLOT)).json()
    api.clock.step(100)
    await post(api, f"holds/{held['hold_id']}/extend")
    api.clock.step(60)
    await is_settled(api)  # due holds are noticed by the next question
    later = await run(api, "group.doubtful")
    assert len(later) == 2
    assert {one.after_ms for one in later} == {60_000}
    async with before(api, dying_at(AbortGroup)):
        calendars: Any = api.ports.calendars

        async def away(_request: Request) -> Any:
            raise Unavailable("away")

        calendars.ask = away
        later = await run(api, "group.doubtful")
    assert {one.after_ms for one in later} == {2_000}
    assert all(one.until is not None for one in later)


@pytest.mark.parametrize("kind", ["group.owed", "group.doubtful"])
async def test_a_calendar_that_is_not_there_ends_the_job(api: Api, kind: str) -> None:
    """As after a restore: the job is done, and does not come back."""
    handlers = settling_handlers(api.ports.calendars, api.clock)
    payload = {"provider_id": "prv_none", "booking_id": "bkg_none.1"}
    job = Job(1, kind, "k", payload, Millis(0), 1, Millis(0))
    await handlers[kind](job)
