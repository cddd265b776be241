"""Opening rules as clients write and read them, and their way into the domain.

Times of day are ``HH:MM`` on the clinic's wall clock, ``24:00`` closes a day. A missing
weekday is closed. What GET answers can be sent back with PUT unchanged.
"""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta, Struct

from actors.domain.answers import ProviderView
from actors.domain.ids import LocationId, VisitTypeId
from actors.domain.rules import Availability, Hours, Location, VisitType
from actors.domain.zone_data import zone_info
from gateway.bodies import shaped
from gateway.errors import FieldError, InvalidRequest
from gateway.words import VisitTypeRef, line

DAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
_TIME_PATTERN: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY_MINUTES: Final = 24 * 60

TimeOfDay = Annotated[
    str,
    shaped(
        _TIME_PATTERN,
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
Length = Annotated[int, Meta(ge=0, le=_DAY_MINUTES)]


class HoursBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Open from ``opens`` to ``closes`` on one day."""

    opens: TimeOfDay
    closes: TimeOfDay


DayHours = Annotated[list[HoursBody], Meta(max_length=24)]


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
    exceptions: dict[str, DayHours] = {}
    name: Annotated[str, line(max_length=200)] = ""


class VisitTypeRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What can be booked, and under which rules. Lengths are minutes."""

    visit_type: VisitTypeRef
    title: Annotated[str, line(min_length=1, max_length=200)]
    minutes: Annotated[int, Meta(ge=1, le=_DAY_MINUTES)]
    buffer_before: Length = 0
    buffer_after: Length = 0
    alignment: Annotated[int, Meta(ge=1, le=_DAY_MINUTES)] = 15
    notice_minutes: Annotated[int, Meta(ge=0, le=366 * _DAY_MINUTES)] = 60
    horizon_days: Annotated[int, Meta(ge=1, le=730)] = 90
    active: bool = True
    locations: Annotated[list[str], Meta(max_length=50)] = []


class AvailabilityRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of a provider, set as a whole.

    ``provider_id``, ``epoch`` and ``version`` may come along from a GET; they are not
    looked at.
    """

    locations: Annotated[list[LocationBody], Meta(max_length=20)]
    visit_types: Annotated[list[VisitTypeRules], Meta(max_length=50)]
    provider_id: str = ""
    epoch: int = 0
    version: int = 0


class AvailabilityBody(Struct, frozen=True):
    """All rules of a provider, in the shape that PUT takes."""

    provider_id: str
    epoch: int
    version: int
    locations: list[LocationBody]
    visit_types: list[VisitTypeRules]


def availability_of(request: AvailabilityRequest) -> Availability:
    """The domain's rules.

    Raises:
        InvalidRequest: unknown zones, dates that do not exist, hours that end before
            they begin, names used twice.
    """
    errors: list[FieldError] = []
    locations = tuple(
        _location(body, f"locations[{index}]", errors)
        for index, body in enumerate(request.locations)
    )
    kinds = tuple(_visit_type(body) for body in request.visit_types)
    _check_names(locations, kinds, errors)
    if errors:
        raise InvalidRequest("", *errors)
    return Availability(locations=locations, visit_types=kinds)


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
        if not _is_date(day):
            errors.append(FieldError(place, "must be a date, as 2026-12-24"))
        exceptions[day] = _hours(hours, place, errors)
    return Location(
        location_id=LocationId(body.location_id),
        time_zone=body.time_zone,
        weekly=weekly,
        exceptions=exceptions,
        name=body.name,
    )


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _hours(
    bodies: list[HoursBody], field: str, errors: list[FieldError]
) -> tuple[Hours, ...]:
    spans = sorted((_minutes(body.opens), _minutes(body.closes)) for body in bodies)
    for opens, closes in spans:
        if opens >= closes:
            errors.append(FieldError(field, "opens must be before closes"))
    if any(before[1] > after[0] for before, after in pairwise(spans)):
        errors.append(FieldError(field, "spans must not overlap"))
    return tuple(Hours(opens, closes) for opens, closes in spans)


def _visit_type(body: VisitTypeRules) -> VisitType:
    return VisitType(
        visit_type=VisitTypeId(body.visit_type),
        title=body.title,
        minutes=body.minutes,
        buffer_before=body.buffer_before,
        buffer_after=body.buffer_after,
        alignment=body.alignment,
        notice=body.notice_minutes,
        horizon=body.horizon_days * _DAY_MINUTES,
        active=body.active,
        locations=tuple(LocationId(place) for place in body.locations),
    )


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:5])


def _text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _day_body(hours: tuple[Hours, ...]) -> list[HoursBody]:
    return [HoursBody(_text(span.opens), _text(span.closes)) for span in hours]


def availability_body(view: ProviderView) -> AvailabilityBody:
    """The rules of a calendar, as the wire has them."""
    return AvailabilityBody(
        provider_id=view.provider_id,
        epoch=view.epoch,
        version=view.version,
        locations=[_location_body(place) for place in view.availability.locations],
        visit_types=[_rules_body(kind) for kind in view.availability.visit_types],
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
        horizon_days=kind.horizon // _DAY_MINUTES,
        active=kind.active,
        locations=list(kind.locations),
    )
