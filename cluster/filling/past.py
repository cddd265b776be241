"""What lies behind the demo's first clinic: a fortnight of visits up to tomorrow.

A calendar accepts no booking of a past start, so these are made as of a day before the
first of them: by a clock that is set back, before anything else is in the journal.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from actors.domain.ids import Millis
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    ProviderView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.commands import (
    CheckIn,
    Command,
    CompleteVisit,
    MarkNoShow,
)
from actors.domain.messages.reads import ReadProvider, ReadSchedule, ReadSlots
from actors.ports import Calendars
from cluster.clock import EarlierClock
from cluster.filling.dice import chance
from cluster.filling.places import clinics
from cluster.filling.region import BOOKED_DAYS, new_providers, visit_kinds, wanted
from cluster.filling.registering import NewProvider, keyed, register, several
from cluster.filling.sow import Met
from cluster.site.site import Site
from cluster.wiring.calendars import local_calendars

MINUTE_MS = 60_000
_VISITS_PER_NO_SHOW = 12
"""How many visits there are for each no-show."""


def set_back(day: date) -> timedelta:
    """How far the clock is set back: to the Sunday before the last full week."""
    return timedelta(days=day.weekday() + 8)


async def sow_past(site: Site, met: Met) -> list[BookingView]:
    """Book the past of a site that has nothing else yet; needs the folder's lock.

    Returns the visits of that past, also if an earlier run has booked them, or was
    ended in the middle and is completed. Their patients are added to ``met``, with
    the clinic.

    Raises:
        Obstacle: a calendar refused its rules.
        Unavailable: no answer in time; the run may be repeated.
    """
    async with local_calendars(site) as calendars:
        if await has_more_than_its_past(calendars, site.made_on):
            return await past_visits(calendars, site.made_on, met)
    clock = EarlierClock(set_back(site.made_on))
    async with local_calendars(site, clock) as calendars:
        await book_past(calendars, site.made_on)
        return await past_visits(calendars, site.made_on, met)


async def has_more_than_its_past(calendars: Calendars, day: date) -> bool:
    """Whether providers of other clinics are there: they come after all of the past."""
    (other, *_) = (one for one in new_providers(day) if not _is_first_clinics(one))
    return isinstance(
        await calendars.ask(ReadProvider(other.provider_id)), ProviderView
    )


async def past_visits(calendars: Calendars, day: date, met: Met) -> list[BookingView]:
    """The visits of the first clinic's past, as its calendars have them."""
    first = day - set_back(day) + timedelta(days=1)
    last = day + timedelta(days=BOOKED_DAYS[0] - 1)
    found: list[BookingView] = []
    for one in filter(_is_first_clinics, new_providers(day)):
        asked = ReadSchedule(one.provider_id, first.isoformat(), last.isoformat())
        view = await calendars.ask(asked)
        if isinstance(view, ScheduleView):
            found += view.bookings
    home = clinics()[0].clinic_id
    met.update((home, one.patient_id) for one in found)
    return found


def _is_first_clinics(one: NewProvider) -> bool:
    return one.profile.clinic.clinic_id == clinics()[0].clinic_id


async def book_past(calendars: Calendars, day: date) -> None:
    """Register the first clinic's providers and book their days until tomorrow."""

    async def fill(one: NewProvider) -> None:
        await register(calendars, one)
        await _book(calendars, one, day)

    people = filter(_is_first_clinics, new_providers(day))
    async for _ in several(fill, list(people)):
        pass


async def _book(calendars: Calendars, new: NewProvider, day: date) -> None:
    first = (day - set_back(day) + timedelta(days=1)).isoformat()
    last = (day + timedelta(days=BOOKED_DAYS[0] - 1)).isoformat()
    for kind in visit_kinds():
        view = await calendars.ask(ReadSlots(new.provider_id, kind, first, last))
        if isinstance(view, SlotsView):
            for wish in wanted(view, day):
                await calendars.ask(keyed(wish, "seed"))


async def settle(
    calendars: Calendars, visits: Collection[BookingView], *, now: Millis
) -> None:
    """Say of each visit that began what became of it: most took place."""
    booked = BookingStatus.BOOKED
    due = [
        one for one in visits if one.status is booked and one.start * MINUTE_MS <= now
    ]

    async def tell(one: BookingView) -> None:
        await calendars.ask(keyed(_outcome(one, now), "seed"))

    async for _ in several(tell, due, at_once=64):
        pass


def _outcome(visit: BookingView, now: Millis) -> Command:
    about = {"provider_id": visit.provider_id, "booking_id": visit.booking_id}
    if visit.end * MINUTE_MS > now:
        return CheckIn(**about)  # type: ignore[arg-type]
    if chance(_VISITS_PER_NO_SHOW, visit.booking_id, "stayed away"):
        return MarkNoShow(**about)  # type: ignore[arg-type]
    return CompleteVisit(**about, without_check_in=True)  # type: ignore[arg-type]
