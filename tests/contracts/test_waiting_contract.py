"""The waiting list from a cancelled visit to the answer, over SQLite and MariaDB.

Real calendars, read model, records, notices and jobs; only mails end in a sink. One
file because each promise is about the same way, from what is freed to who has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    Millis,
    Minute,
    PatientId,
)
from actors.domain.messages.answers import HoldView
from actors.domain.messages.reads import ReadHold
from actors.domain.messages.refusals import Refusal
from care.waiting.entries import (
    DECLINES_MAX,
    ENTRIES_MAX,
    OFFER_MS,
    REMOVED,
    FreedSlot,
    OfferStatus,
    SlotOffer,
    WaitingMove,
    WaitingScope,
)
from care.waiting.ports import WaitingLimit
from cluster.work.waiting.choosing import BUSY, Choosing
from cluster.work.waiting.offering import Offering
from persistence.accounts.models import AccountRecord, PatientRecord
from tests import factories as make
from tests.fixtures.told import ToldSite
from tests.fixtures.waiting_list import (
    ANN,
    BEN,
    CAT,
    DAN,
    SLOT,
    decline,
    give_up,
    join,
    offers,
    state_of,
    the_offer,
    waiting_site,
)

ON_SQLITE = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
"""For promises that no database has a part in."""


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with waiting_site(request.param, request, tmp_path) as opened:
        yield opened


async def test_a_freed_slot_is_offered_to_who_waits_longest(site: ToldSite) -> None:
    """With rank, reason and deadline stored, a notice, and never free to others."""
    await join(site, ANN, days=(1, 2))  # the slot is on a Wednesday
    await join(site, BEN)
    await join(site, CAT)
    await give_up(site)
    assert await state_of(site) == "h"
    offer = await the_offer(site, BEN)
    assert (offer.rank, offer.ahead) == (2, {"day": 1})
    assert offer.status is OfferStatus.OFFERED
    assert offer.until == site.clock.now() + OFFER_MS
    assert (await offers(site, ANN), await offers(site, CAT)) == ([], [])
    kinds = [(kind, of) for kind, of in await site.inbox() if kind == "offer"]
    assert kinds == [("offer", offer.hold_id)]
    (mail,) = [one for one in site.mail.got if one.message.kind == "offer"]
    assert mail.message.recipient == "p2@example.org"
    view = await site.calendars.ask(ReadHold(make.PROVIDER, offer.hold_id, BEN))
    assert isinstance(view, HoldView)
    assert (view.offer, view.expires) == (True, offer.until)


async def test_a_declined_or_unanswered_offer_goes_to_the_next(site: ToldSite) -> None:
    """In the list's order, each patient once; at last the slot is free to all."""
    for patient in (ANN, BEN):
        await join(site, patient)
    await give_up(site)
    first = await the_offer(site, ANN)
    await decline(site, first)
    second = await the_offer(site, BEN)
    assert (second.hold_id, second.turn) == (first.hold_id, 1)
    assert second.ahead == {"was_asked": 1}
    assert await offers(site, ANN) == []
    (entry,) = await site.waiting.of_patient(ANN)
    assert entry.declines == 1
    site.clock.step(OFFER_MS / 1000 + 2)
    await site.calendars.ask(ReadHold(make.PROVIDER, first.hold_id))
    await site.work()
    made = await site.waiting.offers_of(first.hold_id)
    assert [one.status for one in made] == [OfferStatus.DECLINED, OfferStatus.OVER]
    assert await state_of(site) == "f"


@ON_SQLITE
async def test_an_accepted_offer_ends_the_entry(site: ToldSite) -> None:
    """The visit is booked; the list goes on without its patient."""
    await join(site, ANN)
    await give_up(site)
    offer = await the_offer(site, ANN)
    await site.ask(make.confirm_hold(7, hold_id=offer.hold_id, owner=ANN))
    site.clock.step(OFFER_MS / 1000 + 2)
    await site.work()
    assert await site.waiting.of_patient(ANN) == []
    (made,) = await site.waiting.offers_of(offer.hold_id)
    assert made.status is OfferStatus.ACCEPTED
    await give_up(site, 6, make.at(15, day=2))
    assert await state_of(site, make.at(15, day=2)) == "f", "none waits any more"


@ON_SQLITE
async def test_an_earlier_slot_is_offered_for_a_visit_and_moves_it(
    site: ToldSite,
) -> None:
    """Later slots are not offered. One move; the slot it leaves goes to the next."""
    await site.ask(make.book_slot(1, make.at(11, day=3), patient_id=ANN))
    await site.work()
    await join(site, ANN, booking_id=make.a_booking_id(1))
    await join(site, BEN)
    await give_up(site, 4, make.at(15, day=3))
    later = await the_offer(site, BEN)
    assert later.ahead == {"not_earlier": 1}
    await give_up(site, 5)
    offer = await the_offer(site, ANN)
    assert (offer.start, offer.booking_id) == (SLOT, make.a_booking_id(1))
    move = make.reschedule_booking(1, hold_id=offer.hold_id, owner=ANN)
    await site.ask(move)
    await site.work()
    assert await state_of(site, make.at(11, day=3)) == "f", "Ben has an offer already"


async def test_who_gave_a_slot_up_is_not_offered_it(site: ToldSite) -> None:
    """Nor patients whose data is restricted, nor ones who have another offer."""
    await join(site, DAN)
    await join(site, CAT)
    await join(site, BEN)
    await join(site, ANN)
    row = PatientRecord
    async with site.records.writing() as session:
        change = update(row).where(row.patient_id == CAT)
        await session.execute(change.values(restricted_at=1))
    await give_up(site, 4)  # by Dan
    assert (await the_offer(site, BEN)).ahead == {"gave_it_up": 1, "restricted": 1}
    await give_up(site, 5, make.at(15, day=2))
    assert (await the_offer(site, DAN)).start == make.at(15, day=2)


@ON_SQLITE
async def test_quiet_hours_move_the_end_of_an_offer(site: ToldSite) -> None:
    """In the night there is time until half an hour after it; the slot is kept."""
    await join(site, ANN)
    site.until(make.at(23))
    await give_up(site)
    offer = await the_offer(site, ANN)
    assert offer.until == make.at(8, 30, day=1) * 60_000
    site.until(make.at(8, 29, day=1))
    await site.work()
    confirm = make.confirm_hold(7, hold_id=offer.hold_id, owner=ANN)
    await site.ask(confirm)


@ON_SQLITE
async def test_many_declines_pause_an_entry(site: ToldSite) -> None:
    """Then nothing is reserved for it, until its patient goes on."""
    await join(site, ANN)
    for number in range(DECLINES_MAX):
        await give_up(site, 10 + number)
        await decline(site, await the_offer(site, ANN))
    (entry,) = await site.waiting.of_patient(ANN)
    assert (entry.paused, entry.declines) == (True, DECLINES_MAX)
    await give_up(site, 20)
    assert await offers(site, ANN) == []
    assert await site.waiting.pause(entry.entry_id, paused=False, now=site.clock.now())
    await site.work()
    await give_up(site, 21)
    assert await offers(site, ANN) != []


@pytest.mark.parametrize(
    ("scope", "subject", "fits"),
    [
        (WaitingScope.CLINIC, "cln_1", True),
        (WaitingScope.CLINIC, "cln_2", False),
        (WaitingScope.SPECIALTY, "general practice", True),
        (WaitingScope.SPECIALTY, "dermatology", False),
    ],
)
async def test_a_clinic_or_a_specialty_is_waited_for(
    site: ToldSite, scope: WaitingScope, subject: str, fits: bool
) -> None:
    """Of all its providers."""
    await site.work()
    await join(site, ANN, scope=scope, subject=subject)
    await give_up(site)
    assert bool(await offers(site, ANN)) is fits
    assert await state_of(site) == ("h" if fits else "f")


async def test_priority_comes_before_the_time_of_waiting(site: ToldSite) -> None:
    """Staff change it with a reason, which is kept sealed and shown with the list."""
    await join(site, ANN)
    ben = await join(site, BEN)
    move = WaitingMove(ben.entry_id, "acc_9", site.clock.now(), 0, 2, "much pain")
    assert await site.waiting.prioritise(move)
    assert await site.waiting.moves([ben.entry_id]) == [move]
    await give_up(site)
    assert (await the_offer(site, BEN)).rank == 1
    gone = replace(move, entry_id="wte_none")
    assert not await site.waiting.prioritise(gone)


async def test_an_entry_is_changed_in_its_place(site: ToldSite) -> None:
    """Its wishes alone; what is reserved follows."""
    entry = await join(site, ANN, days=(1,))
    wish = replace(entry, days=(3,), opens=60, closes=1_200, notice=5, since=Millis(1))
    assert await site.waiting.change(wish, now=site.clock.now())
    await site.work()
    (found,) = await site.waiting.of_patient(ANN)
    assert found == replace(wish, since=entry.since)
    await give_up(site)
    offer = await the_offer(site, ANN)
    made = await site.waiting.offers_to([entry.entry_id, "wte_none"])
    assert made[entry.entry_id] == [offer]
    gone = replace(wish, entry_id="wte_none")
    assert not await site.waiting.change(gone, now=site.clock.now())


async def test_staff_remove_an_entry_with_a_reason(site: ToldSite) -> None:
    """The reason stays; nothing is reserved for it any more."""
    entry = await join(site, ANN)
    now = site.clock.now()
    move = WaitingMove(entry.entry_id, "acc_9", now, 0, REMOVED, "by telephone")
    assert await site.waiting.prioritise(move)
    assert not await site.waiting.prioritise(move)
    assert await site.waiting.moves([entry.entry_id]) == [move]
    assert await site.waiting.of_patient(ANN) == []
    await site.work()
    await give_up(site)
    assert await state_of(site) == "f"


async def test_entries_are_bounded_and_left(site: ToldSite) -> None:
    """Ten of a patient; what is left frees its room, and reserves nothing more."""
    for number in range(ENTRIES_MAX):
        await join(site, ANN, entry_id=f"wte_{number}")
    with pytest.raises(WaitingLimit):
        await join(site, ANN, entry_id="wte_more")
    for number in range(ENTRIES_MAX):
        assert await site.waiting.leave(f"wte_{number}", now=site.clock.now())
    assert not await site.waiting.leave("wte_0", now=site.clock.now())
    await site.work()
    await give_up(site)
    assert await state_of(site) == "f"


async def test_a_patient_has_one_offer_at_a_time(site: ToldSite) -> None:
    """By the database, whatever two workers do at once; a turn is written once."""
    await join(site, ANN)
    now = site.clock.now()
    one = SlotOffer(
        hold_id=HoldId("hld_1.w7"),
        turn=0,
        provider_id=make.PROVIDER,
        patient_id=ANN,
        entry_id="wte_pat_1",
        rank=1,
        ahead={"day": 2},
        visit_type=make.CONSULT,
        start=SLOT,
        end=Minute(SLOT + 30),
        until=Millis(now + OFFER_MS),
        made_at=now,
        booking_id=BookingId("bkg_1.t1"),
    )
    begin = site.waiting.begin_offers
    assert list(await begin([one])) == [one.offer_id]
    other = replace(one, hold_id=HoldId("hld_1.w8"))
    assert not await begin([other])
    assert not await begin([replace(one, patient_id=BEN)])
    third = replace(one, hold_id=HoldId("hld_1.w9"), patient_id=CAT)
    assert list(await begin([other, third])) == [third.offer_id]
    assert await offers(site, ANN) == [one]
    assert dict(await site.waiting.unavailable([ANN, BEN])) == {ANN: "other_offer"}
    assert await site.waiting.settle(one, OfferStatus.OVER, now=now)
    assert not await site.waiting.settle(one, OfferStatus.DECLINED, now=now)
    assert list(await begin([other])) == [other.offer_id]


async def test_an_offer_is_of_an_entry_that_waits(site: ToldSite) -> None:
    """Since the list was read its patient may have accepted another slot, left, or
    paused: then nothing is written, and the next is chosen."""
    ann, ben = await join(site, ANN), await join(site, BEN)
    await join(site, CAT)
    unavailable = site.waiting.unavailable

    async def late(patients: Collection[PatientId]) -> Mapping[PatientId, str]:
        site.waiting.unavailable = unavailable  # type: ignore[method-assign]
        now = site.clock.now()
        assert await site.waiting.leave(ann.entry_id, now=now)
        assert await site.waiting.pause(ben.entry_id, paused=True, now=now)
        return await unavailable(patients)

    site.waiting.unavailable = late  # type: ignore[method-assign]
    await give_up(site)
    assert site.waiting.unavailable == unavailable
    assert await offers(site, ANN) == await offers(site, BEN) == []
    assert (await the_offer(site, CAT)).status is OfferStatus.OFFERED


@pytest.mark.parametrize("seed", range(2))
async def test_a_killed_worker_offers_to_one_patient_all_the_same(
    site: ToldSite, seed: int
) -> None:
    """Whenever it dies: one offer at a time, one notice each, in the list's order."""
    chance = Random(seed)
    for patient in (ANN, BEN, CAT):
        await join(site, patient)
    await site.ask(make.book_slot(4, SLOT))
    await site.ask(make.cancel_booking(4))
    order = []
    for _ in range(3):
        await site.work(chance, 0.4)
        held = [one for one in (ANN, BEN, CAT) if await offers(site, one)]
        if not held:
            break
        (patient,) = held
        order.append(patient)
        offer = await the_offer(site, patient)
        reply = await site.calendars.ask(
            make.release_hold(
                90 + len(order), hold_id=offer.hold_id, owner=offer.patient_id
            )
        )
        assert not isinstance(reply, Refusal) or "expired" in reply.code.value
    await site.work(chance, 0.4)
    assert order == [ANN, BEN, CAT][: len(order)]
    notices = [of for kind, of in await site.inbox() if kind == "offer"]
    assert len(notices) == len(order)


async def test_nothing_is_kept_of_an_erased_patient(site: ToldSite) -> None:
    """Neither an entry nor an offer that was on its way when they were erased."""
    entry = await join(site, ANN)
    row, now = PatientRecord, site.clock.now()
    async with site.records.writing() as session:
        change = update(row).where(row.patient_id == ANN)
        await session.execute(change.values(erased_at=now))
    await join(site, ANN, entry_id="wte_late")
    assert [one.entry_id for one in await site.waiting.of_patient(ANN)] == [
        entry.entry_id
    ]
    late = SlotOffer(
        hold_id=HoldId("hld_1.w7"),
        turn=0,
        provider_id=make.PROVIDER,
        patient_id=ANN,
        entry_id=entry.entry_id,
        rank=1,
        ahead={},
        visit_type=make.CONSULT,
        start=SLOT,
        end=Minute(SLOT + 30),
        until=Millis(now + OFFER_MS),
        made_at=now,
    )
    assert not await site.waiting.begin_offers([late])
    assert await offers(site, ANN) == []


async def test_who_cannot_sign_in_is_offered_nothing(site: ToldSite) -> None:
    """The slot would stand empty for as long as they have to answer."""
    await join(site, ANN)
    await join(site, BEN)
    async with site.records.writing() as session:
        session.add(
            AccountRecord(
                account_id="acc_1",
                email=b"",
                email_i="x",
                email_verified_at=1,
                language="en",
                status="disabled",
                created_at=1,
            )
        )
        await session.flush()
        change = update(PatientRecord).where(PatientRecord.patient_id == ANN)
        await session.execute(change.values(account_id="acc_1"))
    await give_up(site)
    assert (await the_offer(site, BEN)).ahead == {"restricted": 1}


async def test_a_slot_that_is_served_twice_at_once_has_one_patient(
    site: ToldSite,
) -> None:
    """The end of an offer and the offer's own job come at the same time: one of them
    chooses, and the list names whom the calendar is asked for."""
    await join(site, ANN)
    await join(site, BEN)
    await site.ask(make.book_slot(4, SLOT))
    cancelled = await site.ask(make.cancel_booking(4))
    hold_id = HoldId(f"hld_1.w{cancelled.version - 1}")
    hold = await site.calendars.ask(ReadHold(make.PROVIDER, hold_id))
    assert isinstance(hold, HoldView)
    slot = FreedSlot(
        hold_id=hold_id,
        provider_id=make.PROVIDER,
        clinic_id=ClinicId("cln_1"),
        specialty="",
        visit_type=make.CONSULT,
        start=SLOT,
        end=Minute(SLOT + 30),
        location_id=hold.location_id,
        time_zone="UTC",
    )
    parts = site.waiting, site.waited, site.calendars, site.telling, site.clock
    begun = await Choosing(*parts).begin_all([(slot, hold)] * 2)
    assert begun[1] is BUSY
    assert isinstance(begun[0], SlotOffer)
    assert await offers(site, ANN) == [begun[0]]
    assert await offers(site, BEN) == []


@ON_SQLITE
async def test_an_offer_that_was_never_made_does_not_end_its_turn(
    site: ToldSite,
) -> None:
    """The worker died before it asked the calendar, and the sweep came before its job
    was done again: the slot is offered nevertheless."""
    await join(site, ANN)
    await site.ask(make.book_slot(4, SLOT))
    cancelled = await site.ask(make.cancel_booking(4))
    now = site.clock.now()
    left = SlotOffer(
        hold_id=HoldId(f"hld_1.w{cancelled.version - 1}"),
        turn=0,
        provider_id=make.PROVIDER,
        patient_id=ANN,
        entry_id="wte_pat_1",
        rank=1,
        ahead={},
        visit_type=make.CONSULT,
        start=SLOT,
        end=Minute(SLOT + 30),
        until=Millis(now + 60_000),
        made_at=now,
    )
    assert await site.waiting.begin_offers([left])
    site.clock.step(12 * 60)
    parts = site.waiting, site.waited, site.calendars, site.whole
    await Offering(*parts, site.telling, site.clock).close_overdue()
    await site.work()
    made = await the_offer(site, ANN)
    assert (made.hold_id, made.status) == (left.hold_id, OfferStatus.OFFERED)
    assert made.until > site.clock.now()
