"""Slots that became free are offered, to one patient after another.

A job may run twice, or beside a late one of a worker that lost its claim. The offer is
written down before the calendar is asked, under the same key each time; the calendar
takes offers only in turn, and a patient has one at a time by a unique column. So a
repetition finds what was begun, and goes on.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from actors.domain.ids import BookingId, HoldId, Millis, ProviderId, provider_of
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    HoldView,
    ProviderView,
)
from actors.domain.messages.commands import OfferHold, ReleaseHold
from actors.domain.messages.reads import ReadBooking, ReadHold, ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError
from care.notices.ports import OfferTeller
from care.waiting.entries import (
    OFFER_MS,
    FreedSlot,
    OfferStatus,
    SlotOffer,
)
from care.waiting.ports import WaitedCalendars, WaitingList
from care.waiting.ranking import MINUTE_MS, Chosen, choose
from cluster.work.waiting.timing import COMMAND_MS, DAY_MS

LEAST_MS: Final = 5 * MINUTE_MS
"""Offers that would end sooner are not made."""
SOON_MS: Final = 2_000
CHOICES: Final = 8
"""Patients that are chosen for a slot while other workers offer them others."""
SETTLE_MS: Final = 1_000
OVERDUE_MS: Final = 10 * MINUTE_MS
"""Offers that ended so long ago have lost the job that looks what became of them."""
OVERDUE_MAX: Final = 500
_AGAIN: Final = (RefusalCode.DEADLINE_PASSED, RefusalCode.INVALID_REQUEST)
"""Refusals of an offer whose time, or whose end, has passed meanwhile."""


class Offering:
    """Offers what the calendars reserve; one per worker."""

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
        self._choosing = asyncio.Lock()

    async def freed(self, job: Job) -> None:
        """A slot was reserved: offer it to the first whom it fits."""
        payload = job.payload
        await self._serve(
            ProviderId(payload["provider_id"]), HoldId(payload["hold_id"])
        )

    async def over(self, job: Job) -> None:
        """An offer was declined, or ended: the next is asked."""
        payload = job.payload
        hold_id = HoldId(payload["hold_id"])
        declined = bool(payload["declined"])
        status = OfferStatus.DECLINED if declined else OfferStatus.OVER
        for offer in await self._waiting.offers_of(hold_id):
            if offer.patient_id == payload["patient_id"]:
                await self._waiting.settle(offer, status, now=self._clock.now())
        await self._serve(ProviderId(payload["provider_id"]), hold_id)

    async def settle(self, job: Job) -> None:
        """An offer's time is over: note what the calendar says became of it."""
        hold_id = HoldId(job.payload["hold_id"])
        for offer in await self._waiting.offers_of(hold_id):
            if offer.turn != job.payload["turn"]:
                continue
            reply = await self._read(offer.provider_id, hold_id)
            if isinstance(reply, HoldView) and self._is_open(reply, offer):
                until = Millis(offer.until + DAY_MS)
                raise JobError("it is not over", after_ms=SETTLE_MS, until=until)
            await self._close([offer], reply)
            if isinstance(reply, HoldView):
                await self._serve(offer.provider_id, hold_id)

    async def close_overdue(self) -> None:
        """Note what became of offers whose own job was lost, as by a restore."""
        before = Millis(self._clock.now() - OVERDUE_MS)
        for offer in await self._waiting.overdue(before=before, limit=OVERDUE_MAX):
            reply = await self._read(offer.provider_id, offer.hold_id)
            if isinstance(reply, HoldView) and self._is_open(reply, offer):
                continue
            await self._close(await self._waiting.offers_of(offer.hold_id), reply)

    async def _close(self, offers: Sequence[SlotOffer], reply: object) -> None:
        """Note that offers are over, or that the last one was taken up."""
        booked = isinstance(reply, Refusal) and reply.code is RefusalCode.HOLD_CONFIRMED
        last = max((one.turn for one in offers), default=0)
        for offer in offers:
            is_taken = booked and offer.turn == last
            status = OfferStatus.ACCEPTED if is_taken else OfferStatus.OVER
            await self._waiting.settle(offer, status, now=self._clock.now())

    @staticmethod
    def _is_open(view: HoldView, offer: SlotOffer) -> bool:
        return view.offers == offer.turn + 1 and view.patient_id == offer.patient_id

    async def _read(self, provider_id: ProviderId, hold_id: HoldId) -> object:
        return await self._calendars.ask(ReadHold(provider_id, hold_id))

    async def _serve(self, provider_id: ProviderId, hold_id: HoldId) -> None:
        """Offer a slot that the list has; release it when none is left to ask."""
        hold = await self._read(provider_id, hold_id)
        before = await self._waiting.offers_of(hold_id)
        if not isinstance(hold, HoldView) or not hold.offer:
            # It was booked, released, or its time is over; a worker that died may
            # have left its offer as if it were not.
            await self._close(before, hold)
            return
        begun = next((one for one in before if one.turn == hold.offers), None)
        if hold.patient_id:
            last = next((one for one in before if one.turn == hold.offers - 1), None)
            if last is not None and last.status is OfferStatus.ASKED:
                await self._told(last, hold)  # the worker died before it told
            return
        if begun is not None and begun.status is OfferStatus.ASKED:
            if begun.until >= self._clock.now() + LEAST_MS:
                await self._make(begun)
                return
            # Left by a worker so long ago that there is no time to answer any more.
            await self._waiting.withdraw(begun)
        slot = await self._slot(hold)
        offer = None if slot is None else await self._begin(slot, hold)
        if offer is None:
            await self._release(hold)
        else:
            await self._make(offer)

    async def _begin(self, slot: FreedSlot, hold: HoldView) -> SlotOffer | None:
        """Choose a patient and write the offer down; None: none is left to ask.

        One slot after another: else all that were freed together would choose the same
        patient. Another worker may, so it is tried again. Raises JobError.
        """
        async with self._choosing:
            for _ in range(CHOICES):
                before = await self._waiting.offers_of(hold.hold_id)
                if any(one.turn == hold.offers for one in before):
                    break
                chosen = await self._choose(slot, before, hold)
                if chosen is None:
                    return None
                offer = await self._offer(slot, chosen, hold)
                if offer is None or await self._waiting.begin_offer(offer):
                    return offer
        raise JobError("another worker was at it", after_ms=SOON_MS)

    async def _slot(self, hold: HoldView) -> FreedSlot | None:
        view = await self._calendars.ask(ReadProvider(hold.provider_id))
        if not isinstance(view, ProviderView):
            return None
        clinic = view.profile.clinic
        zones = {one.location_id: one.time_zone for one in view.availability.locations}
        return FreedSlot(
            hold_id=hold.hold_id,
            provider_id=hold.provider_id,
            clinic_id=clinic.clinic_id,
            specialty=view.profile.specialty,
            visit_type=hold.visit_type,
            start=hold.start,
            end=hold.end,
            location_id=hold.location_id,
            time_zone=zones.get(hold.location_id, clinic.time_zone),
        )

    async def _choose(
        self, slot: FreedSlot, before: Sequence[SlotOffer], hold: HoldView
    ) -> Chosen | None:
        """The first whom the slot fits and who may have it."""
        waiting, now = self._waiting, self._clock.now()
        entries = await waiting.covering(
            slot.provider_id, slot.clinic_id, slot.specialty
        )
        people = {one.patient_id for one in entries}
        passed = dict(await waiting.unavailable(people))
        passed |= {one.patient_id: "was_asked" for one in before}
        if hold.freed_by is not None:
            patient = await self._known.patient_of(hold.freed_by)
            if patient is not None:
                passed[patient] = "gave_it_up"
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

    async def _offer(
        self, slot: FreedSlot, chosen: Chosen, hold: HoldView
    ) -> SlotOffer | None:
        """The offer, its end moved out of quiet hours; None if there is no time."""
        now, entry = self._clock.now(), chosen.entry
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
            turn=hold.offers,
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

    async def _make(self, offer: SlotOffer) -> None:
        """Ask the calendar for an offer that is written down, then tell of it."""
        named = f"{offer.offer_id}.{offer.patient_id}.{offer.until}"
        command = OfferHold(
            provider_id=offer.provider_id,
            key=_key(named),
            fingerprint=_print(named),
            deadline=Millis(self._clock.now() + COMMAND_MS),
            hold_id=offer.hold_id,
            patient_id=offer.patient_id,
            until=offer.until,
            turn=offer.turn,
        )
        reply = await self._calendars.ask(command)
        if isinstance(reply, HoldView):
            await self._told(offer, reply)
            return
        code = reply.code if isinstance(reply, Refusal) else None
        if code is not RefusalCode.DEADLINE_PASSED:
            await self._waiting.withdraw(offer)
        if code in _AGAIN:
            raise JobError(f"the offer was refused: {code}", after_ms=SOON_MS)

    async def _told(self, offer: SlotOffer, hold: HoldView) -> None:
        await self._telling.offer(hold, offer.turn, now=self._clock.now())
        await self._waiting.settle(offer, OfferStatus.OFFERED, now=self._clock.now())

    async def _release(self, hold: HoldView) -> None:
        """All may have it now."""
        await self._calendars.ask(
            ReleaseHold(
                provider_id=hold.provider_id,
                deadline=Millis(self._clock.now() + COMMAND_MS),
                hold_id=hold.hold_id,
                owner=None,
            )
        )


def _key(name: str) -> str:
    """A key of the worker's own: no client's key has this form."""
    return f"waiting.{blake2b(name.encode(), digest_size=16).hexdigest()}"


def _print(name: str) -> int:
    return zlib.crc32(name.encode()) or 1
