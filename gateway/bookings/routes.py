"""Bookings over REST."""

from __future__ import annotations

from typing import Final

from msgspec import json

from actors.domain.ids import Minute, ProviderId
from actors.domain.messages.answers import BookingStatus
from gateway.access.rights import (
    PERMISSIONS,
    Action,
    Relation,
    acting_patient,
    signed_in,
)
from gateway.bookings.listing import Bookings, Wanted
from gateway.bookings.schemas import (
    BookedResources,
    BookingBody,
    BookingList,
    BookingRequest,
    CancelRequest,
    CompleteRequest,
    ConfidentialRequest,
    RescheduleRequest,
    SessionBody,
    SessionRequest,
)
from gateway.bookings.service import BookingService
from gateway.bookings.sessions import SessionService
from gateway.http.endpoint import CURSOR_QUERY, Call, Operation, Query, limit_query
from gateway.wire.errors import FieldError, Forbidden, InvalidRequest
from gateway.wire.formats import is_backwards, later, parse_bound
from gateway.wire.replies import Reply

_PAGE: Final = 50
_PAGE_MAX: Final = 200
_BOOK_REFUSALS: Final = (
    "slot_unavailable",
    "slot_not_offered",
    "resource_unavailable",
    "hold_limit",
    "booking_limit",
    "overlap",
    "hold_confirmed",
    "hold_expired",
    "hold_not_found",
    "provider_not_found",
    "patient_not_found",
    "data_restricted",
    "visit_type_not_found",
)
_LIST_QUERY: Final = (
    Query(
        "from", "Start of the range: a date on each clinic's calendar, or an instant."
    ),
    Query(
        "to",
        "End of the range: a date, its whole day included, or an instant, exclusive.",
    ),
    Query(
        "status",
        "Only bookings of this status.",
        {"type": "string", "enum": [status.value for status in BookingStatus]},
    ),
    Query("patient_id", "The caller's own id; anything else is refused."),
    limit_query(_PAGE, _PAGE_MAX),
    CURSOR_QUERY,
)


def operations(
    service: BookingService, bookings: Bookings, sessions: SessionService
) -> list[Operation]:
    """The operations on bookings."""
    return [
        _book(service),
        _list(bookings),
        _show(service),
        _resources(service),
        _cancel(service),
        _reschedule(service),
        _set_confidential(service),
        _follow_up(service, Action.CHECK_IN, "check-in", "The patient has arrived"),
        _complete(service),
        _follow_up(service, Action.MARK_NO_SHOW, "no-show", "The patient did not come"),
        _undo(service),
        _cancel_session(sessions),
    ]


def _book(service: BookingService) -> Operation:
    decoder = json.Decoder(BookingRequest)

    async def book(call: Call) -> Reply:
        request = call.decode(decoder)
        key = call.idempotency_key()
        return Reply(201, json.encode(await service.book(call.caller, key, request)))

    return Operation(
        method="POST",
        path="/v1/bookings",
        action=Action.BOOK,
        name="book",
        summary="Book a held slot, or a free one at once",
        handler=book,
        tag="bookings",
        body=BookingRequest,
        example={"hold_id": "hld_1.Xa8k2LqPz0", "reason": "Follow-up"},
        answers={201: BookingBody},
        refusals=_BOOK_REFUSALS,
    )


def _cancel_session(service: SessionService) -> Operation:
    decoder = json.Decoder(SessionRequest)

    async def cancel(call: Call) -> Reply:
        request = call.decode(decoder)
        key = call.idempotency_key()
        provider_id = ProviderId(call.path("provider_id"))
        body = await service.cancel(call.caller, key, provider_id, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path="/v1/providers/{provider_id}/sessions/cancel",
        action=Action.CANCEL_SESSION,
        name="cancel_session",
        summary="Cancel a group visit for all its patients",
        handler=cancel,
        tag="bookings",
        body=SessionRequest,
        example={"visit_type": "class", "start": "2026-12-01T09:00:00Z"},
        answers={200: SessionBody},
        refusals=("booking_not_found", "provider_not_found"),
    )


def _wanted(call: Call) -> Wanted:
    bounds: dict[str, str | Minute | None] = {}
    for name in ("from", "to"):
        text = call.query(name)
        bounds[name] = parse_bound(text, name) if text else None
    text = call.query("status")
    try:
        status = BookingStatus(text) if text is not None else None
    except ValueError:
        words = ", ".join(BookingStatus)
        raise InvalidRequest(
            "", FieldError("status", f"must be one of {words}")
        ) from None
    first, last = bounds["from"], bounds["to"]
    if first is not None and last is not None and is_backwards(first, last):
        raise InvalidRequest("", FieldError("to", "must not be before from"))
    if isinstance(last, str):
        last = later(last, 1)  # the whole day
    return Wanted(first, last, status)


def _list(bookings: Bookings) -> Operation:
    async def list_own(call: Call) -> Reply:
        caller = signed_in(call.caller)
        permission = PERMISSIONS[Action.LIST_BOOKINGS, caller.role, Relation.OWN]
        if not permission.allows or caller.patient_id is None:
            raise Forbidden("Staff see bookings in the schedule of a provider.")
        acting_patient(caller, call.query("patient_id"))
        limit = call.query_int("limit", _PAGE, 1, _PAGE_MAX)
        cursor = call.query("cursor") or ""
        page = await bookings.page(caller, _wanted(call), cursor, limit)
        return Reply(200, json.encode(page))

    return Operation(
        method="GET",
        path="/v1/bookings",
        action=Action.LIST_BOOKINGS,
        name="list_bookings",
        summary="The caller's own bookings, by start",
        handler=list_own,
        tag="bookings",
        query=_LIST_QUERY,
        answers={200: BookingList},
    )


def _show(service: BookingService) -> Operation:
    async def show(call: Call) -> Reply:
        body = await service.show(call.caller, call.path("booking_id"))
        return Reply(200, json.encode(body))

    return Operation(
        method="GET",
        path="/v1/bookings/{booking_id}",
        action=Action.READ_BOOKING,
        name="read_booking",
        summary="One booking",
        handler=show,
        tag="bookings",
        answers={200: BookingBody},
        refusals=("booking_not_found",),
    )


def _resources(service: BookingService) -> Operation:
    async def resources(call: Call) -> Reply:
        body = await service.resources(call.caller, call.path("booking_id"))
        return Reply(200, json.encode(body))

    return Operation(
        method="GET",
        path="/v1/bookings/{booking_id}/resources",
        action=Action.READ_BOOKING,
        name="read_booking_resources",
        summary="The rooms and equipment of a booking",
        handler=resources,
        tag="bookings",
        answers={200: BookedResources},
        refusals=("booking_not_found",),
    )


def _cancel(service: BookingService) -> Operation:
    decoder = json.Decoder(CancelRequest)

    async def cancel(call: Call) -> Reply:
        request = call.decode(decoder, optional=True)
        key = call.idempotency_key()
        booked = call.path("booking_id")
        body = await service.cancel(call.caller, key, booked, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path="/v1/bookings/{booking_id}/cancel",
        action=Action.CANCEL_BOOKING,
        name="cancel_booking",
        summary="Cancel a visit; its time becomes free",
        handler=cancel,
        tag="bookings",
        body=CancelRequest,
        example={"reason": "Away that day"},
        body_required=False,
        answers={200: BookingBody},
        refusals=("booking_not_found", "wrong_status", "too_late"),
    )


def _set_confidential(service: BookingService) -> Operation:
    decoder = json.Decoder(ConfidentialRequest)

    async def set_confidential(call: Call) -> Reply:
        request = call.decode(decoder)
        key = call.idempotency_key()
        booked = call.path("booking_id")
        body = await service.set_confidential(call.caller, key, booked, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path="/v1/bookings/{booking_id}/confidential",
        action=Action.SET_CONFIDENTIAL,
        name="set_confidential",
        summary="Hide a visit from people who act for the patient, or show it again",
        handler=set_confidential,
        tag="bookings",
        body=ConfidentialRequest,
        example={"confidential": True},
        answers={200: BookingBody},
        refusals=("booking_not_found",),
    )


def _complete(service: BookingService) -> Operation:
    decoder = json.Decoder(CompleteRequest)

    async def complete(call: Call) -> Reply:
        request = call.decode(decoder, optional=True)
        key = call.idempotency_key()
        booked = call.path("booking_id")
        body = await service.complete(call.caller, key, booked, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path="/v1/bookings/{booking_id}/complete",
        action=Action.COMPLETE,
        name="complete_booking",
        summary="The visit took place",
        handler=complete,
        tag="bookings",
        body=CompleteRequest,
        example={"without_check_in": True},
        body_required=False,
        answers={200: BookingBody},
        refusals=("booking_not_found", "wrong_status", "too_early"),
    )


def _reschedule(service: BookingService) -> Operation:
    decoder = json.Decoder(RescheduleRequest)

    async def reschedule(call: Call) -> Reply:
        request = call.decode(decoder)
        key = call.idempotency_key()
        booked = call.path("booking_id")
        body = await service.reschedule(call.caller, key, booked, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path="/v1/bookings/{booking_id}/reschedule",
        action=Action.RESCHEDULE_BOOKING,
        name="reschedule_booking",
        summary="Move a visit, keeping its id; on an error it stays unchanged",
        handler=reschedule,
        tag="bookings",
        body=RescheduleRequest,
        example={"start": "2026-12-01T09:00:00Z"},
        answers={200: BookingBody},
        refusals=("booking_not_found", "wrong_status", "too_late", *_BOOK_REFUSALS),
    )


def _undo(service: BookingService) -> Operation:
    return _follow_up(
        service,
        Action.UNDO,
        "undo",
        "Undo the last check-in, completion or no-show",
        timing="too_late",
    )


def _follow_up(
    service: BookingService,
    action: Action,
    verb: str,
    summary: str,
    timing: str = "too_early",
) -> Operation:
    async def follow_up(call: Call) -> Reply:
        key = call.idempotency_key()
        booked = call.path("booking_id")
        body = await service.follow_up(call.caller, key, action, booked)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path=f"/v1/bookings/{{booking_id}}/{verb}",
        action=action,
        name=f"{action}_booking",
        summary=summary,
        handler=follow_up,
        tag="bookings",
        answers={200: BookingBody},
        refusals=("booking_not_found", "wrong_status", timing),
    )
