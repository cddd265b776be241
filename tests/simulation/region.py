"""The small world that is simulated: providers, their rules, and what these offer.

``is_offered`` is the checkers' own reading of opening rules: one start at a time, by
the wall clock of the zone, with no bitmaps and no caches of the code under test.
"""

from __future__ import annotations

import functools
import random
from datetime import UTC, datetime, timedelta

from actors.domain.ids import ClinicId, LocationId, ProviderId, VisitTypeId
from actors.domain.rules import (
    Availability,
    Clinic,
    Hours,
    Location,
    Profile,
    VisitType,
)
from tests.wall_clock import packaged_zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DAYS = (
    ("Europe/Berlin", "2026-06-16T06:00"),
    ("America/New_York", "2026-06-16T13:00"),
    ("Europe/Berlin", "2026-10-24T22:30"),  # the night of the fold
    ("Europe/Berlin", "2027-03-27T22:30"),  # the night of the gap
    ("Australia/Lord_Howe", "2026-10-03T13:30"),  # a gap of half an hour
)
"""Zone and UTC instant at which a run begins."""

SHORT = VisitTypeId("short")
LONG = VisitTypeId("long")
GROUP = VisitTypeId("group")
PAIR = VisitTypeId("pair")
"""Visits of several patients, offered in crowded worlds."""
CROWDED = 100
"""Variants of rules from here on have group visits and lanes for overbooking."""


def instant_ms(text: str) -> int:
    """Milliseconds of an ISO instant in UTC."""
    when = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int((when - _EPOCH).total_seconds()) * 1000


def provider_ids(count: int) -> list[ProviderId]:
    """Numbered, never random."""
    return [ProviderId(f"prv_{number}") for number in range(1, count + 1)]


def room_ids(count: int) -> list[ProviderId]:
    """Rooms, which visits take besides their providers."""
    return [ProviderId(f"prv_{number}") for number in range(8, 8 + count)]


def profile(provider: ProviderId, zone: str) -> Profile:
    """Who a simulated provider is."""
    clinic = Clinic(clinic_id=ClinicId("cln_1"), name="North", time_zone=zone)
    return Profile(name=f"Dr {provider}", specialty="general", clinic=clinic)


def rules(zone: str, variant: int) -> Availability:
    """Opening rules; variants differ in hours, and one closes the long visits.

    Crowded ones differ in seats and lanes, too.
    """
    opens, closes = ((0, 300), (0, 240), (30, 300), (0, 360))[variant % 4]
    day = (Hours(opens, closes), Hours(8 * 60, 11 * 60))
    return Availability(
        locations=(
            Location(
                location_id=LocationId("loc_1"),
                time_zone=zone,
                weekly=(day,) * 7,
            ),
        ),
        visit_types=(
            VisitType(
                visit_type=SHORT,
                title="Short",
                minutes=30,
                alignment=30,
                notice=10,
                horizon=24 * 60,
            ),
            VisitType(
                visit_type=LONG,
                title="Long",
                minutes=40,
                buffer_before=10,
                buffer_after=10,
                alignment=30,
                notice=20,
                horizon=24 * 60,
                active=variant % 5 != 4,
            ),
            *(_group_visits(variant) if variant >= CROWDED else ()),
        ),
        lanes=1 + variant % 3 if variant >= CROWDED else None,
    )


def _group_visits(variant: int) -> tuple[VisitType, ...]:
    """A group of two or three, and one of two."""
    return (
        VisitType(
            visit_type=GROUP,
            title="Group",
            minutes=30,
            buffer_after=10,
            alignment=30,
            notice=10,
            horizon=24 * 60,
            capacity=2 + variant // 2 % 2,
        ),
        VisitType(
            visit_type=PAIR,
            title="Pair",
            minutes=40,
            alignment=30,
            notice=10,
            horizon=24 * 60,
            capacity=2,
        ),
    )


@functools.lru_cache(maxsize=4096)
def _wall(zone: str, minute: int) -> tuple[str, int]:
    """The local date and minutes since local midnight at an instant."""
    local = (_EPOCH + timedelta(minutes=minute)).astimezone(packaged_zone(zone))
    return local.date().isoformat(), local.hour * 60 + local.minute


@functools.lru_cache(maxsize=65536)
def _inside(zone: str, hours: tuple[tuple[int, int], ...], minute: int) -> bool:
    wall = _wall(zone, minute)[1]
    return any(opens <= wall < closes for opens, closes in hours)


def has_ground(
    availability: Availability,
    leaves: tuple[tuple[int, int], ...],
    visit_type: str,
    start: int,
    end: int,
) -> bool:
    """Whether a visit that was held or booked can take place by rules and leaves."""
    if all(kind.visit_type != visit_type for kind in availability.visit_types):
        return False
    place = availability.locations[0]
    hours = tuple((h.opens, h.closes) for h in place.weekly[0])
    return not any(off < end and start < on for off, on in leaves) and all(
        _inside(place.time_zone, hours, minute) for minute in range(start, end, 5)
    )


def is_offered(
    availability: Availability | None,
    leaves: tuple[tuple[int, int], ...],
    visit_type: str,
    start: int,
    now_ms: int,
) -> bool:
    """Whether rules and leave let a visit start there; bookings do not count."""
    if availability is None:
        return False
    kind = next(
        (v for v in availability.visit_types if v.visit_type == visit_type), None
    )
    if kind is None or not kind.active or not availability.locations:
        return False
    if not kind.notice * 60_000 <= start * 60_000 - now_ms < kind.horizon * 60_000:
        return False
    if any(off < start + kind.minutes and start < on for off, on in leaves):
        return False
    place = availability.locations[0]
    hours = tuple((h.opens, h.closes) for h in place.weekly[0])
    if _wall(place.time_zone, start)[1] % kind.alignment:
        return False
    return all(
        _inside(place.time_zone, hours, minute)
        for minute in range(start, start + kind.minutes, 5)
    )


def wanted_starts(
    zone: str, start_ms: int, rng: random.Random, count: int
) -> list[int]:
    """A few starts that all patients want; two of them are not offered."""
    first = start_ms // 60_000 + 15
    first += -first % 30
    near = [first + 30 * step for step in range(2 * count)]
    open_ones = [m for m in near if is_offered(rules(zone, 0), (), SHORT, m, start_ms)]
    chosen = (open_ones or near)[:count]
    return [*chosen, first - 60, rng.choice(near) + 5]


def week_of(zone: str, minute: int) -> str:
    """The ISO week of an instant's local date."""
    local = (_EPOCH + timedelta(minutes=minute)).astimezone(packaged_zone(zone))
    year, week, _ = local.isocalendar()
    return f"{year}-W{week:02d}"


@functools.lru_cache(maxsize=4096)
def minute_text(minute: int) -> str:
    """An instant as the wire writes it."""
    return (_EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
