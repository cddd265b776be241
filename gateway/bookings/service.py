"""Operations on bookings, for REST and the live socket.

One file because each operation is one command, judged and answered alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.domain.ids import (
    BookingId,
    HoldId,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    provider_of,
)
from actors.domain.messages.answers import BookingView
from actors.domain.messages.commands import (
    BookSlot,
    CancelBooking,
    CheckIn,
    Command,
    CompleteVisit,
    ConfirmHold,
    MarkNoShow,
    RescheduleBooking,
    SetConfidential,
    UndoOutcome,
)
from actors.domain.messages.reads import ReadBooking
from actors.domain.messages.refusals import Refusal, RefusalCode
from care.readmodel import BookingHistory
from gateway.access.rights import Access, Action, acting_patient, owner_of
from gateway.access.tokens import Caller
from gateway.bookings.schemas import (
    BookedResource,
    BookedResources,
    BookingBody,
    BookingRequest,
    CancelRequest,
    CompleteRequest,
    ConfidentialRequest,
    RescheduleRequest,
    booking_body,
)
from gateway.calendars.commands import Commands
from gateway.calendars.commitments import Commitments, Slot
from gateway.calendars.members.booking import WITH_MEMBERS, GroupBookings
from gateway.wire.errors import FieldError, InvalidRequest, Refused, accepted
from gateway.wire.fields import OF_ANOTHER, checked_text
from gateway.wire.formats import parse_minute

_FOLLOW_UPS: Final[
    dict[
        Action,
        type[CheckIn] | type[MarkNoShow] | type[UndoOutcome],
    ]
] = {
    Action.CHECK_IN: CheckIn,
    Action.MARK_NO_SHOW: MarkNoShow,
    Action.UNDO: UndoOutcome,
}
_WITHOUT_HOLD: Final = "is for a start: what is held is not taken"
_WHY_OVERBOOKED: Final = "is missing: it says why the visit cannot wait"
_NOT_HERE: Final = frozenset(
    {RefusalCode.BOOKING_NOT_FOUND, RefusalCode.PROVIDER_NOT_FOUND}
)


class BookingService:
    """The operations on bookings.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self,
        commands: Commands,
        access: Access,
        history: BookingHistory,
        commitments: Commitments,
        groups: GroupBookings,
        acquainted: Callable[[ProviderId, PatientId], None] = lambda _who, _whom: None,
    ) -> None:
        self._groups = groups
        self._acquainted = acquainted
        self._commitments = commitments
        self._commands = commands
        self._access = access
        self._history = history

    async def book(
        self,
        caller: Caller | None,
        key: str | None,
        request: BookingRequest,
        *,
        instead_of: BookingId | None = None,
    ) -> BookingBody:
        """Book the slot of a hold, or a free slot at once.

        ``instead_of``: a visit that a held slot replaces; the limits do not count it.
        """
        slot = (request.provider_id, request.visit_type, request.start)
        if request.hold_id is not None:
            if any(part is not None for part in slot):
                raise InvalidRequest(
                    "Send either hold_id, or provider_id, visit_type and start."
                )
            if request.overbook:
                raise InvalidRequest("", FieldError("overbook", _WITHOUT_HOLD))
            return await self._confirm(caller, key, request, instead_of)
        missing = [
            FieldError(name, "is needed when there is no hold_id")
            for name, part in zip(
                ("provider_id", "visit_type", "start"), slot, strict=True
            )
            if part is None
        ]
        if missing:
            raise InvalidRequest("", *missing)
        return await self._book_slot(caller, key, request)

    async def _confirm(
        self,
        caller: Caller | None,
        key: str | None,
        request: BookingRequest,
        instead_of: BookingId | None,
    ) -> BookingBody:
        held = request.hold_id or ""
        caller, provider_id = await self._access.to_object(
            caller, Action.CONFIRM_HOLD, "hld", held
        )
        owner = acting_patient(caller, request.patient_id)
        await self._access.check_held(caller, provider_id, HoldId(held))
        reason = checked_text(request.reason, "reason")
        said = self._commands.private(reason)
        how = _confidential(caller, request)
        stamp = self._commands.stamp(caller, key, "confirm", held, owner, said, *how)
        if caller.patient_id is not None:
            taken = await self._commitments.slot_of(caller.patient_id, HoldId(held))
            if taken is not None:
                await self._commitments.check_visit(
                    caller.patient_id,
                    taken,
                    moving=instead_of,
                    allow_overlap=request.allow_overlap,
                    proxy=caller.is_proxy,
                )
        booked = await self._ask(
            ConfirmHold(
                provider_id=provider_id,
                hold_id=HoldId(held),
                booking_id=booking_id(provider_id, self._commands.tokens()),
                owner=owner,
                reason=reason,
                by_staff=caller.is_staff,
                confidential=request.confidential,
                **stamp,
            ),
            absent=RefusalCode.HOLD_NOT_FOUND,
        )
        self._noted(caller, provider_id)
        return booked

    async def _book_slot(
        self, caller: Caller | None, key: str | None, request: BookingRequest
    ) -> BookingBody:
        assert request.start is not None
        provider_id = ProviderId(request.provider_id or "")
        visit_type = VisitTypeId(request.visit_type or "")
        action = Action.OVERBOOK if request.overbook else Action.BOOK
        caller = await self._access.to_provider(caller, action, provider_id)
        patient_id = acting_patient(caller, request.patient_id)
        if patient_id is None:
            raise InvalidRequest(
                "", FieldError("patient_id", "is missing: staff name the patient")
            )
        await self._access.check_named(caller, patient_id)
        start = parse_minute(request.start, "start")
        reason = checked_text(request.reason, "reason")
        if request.overbook and not reason:
            raise InvalidRequest("", FieldError("reason", _WHY_OVERBOOKED))
        said = self._commands.private(reason)
        content = (provider_id, patient_id, visit_type, start, said)
        how = _confidential(caller, request)
        how += ("overbook",) if request.overbook else ()
        stamp = self._commands.stamp(caller, key, "book", *content, *how)
        if caller.patient_id is not None:
            await self._commitments.check_visit(
                patient_id,
                Slot(provider_id, visit_type, start),
                allow_overlap=request.allow_overlap,
                proxy=caller.is_proxy,
            )
        booked = await self._ask(
            BookSlot(
                provider_id=provider_id,
                booking_id=booking_id(provider_id, self._commands.tokens()),
                patient_id=patient_id,
                visit_type=visit_type,
                start=start,
                reason=reason,
                by_staff=caller.is_staff,
                confidential=request.confidential,
                overbook=request.overbook,
                **stamp,
            )
        )
        self._noted(caller, provider_id)
        return booked

    def _noted(self, caller: Caller, provider_id: ProviderId) -> None:
        """A clinic gets to know the patients who book there with an account."""
        if caller.patient_id is not None and caller.identity is not None:
            self._acquainted(provider_id, caller.patient_id)

    async def show(self, caller: Caller | None, booked: str) -> BookingBody:
        """One booking; from the read model if its calendar has dropped it."""
        return booking_body(await self._read(caller, booked))

    async def resources(self, caller: Caller | None, booked: str) -> BookedResources:
        """The rooms and equipment of a booking, for those who may read it.

        None of one that its calendar has dropped: only it knows.
        """
        view = await self._read(caller, booked)
        if view.group is None:
            return BookedResources([])
        found = await self._groups.named(view.provider_id, view.group.members)
        return BookedResources([BookedResource(*one) for one in found])

    async def _read(self, caller: Caller | None, booked: str) -> BookingView:
        caller, view = await self.about(caller, Action.READ_BOOKING, booked)
        await self._access.audit_read(
            caller,
            "read_booking",
            view.patient_id,
            view.provider_id,
            booking_id=booked,
        )
        return view

    async def about(
        self, caller: Caller | None, action: Action, booked: str
    ) -> tuple[Caller, BookingView]:
        """The booking that a caller may do this about; it is not audited here.

        From the read model if its calendar has dropped it.
        """
        caller, provider_id = await self._access.to_object(
            caller, action, "bkg", booked
        )
        wanted = BookingId(booked)
        reply = await self._commands.ask(ReadBooking(provider_id, wanted))
        if isinstance(reply, Refusal) and reply.code in _NOT_HERE:
            reply = await self._history.booking(wanted) or Refusal(
                RefusalCode.BOOKING_NOT_FOUND
            )
        view = accepted(reply, BookingView)
        is_hidden = caller.is_proxy and view.confidential
        if is_hidden or owner_of(caller) not in (None, view.patient_id):
            raise Refused(Refusal(RefusalCode.BOOKING_NOT_FOUND))
        return caller, view

    async def cancel(
        self,
        caller: Caller | None,
        key: str | None,
        booked: str,
        request: CancelRequest,
    ) -> BookingBody:
        """Cancel a visit."""
        caller, provider_id = await self._access.to_object(
            caller, Action.CANCEL_BOOKING, "bkg", booked
        )
        reason = checked_text(request.reason, "reason")
        said = self._commands.private(reason)
        stamp = self._commands.stamp(caller, key, "cancel", booked, said)
        return await self._ask(
            CancelBooking(
                provider_id=provider_id,
                booking_id=BookingId(booked),
                owner=owner_of(caller),
                reason=reason,
                **stamp,
            ),
            absent=RefusalCode.BOOKING_NOT_FOUND,
        )

    async def reschedule(
        self,
        caller: Caller | None,
        key: str | None,
        booked: str,
        request: RescheduleRequest,
    ) -> BookingBody:
        """Move a booking within its calendar, keeping its id."""
        caller, provider_id = await self._access.to_object(
            caller, Action.RESCHEDULE_BOOKING, "bkg", booked
        )
        if (request.start is None) == (request.hold_id is None):
            raise InvalidRequest("Send either start or hold_id.")
        start = held = None
        if request.start is not None:
            start = parse_minute(request.start, "start")
        if request.hold_id is not None:
            held = HoldId(request.hold_id)
            if provider_of(held) != provider_id:
                raise InvalidRequest("", FieldError("hold_id", OF_ANOTHER))
        stamp = self._commands.stamp(caller, key, "reschedule", booked, start, held)
        if caller.patient_id is not None:
            await self._check_move(caller, caller.patient_id, booked, request)
        return await self._ask(
            RescheduleBooking(
                provider_id=provider_id,
                booking_id=BookingId(booked),
                owner=owner_of(caller),
                start=start,
                hold_id=held,
                **stamp,
            ),
            absent=RefusalCode.BOOKING_NOT_FOUND,
        )

    async def _check_move(
        self,
        caller: Caller,
        patient_id: PatientId,
        moving: str,
        request: RescheduleRequest,
    ) -> None:
        booked = BookingId(moving)
        wanted: Slot | None
        if request.hold_id is not None:
            wanted = await self._commitments.slot_of(
                patient_id, HoldId(request.hold_id)
            )
        else:
            provider_id = provider_of(booked)
            assert provider_id is not None
            start = parse_minute(request.start or "", "start")
            wanted = Slot(provider_id, VisitTypeId(""), start)
        if wanted is not None:
            await self._commitments.check_visit(
                patient_id,
                wanted,
                moving=booked,
                allow_overlap=request.allow_overlap,
                proxy=caller.is_proxy,
            )

    async def set_confidential(
        self,
        caller: Caller | None,
        key: str | None,
        booked: str,
        request: ConfidentialRequest,
    ) -> BookingBody:
        """Hide a booking from people who act for the patient, or show it again."""
        caller, provider_id = await self._access.to_object(
            caller, Action.SET_CONFIDENTIAL, "bkg", booked
        )
        stamp = self._commands.stamp(
            caller, key, "confidential", booked, request.confidential
        )
        return await self._ask(
            SetConfidential(
                provider_id=provider_id,
                booking_id=BookingId(booked),
                owner=owner_of(caller),
                confidential=request.confidential,
                **stamp,
            ),
            absent=RefusalCode.BOOKING_NOT_FOUND,
        )

    async def complete(
        self,
        caller: Caller | None,
        key: str | None,
        booked: str,
        request: CompleteRequest,
    ) -> BookingBody:
        """Record that a visit took place; for staff."""
        caller, provider_id = await self._access.to_object(
            caller, Action.COMPLETE, "bkg", booked
        )
        content = ("without_check_in",) if request.without_check_in else ()
        stamp = self._commands.stamp(caller, key, Action.COMPLETE, booked, *content)
        return await self._ask(
            CompleteVisit(
                provider_id=provider_id,
                booking_id=BookingId(booked),
                without_check_in=request.without_check_in,
                **stamp,
            ),
            absent=RefusalCode.BOOKING_NOT_FOUND,
        )

    async def follow_up(
        self, caller: Caller | None, key: str | None, action: Action, booked: str
    ) -> BookingBody:
        """Record a visit's outcome, or undo it; for staff."""
        caller, provider_id = await self._access.to_object(
            caller, action, "bkg", booked
        )
        stamp = self._commands.stamp(caller, key, action, booked)
        return await self._ask(
            _FOLLOW_UPS[action](
                provider_id=provider_id,
                booking_id=BookingId(booked),
                **stamp,
            ),
            absent=RefusalCode.BOOKING_NOT_FOUND,
        )

    async def _ask(
        self, command: Command, *, absent: RefusalCode | None = None
    ) -> BookingBody:
        groups = self._groups
        if (
            groups.any_known
            and isinstance(command, BookSlot)
            and groups.is_known(command.provider_id, command.visit_type)
        ):
            reply = await groups.book(command)
        else:
            reply = await self._commands.send(command)
            if type(reply) is Refusal and reply in WITH_MEMBERS:
                reply = await groups.instead(command, reply)
        view = accepted(reply, BookingView, absent=absent)
        if view.group is not None:
            groups.settle(view)
        return booking_body(view)


def _confidential(caller: Caller, request: BookingRequest) -> tuple[str, ...]:
    """What a confidential booking adds to the content of its command.

    Raises:
        InvalidRequest: a proxy asks for what they could not see.
    """
    if not request.confidential:
        return ()
    if caller.is_proxy:
        message = "is for the patient and the clinic to send"
        raise InvalidRequest("", FieldError("confidential", message))
    return ("confidential",)
