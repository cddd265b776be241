"""Slots that are freed together: one look at the list, each patient one, in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.answers import HoldView
from care.waiting.entries import FreedSlot, SlotOffer, WaitingEntry, WaitingScope
from cluster.work.waiting.choosing import BUSY, CHOICES, LEAST_MS, Choosing, Freed
from tests.fakes.clocks import SteppedClock

NOW = Millis(29_772_000 * 60_000)
CLINIC = ClinicId("cln_1")
FIRST = Minute(29_772_000 + 2 * 24 * 60)


def patient(number: int) -> PatientId:
    return PatientId(f"pat_{number:03d}")


class Listed:
    """A list of so many patients of one clinic, in order, that counts its readings."""

    def __init__(self, people: int) -> None:
        self.entries = [
            WaitingEntry(
                entry_id=f"wte_{number:03d}",
                patient_id=patient(number),
                scope=WaitingScope.CLINIC,
                subject=CLINIC,
                since=Millis(number),
            )
            for number in range(people)
        ]
        self.read = self.wrote = 0
        self.offers: list[SlotOffer] = []
        self.rivals: list[Collection[PatientId]] = []
        """Patients whom another worker has just offered a slot, at each writing."""
        self.busy: dict[PatientId, str] = {}

    async def covering(self, *_list: str) -> Sequence[WaitingEntry]:
        self.read += 1
        return self.entries

    async def unavailable(
        self, patients: Collection[PatientId]
    ) -> Mapping[PatientId, str]:
        return {one: why for one, why in self.busy.items() if one in patients}

    async def offers_of(self, hold_id: HoldId) -> Sequence[SlotOffer]:
        return [one for one in self.offers if one.hold_id == hold_id]

    async def begin_offers(self, offers: Sequence[SlotOffer]) -> Collection[str]:
        self.wrote += 1
        taken = self.rivals.pop(0) if self.rivals else ()
        self.busy |= dict.fromkeys(taken, "other_offer")
        written = [one for one in offers if one.patient_id not in taken]
        self.offers += written
        self.busy |= {one.patient_id: "other_offer" for one in written}
        return {one.offer_id for one in written}


class Others:
    """What the rest of the site says: no visit gave anything up, no phone is quiet."""

    async def patient_of(self, _booking: BookingId) -> PatientId | None:
        return None

    async def reached_at(
        self, _patient: PatientId, _zone: str, *, now: Millis, start: Millis
    ) -> Millis:
        return now


def choosing(listed: Listed) -> Choosing:
    other = cast("Any", Others())
    return Choosing(cast("Any", listed), other, other, other, SteppedClock(NOW))


def freed(number: int, start: int | None = None) -> Freed:
    begins = Minute(FIRST + 15 * number if start is None else start)
    slot = FreedSlot(
        hold_id=HoldId(f"hld_1.w{number}"),
        provider_id=ProviderId("prv_1"),
        clinic_id=CLINIC,
        specialty="",
        visit_type=VisitTypeId("consult"),
        start=begins,
        end=Minute(begins + 15),
        location_id=LocationId("loc_1"),
        time_zone="UTC",
    )
    hold = HoldView(
        provider_id=slot.provider_id,
        epoch=1,
        version=1,
        hold_id=slot.hold_id,
        patient_id=PatientId(""),
        visit_type=slot.visit_type,
        start=slot.start,
        end=slot.end,
        expires=Millis(NOW + 1_800_000),
        extended=False,
        location_id=slot.location_id,
        offer=True,
    )
    return slot, hold


async def test_many_slots_are_offered_with_one_look_at_the_list() -> None:
    """Fifty at once: read and written once, to the first fifty, in their order."""
    listed = Listed(60)
    begun = await choosing(listed).begin_all([freed(number) for number in range(50)])
    offers = [one for one in begun if isinstance(one, SlotOffer)]
    assert [one.patient_id for one in offers] == [patient(n) for n in range(50)]
    assert [one.rank for one in offers] == list(range(1, 51))
    assert offers[2].ahead == {"other_offer": 2}
    assert (listed.read, listed.wrote) == (1, 1)


async def test_slots_without_a_patient_are_told_apart() -> None:
    """More slots than patients: the last ones are for all."""
    begun = await choosing(Listed(2)).begin_all([freed(n) for n in range(4)])
    assert [isinstance(one, SlotOffer) for one in begun] == [True, True, False, False]
    assert begun[2:] == [None, None]


async def test_another_workers_patients_are_passed_over() -> None:
    """What could not be written is chosen again; all else was written at once."""
    listed = Listed(9)
    listed.rivals = [[patient(1)]]
    begun = await choosing(listed).begin_all([freed(n) for n in range(3)])
    names = [one.patient_id for one in begun if isinstance(one, SlotOffer)]
    assert names == [patient(0), patient(3), patient(2)]
    assert listed.wrote == 2


async def test_rivals_without_end_are_left_to() -> None:
    """The job is tried again later instead of for ever."""
    listed = Listed(99)
    listed.rivals = [[patient(number)] for number in range(99)]
    assert await choosing(listed).begin_all([freed(0)]) == [BUSY]
    assert listed.wrote == CHOICES


async def test_a_turn_that_another_worker_began_is_left_to_it() -> None:
    """Its offer is written down already: there is no second one of the slot."""
    listed = Listed(3)
    (first,) = await choosing(listed).begin_all([freed(0)])
    assert isinstance(first, SlotOffer)
    again, other = await choosing(listed).begin_all([freed(0), freed(1)])
    assert again is BUSY
    assert isinstance(other, SlotOffer)
    assert other.patient_id == patient(1)


async def test_a_slot_that_is_too_near_costs_no_patient_their_turn() -> None:
    """There is no time to answer: the first of the list is offered the next slot."""
    near = NOW // 60_000 + LEAST_MS // 60_000
    begun = await choosing(Listed(3)).begin_all([freed(0, near), freed(1)])
    assert begun[0] is None
    assert isinstance(begun[1], SlotOffer)
    assert begun[1].patient_id == patient(0)


async def test_who_was_asked_before_is_not_asked_again() -> None:
    """Of this slot; of others they may be."""
    listed = Listed(3)
    slot, hold = freed(0)
    (first,) = await choosing(listed).begin_all([(slot, hold)])
    assert isinstance(first, SlotOffer)
    listed.busy.clear()
    later = replace(hold, offers=1)
    both = await choosing(listed).begin_all([(slot, later), freed(1)])
    names = [one.patient_id for one in both if isinstance(one, SlotOffer)]
    assert names == [patient(1), patient(0)]
