"""What clients send and receive about bookings."""

from __future__ import annotations

from msgspec import Struct, structs

from actors.domain.messages.answers import BookingStatus, BookingView
from actors.domain.rules import ResourceKind
from care.series.ids import membership_of
from gateway.wire.fields import (
    BookedTypeRef,
    BookingRef,
    Epoch,
    HoldRef,
    PatientOrNone,
    PatientRef,
    ProviderRef,
    Reason,
    Stranded,
    TimeOffRef,
    Version,
    VisitTypeRef,
)
from gateway.wire.formats import Instant, millis_text, minute_text


class BookingRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Book: either ``hold_id`` alone, or ``provider_id``, ``visit_type`` and ``start``.

    ``patient_id`` is for staff, who book for a patient. ``allow_overlap``: book
    although the patient has another visit at that time. ``confidential``: hide it from
    people who act for the patient; not theirs to send. ``overbook``: for staff, book a
    start that is taken, as far as the rules allow; ``reason`` says why.
    """

    hold_id: HoldRef | None = None
    provider_id: ProviderRef | None = None
    visit_type: VisitTypeRef | None = None
    start: Instant | None = None
    reason: Reason = ""
    patient_id: PatientRef | None = None
    allow_overlap: bool = False
    confidential: bool = False
    overbook: bool = False


class ConfidentialRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a booking is hidden from people who act for the patient."""

    confidential: bool


class CancelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a visit is cancelled; optional."""

    reason: Reason = ""


class CompleteRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``without_check_in``: complete a visit that was not checked in."""

    without_check_in: bool = False


class RescheduleRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The target: either a ``start`` of the same visit type, or the slot of a hold."""

    start: Instant | None = None
    hold_id: HoldRef | None = None
    allow_overlap: bool = False


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Cancel a group visit for all its patients; ``start`` is the session's.

    ``close``: first take leave over its time, so that its seats are not offered again.
    """

    visit_type: VisitTypeRef
    start: Instant
    reason: Reason = ""
    close: bool = True


class BookingBody(Struct, frozen=True, omit_defaults=True):
    """A booking as its patient and the clinic's staff see it.

    A visit of a series says which, its number in it, and how many were planned.
    ``seat``: of a group visit, the number of the seat. ``lane``: of an overbooked
    visit, which one beside the first it is.

    ``resources``: rooms and equipment that the visit has. On the calendar of one of
    these, ``visit`` names the visit that it has them for, and ``visit_provider_id``
    whose it is; the patient is named there. These are said where the calendar answers,
    and not in lists of the read model.
    """

    booking_id: BookingRef
    status: BookingStatus
    provider_id: ProviderRef
    patient_id: PatientOrNone
    visit_type: BookedTypeRef
    start: Instant
    end: Instant
    location_id: str
    booked_at: Instant
    reason: str
    cancel_reason: str
    epoch: Epoch
    version: Version
    stranded: Stranded
    confidential: bool
    series_id: str | None = None
    series_number: int | None = None
    series_count: int | None = None
    seat: int | None = None
    lane: int | None = None
    resources: tuple[ProviderRef, ...] = ()
    visit: BookingRef | None = None
    visit_provider_id: ProviderRef | None = None


class SessionBody(Struct, frozen=True):
    """The visits of a session that was cancelled, and the leave over it.

    By seat, then those that were overbooked into it.
    """

    time_off_id: TimeOffRef | None
    bookings: list[BookingBody]


class BookedResource(Struct, frozen=True):
    """A room or piece of equipment that a visit has."""

    resource_id: ProviderRef
    kind: ResourceKind
    name: str


class BookedResources(Struct, frozen=True):
    """The rooms and equipment of a visit: rooms first, then by name."""

    items: list[BookedResource]


class NamedBookingBody(BookingBody, frozen=True, kw_only=True):
    """A booking on a page, with its patient's name.

    Empty if it is not known, not available now, or the token has no account.
    """

    patient_name: str


class BookingList(Struct, frozen=True):
    """A page of bookings, by start."""

    items: list[NamedBookingBody]
    next_cursor: str | None


def named_booking_body(view: BookingView, name: str) -> NamedBookingBody:
    """A calendar's view of a booking, with its patient's name."""
    fields = structs.asdict(booking_body(view))
    return NamedBookingBody(**fields, patient_name=name)


def booking_body(view: BookingView) -> BookingBody:
    """The response body for a calendar's view of a booking."""
    series = membership_of(view.booking_id)
    body = BookingBody(
        booking_id=view.booking_id,
        status=view.status,
        provider_id=view.provider_id,
        patient_id=view.patient_id,
        visit_type=view.visit_type,
        start=minute_text(view.start),
        end=minute_text(view.end),
        location_id=view.location_id,
        booked_at=millis_text(view.booked_at),
        reason=view.reason,
        cancel_reason=view.cancel_reason,
        epoch=view.epoch,
        version=view.version,
        stranded=view.stranded,
        confidential=view.confidential,
        series_id=None if series is None else series.series_id,
        series_number=None if series is None else series.number,
        series_count=None if series is None else series.count,
    )
    if view.group is not None:
        body = structs.replace(
            body,
            resources=view.group.members,
            visit=view.visit,
            visit_provider_id=None if view.visit is None else view.group.primary,
        )
    if not view.lane:
        return body
    if view.lane < 0:
        return structs.replace(body, seat=-view.lane)
    return structs.replace(body, lane=view.lane)
