"""The demo region as a whole: its providers, and the visits already booked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from actors.domain.ids import (
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    time_off_id,
)
from actors.domain.messages.answers import SlotsView
from actors.domain.messages.commands import AddTimeOff, BookSlot
from actors.domain.rules import Profile
from cluster.filling.dice import chance, number, pick
from cluster.filling.people import people
from cluster.filling.places import clinics
from cluster.filling.registering import NewProvider
from cluster.filling.rotas import availability

PROVIDERS_PER_CLINIC = 5
PATIENTS = 400
BOOKED_DAYS = (2, 29)
"""First and last day of the bookings, counted from the region's day: late enough that a
repeated seed some hours later sees the same slots."""
BOOKED_PERCENT = (34, 22, 12, 6)
"""How many slots of each of the four weeks are booked, in per cent: people book
soon rather than late."""
_REASONS = ("check-up", "follow-up", "results", "prescription", "new complaint", "")
_VISITS = ("consult", "consult", "consult", "follow_up", "long")
"""Visit types weighted by frequency: a list to pick from."""


def new_providers(day: date) -> tuple[NewProvider, ...]:
    """The sixty providers, ``prv_1`` to ``prv_60``, as of ``day``."""
    sites = clinics()
    made = []
    for index, person in enumerate(people()):
        provider = ProviderId(f"prv_{index + 1}")
        clinic = sites[index // PROVIDERS_PER_CLINIC]
        about = f"{person.specialty} at {clinic.name}, {clinic.city}."
        made.append(
            NewProvider(
                provider,
                Profile(person.name, person.specialty, clinic, person.languages, about),
                availability(provider, person.specialty, person.rota, clinic, day),
            )
        )
    return tuple(made)


def leaves(day: date) -> Iterator[AddTimeOff]:
    """One provider in four takes a few days off within the next weeks."""
    for index in range(len(people())):
        provider = ProviderId(f"prv_{index + 1}")
        if not chance(4, provider, "leave"):
            continue
        first = day + timedelta(days=pick(range(5, 25), provider, "leave from"))
        start = _midnight(first)
        yield AddTimeOff(
            provider_id=provider,
            time_off_id=time_off_id(provider, "demo"),
            start=start,
            end=Minute(start + pick((1, 2, 3, 5), provider, "leave days") * 1440),
            reason=pick(("holiday", "course", "family"), provider, "leave for"),
        )


def wanted(view: SlotsView, day: date) -> Iterator[BookSlot]:
    """The bookings to make among the slots of one calendar.

    Whether a start is wanted depends on the start alone, not on what else is there;
    of two that overlap the calendar accepts the first.
    """
    begins = _midnight(day)
    for start in view.starts:
        week = (start - begins) // (7 * 1440)
        percent = BOOKED_PERCENT[min(max(week, 0), len(BOOKED_PERCENT) - 1)]
        label = (view.provider_id, start)
        if pick(_VISITS, *label, "what") != view.visit_type:
            continue
        if number(*label, "wanted") % 100 >= percent:
            continue
        yield BookSlot(
            provider_id=view.provider_id,
            booking_id=booking_id(view.provider_id, f"demo{start}"),
            patient_id=PatientId(f"pat_{1 + number(*label, 'who') % PATIENTS}"),
            visit_type=view.visit_type,
            start=Minute(start),
            reason=pick(_REASONS, *label, "why"),
            by_staff=True,  # a demo's patients have as many visits as the dice say
        )


def visit_kinds() -> tuple[VisitTypeId, ...]:
    """Visit types to book, longest first, so that long visits find room."""
    return (VisitTypeId("long"), VisitTypeId("consult"), VisitTypeId("follow_up"))


def booked_days(day: date) -> tuple[str, str]:
    """The first and the last local date of the bookings."""
    first, last = BOOKED_DAYS
    return (
        (day + timedelta(days=first)).isoformat(),
        (day + timedelta(days=last - 1)).isoformat(),
    )


def _midnight(day: date) -> Minute:
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Minute(int(instant.timestamp()) // 60)
