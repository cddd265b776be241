"""Slots that became free are offered, each to one patient after another.

A job may run twice, or beside a late one of a worker that lost its claim. The offer is
written down before the calendar is asked, under the same key each time; the calendar
takes offers only in turn, and a patient has one at a time by a unique column. So a
repetition finds what was begun, and goes on.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from actors.domain.ids import HoldId, Millis, ProviderId
from actors.domain.messages.answers import HoldView, ProviderView
from actors.domain.messages.commands import OfferHold, ReleaseHold
from actors.domain.messages.reads import ReadHold, ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError
from care.notices.ports import OfferTeller
from care.waiting.entries import FreedSlot, OfferStatus, SlotOffer
from care.waiting.ports import WaitedCalendars, WaitingList
from care.waiting.ranking import MINUTE_MS
from cluster.work.gathering import Gathered
from cluster.work.waiting.choosing import BUSY, LEAST_MS, Choosing
from cluster.work.waiting.timing import COMMAND_MS, DAY_MS
from cluster.work.whole import WorkerVisits

SOON_MS: Final = 2_000
SETTLE_MS: Final = 1_000
OVERDUE_MS: Final = 10 * MINUTE_MS
"""Offers that ended so long ago have lost the job that looks what became of them."""
OVERDUE_MAX: Final = 500
ROOM_WAIT_MS: Final = 60_000
"""How long a slot waits for a room: that of the visit which gave it up is freed
seconds after it. Then it is released, and comes back when a room is free."""
ROOM_AGAIN_MS: Final = 3_000
_AGAIN: Final = (RefusalCode.DEADLINE_PASSED, RefusalCode.INVALID_REQUEST)
"""Refusals of an offer whose time, or whose end, has passed meanwhile."""


class Offering:
    """Offers what the calendars reserve; one per worker."""

    def __init__(
        self,
        waiting: WaitingList,
        known: WaitedCalendars,
        calendars: Calendars,
        visits: WorkerVisits,
        telling: OfferTeller,
        clock: Clock,
    ) -> None:
        self._waiting = waiting
        self._calendars = calendars
        self._visits = visits
        self._telling = telling
        self._clock = clock
        choosing = Choosing(waiting, known, calendars, telling, clock)
        self._beginning = Gathered(choosing.begin_all)

    async def freed(self, job: Job) -> None:
        """A slot was reserved: offer it to the first whom it fits."""
        payload = job.payload
        await self._serve(
            ProviderId(payload["provider_id"]),
            HoldId(payload["hold_id"]),
            since=job.created_at,
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
        await self._serve(
            ProviderId(payload["provider_id"]), hold_id, since=job.created_at
        )

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
                await self._serve(offer.provider_id, hold_id, since=offer.until)

    async def close_overdue(self) -> None:
        """Note what became of offers whose own job was lost, as by a restore."""
        before = Millis(self._clock.now() - OVERDUE_MS)
        for offer in await self._waiting.overdue(before=before, limit=OVERDUE_MAX):
            reply = await self._read(offer.provider_id, offer.hold_id)
            if isinstance(reply, HoldView) and self._is_open(reply, offer):
                continue
            if isinstance(reply, HoldView) and reply.offers == offer.turn:
                # The calendar was never asked for it: its turn is still to be made.
                await self._waiting.withdraw(offer)
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

    async def _serve(
        self, provider_id: ProviderId, hold_id: HoldId, *, since: Millis
    ) -> None:
        """Offer a slot that the list has; release it when none is left to ask.

        ``since``: when it came back to the list.
        """
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
        view = await self._calendars.ask(ReadProvider(provider_id))
        offer = None
        if isinstance(view, ProviderView) and await self._has_room(view, hold, since):
            offer = await self._begin(_slot(view, hold), hold)
        if offer is None:
            await self._release(hold)
        else:
            await self._make(offer)

    async def _has_room(
        self, view: ProviderView, hold: HoldView, since: Millis
    ) -> bool:
        """Whether the visit's rooms are free; they are held when an offer is taken.

        Raises JobError: not yet.
        """
        if await self._visits.has_room(view, hold.visit_type, hold.start):
            return True
        if self._clock.now() < since + ROOM_WAIT_MS:
            until = Millis(since + 2 * ROOM_WAIT_MS)
            raise JobError("no room is free", after_ms=ROOM_AGAIN_MS, until=until)
        return False

    async def _begin(self, slot: FreedSlot, hold: HoldView) -> SlotOffer | None:
        """Choose a patient and write the offer down; None: none is left to ask.

        Raises JobError: another worker was at it.
        """
        begun = await self._beginning((slot, hold))
        if begun is BUSY:
            raise JobError("another worker was at it", after_ms=SOON_MS)
        return begun

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


def _slot(view: ProviderView, hold: HoldView) -> FreedSlot:
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


def _key(name: str) -> str:
    """A key of the worker's own: no client's key has this form."""
    return f"waiting.{blake2b(name.encode(), digest_size=16).hexdigest()}"


def _print(name: str) -> int:
    return zlib.crc32(name.encode()) or 1
