"""Seeding the demo region: commands create calendars, set their rules and book visits.

Every command's key follows from its content, so an interrupted run is simply repeated:
commands already done give their first answer and have no further effect.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from actors.domain.ids import ClinicId, PatientId
from actors.domain.messages.answers import BookingView, SlotsView
from actors.domain.messages.commands import BookSlot
from actors.domain.messages.reads import ReadSlots
from actors.ports import Calendars
from cluster.filling.patients import introduce
from cluster.filling.region import (
    booked_days,
    leaves,
    new_providers,
    visit_kinds,
    wanted,
)
from cluster.filling.registering import NewProvider, Progress, keyed, register, several
from cluster.site.site import Site
from cluster.wiring.calendars import open_calendars


class Sown(Struct, frozen=True):
    """Contents of the site after seeding."""

    clinics: int
    providers: int
    bookings: int


Met = set[tuple[ClinicId, PatientId]]
"""Which clinics have a booking of which patients."""


async def sow(
    calendars: Calendars, day: date, progress: Progress, met: Met | None = None
) -> Sown:
    """Create the demo region as of ``day``, or complete it.

    Patients whose bookings were accepted are added to ``met``, with the clinic.

    Raises:
        Obstacle: a calendar refused its rules.
        Unavailable: no answer in time; the run may be repeated.
    """
    people = new_providers(day)
    done = 0
    async for _ in several(lambda one: register(calendars, one), people):
        done += 1
        progress("providers", done, len(people))
    for leave in leaves(day):
        await calendars.ask(keyed(leave, "seed"))
    done = bookings = 0

    async def book_all(one: NewProvider) -> int:
        return await _book(calendars, one, day, set() if met is None else met)

    async for booked in several(book_all, people):
        done += 1
        bookings += booked
        progress("bookings", done, len(people))
    houses = {one.profile.clinic.clinic_id for one in people}
    return Sown(len(houses), len(people), bookings)


async def _book(calendars: Calendars, new: NewProvider, day: date, met: Met) -> int:
    """Make the bookings of one provider; returns the number of accepted ones."""
    first, last = booked_days(day)
    wishes: list[BookSlot] = []
    for kind in visit_kinds():
        view = await calendars.ask(ReadSlots(new.provider_id, kind, first, last))
        if isinstance(view, SlotsView):
            wishes.extend(wanted(view, day))

    async def ask(wish: BookSlot) -> bool:
        answer = await calendars.ask(keyed(wish, "seed"))
        if not isinstance(answer, BookingView):
            return False
        met.add((new.profile.clinic.clinic_id, wish.patient_id))
        return True

    return sum([booked async for booked in several(ask, wishes, at_once=64)])


async def sow_demo(site: Site, command: str, progress: Progress) -> Sown:
    """Create or complete the demo region, and record that it is complete.

    Raises:
        Obstacle: another process holds the folder and cannot be reached, or a calendar
            refuses its rules.
        Unavailable: no answer in time; do it again.
    """
    async with open_calendars(site, command) as calendars:
        met: Met = set()
        sown = await sow(calendars, site.made_on, progress, met)
    await introduce(site, met)
    site.folder.mark_seeded("demo")
    return sown
