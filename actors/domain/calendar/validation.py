"""Checks of input: the first thing wrong with it, as a sentence.

Each check returns a sentence for ``invalid_request``, or an empty string.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.domain.ids import Millis, Minute
from actors.domain.messages.answers import CAPACITY_MAX
from actors.domain.rules import (
    Availability,
    Hours,
    Location,
    Policy,
    Profile,
    VisitType,
    Waiting,
)
from actors.domain.time.grid import PAGE_MINUTES, bits
from actors.domain.time.openings import LocationHours
from actors.domain.zones import day_named, instant_text, zone_named

LOCATIONS_MAX, VISIT_TYPES_MAX = 20, 32
EXCEPTIONS_MAX = 1_000
"""Three years of a different day each."""
SPANS_MAX = 24
"""Opening spans of one day."""
DAY = 24 * 60
DAYS_A_WEEK = 7
HORIZON_MAX = 550 * DAY
RESERVES_MAX = 64
"""Slots that the waiting list of one calendar has at a time."""
TIME_OFF_MAX = 1_000
"""Leaves of one calendar at a time."""
TIME_OFF_MINUTES_MAX = 2 * 366 * DAY
LANGUAGES_MAX, LANGUAGE_MAX = 32, 35
"""Tags of BCP 47 fit into 35 characters."""
ID_MAX = 128
NAME_MAX = 200
TEXT_MAX = 4_000
REASON_MAX = 3_000
"""Characters of a reason, which a gateway may have sealed: that makes it longer."""
BOOKING_LIMIT_MAX = 1_000
MEMBERS_MAX = 6
"""Rooms and pieces of equipment that one visit takes, all its needs together."""
TAGS_MAX, TAG_MAX = 16, 40
"""Tags of one resource, and characters of one."""
LANES_MAX = 9
"""Most visits at one time, overbooked ones included."""
OVERLAP_WEEKS = HORIZON_MAX // (DAYS_A_WEEK * DAY) + 2
"""How far ahead two locations are compared: as far as anything can be booked."""


def profile_problem(profile: Profile) -> str:
    """What is wrong with a provider's profile."""
    clinic = profile.clinic
    texts = (profile.specialty, clinic.address, clinic.city, clinic.postcode)
    if not 0 < len(profile.name) <= NAME_MAX:
        return f"name must have 1 to {NAME_MAX} characters"
    if not 0 < len(clinic.clinic_id) <= ID_MAX:
        return f"clinic_id must have 1 to {ID_MAX} characters"
    if len(clinic.name) > NAME_MAX or any(len(text) > NAME_MAX for text in texts):
        return f"specialty and clinic texts may have {NAME_MAX} characters each"
    if len(profile.about) > TEXT_MAX:
        return f"about may have {TEXT_MAX} characters"
    if len(profile.languages) > LANGUAGES_MAX or any(
        len(code) > LANGUAGE_MAX for code in profile.languages
    ):
        return f"languages may be {LANGUAGES_MAX} language tags"
    if zone_named(clinic.time_zone) is None:
        return _unknown_zone(clinic.time_zone)
    tags = profile.resource.tags if profile.resource is not None else ()
    if len(tags) > TAGS_MAX or not all(0 < len(tag) <= TAG_MAX for tag in tags):
        return f"tags may be {TAGS_MAX}, of 1 to {TAG_MAX} characters"
    return ""


def availability_problem(rules: Availability, policy: Policy) -> str:
    """What is wrong with opening rules and visit types, in one pass over them.

    Whether two locations are open at once is not asked: see ``overlap_problem``.
    """
    if len(rules.locations) > LOCATIONS_MAX:
        return f"at most {LOCATIONS_MAX} locations"
    if len(rules.visit_types) > VISIT_TYPES_MAX:
        return f"at most {VISIT_TYPES_MAX} visit types"
    if not 0 <= rules.change_notice <= HORIZON_MAX:
        return f"change_notice must be 0 to {HORIZON_MAX} minutes"
    if rules.lanes is not None and not 0 < rules.lanes <= LANES_MAX:
        return f"lanes must be 1 to {LANES_MAX}; 1 is no overbooking"
    problems = _problems(rules, policy.cell_minutes)
    return next((text for text in problems if text), "")


def waiting_problem(waiting: Waiting) -> str:
    """What is wrong with what a waiting list waits for."""
    kinds = waiting.visit_types
    if not 0 < len(kinds) <= VISIT_TYPES_MAX or len(set(kinds)) != len(kinds):
        return f"visit_types must be 1 to {VISIT_TYPES_MAX} different ones"
    if waiting.first >= waiting.until:
        return "first must be before until"
    if not 0 < waiting.most <= RESERVES_MAX:
        return f"most must be 1 to {RESERVES_MAX}"
    return ""


def time_off_problem(start: Minute, end: Minute, reason: str) -> str:
    """What is wrong with a leave."""
    if start >= end:
        return "start must be before end"
    if end - start > TIME_OFF_MINUTES_MAX:
        return "time off may last two years; add another for the rest"
    return reason_problem(reason)


def reason_problem(reason: str) -> str:
    """What is wrong with a reason."""
    return "" if len(reason) <= REASON_MAX else f"reason: {REASON_MAX} characters"


def _problems(rules: Availability, cell: int) -> Iterator[str]:
    places = [location.location_id for location in rules.locations]
    if len(set(places)) != len(places):
        yield "location_id must be unique"
    kinds = [rule.visit_type for rule in rules.visit_types]
    if len(set(kinds)) != len(kinds):
        yield "visit_type must be unique"
    limits = rules.booking_limits
    if limits is not None and not all(
        0 <= limit <= BOOKING_LIMIT_MAX for limit in (limits.upcoming, limits.renewals)
    ):
        yield f"booking limits must be 0 to {BOOKING_LIMIT_MAX}; 0 lifts one"
    for location in rules.locations:
        yield _location_problem(location)
    for rule in rules.visit_types:
        problem = _visit_type_problem(rule, cell)
        if not problem and not set(rule.locations) <= set(places):
            problem = "locations must name locations given here"
        yield problem and f"visit type {rule.visit_type[:ID_MAX]}: {problem}"


def _location_problem(location: Location) -> str:
    if not 0 < len(location.location_id) <= ID_MAX or len(location.name) > NAME_MAX:
        return f"location_id: 1 to {ID_MAX} characters; name: at most {NAME_MAX}"
    where = f"location {location.location_id}: "
    if zone_named(location.time_zone) is None:
        return where + _unknown_zone(location.time_zone)
    if len(location.weekly) != DAYS_A_WEEK:
        return (
            where + f"weekly must have 7 days from Monday, not {len(location.weekly)}"
        )
    if len(location.exceptions) > EXCEPTIONS_MAX:
        return where + f"at most {EXCEPTIONS_MAX} exceptions"
    dates = [text for text in location.exceptions if day_named(text) is None]
    if dates:
        return where + f"{dates[0][:20]!r} is not a date YYYY-MM-DD from 1970 to 2199"
    problems = map(_hours_problem, (*location.weekly, *location.exceptions.values()))
    problem = next(filter(None, problems), "")
    return problem and where + problem


def _hours_problem(spans: tuple[Hours, ...]) -> str:
    if len(spans) > SPANS_MAX:
        return f"at most {SPANS_MAX} opening spans a day"
    closed = 0
    for span in spans:
        if not 0 <= span.opens < DAY or not 0 < span.closes - span.opens <= DAY:
            return (
                f"hours {span.opens} to {span.closes} must be minutes since midnight, "
                "0 <= opens < 1440, and close after that within a day"
            )
        if span.opens < closed:
            return (
                f"hours from {span.opens} must begin after the ones before have ended"
            )
        closed = span.closes
    return ""


def _visit_type_problem(rule: VisitType, cell: int) -> str:
    if not 0 < len(rule.visit_type) <= ID_MAX or "/" in rule.visit_type:
        return f"its id must have 1 to {ID_MAX} characters and no slash"
    if len(rule.title) > NAME_MAX or len(rule.locations) > LOCATIONS_MAX:
        return f"title: {NAME_MAX} characters, locations: {LOCATIONS_MAX}"
    bounds = (
        ("minutes", rule.minutes, cell, DAY),
        ("buffer_before", rule.buffer_before, 0, DAY),
        ("buffer_after", rule.buffer_after, 0, DAY),
        ("alignment", rule.alignment, cell, DAY),
        ("notice", rule.notice, 0, HORIZON_MAX),
        ("horizon", rule.horizon, 0, HORIZON_MAX),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most or value % cell:
            return f"{name} must be {least} to {most} minutes, in steps of {cell}"
    if not 0 < rule.capacity <= CAPACITY_MAX:
        return f"capacity must be 1 to {CAPACITY_MAX} seats"
    if rule.notice >= rule.horizon:
        return "notice must be less than horizon; else nothing is ever offered"
    return needs_problem(rule) if rule.needs else ""


def needs_problem(rule: VisitType) -> str:
    """What is wrong with the rooms and equipment that a visit type needs."""
    if any(need.count < 1 or len(need.tag) > TAG_MAX for need in rule.needs):
        return f"a need has a count from 1 on; its tag has at most {TAG_MAX} characters"
    if rule.capacity > 1 and rule.needs:
        return "a group visit takes no rooms: each of its seats would need its own"
    if sum(need.count for need in rule.needs) > MEMBERS_MAX:
        return f"a visit takes at most {MEMBERS_MAX} rooms and pieces of equipment"
    if len({(need.kind, need.tag) for need in rule.needs}) < len(rule.needs):
        return "each need has another kind or tag; say how many by its count"
    return ""


def overlap_problem(rules: Availability, cell: int, now: Millis) -> str:
    """Two locations that are open at the same instant: where would the visit be?

    For callers that accept rules from a person. It expands ``OVERLAP_WEEKS`` of each
    location, too much for a shard; there the first of two open locations counts.
    """
    places = [LocationHours(location, cell) for location in rules.locations]
    if not places[1:]:
        return ""
    size = PAGE_MINUTES // cell
    this_week = now // 60_000 // PAGE_MINUTES
    for page in range(this_week, this_week + OVERLAP_WEEKS):
        seen = 0
        for place in places:
            cells = place.open_cells(page * size, size)
            if seen & cells:
                at = Minute((page * size + bits(seen & cells)[0]) * cell)
                return (
                    f"location {place.location_id} and another are both open at "
                    f"{instant_text(at)}"
                )
            seen |= cells
    return ""


def _unknown_zone(name: str) -> str:
    return f"{name[:60]!r} is not a time zone; use an IANA name like 'Europe/Berlin'"
