"""Request and response bodies of providers, slots and schedules.

One file because each body stands beside the function that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from actors.domain.calendar.validation import LANGUAGE_MAX, LANGUAGES_MAX, TEXT_MAX
from actors.domain.ids import Millis, Minute, PatientId, VisitTypeId
from actors.domain.messages.answers import (
    Affected,
    Done,
    ProviderView,
    ScheduleView,
    TimeOffView,
)
from actors.domain.rules import Clinic, Profile, ResourceKind, TimeOff, VisitType
from care.busy.spans import is_imported
from care.directory.photos import PhotoSize
from care.readmodel import ProviderListing
from gateway.bookings.schemas import (
    BookingBody,
    NamedBookingBody,
    booking_body,
    named_booking_body,
)
from gateway.directory.clinics.schemas import (
    ClinicBody,
    ClinicRequest,
    Name,
    clinic_body,
)
from gateway.directory.photo_addresses import photo_of_clinic, photo_of_provider
from gateway.holds.schemas import HoldBody, hold_body
from gateway.wire.fields import (
    ClinicRef,
    Epoch,
    ProviderRef,
    Reason,
    TimeOffRef,
    Version,
    VisitTypeRef,
    checked_text,
    line,
)
from gateway.wire.formats import DateOrInstant, Instant, minute_text


class VisitTypeBody(Struct, frozen=True):
    """What can be booked."""

    visit_type: VisitTypeRef
    title: str
    minutes: int


class ProviderItem(Struct, frozen=True, omit_defaults=True):
    """A provider as lists show them; ``next_free`` is the soonest free start.

    With ``near``: the distance to the clinic in km, to the metre, if its location is
    known. ``live`` is false if the calendar did not answer: its next start may have
    changed. ``price`` is the least, in minor units; ``rating`` the mean of 1 to 5.
    ``photo`` is the address of a square picture, on this server.
    """

    provider_id: ProviderRef
    name: str
    specialty: str
    clinic: ClinicBody
    visit_types: list[VisitTypeBody]
    next_free: Instant | None
    live: bool
    next_free_visit_type: VisitTypeRef | None = None
    distance_m: int | None = None
    distance_km: float | None = None
    telehealth: bool | None = None
    accepts_new: bool | None = None
    price: int | None = None
    currency: str | None = None
    rating: float | None = None
    rating_count: int | None = None
    photo: str | None = None


class FacetValue(Struct, frozen=True):
    """A value that could be filtered by, and how many matches have it."""

    value: str
    count: int


class Facets(Struct, frozen=True):
    """The most frequent values among the matches; a filtered one shows the others."""

    specialty: list[FacetValue] = []
    visit_type: list[FacetValue] = []
    language: list[FacetValue] = []
    insurance: list[FacetValue] = []
    telehealth: list[FacetValue] = []
    accepts_new: list[FacetValue] = []


class ProviderList(Struct, frozen=True):
    """A page of providers.

    ``did_you_mean``: the words as they were understood, where some were misspelt.
    ``wider_km``: nothing is within the radius, something within this one. ``live``: no
    calendar is silent that could change the order. The first page has ``facets``.
    """

    items: list[ProviderItem]
    next_cursor: str | None
    total: int | None = None
    did_you_mean: str | None = None
    wider_km: int | None = None
    live: bool = True
    facets: Facets | None = None


class VisitTypeDetail(Struct, frozen=True):
    """What can be booked, with its rules and its own soonest free start.

    ``capacity``: seats of a group visit; 1 is none. ``resource_kinds``: what it takes
    besides the provider.
    """

    visit_type: VisitTypeRef
    title: str
    minutes: int
    buffer_before: int
    buffer_after: int
    alignment: int
    notice_minutes: int
    horizon_days: int
    next_free: Instant | None
    capacity: int = 1
    resource_kinds: tuple[ResourceKind, ...] = ()


class ProviderBody(Struct, frozen=True):
    """A provider with all details.

    ``change_notice_minutes``: how long before its start patients may still cancel or
    move a visit. Photos are addresses on this server: ``photo`` is square, the others
    are large.
    """

    provider_id: ProviderRef
    name: str
    specialty: str
    clinic: ClinicBody
    visit_types: list[VisitTypeDetail]
    next_free: Instant | None
    next_free_visit_type: VisitTypeRef | None
    languages: list[str]
    about: str
    locations: list[LocationItem]
    retired: bool
    suspended: bool
    epoch: Epoch
    version: Version
    change_notice_minutes: int
    photo: str | None = None
    photo_large: str | None = None
    clinic_photo: str | None = None


class RegisteredBody(Struct, frozen=True):
    """A provider's profile as it was set."""

    provider_id: ProviderRef
    name: str
    specialty: str
    clinic: ClinicBody
    languages: list[str]
    about: str
    epoch: Epoch
    version: Version


class SlotBody(Struct, frozen=True):
    """A start at which the visit type fits.

    ``seats_left``: of a group visit that is free, how many more patients it takes.
    """

    start: Instant
    end: Instant
    state: Literal["free", "held", "booked"]
    location_id: str
    seats_left: int | UnsetType = UNSET


class LocationItem(Struct, frozen=True):
    """A place at which the provider works, and the zone of its clocks."""

    location_id: str
    name: str
    time_zone: str


class SlotsBody(Struct, frozen=True):
    """Slots of one visit type, and the places where they are.

    ``time_zone`` is the zone of the dates that were asked for: of the location asked
    for, else of the provider's first.
    """

    # Rendered by wire.slots_json; this is its schema.
    provider_id: ProviderRef
    visit_type: VisitTypeRef
    time_zone: str
    locations: list[LocationItem]
    epoch: Epoch
    version: Version
    slots: list[SlotBody]


class TimeOffBody(Struct, frozen=True):
    """A leave: nothing is offered from ``start`` to ``end``.

    ``imported``: it follows the doctor's own calendar, and has no reason.
    """

    time_off_id: TimeOffRef
    start: Instant
    end: Instant
    reason: str
    imported: bool


class TimeOffAnswer(Struct, frozen=True):
    """A new leave, and the bookings it affects, which stay for a person to resolve."""

    time_off_id: TimeOffRef
    start: Instant
    end: Instant
    reason: str
    affected: list[BookingBody]
    epoch: Epoch
    version: Version
    affected_holds: list[HoldBody]


class TimeOffEffect(Struct, frozen=True):
    """The bookings and holds a leave would affect; nothing was changed."""

    start: Instant
    end: Instant
    affected: list[BookingBody]
    affected_holds: list[HoldBody]
    epoch: Epoch
    version: Version


class TimeOffList(Struct, frozen=True):
    """All leave of a provider, by start."""

    items: list[TimeOffBody]


class TimeOffRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Take leave from ``start`` to ``end``.

    Dates are whole days on the clinic's calendar, the last one included; an instant
    as ``end`` is the first that is free again.
    """

    start: DateOrInstant
    end: DateOrInstant
    reason: Reason = ""


class ScheduleBody(Struct, frozen=True):
    """Bookings with patients, by start, and leave."""

    provider_id: ProviderRef
    time_zone: str
    epoch: Epoch
    version: Version
    bookings: list[NamedBookingBody]
    time_off: list[TimeOffBody]


Language = Annotated[
    str,
    line(min_length=1, max_length=LANGUAGE_MAX),
    Meta(description="A language tag of BCP 47.", examples=["de-CH"]),
]


class ProfileRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's profile and clinic: by id, or as a whole record if it may be new.

    An existing clinic is not changed; use ``PUT /v1/clinics/{clinic_id}``.
    """

    name: Name
    specialty: Name
    clinic_id: ClinicRef | None = None
    clinic: ClinicRequest | None = None
    languages: Annotated[list[Language], Meta(max_length=LANGUAGES_MAX)] = []
    about: Annotated[str, Meta(max_length=TEXT_MAX)] = ""


def profile_of(request: ProfileRequest, clinic: Clinic) -> Profile:
    """The domain's profile."""
    return Profile(
        name=request.name.strip(),
        specialty=request.specialty.strip(),
        clinic=clinic,
        languages=tuple(request.languages),
        about=checked_text(request.about, "about"),
    )


def registered_body(done: Done, profile: Profile) -> RegisteredBody:
    """The answer to a registration.

    Computed from it alone, so that retries get the same.
    """
    return RegisteredBody(
        provider_id=done.provider_id,
        name=profile.name,
        specialty=profile.specialty,
        clinic=clinic_body(profile.clinic),
        languages=list(profile.languages),
        about=profile.about,
        epoch=done.epoch,
        version=done.version,
    )


def _instant(minute: int | None) -> str | None:
    return None if minute is None else minute_text(minute)


def provider_item(
    listing: ProviderListing,
    next_free: int | None,
    visit_type: VisitTypeId | None = None,
    *,
    live: bool = True,
) -> ProviderItem:
    """A provider for a list; ``visit_type`` is that of the next free start."""
    away = listing.distance_km
    metres = None if away is None else round(away * 1000)
    return ProviderItem(
        provider_id=listing.provider_id,
        name=listing.profile.name,
        specialty=listing.profile.specialty,
        clinic=clinic_body(listing.profile.clinic),
        visit_types=[
            VisitTypeBody(kind.visit_type, kind.title, kind.minutes)
            for kind in listing.visit_types
        ],
        next_free=_instant(next_free),
        live=live,
        next_free_visit_type=visit_type,
        distance_m=metres,
        distance_km=None if metres is None else metres / 1000,
    )


def _detail(kind: VisitType, next_free: int | None) -> VisitTypeDetail:
    return VisitTypeDetail(
        visit_type=kind.visit_type,
        title=kind.title,
        minutes=kind.minutes,
        buffer_before=kind.buffer_before,
        buffer_after=kind.buffer_after,
        alignment=kind.alignment,
        notice_minutes=kind.notice,
        horizon_days=kind.horizon // 1440,
        next_free=_instant(next_free),
        capacity=kind.capacity,
        resource_kinds=tuple(dict.fromkeys(need.kind for need in kind.needs)),
    )


def provider_body(
    view: ProviderView, clinic: Clinic, photos: tuple[str, str] = ("", "")
) -> ProviderBody:
    """A provider, whole, from their calendar and their clinic's record.

    ``photos``: the ids of the provider's and of the clinic's.
    """
    photo, clinic_photo = photos
    large = PhotoSize.LARGE
    return ProviderBody(
        provider_id=view.provider_id,
        name=view.profile.name,
        specialty=view.profile.specialty,
        clinic=clinic_body(clinic),
        visit_types=[
            _detail(kind, view.next_free.get(kind.visit_type))
            for kind in view.availability.visit_types
            if kind.active
        ],
        next_free=_instant(min(view.next_free.values(), default=None)),
        next_free_visit_type=min(
            view.next_free, key=view.next_free.__getitem__, default=None
        ),
        languages=list(view.profile.languages),
        about=view.profile.about,
        locations=[
            LocationItem(place.location_id, place.name, place.time_zone)
            for place in view.availability.locations
        ],
        retired=view.profile.retired,
        suspended=view.profile.suspended,
        epoch=view.epoch,
        version=view.version,
        change_notice_minutes=view.availability.change_notice,
        photo=photo_of_provider(view.provider_id, photo),
        photo_large=photo_of_provider(view.provider_id, photo, large),
        clinic_photo=photo_of_clinic(clinic.clinic_id, clinic_photo, large),
    )


def time_off_body(leave: TimeOff) -> TimeOffBody:
    """The response body for a leave."""
    return TimeOffBody(
        leave.time_off_id,
        minute_text(leave.start),
        minute_text(leave.end),
        leave.reason,
        is_imported(leave.time_off_id),
    )


def time_off_answer(view: TimeOffView, now: Millis) -> TimeOffAnswer:
    """The response body for a new leave."""
    leave = time_off_body(view.time_off)
    return TimeOffAnswer(
        time_off_id=leave.time_off_id,
        start=leave.start,
        end=leave.end,
        reason=leave.reason,
        affected=[booking_body(booking) for booking in view.bookings],
        epoch=view.epoch,
        version=view.version,
        affected_holds=[hold_body(hold, now) for hold in view.holds],
    )


def time_off_effect(
    span: tuple[Minute, Minute], view: Affected, now: Millis
) -> TimeOffEffect:
    """The response body for a dry run of a leave."""
    return TimeOffEffect(
        start=minute_text(span[0]),
        end=minute_text(span[1]),
        affected=[booking_body(booking) for booking in view.bookings],
        affected_holds=[hold_body(hold, now) for hold in view.holds],
        epoch=view.epoch,
        version=view.version,
    )


def schedule_body(view: ScheduleView, names: Mapping[PatientId, str]) -> ScheduleBody:
    """A schedule, as the wire has it, with the names of patients."""
    return ScheduleBody(
        provider_id=view.provider_id,
        time_zone=view.time_zone,
        epoch=view.epoch,
        version=view.version,
        bookings=[
            named_booking_body(booking, names.get(booking.patient_id, ""))
            for booking in view.bookings
        ],
        time_off=[time_off_body(leave) for leave in view.time_off],
    )
