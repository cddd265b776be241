"""What patients and staff do with the waiting list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Final

from msgspec import json
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    HoldId,
    PatientId,
    ProviderId,
    VisitTypeId,
    is_id,
    is_provider_id,
    provider_of,
)
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    HoldView,
    ProviderView,
)
from actors.domain.messages.reads import ReadBooking, ReadHold, ReadProvider
from actors.domain.messages.refusals import (
    NO_BOOKING,
    NO_HOLD,
    RefusalCode,
    too_late_for_patients,
)
from actors.errors import Unavailable
from care.waiting.entries import (
    OUTSTANDING,
    REMOVED,
    OfferStatus,
    SlotOffer,
    WaitingEntry,
    WaitingMove,
    WaitingScope,
)
from care.waiting.ports import WaitingLimit, WaitingList
from care.waiting.ranking import ahead_of, ranked
from gateway.access.rights import Access, Action, Relation
from gateway.access.tokens import Caller
from gateway.bookings.names import PatientNames
from gateway.bookings.schemas import BookingBody, BookingRequest, RescheduleRequest
from gateway.bookings.service import BookingService
from gateway.config import GatewayPorts
from gateway.holds.service import HoldService
from gateway.patients.service import own_patient
from gateway.patients.waiting.schemas import (
    OfferAnswer,
    OwnWaitingAnswer,
    PriorityBody,
    RankedAnswer,
    RemovalBody,
    WaitingBody,
    WaitingListAnswer,
    WishesBody,
)
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    Refused,
    RequestError,
)
from gateway.wire.fields import checked_text

WAITING_NOT_FOUND: Final = "waiting_not_found"


class TooManyWaiting(RequestError):
    """The patient waits for ten things already; leave one first."""

    code = "waiting_limit"


class WaitingService:
    """One per gateway. Every method may raise Unavailable."""

    def __init__(
        self,
        ports: GatewayPorts,
        waiting: WaitingList,
        bookings: BookingService,
        holds: HoldService,
        access: Access,
    ) -> None:
        self._waiting = waiting
        self._access = access
        self._calendars = ports.calendars
        self._clock = ports.clock
        self._tokens = ports.tokens
        self._names = PatientNames(ports.patients)
        self._bookings = bookings
        self._holds = holds

    # --- patients ------------------------------------------------------------------

    async def join(self, caller: Caller, body: WaitingBody) -> OwnWaitingAnswer:
        """Wait for a time. Raises TooManyWaiting, InvalidRequest, NotFound."""
        patient_id = own_patient(caller)
        self._check_wishes(body)
        is_clinic = body.scope is WaitingScope.CLINIC
        if is_clinic and not is_id(body.subject, "cln"):
            raise InvalidRequest("", FieldError("subject", "must be a clinic's id"))
        if body.scope is WaitingScope.PROVIDER:
            await self._provider(ProviderId(body.subject))
        if body.booking_id is not None:
            await self._check_booking(caller, patient_id, body)
        entry = WaitingEntry(
            entry_id=f"wte_{self._tokens()}",
            patient_id=patient_id,
            scope=body.scope,
            subject=body.subject,
            since=self._clock.now(),
            visit_type=VisitTypeId(body.visit_type),
            days=tuple(body.days),
            opens=body.opens,
            closes=body.closes,
            last_day=body.last_day,
            notice=body.notice,
            booking_id=BookingId(body.booking_id) if body.booking_id else None,
        )
        try:
            await self._waiting.join(entry)
        except WaitingLimit:
            raise TooManyWaiting from None
        return await self._shown(caller, entry)

    @staticmethod
    def _check_wishes(body: WishesBody) -> None:
        if body.opens >= body.closes:
            raise InvalidRequest("", FieldError("closes", "must be after opens"))
        if body.last_day:
            try:
                day = date.fromisoformat(body.last_day).isoformat()
            except ValueError:
                day = ""
            if day != body.last_day:  # Python knows other ways to write a date, too
                wrong = FieldError("last_day", "must be a date YYYY-MM-DD")
                raise InvalidRequest("", wrong)

    async def _provider(self, provider_id: ProviderId) -> ProviderView:
        view: object = None
        if is_provider_id(provider_id):
            view = await self._calendars.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView) or view.profile.resource is not None:
            raise NotFound(code="provider_not_found")  # a room is none
        return view

    async def _check_booking(
        self, caller: Caller, patient_id: PatientId, body: WaitingBody
    ) -> None:
        """The visit is the patient's, and ahead."""
        view = await self._visit(BookingId(body.booking_id or ""))
        if (
            not isinstance(view, BookingView)
            or view.patient_id != patient_id
            or view.status is not BookingStatus.BOOKED
            or (caller.is_proxy and view.confidential)
        ):
            raise NotFound(code="booking_not_found")

    async def _visit(self, booking_id: BookingId) -> BookingView | None:
        provider_id = provider_of(booking_id)
        if provider_id is None:
            return None
        view = await self._calendars.ask(ReadBooking(provider_id, booking_id))
        return view if isinstance(view, BookingView) else None

    async def own(self, caller: Caller) -> list[OwnWaitingAnswer]:
        """What the caller waits for."""
        entries = await self._waiting.of_patient(own_patient(caller))
        return [await self._shown(caller, one) for one in entries]

    async def _shown(self, caller: Caller, entry: WaitingEntry) -> OwnWaitingAnswer:
        """An entry with its place, as far as that can be said."""
        ahead = None
        if entry.scope is WaitingScope.PROVIDER:
            with suppress(NotFound, Unavailable):
                covering = await self._covering(ProviderId(entry.subject))
                ahead = ahead_of(entry, covering)
        # It may be confidential.
        fields = OwnWaitingAnswer.fields_of(entry, hidden=caller.is_proxy)
        return OwnWaitingAnswer(**fields, ahead=ahead)

    async def change(self, caller: Caller, entry_id: str, body: WishesBody) -> None:
        """Change which times an entry waits for. Raises InvalidRequest, NotFound."""
        entry = await self._own_entry(caller, entry_id)
        self._check_wishes(body)
        changed = replace(
            entry,
            visit_type=VisitTypeId(body.visit_type),
            days=tuple(body.days),
            opens=body.opens,
            closes=body.closes,
            last_day=body.last_day,
            notice=body.notice,
        )
        if not await self._waiting.change(changed, now=self._clock.now()):
            raise NotFound(code=WAITING_NOT_FOUND)

    async def pause(self, caller: Caller, entry_id: str, *, paused: bool) -> None:
        """Pause an entry, or go on."""
        await self._own_entry(caller, entry_id)
        await self._waiting.pause(entry_id, paused=paused, now=self._clock.now())

    async def leave(self, caller: Caller, entry_id: str) -> None:
        """Wait no more."""
        await self._own_entry(caller, entry_id)
        await self._waiting.leave(entry_id, now=self._clock.now())

    async def _own_entry(self, caller: Caller, entry_id: str) -> WaitingEntry:
        self._access.decide(caller, Action.WAIT, Relation.OWN)
        found = await self._waiting.entry(entry_id)
        if found is None or found.patient_id != own_patient(caller):
            raise NotFound(code=WAITING_NOT_FOUND)
        return found

    # --- offers --------------------------------------------------------------------

    async def offers(self, caller: Caller) -> list[OfferAnswer]:
        """The caller's offers, as their calendars have them."""
        found, now = [], self._clock.now()
        for offer in await self._waiting.outstanding(own_patient(caller)):
            hold = await self._offered(offer)
            if hold is not None:
                proxy = caller.is_proxy
                found.append(OfferAnswer.of(offer, hold, now, proxy=proxy))
        return found

    async def _offered(self, offer: SlotOffer) -> HoldView | None:
        read = ReadHold(offer.provider_id, offer.hold_id, offer.patient_id)
        view = await self._calendars.ask(read)
        return view if isinstance(view, HoldView) and view.offer else None

    async def accept(self, caller: Caller, hold_id: str) -> bytes:
        """Book the offered slot, and free the visit that it takes the place of.

        Within one calendar that is one move. A visit elsewhere is cancelled by the
        worker, which is told before the slot is booked. Accepted again, the answer is
        the booking. Raises Refused, and what booking and moving raise.
        """
        offer = await self._own_offer(caller, hold_id, OfferStatus.ACCEPTED)
        try:
            booked = await self._accepted(caller, offer)
        except Refused as error:
            if error.refusal.code is not RefusalCode.HOLD_CONFIRMED:
                raise
            booked = await self._bookings.show(caller, error.refusal.about)
        await self._settle(offer, OfferStatus.ACCEPTED)
        return json.encode(booked)

    async def _settle(self, offer: SlotOffer, status: OfferStatus) -> None:
        """Note the answer at once; if the store is away, the worker does it later."""
        with suppress(Unavailable):
            await self._waiting.settle(offer, status, now=self._clock.now())

    async def _accepted(self, caller: Caller, offer: SlotOffer) -> BookingBody:
        request = BookingRequest(hold_id=offer.hold_id)
        old = offer.booking_id
        if old is None:
            return await self._bookings.book(caller, None, request)
        if provider_of(old) == offer.provider_id:
            view = await self._visit(old)
            if view is None or view.status is not BookingStatus.BOOKED:
                # Given up meanwhile, as one elsewhere may be: there is none to move.
                return await self._bookings.book(caller, None, request)
            move = RescheduleRequest(hold_id=offer.hold_id)
            return await self._bookings.reschedule(caller, None, old, move)
        await self._check_leaving(caller, old)
        await self._waiting.begin_accepting(offer, now=self._clock.now())
        return await self._bookings.book(caller, None, request, instead_of=old)

    async def _check_leaving(self, caller: Caller, booking_id: BookingId) -> None:
        """The patient may still cancel the visit, or it is over already.

        Raises:
            Refused: it is too late.
        """
        view = await self._visit(booking_id)
        if view is None or view.status is not BookingStatus.BOOKED:
            return
        if caller.is_proxy and view.confidential:
            raise Refused(NO_BOOKING)
        rules = (await self._provider(view.provider_id)).availability
        ends = (view.start - rules.change_notice) * 60_000
        if self._clock.now() > ends:
            raise Refused(too_late_for_patients(rules.change_notice))

    async def decline(self, caller: Caller, hold_id: str) -> None:
        """Give the offer back: the next of the list is asked. Raises Refused."""
        offer = await self._own_offer(caller, hold_id)
        await self._holds.release(caller, None, hold_id)
        await self._settle(offer, OfferStatus.DECLINED)

    async def _own_offer(
        self, caller: Caller, hold_id: str, *also: OfferStatus
    ) -> SlotOffer:
        """The caller's offer that is not answered yet, or that has this status."""
        self._access.decide(caller, Action.WAIT, Relation.OWN)
        patient_id = own_patient(caller)
        for offer in await self._waiting.offers_of(HoldId(hold_id)):
            is_open = offer.status in (*OUTSTANDING, *also)
            if offer.patient_id == patient_id and is_open:
                return offer
        raise Refused(NO_HOLD)

    # --- staff ---------------------------------------------------------------------

    async def listed(
        self, caller: Caller, provider_id: ProviderId
    ) -> WaitingListAnswer:
        """Who waits for a provider or their clinic, in order."""
        entries = ranked(await self._covering(provider_id))
        shown = [
            (rank, one)
            for rank, one in enumerate(entries, 1)
            if one.scope is not WaitingScope.SPECIALTY
        ]
        moves: dict[str, list[WaitingMove]] = defaultdict(list)
        for move in await self._waiting.moves([one.entry_id for _, one in shown]):
            moves[move.entry_id].append(move)
        made = await self._waiting.offers_to([one.entry_id for _, one in shown])
        names = await self._names.of(caller, [one.patient_id for _, one in shown])
        items = [
            RankedAnswer.of(
                one,
                provider_id,
                rank,
                moves[one.entry_id],
                made.get(one.entry_id, ()),
                names.get(one.patient_id, ""),
            )
            for rank, one in shown
        ]
        return WaitingListAnswer(items=items, others=len(entries) - len(shown))

    async def prioritise(
        self, caller: Caller, provider_id: ProviderId, entry_id: str, body: PriorityBody
    ) -> PatientId:
        """Change an entry's place, with the reason; whose entry it is."""
        return await self._move(
            caller, provider_id, entry_id, body.priority, body.reason
        )

    async def remove(
        self, caller: Caller, provider_id: ProviderId, entry_id: str, body: RemovalBody
    ) -> PatientId:
        """Remove an entry, with the reason; whose it was."""
        return await self._move(caller, provider_id, entry_id, REMOVED, body.reason)

    async def _move(
        self,
        caller: Caller,
        provider_id: ProviderId,
        entry_id: str,
        after: int,
        reason: str,
    ) -> PatientId:
        found = next(
            (
                one
                for one in await self._covering(provider_id)
                if one.entry_id == entry_id and one.scope is not WaitingScope.SPECIALTY
            ),
            None,
        )
        if found is None:
            raise NotFound(code=WAITING_NOT_FOUND)
        await self._access.restricted.check_remembered(caller, found.patient_id)
        reason = checked_text(reason, "reason")
        by = caller.account if caller.identity is not None else caller.subject
        now = self._clock.now()
        move = WaitingMove(entry_id, by, now, found.priority, after, reason)
        if not await self._waiting.prioritise(move):
            raise NotFound(code=WAITING_NOT_FOUND)
        return found.patient_id

    async def _covering(self, provider_id: ProviderId) -> Sequence[WaitingEntry]:
        profile = (await self._provider(provider_id)).profile
        return await self._waiting.covering(
            provider_id, profile.clinic.clinic_id, profile.specialty
        )
