"""Who is offered which slot: one look at the list for all that were freed together.

A patient has one offer at a time, so slots are given out in turn; but the list is read
once for all of them, and their offers are written down together. Of two workers that
choose the same patient one finds that by a unique column, and chooses another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, Literal

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    ClinicId,
    Millis,
    PatientId,
    ProviderId,
    provider_of,
)
from actors.domain.messages.answers import BookingStatus, BookingView, HoldView
from actors.domain.messages.reads import ReadBooking
from actors.ports import Calendars, Clock
from care.notices.ports import OfferTeller
from care.waiting.entries import OFFER_MS, FreedSlot, SlotOffer, WaitingEntry
from care.waiting.ports import WaitedCalendars, WaitingList
from care.waiting.ranking import MINUTE_MS, Chosen, choose
from cluster.work.waiting.timing import DAY_MS

LEAST_MS: Final = 5 * MINUTE_MS
"""Offers that would end sooner are not made."""
CHOICES: Final = 8
"""Patients that are chosen for a slot while other workers offer them others."""

Freed = tuple[FreedSlot, HoldView]
"""A slot, and the hold by which the list has it."""


class Busy(Enum):
    """Another worker was at the same slot."""

    BUSY = "busy"


BUSY: Final = Busy.BUSY
Begun = SlotOffer | Literal[Busy.BUSY] | None
"""The offer that was written down; None: none is left to ask, or there is no time."""


class _Turn(Struct, frozen=True):
    """A slot, and those who cannot be offered it, with the reason."""

    slot: FreedSlot
    hold: HoldView
    passed: Mapping[PatientId, str]
    is_begun: bool


class Choosing:
    """Chooses for the slots of one worker."""

    def __init__(
        self,
        waiting: WaitingList,
        known: WaitedCalendars,
        calendars: Calendars,
        telling: OfferTeller,
        clock: Clock,
    ) -> None:
        self._waiting = waiting
        self._known = known
        self._calendars = calendars
        self._telling = telling
        self._clock = clock

    async def begin_all(self, freed: Sequence[Freed]) -> Sequence[Begun]:
        """Choose a patient for each slot, in order, and write the offers down.

        Of a slot that is there twice, by jobs that came at the same time, the second
        finds it busy: what is written of it must not name another patient.
        """
        first = {
            slot.hold_id: place for place, (slot, _) in reversed([*enumerate(freed)])
        }
        begun: dict[int, Begun] = dict.fromkeys(
            set(range(len(freed))) - set(first.values()), BUSY
        )
        left, tries = sorted(first.values()), 0
        while left and tries < CHOICES:
            made = await self._choose_all([freed[place] for place in left])
            offers = [one for one in made if isinstance(one, SlotOffer)]
            written = await self._waiting.begin_offers(offers)
            tries += len(written) < len(offers)
            for place, one in zip(left, made, strict=False):
                if not isinstance(one, SlotOffer) or one.offer_id in written:
                    begun[place] = one
            left = [place for place in left if place not in begun]
        return [begun.get(place, BUSY) for place in range(len(freed))]

    async def _choose_all(self, freed: Sequence[Freed]) -> Sequence[Begun]:
        """What is to be begun for the first of these slots: of one at least.

        It ends with a slot that is too near for an offer: its patient may be offered
        the next.
        """
        lists = {
            _list_of(slot): await self._waiting.covering(*_list_of(slot))
            for slot in {_list_of(slot): slot for slot, _ in freed}.values()
        }
        people = {one.patient_id for entries in lists.values() for one in entries}
        taken = dict(await self._waiting.unavailable(people))
        turns = await asyncio.gather(*(self._turn(*one) for one in freed))
        chosen: list[Chosen | None] = []
        for turn in turns:
            entries = lists[_list_of(turn.slot)]
            one = None if turn.is_begun else await self._choose(entries, turn, taken)
            if one is not None:
                taken[one.entry.patient_id] = "other_offer"
            chosen.append(one)
        offers = await asyncio.gather(*map(self._offer, turns, chosen))
        made: list[Begun] = []
        for turn, one, offer in zip(turns, chosen, offers, strict=True):
            made.append(BUSY if turn.is_begun else offer)
            if one is not None and offer is None:
                break
        return made

    async def _turn(self, slot: FreedSlot, hold: HoldView) -> _Turn:
        """Who was asked before, and who gave the slot up."""
        before = await self._waiting.offers_of(hold.hold_id)
        passed = {one.patient_id: "was_asked" for one in before}
        if hold.freed_by is not None:
            patient = await self._known.patient_of(hold.freed_by)
            if patient is not None:
                passed[patient] = "gave_it_up"
        is_begun = any(one.turn == hold.offers for one in before)
        return _Turn(slot, hold, passed, is_begun)

    async def _choose(
        self,
        entries: Sequence[WaitingEntry],
        turn: _Turn,
        taken: Mapping[PatientId, str],
    ) -> Chosen | None:
        """The first whom the slot fits and who may have it."""
        slot, now = turn.slot, self._clock.now()
        passed = {**taken, **turn.passed}
        while (chosen := choose(entries, slot, passed, now)) is not None:
            booking_id = chosen.entry.booking_id
            if booking_id is None or await self._is_earlier(slot, booking_id):
                return chosen
            passed[chosen.entry.patient_id] = "not_earlier"
        return None

    async def _is_earlier(self, slot: FreedSlot, booking_id: BookingId) -> bool:
        """Whether a slot is before the visit that it would take the place of."""
        view: object = None
        if (provider_id := provider_of(booking_id)) is not None:
            view = await self._calendars.ask(ReadBooking(provider_id, booking_id))
        return (
            isinstance(view, BookingView)
            and view.status is BookingStatus.BOOKED
            and slot.start < view.start
        )

    async def _offer(self, turn: _Turn, chosen: Chosen | None) -> SlotOffer | None:
        """The offer, its end moved out of quiet hours; None if there is no time."""
        if chosen is None:
            return None
        slot, now, entry = turn.slot, self._clock.now(), chosen.entry
        begins = Millis(slot.start * MINUTE_MS)
        reached = await self._telling.reached_at(
            entry.patient_id, slot.time_zone, now=now, start=begins
        )
        # A minute less than the calendar allows: its clock may differ from ours.
        latest = min(begins, now + DAY_MS) - MINUTE_MS
        until = Millis(min(reached + OFFER_MS, latest))
        if until < now + LEAST_MS:
            return None
        return SlotOffer(
            hold_id=slot.hold_id,
            turn=turn.hold.offers,
            provider_id=slot.provider_id,
            patient_id=entry.patient_id,
            entry_id=entry.entry_id,
            rank=chosen.rank,
            ahead=chosen.ahead,
            visit_type=slot.visit_type,
            start=slot.start,
            end=slot.end,
            until=until,
            made_at=now,
            booking_id=entry.booking_id,
        )


def _list_of(slot: FreedSlot) -> tuple[ProviderId, ClinicId, str]:
    """What entries that a slot may fit wait for."""
    return slot.provider_id, slot.clinic_id, slot.specialty
