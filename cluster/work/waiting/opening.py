"""First come: who waits is told of slots that are too near to be offered in turn.

Such a slot is free to all at once, and nothing is reserved: the notice says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.domain.ids import (
    BookingId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    provider_of,
)
from actors.domain.messages.answers import (
    FREE,
    BookingStatus,
    BookingView,
    ProviderView,
    SlotsView,
    seats_letter,
)
from actors.domain.messages.reads import ReadBooking, ReadProvider, ReadSlots
from actors.domain.rules import Policy
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job
from care.jobs.ports import Handler
from care.notices.ports import OfferTeller
from care.waiting.entries import FIRST_COME_MAX, FreedSlot, OpenSlot
from care.waiting.ports import WaitedCalendars, WaitingList
from care.waiting.ranking import MINUTE_MS, ranked, why_not
from cluster.work.whole import WorkerVisits

CUTOFF_MS: Final = Policy().reserve_cutoff_ms
BELIEVED_MS: Final = 5_000
"""How long it is believed that there is no list: most sites' visits need no look."""
_OPENED: Final = (FREE, seats_letter(1))
"""A slot that has just become free; of a session that was full the one seat."""
OPENING: Final = ("booking.cancelled", "booking.rescheduled")
"""Events of the outbox that may free a slot."""


class Opening:
    """Tells who waits of near slots; one per worker."""

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
        self._known = known
        self._calendars = calendars
        self._visits = visits
        self._telling = telling
        self._clock = clock
        self._none_at = Millis(-BELIEVED_MS)

    def beside(self, handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
        """These handlers of the outbox; after them who waits is told."""

        def both(first: Handler) -> Handler:
            async def run(job: Job) -> None:
                await first(job)
                await self.opened(job)

            return run

        return {kind: both(handlers[kind]) for kind in OPENING}

    async def opened(self, job: Job) -> None:
        """A visit gave its time up: tell who waits, if that is near and free."""
        if not await self._is_waited():
            return
        booking_id = BookingId(job.payload["booking_id"])
        slot = await self._known.opened(booking_id, int(job.payload["version"]))
        now = self._clock.now()
        if slot is None or not self._is_near(slot, now):
            return
        if not await self._is_free(slot):
            return
        for patient_id in await self._whom(slot, booking_id, now):
            await self._telling.first_come(slot, patient_id, now=now)

    async def _is_waited(self) -> bool:
        now = self._clock.now()
        if now - self._none_at < BELIEVED_MS:
            return False
        found = await self._known.any_waits()
        if not found:
            self._none_at = now
        return found

    @staticmethod
    def _is_near(slot: OpenSlot, now: Millis) -> bool:
        begins = slot.start * MINUTE_MS
        return now < begins < now + CUTOFF_MS

    async def _is_free(self, slot: OpenSlot) -> bool:
        read = ReadSlots(
            slot.provider_id, slot.visit_type, slot.start, Minute(slot.start + 1)
        )
        view = await self._visits.ask(read)
        return isinstance(view, SlotsView) and view.states in _OPENED

    async def _whom(
        self, slot: OpenSlot, booking_id: BookingId, now: Millis
    ) -> list[PatientId]:
        """Who waits for such a slot, in the list's order; each once."""
        view = await self._calendars.ask(ReadProvider(slot.provider_id))
        if not isinstance(view, ProviderView):
            return []
        clinic = view.profile.clinic
        zones = {one.location_id: one.time_zone for one in view.availability.locations}
        freed = FreedSlot(
            hold_id=HoldId(""),
            provider_id=slot.provider_id,
            clinic_id=clinic.clinic_id,
            specialty=view.profile.specialty,
            visit_type=slot.visit_type,
            start=slot.start,
            end=slot.end,
            location_id=slot.location_id,
            time_zone=zones.get(slot.location_id, clinic.time_zone),
        )
        entries = await self._waiting.covering(
            slot.provider_id, clinic.clinic_id, view.profile.specialty
        )
        fits = [one for one in ranked(entries) if not why_not(one, freed, now)]
        passed = await self._waiting.unavailable({one.patient_id for one in fits})
        gave_up = await self._known.patient_of(booking_id)
        found: dict[PatientId, None] = {}
        for entry in fits:
            patient_id = entry.patient_id
            if patient_id == gave_up or passed.get(patient_id) == "restricted":
                continue
            if entry.booking_id and not await self._is_later(entry.booking_id, slot):
                continue
            found[patient_id] = None
            if len(found) >= FIRST_COME_MAX:
                break
        return list(found)

    async def _is_later(self, booking_id: BookingId, slot: OpenSlot) -> bool:
        view: object = None
        if (provider_id := provider_of(booking_id)) is not None:
            view = await self._calendars.ask(ReadBooking(provider_id, booking_id))
        return (
            isinstance(view, BookingView)
            and view.status is BookingStatus.BOOKED
            and slot.start < view.start
        )
