"""Calendars know what is waited for, and near slots are told of, on both databases.

Real calendars, read model, records, notices and jobs; only mails end in a sink. One
file because it is one worker's day with the list, step after step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import cast

import pytest
from sqlalchemy import delete

from actors.domain.ids import Millis, Minute, ProviderId
from actors.domain.messages.answers import BookingStatus, BookingView, ProviderView
from actors.domain.messages.reads import ReadBooking, ReadHold, ReadProvider
from actors.domain.rules import Waiting
from care.jobs.periodic import current_jobs
from care.waiting.entries import OFFER_MS, SlotOffer, WaitingEntry, WaitingScope
from care.waiting.ports import REFRESH
from cluster.work.waiting import reserving
from cluster.work.waiting.reserving import WAITING_PERIODIC
from persistence.jobs.models import JobRecord
from persistence.patients.waiting_models import WaitingEntryRecord
from tests import factories as make
from tests.fixtures.told import ToldSite
from tests.fixtures.waiting_list import (
    ANN,
    BEN,
    CAT,
    DAN,
    SLOT,
    give_up,
    join,
    offers,
    state_of,
    the_offer,
    waiting_site,
)

OTHER = make.a_provider_id(2)
OLD = make.a_booking_id(41, OTHER)
HALF_HOUR_S = 1_800


ON_SQLITE = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
"""For promises that no database has a part in."""


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with waiting_site(request.param, request, tmp_path) as opened:
        yield opened


async def view_of(site: ToldSite, provider: ProviderId) -> ProviderView:
    view = await site.calendars.ask(ReadProvider(provider))
    assert isinstance(view, ProviderView)
    return view


async def told(site: ToldSite, provider: ProviderId = make.PROVIDER) -> Waiting | None:
    return (await view_of(site, provider)).waiting


async def compare(site: ToldSite) -> None:
    """The next periodic comparison and sweep."""
    site.clock.step(600)
    now = site.clock.now()
    await site.jobs.add(current_jobs(WAITING_PERIODIC, now), now=now)
    await site.work()


async def open_other(site: ToldSite, clinic: int = 1) -> None:
    profile = make.a_profile(2, clinic=make.a_clinic(clinic))
    named = f"register-{clinic}-{site.clock.now()}"
    register = make.register(2, provider_id=OTHER, profile=profile, key=named)
    await site.ask(register)
    if clinic == 1:
        await site.ask(make.set_availability(number=2, provider_id=OTHER))
    await site.work()


async def test_a_lost_change_is_made_up_for(site: ToldSite) -> None:
    """A worker that died for good between an entry and its calendar leaves nothing
    wrong; a calendar that agrees is told nothing, so its version stays."""
    site.clock.step(1)
    now = site.clock.now()
    entry = await join(site, BEN)
    assert await site.waiting.leave(entry.entry_id, now=now)
    async with site.records.writing() as session:
        lost = JobRecord.kind == REFRESH, JobRecord.done_at.is_(None)
        await session.execute(delete(JobRecord).where(*lost))
    await site.work()
    assert await told(site) is not None, "no job told the calendar"
    await compare(site)
    assert await told(site) is None
    await join(site, ANN)
    before = await view_of(site, make.PROVIDER)
    assert before.waiting is not None
    assert before.waiting.visit_types == (make.CONSULT,)
    await compare(site)
    assert (await view_of(site, make.PROVIDER)).version == before.version


@ON_SQLITE
async def test_providers_come_to_a_clinic_and_leave_it(site: ToldSite) -> None:
    """A clinic is waited for: who joins later reserves, who left does so no more."""
    await site.work()
    await join(site, ANN, scope=WaitingScope.CLINIC, subject="cln_1")
    await open_other(site)
    assert await told(site, OTHER) is None
    await compare(site)
    assert await told(site, OTHER) == await told(site) != None  # noqa: E711
    await open_other(site, clinic=2)
    await compare(site)
    assert await told(site, OTHER) is None
    assert await told(site) is not None


@ON_SQLITE
async def test_many_who_join_at_once_are_told_of_together(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change has a job; those that run together tell a calendar once."""
    for number in range(9):
        now = site.clock.now()
        await site.waiting.join(
            WaitingEntry(
                entry_id=f"wte_{number}",
                patient_id=ANN if number % 2 else BEN,
                scope=WaitingScope.PROVIDER,
                subject=make.PROVIDER,
                since=now,
            )
        )
    readings, covering = [], site.waiting.covering

    async def counted(*of: str) -> Sequence[WaitingEntry]:
        readings.append(of)
        return await covering(*of)  # type: ignore[arg-type]

    monkeypatch.setattr(site.waiting, "covering", counted)
    await site.work()
    found = await told(site)
    assert found is not None
    assert found.most == 2
    assert len(readings) == 2, "once to tell, and once to see that it agrees"


async def test_entries_that_vanish_are_noticed(site: ToldSite) -> None:
    """Erased with their patient no job tells of them; calendars are told all the
    same. What is not waited for any more is compared no more."""
    await join(site, ANN)
    async with site.records.writing() as session:
        await session.execute(delete(WaitingEntryRecord))
    assert await told(site) is not None
    assert await site.waited.covered(after="", limit=9) == [make.PROVIDER]
    await compare(site)
    assert await told(site) is None
    assert await site.waited.covered(after="", limit=9) == []


async def test_many_providers_are_told_by_several_jobs(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job goes on after the one before it; none is left out."""
    monkeypatch.setattr(reserving, "PROVIDERS_AT_ONCE", 1)
    await open_other(site)
    scope = {"scope": WaitingScope.SPECIALTY, "subject": "general practice"}
    entry = await join(site, ANN, **scope)
    assert await told(site) == await told(site, OTHER) != None  # noqa: E711
    async with site.records.writing() as session:
        await session.execute(delete(WaitingEntryRecord))
    await compare(site)
    assert (await told(site), await told(site, OTHER)) == (None, None)
    assert not await site.waiting.leave(entry.entry_id, now=site.clock.now())


async def test_entries_end_with_their_last_day_and_their_visit(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is reserved for them. Others stay; no entry is left out, however
    many jobs it takes to look at all."""
    monkeypatch.setattr(reserving, "ROWS_AT_ONCE", 1)
    await site.ask(make.book_slot(1, make.at(11, day=3), patient_id=ANN))
    await site.ask(make.book_slot(2, make.at(12, day=3), patient_id=BEN))
    await site.work()
    await join(site, ANN, booking_id=make.a_booking_id(1))
    await join(site, BEN, booking_id=make.a_booking_id(2))
    await join(site, CAT, last_day="2026-08-11")
    await join(site, DAN, last_day="2026-08-20")
    await site.ask(make.cancel_booking(1))
    await compare(site)
    left = [one for one in (ANN, BEN, CAT, DAN) if await site.waiting.of_patient(one)]
    assert left == [BEN, CAT, DAN]
    site.until(make.at(0, day=5))
    await compare(site)
    left = [one for one in (ANN, BEN, CAT, DAN) if await site.waiting.of_patient(one)]
    assert left == [DAN]


@ON_SQLITE
async def test_a_reserve_without_a_worker_ends_at_its_deadline(site: ToldSite) -> None:
    """A dead worker keeps a slot from the public for half an hour, and no longer."""
    await join(site, ANN)
    await site.ask(make.book_slot(4, SLOT))
    await site.ask(make.cancel_booking(4))
    site.clock.step(HALF_HOUR_S - 1)
    assert await state_of(site) == "h"
    site.clock.step(2)
    await site.ask(make.book_slot(5, SLOT))
    await site.work()
    assert await offers(site, ANN) == []


# --- a visit elsewhere gives way ---


async def visit_elsewhere(site: ToldSite) -> None:
    """Ann has a visit with another doctor, and waits for an earlier one."""
    await open_other(site)
    later = make.book_slot(
        *(41, make.at(11, day=3)),
        provider_id=OTHER,
        booking_id=OLD,
        patient_id=ANN,
    )
    await site.ask(later)
    await site.work()
    await join(site, ANN, booking_id=OLD)
    await give_up(site)


async def old_visit(site: ToldSite) -> BookingView:
    view = await site.calendars.ask(ReadBooking(OTHER, OLD))
    assert isinstance(view, BookingView)
    return view


@pytest.mark.parametrize("seed", range(2))
async def test_the_visit_elsewhere_is_cancelled_whatever_dies(
    site: ToldSite, seed: int
) -> None:
    """Written down before the new one is booked: the gateway may die after it, and the
    worker at any time. Both visits stand until then; at last only the earlier one."""
    await visit_elsewhere(site)
    offer = await the_offer(site, ANN)
    await site.waiting.begin_accepting(offer, now=site.clock.now())
    await site.waiting.begin_accepting(offer, now=site.clock.now())
    confirm = make.confirm_hold(7, hold_id=offer.hold_id, owner=ANN)
    await site.ask(confirm)
    assert (await old_visit(site)).status is BookingStatus.BOOKED
    site.clock.step(3)
    await site.work(Random(seed), 0.5)
    await site.work()
    assert (await old_visit(site)).status is BookingStatus.CANCELLED
    assert await site.waiting.of_patient(ANN) == []
    kinds = [kind for kind, of in await site.inbox() if of == OLD]
    assert kinds == ["booked", "cancelled"]


@ON_SQLITE
@pytest.mark.parametrize("how", ["declined", "over", "next"])
async def test_what_was_not_booked_cancels_nothing(site: ToldSite, how: str) -> None:
    """Also if the next on the list books the slot that the patient nearly had."""
    await visit_elsewhere(site)
    await join(site, BEN)
    offer = await the_offer(site, ANN)
    await site.waiting.begin_accepting(offer, now=site.clock.now())
    if how == "declined":
        named = {"key": "no", "hold_id": offer.hold_id, "owner": ANN}
        await site.ask(make.release_hold(9, **cast("dict[str, object]", named)))
    site.clock.step(OFFER_MS / 1000 + 2 if how != "declined" else 1)
    await site.calendars.ask(ReadHold(make.PROVIDER, offer.hold_id))
    await site.work()
    if how == "next":
        second = await the_offer(site, BEN)
        await site.ask(make.confirm_hold(8, hold_id=second.hold_id, owner=BEN))
    site.clock.step(24 * 3_600)
    await site.work()
    assert (await old_visit(site)).status is BookingStatus.BOOKED


@ON_SQLITE
async def test_a_visit_that_is_no_more_needs_no_cancelling(site: ToldSite) -> None:
    """Cancelled meanwhile: what is owed is settled, and no dead letter is left."""
    await visit_elsewhere(site)
    offer = await the_offer(site, ANN)
    await site.waiting.begin_accepting(offer, now=site.clock.now())
    await site.ask(make.confirm_hold(7, hold_id=offer.hold_id, owner=ANN))
    cancel = make.cancel_booking(41, provider_id=OTHER, booking_id=OLD)
    await site.ask(cancel)
    site.clock.step(60)
    await site.work()
    assert (await site.jobs.counts(site.clock.now())).dead == 0
    assert await site.waiting.of_patient(ANN) == []


# --- first come ---


async def first_comes(site: ToldSite) -> list[str]:
    """To whom a near slot was told by mail."""
    mails = [one for one in site.mail.got if one.message.kind == "first_come"]
    return sorted(one.message.recipient for one in mails)


@pytest.mark.parametrize("how", ["cancelled", "moved"])
async def test_a_near_slot_is_told_to_all_whom_it_fits(
    site: ToldSite, how: str
) -> None:
    """Nothing is reserved then: it is free to all, and the notice says so. Not told:
    who gave it up, whose notice is longer, who waits for other days."""
    await join(site, ANN)
    await join(site, BEN, notice=600)
    await join(site, CAT, days=(2,))
    await join(site, DAN)
    site.until(make.at(13))
    near = make.at(14, 30)
    await site.ask(make.book_slot(4, near))
    await site.work()
    if how == "cancelled":
        await site.ask(make.cancel_booking(4))
    else:
        await site.ask(make.reschedule_booking(4, start=make.at(10, day=1)))
    await site.work()
    assert await state_of(site, near) == "f"
    assert await offers(site, ANN) == []
    assert await first_comes(site) == ["p1@example.org"]
    again = [kind for kind, _ in await site.inbox() if kind == "first_come"]
    assert len(again) == 1


@ON_SQLITE
async def test_a_near_slot_that_is_taken_is_told_to_none(site: ToldSite) -> None:
    """Another patient was first before the list was asked; far ones are offered."""
    await join(site, ANN)
    site.until(make.at(13))
    near = make.at(14, 30)
    await site.ask(make.book_slot(4, near))
    await site.ask(make.cancel_booking(4))
    await site.ask(make.book_slot(5, near))
    await site.work()
    await give_up(site, 6)
    assert await first_comes(site) == []


@ON_SQLITE
async def test_a_near_seat_of_a_full_session_is_told_of(site: ToldSite) -> None:
    """Of one that was full; where seats were free before nothing has become free."""
    kind = make.a_visit_type(capacity=2)
    await site.ask(make.set_availability(make.an_availability(kind), 7))
    await join(site, ANN)
    site.until(make.at(13))
    for number in (4, 5, 6):
        start = make.at(14, 30) if number < 6 else make.at(14)
        await site.ask(make.book_slot(number, start))
    await site.work()
    await site.ask(make.cancel_booking(6))
    await site.work()
    assert await first_comes(site) == []
    await site.ask(make.cancel_booking(4))
    await site.work()
    assert await first_comes(site) == ["p1@example.org"]


async def test_an_offer_whose_job_was_lost_is_settled(site: ToldSite) -> None:
    """A worker died after it had written it down, and a restore lost the job: the
    patient is not kept from other offers for ever."""
    await join(site, ANN)
    now = site.clock.now()
    lost = SlotOffer(
        hold_id=make.a_hold_id(77),
        turn=0,
        provider_id=make.PROVIDER,
        patient_id=ANN,
        entry_id="wte_pat_1",
        rank=1,
        ahead={},
        visit_type=make.CONSULT,
        start=SLOT,
        end=Minute(SLOT + 30),
        until=Millis(now + OFFER_MS),
        made_at=now,
    )
    assert await site.waiting.begin_offers([lost])
    await compare(site)
    assert await offers(site, ANN) == [lost]
    site.clock.step(OFFER_MS / 1000)
    await compare(site)
    assert await offers(site, ANN) == []
    await give_up(site)
    assert await offers(site, ANN) != []


async def test_old_offers_are_forgotten(site: ToldSite) -> None:
    """After half a year; one that is not answered stays."""
    await join(site, ANN)
    await give_up(site)
    offer = await the_offer(site, ANN)
    far = make.millis(make.at(0, day=300))
    assert await site.waiting.forget(before=far, limit=9) == 0
    await site.ask(make.confirm_hold(7, hold_id=offer.hold_id, owner=ANN))
    site.clock.step(OFFER_MS / 1000 + 2)
    await site.work()
    assert len(await site.waiting.offers_of(offer.hold_id)) == 1
    assert await site.waiting.forget(before=far, limit=9) == 1
    assert await site.waiting.offers_of(offer.hold_id) == []
