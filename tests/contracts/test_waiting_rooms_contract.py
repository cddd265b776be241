"""The waiting list for visits that take a room: offered, taken, and waited for.

Real calendars, read model, records, notices and jobs, over SQLite and MariaDB. One
file because each test is about the same doctor and the same room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    GroupId,
    HoldId,
    Minute,
    PatientId,
    TimeOffId,
    booking_id,
    hold_id,
)
from actors.domain.messages.answers import BookingView, HoldView
from actors.domain.messages.commands import BookSlot, ConfirmHold, RescheduleBooking
from actors.domain.messages.reads import ReadGroups, ReadHold
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Group
from actors.domain.spans import span_type
from care.resources.settling import Settling
from care.waiting.entries import OfferStatus, SlotOffer, WaitingScope
from cluster.work.waiting.offering import ROOM_WAIT_MS
from tests import factories as make
from tests.fixtures.scans import (
    ROOM,
    SCAN,
    SCANS,
    add_room,
    offer_scans,
    starts_of,
    unsettled,
)
from tests.fixtures.told import ToldSite
from tests.fixtures.waiting_list import (
    ANN,
    BEN,
    CAT,
    DAN,
    SLOT,
    join,
    offers,
    waiting_site,
)

OTHER = GroupId("other")
OTHERS = hold_id(ROOM, OTHER)
ON_SQLITE = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
"""For promises that no database has a part in."""


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with waiting_site(request.param, request, tmp_path) as opened:
        await offer_scans(opened)
        await add_room(opened)
        yield opened
        await opened.whole.close()


def scan(number: int, start: int = SLOT, patient: PatientId | None = None) -> BookSlot:
    given = {} if patient is None else {"patient_id": patient}
    return make.book_slot(number, start, visit_type=SCAN, **given)


async def booked(site: ToldSite, command: BookSlot) -> BookingId:
    view = await site.whole.ask(command)
    assert isinstance(view, BookingView), view
    await site.work()
    return view.booking_id


async def give_up(site: ToldSite, number: int = 4) -> None:
    """The fourth patient's scan is cancelled; its room is given back after it."""
    await site.ask(make.cancel_booking(number))
    await worked(site)


async def worked(site: ToldSite) -> None:
    """Work, and again when a slot that waited for its room is looked at again."""
    for _ in range(3):
        await site.work()
        site.clock.step(4)


async def take_room(site: ToldSite, start: int = SLOT) -> None:
    """Another doctor's visit has the room."""
    hold = make.place_hold(
        7,
        start,
        provider_id=ROOM,
        hold_id=OTHERS,
        patient_id=PatientId(""),
        visit_type=span_type(SCANS),
        by_staff=True,
        group=Group(OTHER, make.a_provider_id(9)),
    )
    await site.ask(hold)


async def give_room_back(site: ToldSite) -> None:
    """That visit is booked, and cancelled."""
    visit = make.a_booking_id(1, make.a_provider_id(9))
    mine = booking_id(ROOM, OTHER)
    confirm = make.confirm_hold(
        8, provider_id=ROOM, hold_id=OTHERS, booking_id=mine, visit=visit
    )
    view = await site.ask(confirm)
    end = make.cancel_booking(
        8, provider_id=ROOM, booking_id=view.booking_id, group=OTHER
    )
    await site.ask(end)
    await worked(site)


async def the_offer(site: ToldSite, patient: PatientId) -> SlotOffer:
    (one,) = await offers(site, patient)
    return one


def taken_up(offer: SlotOffer, number: int = 50) -> ConfirmHold:
    return make.confirm_hold(number, hold_id=offer.hold_id, owner=offer.patient_id)


async def hold_of(site: ToldSite, held: HoldId) -> HoldView:
    view = await site.calendars.ask(ReadHold(make.PROVIDER, held))
    assert isinstance(view, HoldView), view
    return view


async def test_a_freed_slot_is_offered_and_booked_with_its_room(
    site: ToldSite,
) -> None:
    """The doctor's time is never free to others; the room is the visit's once the
    offer is taken."""
    await join(site, BEN)
    await booked(site, scan(4))
    assert await starts_of(site, ROOM) == [SLOT]
    await give_up(site)
    assert await starts_of(site, ROOM) == []
    offer = await the_offer(site, BEN)
    assert (offer.visit_type, offer.start) == (SCAN, SLOT)
    rival = await site.whole.ask(scan(5, patient=CAT))
    assert isinstance(rival, Refusal)
    view = await site.whole.ask(taken_up(offer))
    assert isinstance(view, BookingView), view
    await worked(site)
    assert await starts_of(site, make.PROVIDER) == [SLOT]
    assert await starts_of(site, ROOM) == [SLOT]
    assert await unsettled(site, make.PROVIDER, ROOM) == 0
    again = await site.whole.ask(taken_up(offer))
    assert isinstance(again, BookingView), again
    assert again.booking_id == view.booking_id
    (made,) = await site.waiting.offers_of(offer.hold_id)
    assert made.status is OfferStatus.OFFERED  # until its end is looked at


async def test_an_offer_whose_room_is_gone_says_so_and_stands(site: ToldSite) -> None:
    """The room went to another doctor's visit; once it is back the offer is taken."""
    await join(site, BEN)
    await booked(site, scan(4))
    await give_up(site)
    offer = await the_offer(site, BEN)
    await take_room(site)
    refused = await site.whole.ask(taken_up(offer))
    assert isinstance(refused, Refusal)
    assert refused.code.value == "resource_unavailable"
    assert "room" in refused.detail
    assert (await hold_of(site, offer.hold_id)).patient_id == BEN
    await give_room_back(site)
    view = await site.whole.ask(taken_up(offer, 51))
    assert isinstance(view, BookingView), view
    await worked(site)
    assert await starts_of(site, ROOM) == [SLOT]
    assert await unsettled(site, make.PROVIDER, ROOM) == 0


async def test_a_slot_without_a_room_is_not_offered(site: ToldSite) -> None:
    """It is free to other types of visit again after a minute; with the room it comes
    back to the list, which alone has it."""
    await join(site, BEN, visit_type=SCAN)
    await booked(site, scan(4))
    await site.ask(make.cancel_booking(4))
    await site.project()
    await settle_room(site)
    await take_room(site)
    await worked(site)
    assert await offers(site, BEN) == []
    site.clock.step(ROOM_WAIT_MS / 1000)
    await worked(site)
    assert await offers(site, BEN) == []
    free = await site.whole.ask(make.book_slot(6, SLOT + 30, patient_id=CAT))
    assert isinstance(free, BookingView), free
    await give_room_back(site)
    offer = await the_offer(site, BEN)
    assert (offer.visit_type, offer.start) == (SCAN, SLOT)


async def settle_room(site: ToldSite) -> None:
    """The room of the cancelled visit is given back, and nothing else is done."""
    (owed,) = (await site.ask(ReadGroups(make.PROVIDER))).owed
    settling = Settling(site.calendars, site.clock.now)
    await settling.pay(make.PROVIDER, owed.booking_id)


async def test_new_hours_of_a_room_make_slots_for_the_list(site: ToldSite) -> None:
    """A leave of the room is given back: the times that it makes free are offered."""
    leave = make.add_time_off(
        3,
        provider_id=ROOM,
        time_off_id=TimeOffId("off_8.l"),
        start=make.at(0, day=2),
        end=make.at(24, day=2),
    )
    await site.ask(leave)
    await join(site, BEN, visit_type=SCAN, days=(3,))
    await worked(site)
    assert await offers(site, BEN) == []
    back = make.remove_time_off(3, provider_id=ROOM, time_off_id=TimeOffId("off_8.l"))
    await site.ask(back)
    await worked(site)
    offer = await the_offer(site, BEN)
    assert make.at(9, day=2) <= offer.start < make.at(17, day=2)


@ON_SQLITE
async def test_a_room_with_many_times_makes_as_many_as_are_waited_for(
    site: ToldSite,
) -> None:
    """Visits may begin each quarter of an hour and last for two of them: none of the
    times that are kept meets another."""
    quarters = replace(SCANS, alignment=15)
    rules = make.an_availability(make.a_visit_type(), quarters)
    await site.ask(make.set_availability(rules, key="quarters"))
    leave = make.add_time_off(
        3,
        provider_id=ROOM,
        time_off_id=TimeOffId("off_8.l"),
        start=make.at(0, day=2),
        end=make.at(24, day=2),
    )
    await site.ask(leave)
    for patient in (BEN, CAT, DAN):
        await join(site, patient, visit_type=SCAN, days=(3,))
    back = make.remove_time_off(3, provider_id=ROOM, time_off_id=TimeOffId("off_8.l"))
    await site.ask(back)
    await worked(site)
    starts = [(await the_offer(site, one)).start for one in (BEN, CAT, DAN)]
    nine = make.at(9, day=2)
    assert sorted(starts) == [nine, nine + 30, nine + 60]


@ON_SQLITE
async def test_a_room_that_is_used_again_makes_slots_for_the_list(
    site: ToldSite,
) -> None:
    """It was retired, and there was no other."""
    await site.ask(make.set_retired(provider_id=ROOM, retired=True))
    await join(site, BEN, visit_type=SCAN, days=(3,))
    assert await offers(site, BEN) == []
    await site.ask(make.set_retired(provider_id=ROOM, retired=False))
    await worked(site)
    assert (await the_offer(site, BEN)).start == make.at(9, day=2)


async def test_an_earlier_slot_takes_room_and_visit_along(site: ToldSite) -> None:
    """One event of the doctor's calendar: the old room is given back by it, whatever
    ends then; what was freed goes to the list."""
    later = Minute(SLOT + 60)
    old = await booked(site, scan(1, later, ANN))
    await join(site, ANN, visit_type=SCAN, booking_id=old)
    await booked(site, scan(4))
    assert await starts_of(site, ROOM) == [SLOT, later]
    await give_up(site)
    offer = await the_offer(site, ANN)
    move = RescheduleBooking(
        provider_id=make.PROVIDER,
        booking_id=old,
        owner=ANN,
        hold_id=offer.hold_id,
        key="move",
    )
    view = await site.whole.ask(move)
    assert isinstance(view, BookingView), view
    await worked(site)
    assert await starts_of(site, make.PROVIDER) == [SLOT]
    assert await starts_of(site, ROOM) == [SLOT]
    assert await unsettled(site, make.PROVIDER, ROOM) == 0


@ON_SQLITE
async def test_a_visit_without_a_room_leaves_that_of_the_one_before(
    site: ToldSite,
) -> None:
    """Any type was waited for: a consultation is earlier than the scan, whose room is
    given back even if only the outbox hears of it."""
    later = Minute(SLOT + 60)
    old = await booked(site, scan(1, later, ANN))
    await join(site, ANN, booking_id=old)
    await site.ask(make.book_slot(4, SLOT))
    await site.work()
    await give_up(site)
    offer = await the_offer(site, ANN)
    assert offer.visit_type == make.CONSULT
    move = RescheduleBooking(
        provider_id=make.PROVIDER,
        booking_id=old,
        owner=ANN,
        hold_id=offer.hold_id,
        key="move",
    )
    await site.ask(move)  # its gateway ends here
    await worked(site)
    assert await starts_of(site, make.PROVIDER) == [SLOT]
    assert await starts_of(site, ROOM) == []
    assert await unsettled(site, make.PROVIDER, ROOM) == 0


@ON_SQLITE
async def test_a_visit_elsewhere_is_given_up_with_its_room(site: ToldSite) -> None:
    """Another doctor's earlier slot: the worker cancels the old visit, and its room
    follows."""
    await site.ask(make.register(2, provider_id=make.a_provider_id(2)))
    await offer_scans(site, 2)
    later = Minute(SLOT + 60)
    other = make.a_provider_id(2)
    name = make.a_booking_id(1, other)
    wanted = make.book_slot(
        1,
        later,
        provider_id=other,
        visit_type=SCAN,
        patient_id=ANN,
        booking_id=name,
    )
    old = await booked(site, wanted)
    await join(site, ANN, scope=WaitingScope.CLINIC, subject="cln_1", booking_id=old)
    await booked(site, scan(4))
    await give_up(site)
    offer = await the_offer(site, ANN)
    await site.waiting.begin_accepting(offer, now=site.clock.now())
    view = await site.whole.ask(taken_up(offer))
    assert isinstance(view, BookingView), view
    await worked(site)
    assert await starts_of(site, other) == []
    assert await starts_of(site, ROOM) == [SLOT]
    assert await unsettled(site, make.PROVIDER, other, ROOM) == 0
