"""A visit elsewhere is cancelled when the offer that takes its place was booked.

The patient's acceptance is written down before the offered slot is booked, as a job;
the calendar of the offer says whether it was. So the old visit is cancelled whatever
died in between, and never for an offer that was not booked. Within one calendar a move
does the same in one event, without this.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.domain.ids import HoldId, Millis, provider_of
from actors.domain.messages.answers import BookingView, HoldView
from actors.domain.messages.commands import CancelBooking
from actors.domain.messages.reads import ReadHold
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError
from care.waiting.entries import OfferStatus, SlotOffer
from care.waiting.ports import WaitingList
from cluster.work.waiting.timing import COMMAND_MS, DAY_MS

LOOK_AGAIN_MS: Final = 10_000
TRIED_DAYS: Final = 7
"""How long a cancellation is tried before an operator has to look."""
_SETTLED: Final = (RefusalCode.WRONG_STATUS, RefusalCode.BOOKING_NOT_FOUND)
"""The old visit was cancelled or took place meanwhile."""


class Vacating:
    """Cancels the visits that accepted offers take the place of; one per worker."""

    def __init__(
        self, waiting: WaitingList, calendars: Calendars, clock: Clock
    ) -> None:
        self._waiting = waiting
        self._calendars = calendars
        self._clock = clock

    async def vacate(self, job: Job) -> None:
        """Cancel the old visit if the offered slot was booked by its patient."""
        hold_id, turn = HoldId(job.payload["hold_id"]), job.payload["turn"]
        offers = await self._waiting.offers_of(hold_id)
        offer = next((one for one in offers if one.turn == turn), None)
        if offer is None or offer.booking_id is None:
            return
        if offer.status is OfferStatus.ACCEPTED:
            # The new visit may have been moved since: then its calendar does not know
            # of the offer any more.
            await self._cancel(job, offer)
            return
        # Of the patient's alone: the next on the list may have booked it.
        read = ReadHold(offer.provider_id, hold_id, offer.patient_id)
        reply = await self._calendars.ask(read)
        if isinstance(reply, HoldView):
            until = Millis(offer.until + DAY_MS)
            raise JobError("it is not booked", after_ms=LOOK_AGAIN_MS, until=until)
        if not isinstance(reply, Refusal):
            return
        booked = reply.code is RefusalCode.HOLD_CONFIRMED
        if not booked or reply.about == offer.booking_id:
            return
        await self._cancel(job, offer)
        await self._waiting.settle(offer, OfferStatus.ACCEPTED, now=self._clock.now())

    async def _cancel(self, job: Job, offer: SlotOffer) -> None:
        booking_id = offer.booking_id
        provider_id = provider_of(booking_id or "")
        if booking_id is None or provider_id is None:
            return
        command = CancelBooking(
            provider_id=provider_id,
            booking_id=booking_id,
            owner=offer.patient_id,
            deadline=Millis(self._clock.now() + COMMAND_MS),
        )
        reply = await self._calendars.ask(command)
        if isinstance(reply, Refusal) and reply.code is RefusalCode.TOO_LATE:
            # It was early enough when the patient accepted.
            reply = await self._calendars.ask(replace(command, owner=None))
        if isinstance(reply, BookingView):
            return
        if isinstance(reply, Refusal) and reply.code in _SETTLED:
            return
        until = Millis(job.created_at + TRIED_DAYS * DAY_MS)
        raise JobError("the old visit was not cancelled", until=until)
