"""Opening rules: the JSON form, and its conversion to and from the domain's.

Times of day are ``HH:MM`` on the clinic's wall clock, ``24:00`` closes a day, and hours
that close before they open last until the next morning. A missing weekday is closed.
What GET answers can be sent back with PUT unchanged.

Limits are those of actors/domain/calendar/validation.py: the document and the answers
have one source. One file because what is read and what is written must stay one shape.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from actors.domain.calendar.validation import (
    BOOKING_LIMIT_MAX,
    DAY,
    EXCEPTIONS_MAX,
    HORIZON_MAX,
    LANES_MAX,
    LOCATIONS_MAX,
    MEMBERS_MAX,
    NAME_MAX,
    SPANS_MAX,
    TAG_MAX,
    VISIT_TYPES_MAX,
    needs_problem,
    overlap_problem,
)
from actors.domain.ids import LocationId, Millis, VisitTypeId
from actors.domain.messages.answers import CAPACITY_MAX, Affected, ProviderView
from actors.domain.rules import (
    AlignedFrom,
    Availability,
    BookingLimits,
    Hours,
    Location,
    Need,
    ResourceKind,
    VisitType,
)
from actors.domain.zone_data import zone_info
from actors.domain.zones import day_named
from gateway.bookings.schemas import BookingBody, booking_body
from gateway.holds.schemas import HoldBody, hold_body
from gateway.wire.bodies import shaped
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.fields import VisitTypeRef, line

DAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
NIGHT_MAX: Final = 16 * 60
"""Longest hours over midnight; longer ones are taken for swapped times."""

TimeOfDay = Annotated[
    str,
    shaped(
        r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)",
        "a time of day with two digits each, as 09:00; 24:00 ends the day",
        description="A time of day on the clinic's wall clock; 24:00 ends the day.",
        examples=["09:00"],
    ),
]
LocationRef = Annotated[
    str,
    shaped(
        r"^loc_[A-Za-z0-9_.\-]{1,96}$(?!\n)",
        "a place's id: loc_ and 1 to 96 letters, digits, . - and _",
        examples=["loc_1"],
    ),
]
_STEPS: Final = "Minutes, a multiple of the site's cell (5 unless it is set)"
Length = Annotated[int, Meta(ge=0, le=DAY, description=f"{_STEPS}.")]


class HoursBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Open from ``opens`` to ``closes``.

    Hours that close before they open, as 22:00 to 06:00, last over midnight, at most 16
    hours, and belong to the day on which they start.
    """

    opens: TimeOfDay
    closes: TimeOfDay


DayHours = Annotated[list[HoursBody], Meta(max_length=SPANS_MAX)]


class WeeklyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Hours of each weekday; a missing or empty day is closed."""

    monday: DayHours = []
    tuesday: DayHours = []
    wednesday: DayHours = []
    thursday: DayHours = []
    friday: DayHours = []
    saturday: DayHours = []
    sunday: DayHours = []


class LocationBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Hours at one place. ``exceptions``: date -> the hours that replace the weekly."""

    time_zone: Annotated[str, Meta(max_length=64, examples=["Europe/Berlin"])]
    weekly: WeeklyBody
    location_id: LocationRef = "loc_1"
    exceptions: Annotated[dict[str, DayHours], Meta(max_length=EXCEPTIONS_MAX)] = {}
    name: Annotated[str, line(max_length=NAME_MAX)] = ""


class NeedBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Rooms or equipment of the clinic that a visit takes, with this tag if given."""

    kind: ResourceKind
    tag: Annotated[str, line(max_length=TAG_MAX), Meta(examples=["ultrasound"])] = ""
    count: Annotated[int, Meta(ge=1, le=MEMBERS_MAX)] = 1


class VisitTypeRules(Struct, frozen=True, forbid_unknown_fields=True):
    """A visit type and its rules. Lengths are in minutes."""

    visit_type: VisitTypeRef
    title: Annotated[str, line(min_length=1, max_length=NAME_MAX)]
    minutes: Annotated[int, Meta(ge=1, le=DAY, description=f"{_STEPS}.")]
    buffer_before: Length = 0
    buffer_after: Length = 0
    alignment: Annotated[
        int,
        Meta(ge=1, le=DAY, description=f"{_STEPS}: from one start to the next."),
    ] = 15
    notice_minutes: Annotated[
        int,
        Meta(
            ge=0,
            le=HORIZON_MAX,
            description=f"{_STEPS}: from now to the first start that is offered. "
            "Less than the horizon.",
        ),
    ] = 60
    horizon_days: Annotated[int, Meta(ge=1, le=HORIZON_MAX // DAY)] = 90
    active: bool = True
    locations: Annotated[list[str], Meta(max_length=LOCATIONS_MAX)] = []
    alignment_from: Annotated[
        Literal["opening", "midnight"],
        Meta(
            description="From where the alignment counts: the opening of the hours "
            "in which a visit starts, or midnight. Rules from before there was this "
            "choice have midnight."
        ),
    ] = "opening"
    needs: Annotated[list[NeedBody], Meta(max_length=MEMBERS_MAX)] = []
    capacity: Annotated[
        int,
        Meta(
            ge=1,
            le=CAPACITY_MAX,
            description="Seats of a group visit: patients who share one start.",
        ),
    ] = 1


Lanes = Annotated[
    int,
    Meta(
        ge=1,
        le=LANES_MAX,
        description="How many visits staff may book at one time; 1 is no overbooking.",
    ),
]


class BookingLimitsBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits per patient with this provider; 0 lifts a limit.

    ``upcoming``: visits that are still ahead. ``renewals``: how often the same time may
    be held again within an hour without booking it. Staff are exempt.
    """

    upcoming: Annotated[int, Meta(ge=0, le=BOOKING_LIMIT_MAX)] = 3
    renewals: Annotated[int, Meta(ge=0, le=BOOKING_LIMIT_MAX)] = 2


class AvailabilityRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of a provider, set as a whole.

    ``change_notice_minutes``: how long before its start a patient may still cancel or
    move a visit, 0 until it starts; staff always may. Without ``booking_limits`` or
    ``lanes`` those of the site hold. ``version``, from a GET, names the rules these are
    based on: if they were replaced since, the answer is 412. ``provider_id``, ``epoch``
    and ``affected`` may be included; they are ignored.
    """

    locations: Annotated[list[LocationBody], Meta(max_length=LOCATIONS_MAX)]
    visit_types: Annotated[list[VisitTypeRules], Meta(max_length=VISIT_TYPES_MAX)]
    change_notice_minutes: Annotated[int, Meta(ge=0, le=HORIZON_MAX)] = 0
    booking_limits: BookingLimitsBody | None = None
    lanes: Lanes | None = None
    provider_id: str = ""
    epoch: int = 0
    version: Annotated[int, Meta(ge=0)] = 0
    affected: list[dict[str, Any]] = []
    affected_holds: list[dict[str, Any]] = []


class AvailabilityBody(Struct, frozen=True):
    """All rules of a provider, in the shape that PUT takes."""

    provider_id: str
    epoch: int
    version: int
    locations: list[LocationBody]
    visit_types: list[VisitTypeRules]
    change_notice_minutes: int = 0
    booking_limits: BookingLimitsBody | None = None
    lanes: Lanes | None = None


class AvailabilityAnswer(AvailabilityBody, frozen=True, kw_only=True):
    """Rules as they were set, or would be, and the visits and holds they strand.

    ``affected``: upcoming visits that they do not cover, which stay for a person to
    resolve. ``affected_holds``: held slots, which cannot be booked any more.
    """

    affected: list[BookingBody]
    affected_holds: list[HoldBody]


def availability_answer(
    request: AvailabilityRequest, view: Affected, now: Millis
) -> AvailabilityAnswer:
    """The answer to new rules.

    Computed from the calendar's answer alone, so that retries get the same one.
    """
    return AvailabilityAnswer(
        provider_id=view.provider_id,
        epoch=view.epoch,
        version=view.version,
        locations=request.locations,
        visit_types=request.visit_types,
        change_notice_minutes=request.change_notice_minutes,
        booking_limits=request.booking_limits,
        lanes=request.lanes,
        affected=[booking_body(booking) for booking in view.bookings],
        affected_holds=[hold_body(hold, now) for hold in view.holds],
    )


def availability_of(
    request: AvailabilityRequest, cell: int, now: Millis
) -> Availability:
    """The domain's rules. Tens of milliseconds for a full body: see rule_checks.py.

    Raises:
        InvalidRequest: unknown zones, dates that do not exist, hours that overlap,
            lengths off the grid, names used twice, two places open at once.
    """
    errors: list[FieldError] = []
    locations = tuple(
        _location(body, f"locations[{index}]", errors)
        for index, body in enumerate(request.locations)
    )
    for index, body in enumerate(request.visit_types):
        _check_lengths(body, f"visit_types[{index}]", cell, errors)
    kinds = tuple(_visit_type(body) for body in request.visit_types)
    _check_names(locations, kinds, errors)
    if errors:
        raise InvalidRequest("", *errors)
    wanted = request.booking_limits
    limits = None if wanted is None else BookingLimits(wanted.upcoming, wanted.renewals)
    rules = Availability(
        locations, kinds, request.change_notice_minutes, limits, request.lanes
    )
    if problem := overlap_problem(rules, cell, now):
        raise InvalidRequest("", FieldError("locations", problem))
    return rules


def _check_lengths(
    body: VisitTypeRules, field: str, cell: int, errors: list[FieldError]
) -> None:
    names = ("minutes", "buffer_before", "buffer_after", "alignment", "notice_minutes")
    for name in names:
        if getattr(body, name) % cell:
            hint = f"must be a multiple of {cell}, the cell of this site's grid"
            errors.append(FieldError(f"{field}.{name}", hint))
    if body.notice_minutes >= body.horizon_days * DAY:
        hint = (
            "must be less than horizon_days, which are "
            f"{body.horizon_days * DAY} minutes; else nothing is ever offered"
        )
        errors.append(FieldError(f"{field}.notice_minutes", hint))


def _check_names(
    locations: tuple[Location, ...],
    kinds: tuple[VisitType, ...],
    errors: list[FieldError],
) -> None:
    places = [location.location_id for location in locations]
    if len(set(places)) < len(places):
        errors.append(FieldError("locations", "must have different location_ids"))
    names = [kind.visit_type for kind in kinds]
    if len(set(names)) < len(names):
        errors.append(FieldError("visit_types", "must have different visit_types"))
    for index, kind in enumerate(kinds):
        if not set(kind.locations) <= set(places):
            place = f"visit_types[{index}].locations"
            errors.append(FieldError(place, "must be among the locations given"))
        if problem := needs_problem(kind):
            errors.append(FieldError(f"visit_types[{index}].needs", problem))


def _location(body: LocationBody, field: str, errors: list[FieldError]) -> Location:
    if zone_info(body.time_zone) is None:
        hint = "must be an IANA time zone, as Europe/Berlin"
        errors.append(FieldError(f"{field}.time_zone", hint))
    weekly = tuple(
        _hours(getattr(body.weekly, day), f"{field}.weekly.{day}", errors)
        for day in DAYS
    )
    exceptions = {}
    for day, hours in body.exceptions.items():
        place = f"{field}.exceptions.{day[:20]}"
        if day_named(day) is None:
            hint = "must be a date from 1970 to 2199, as 2026-12-24"
            errors.append(FieldError(place, hint))
        exceptions[day] = _hours(hours, place, errors)
    return Location(
        location_id=LocationId(body.location_id),
        time_zone=body.time_zone,
        weekly=weekly,
        exceptions=exceptions,
        name=body.name,
    )


def _hours(
    bodies: list[HoursBody], field: str, errors: list[FieldError]
) -> tuple[Hours, ...]:
    known = len(errors)
    spans = sorted(
        _span(body, f"{field}[{index}]", errors) for index, body in enumerate(bodies)
    )
    if len(errors) == known and any(one[1] > two[0] for one, two in pairwise(spans)):
        errors.append(FieldError(field, "spans must not overlap"))
    return tuple(Hours(opens, closes) for opens, closes in spans)


def _span(body: HoursBody, field: str, errors: list[FieldError]) -> tuple[int, int]:
    opens, closes = _minutes(body.opens), _minutes(body.closes)
    if opens == DAY:
        hint = "must be before 24:00; the next day begins at 00:00"
        errors.append(FieldError(f"{field}.opens", hint))
    elif opens == closes:
        hint = "must not equal opens; a whole day is 00:00 to 24:00"
        errors.append(FieldError(f"{field}.closes", hint))
    elif closes < opens:
        closes += DAY
        if closes - opens > NIGHT_MAX:
            hint = (
                "is before opens; hours over midnight are at most "
                f"{NIGHT_MAX // 60} hours long"
            )
            errors.append(FieldError(f"{field}.closes", hint))
    return opens, closes


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:5])


def _visit_type(body: VisitTypeRules) -> VisitType:
    return VisitType(
        visit_type=VisitTypeId(body.visit_type),
        title=body.title,
        minutes=body.minutes,
        buffer_before=body.buffer_before,
        buffer_after=body.buffer_after,
        alignment=body.alignment,
        notice=body.notice_minutes,
        horizon=body.horizon_days * DAY,
        active=body.active,
        locations=tuple(LocationId(place) for place in body.locations),
        aligned_from=AlignedFrom(body.alignment_from),
        needs=tuple(Need(one.kind, one.tag, one.count) for one in body.needs),
        capacity=body.capacity,
    )


def _text(minutes: int) -> str:
    if minutes > DAY:
        minutes -= DAY
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _day_body(hours: tuple[Hours, ...]) -> list[HoursBody]:
    return [HoursBody(_text(span.opens), _text(span.closes)) for span in hours]


def availability_body(view: ProviderView) -> AvailabilityBody:
    """The response body for a calendar's rules."""
    limits = view.availability.booking_limits
    return AvailabilityBody(
        provider_id=view.provider_id,
        epoch=view.epoch,
        version=view.version,
        locations=[_location_body(place) for place in view.availability.locations],
        visit_types=[_rules_body(kind) for kind in view.availability.visit_types],
        change_notice_minutes=view.availability.change_notice,
        booking_limits=None
        if limits is None
        else BookingLimitsBody(limits.upcoming, limits.renewals),
        lanes=view.availability.lanes,
    )


def _location_body(location: Location) -> LocationBody:
    weekly = {
        day: _day_body(hours) for day, hours in zip(DAYS, location.weekly, strict=False)
    }
    return LocationBody(
        location_id=location.location_id,
        time_zone=location.time_zone,
        weekly=WeeklyBody(**weekly),
        exceptions={
            day: _day_body(hours) for day, hours in location.exceptions.items()
        },
        name=location.name,
    )


def _rules_body(kind: VisitType) -> VisitTypeRules:
    return VisitTypeRules(
        visit_type=kind.visit_type,
        title=kind.title,
        minutes=kind.minutes,
        buffer_before=kind.buffer_before,
        buffer_after=kind.buffer_after,
        alignment=kind.alignment,
        notice_minutes=kind.notice,
        horizon_days=kind.horizon // DAY,
        active=kind.active,
        locations=list(kind.locations),
        alignment_from=kind.aligned_from.value,
        needs=[NeedBody(one.kind, one.tag, one.count) for one in kind.needs],
        capacity=kind.capacity,
    )
