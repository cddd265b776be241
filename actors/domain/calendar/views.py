"""Read views of a calendar: functions of its state (and tzdata) only.

A slot is shown if its visit type is offered there by rules and leaves, and if it lies
in the window: ``window + notice <= start < window + horizon``. It is booked if its
time with buffers meets a booking's, else held if it meets a hold's, else free. One file
because these rules are said once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from actors.domain.calendar import rulings, seats
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.stranding import LEAVE, Ground, upcoming
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Minute,
    PatientId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.messages.answers import (
    BOOKED,
    FREE,
    GONE,
    HELD,
    Affected,
    BookingView,
    FitsView,
    HoldView,
    MembersWanted,
    NextStarts,
    ProviderView,
    ScheduleView,
    SlotsView,
    seats_letter,
)
from actors.domain.messages.commands import RescheduleBooking
from actors.domain.messages.reads import ReadEffect, ReadFits
from actors.domain.messages.refusals import (
    NO_BOOKING,
    NO_PROVIDER,
    NO_VISIT_TYPE,
    Refusal,
    invalid,
    version_behind,
)
from actors.domain.rules import Availability, TimeOff, VisitType
from actors.domain.spans import span_type
from actors.domain.time.grid import Bitmap, any_of, ones
from actors.domain.time.openings import Offer
from actors.domain.time.week_page import PageView
from actors.domain.zones import Zone, day_named, week_named, zone_or_utc

ANYWHERE = LocationId("")
DAY = 24 * 60
SLOTS_DAYS_MAX = 62
SCHEDULE_DAYS_MAX = 400
FITS_MAX = 20_000
"""Starts asked about at once: more than ``SLOTS_DAYS_MAX`` have cells."""
_VIEWS_MAX = 12
"""Page views kept per visit type: a quarter of a year of weeks."""


def zone_of(state: CalendarState) -> Zone:
    """The zone of the first location, else of the clinic."""
    assert state.profile is not None, "an unregistered calendar has no slots to read"
    if state.availability is not None and state.availability.locations:
        name = state.availability.locations[0].time_zone
    else:
        name = state.profile.clinic.time_zone
    return zone_or_utc(name)


def shown(state: CalendarState, offer: Offer) -> tuple[int, int]:
    """The span of cells, half-open, whose starts the window lets be seen."""
    if not state.window:
        return 0, 0
    at = state.window // state.cell
    return at + offer.notice, at + offer.horizon


def blocked(bitmap: Bitmap, offer: Offer, first: int, count: int) -> int:
    """Of ``count`` starts from cell ``first`` on, those that meet a set cell."""
    low = first - offer.before
    return any_of(bitmap.cut(low, low + count + offer.span), offer.span) & ones(count)


def page_view(state: CalendarState, offer: Offer, page: int) -> PageView:
    """The slots of a page, offered by rules and leaves, whatever the window."""
    size = state.occupancy.booked.size
    views = offer.views
    view = views.get(page)
    if view is None:
        if len(views) >= _VIEWS_MAX:
            views.clear()
        offered = state.openings.page(offer, page)
        view = views[page] = PageView(offered, page * size, state.cell)
        if len(state.openings.places) > 1:
            view.where = state.openings.where(offer, page)
    booked, held = state.occupancy.booked.pages.get, state.occupancy.held.pages.get
    seen: tuple[int | None, ...] = (
        booked(page - 1),
        booked(page),
        booked(page + 1),
        held(page - 1),
        held(page),
        held(page + 1),
    )
    if offer.capacity > 1:
        seen = (*seen, state.version)  # a session has its cells whatever its seats
    if view.seen != seen:
        first = page * size
        taken = blocked(state.occupancy.booked, offer, first, size)
        view.paint(taken, blocked(state.occupancy.held, offer, first, size), size)
        if offer.capacity > 1:
            view.states = "".join(
                seats.with_seats(state, offer, start // state.cell, letter)
                for start, letter in zip(view.starts, view.states, strict=True)
            )
        view.seen = seen
    return view


def slots(
    state: CalendarState,
    visit_type: VisitTypeId,
    first: str | Minute,
    last: str | Minute,
    location_id: LocationId = ANYWHERE,
) -> SlotsView | Refusal:
    """Slots that start in a span of local dates or instants, maybe at one location."""
    if not state.registered:
        return NO_PROVIDER
    zone = zone_of(state)
    if location_id:
        places = [p for p in state.openings.places if p.location_id == location_id]
        if not places:
            return invalid("location_id must name a location of this provider")
        zone = zone_or_utc(places[0].time_zone)
    span = _span(zone, first, last, SLOTS_DAYS_MAX)
    if isinstance(span, Refusal):
        return span
    found = _slots(state, visit_type, *span)
    if isinstance(found, Refusal) or not location_id:
        return found
    return _only_at(found, location_id, zone.name)


def week(
    state: CalendarState, visit_type: VisitTypeId, name: str
) -> SlotsView | Refusal:
    """Slots that start in an ISO week of local days."""
    if not state.registered:
        return NO_PROVIDER
    monday = week_named(name)
    if monday is None:
        return invalid("week must be an ISO week like 2026-W49")
    zone = zone_of(state)
    return _slots(state, visit_type, zone.midnight(monday), zone.midnight(monday + 7))


def _slots(
    state: CalendarState, visit_type: VisitTypeId, first: int, last: int
) -> SlotsView | Refusal:
    offer = _offer(state, visit_type)
    if offer is None:
        return NO_PROVIDER if state.is_resource else NO_VISIT_TYPE
    size, cell = state.occupancy.booked.size, state.cell
    opens, closes = shown(state, offer)
    low, high = max(-(-first // cell), opens), min(-(-last // cell), closes)
    starts: list[int] = []
    states: list[str] = []
    where: list[int] = []
    for page in range(low // size, -(-high // size)):
        view = page_view(state, offer, page)
        a = bisect_left(view.starts, low * cell)
        b = bisect_left(view.starts, high * cell)
        starts += view.starts[a:b]
        states.append(view.states[a:b])
        where += view.where[a:b]
    return SlotsView(
        state.provider_id,
        state.epoch,
        state.version,
        offer.rule.visit_type,
        zone_of(state).name,
        offer.rule.minutes,
        starts,
        "".join(states),
        state.openings.places,
        where,
        _members(offer.rule) if offer.rule.needs else None,
    )


def _members(rule: VisitType) -> MembersWanted:
    return MembersWanted(span_type(rule), rule.needs)


def fits(state: CalendarState, read: ReadFits) -> FitsView | Refusal:
    """Whether a resource is free at each of some starts, as the rules have it now."""
    offer = state.openings.of_member(read.visit_type) if state.is_resource else None
    if offer is None:
        return NO_PROVIDER
    if len(read.starts) > FITS_MAX:
        return invalid(f"ask for at most {FITS_MAX} starts at a time")
    moving = state.occupancy.bookings.get(read.moving) if read.moving else None
    states = "".join(_state_of(state, offer, start, moving) for start in read.starts)
    return FitsView(state.provider_id, state.epoch, state.version, states)


def _state_of(
    state: CalendarState, offer: Offer, start: Minute, moving: Booking | None
) -> str:
    at, aside = divmod(start, state.cell)
    if aside or state.openings.location(offer, at) is None:
        return GONE
    first, last = at - offer.before, at - offer.before + offer.span
    if state.occupancy.booked.hits(first, last) and (
        moving is None or rulings.is_booked_by_others(state, first, last, moving)
    ):
        return BOOKED
    return HELD if state.occupancy.held.hits(first, last) else FREE


def _only_at(view: SlotsView, location_id: LocationId, time_zone: str) -> SlotsView:
    """The slots at one location, in its zone."""
    number = [place.location_id for place in view.places].index(location_id)
    where = view.where or [0] * len(view.starts)
    kept = [slot for slot, place in enumerate(where) if place == number]
    return replace(
        view,
        time_zone=time_zone,
        starts=[view.starts[slot] for slot in kept],
        states="".join(view.states[slot] for slot in kept),
        places=(view.places[number],),
        where=[],
    )


def slots_to_move(
    state: CalendarState,
    view: SlotsView,
    booking_id: BookingId,
    owner: PatientId | None,
    *,
    proxy: bool = False,
) -> SlotsView | Refusal:
    """Slots as seen by a booking that may move: its own time counts as free.

    Of a seat of a group visit if it is the only one, and to staff, who move it at once:
    a hold of that time would leave its session open to others meanwhile.
    """
    own = rulings.own_booking(state, booking_id, owner, RescheduleBooking, proxy=proxy)
    if isinstance(own, Refusal):
        return own
    offer = state.openings.offers[view.visit_type]
    if own.lane or offer.capacity > 1:
        is_same = own.visit_type == view.visit_type
        if owner is not None or not is_same or not seats.is_sole(state, own):
            return view
    states = list(view.states)
    for place, start in enumerate(view.starts):
        first = start // state.cell - offer.before
        last = first + offer.span
        if states[place] == BOOKED and not rulings.is_booked_by_others(
            state, first, last, own
        ):
            letter = HELD if state.occupancy.held.hits(first, last) else FREE
            if offer.capacity > 1 and letter == FREE:
                letter = seats_letter(offer.capacity)
            states[place] = letter
    return replace(view, states="".join(states))


def hold(
    state: CalendarState,
    hold_id: HoldId,
    owner: PatientId | None = None,
    *,
    proxy: bool = False,
) -> HoldView | Refusal:
    """A live hold; for an ``owner``, other patients' holds count as missing."""
    found = state.occupancy.holds.get(hold_id)
    if found is None or owner not in (None, found.patient_id):
        return rulings.no_hold(state, hold_id, owner, proxy=proxy)
    return state.hold_view(found)


def booking(state: CalendarState, booking_id: BookingId) -> BookingView | Refusal:
    """A booking of any status."""
    found = state.occupancy.bookings.get(booking_id)
    return state.booking_view(found) if found else NO_BOOKING


def schedule(
    state: CalendarState, first: str | Minute, last: str | Minute
) -> ScheduleView | Refusal:
    """Bookings of any status with a part in a span, and the leaves it meets."""
    if not state.registered:
        return NO_PROVIDER
    span = _span(zone_of(state), first, last, SCHEDULE_DAYS_MAX)
    if isinstance(span, Refusal):
        return span
    since, until = span
    over = state.occupancy.bookings_over(since, until)
    off = [t for t in state.time_off.values() if t.start < until and since < t.end]
    return ScheduleView(
        state.provider_id,
        state.epoch,
        state.version,
        zone_of(state).name,
        [state.booking_view(booking) for booking in over],
        sorted(off, key=lambda t: (t.start, t.time_off_id)),
    )


def provider(state: CalendarState) -> ProviderView | Refusal:
    """The calendar's profile, rules, leaves and next free starts."""
    if state.profile is None:
        return NO_PROVIDER
    return ProviderView(
        state.provider_id,
        state.epoch,
        state.version,
        state.profile,
        state.availability or Availability(),
        sorted(state.time_off.values(), key=lambda t: (t.start, t.time_off_id)),
        dict(next_free(state)),
        state.rules_version,
        state.waiting,
    )


def effect(state: CalendarState, read: ReadEffect) -> Affected | Refusal:
    """Dry run of rules or a leave: the answer that setting them would give."""
    if not state.registered:
        return NO_PROVIDER
    rules = read.availability
    if rules is not None and 0 < read.known < state.rules_version:
        return version_behind(state.rules_version)
    leave = TimeOff(TimeOffId(""), read.start, read.end)
    ground = Ground(rules or Availability(), () if rules else (leave,), state.cell)
    bookings: list[BookingView] = []
    holds: list[HoldView] = []
    for _, visit in upcoming(state, read.now):
        if rules is not None:
            reason = ground.reason(visit)
        else:
            reason = LEAVE if ground.is_away(visit) else ""
        if reason and isinstance(visit, Booking):
            bookings.append(replace(state.booking_view(visit), stranded=reason))
        elif reason and isinstance(visit, Hold) and visit.patient_id:
            holds.append(replace(state.hold_view(visit), stranded=reason))
    bookings.sort(key=lambda view: (view.start, view.booking_id))
    holds.sort(key=lambda view: (view.start, view.hold_id))
    return Affected(
        state.provider_id, state.epoch, state.version, tuple(bookings), tuple(holds)
    )


def next_free(state: CalendarState) -> dict[VisitTypeId, Minute]:
    """The soonest free start of each active visit type that has one."""
    known = state.free_memo
    if known is None or known[0] != state.version:
        found = {
            offer.rule.visit_type: start
            for offer in state.openings.offers.values()
            if offer.active and (start := _first_free(state, offer)) is not None
        }
        known = state.free_memo = (state.version, found)
    return known[1]


def next_starts(state: CalendarState, count: int) -> NextStarts:
    """The next ``count`` free starts of each active visit type that has one."""
    found = {
        offer.rule.visit_type: tuple(islice(_free_starts(state, offer), count))
        for offer in state.openings.offers.values()
        if offer.active
    }
    return {kind: starts for kind, starts in found.items() if starts}


def _first_free(state: CalendarState, offer: Offer) -> Minute | None:
    return next(_free_starts(state, offer), None)


def _free_starts(state: CalendarState, offer: Offer) -> Iterator[Minute]:
    size = state.occupancy.booked.size
    low, high = shown(state, offer)
    for page in range(low // size, -(-high // size)):
        offered = state.openings.page(offer, page)
        first = page * size
        visible = ones(min(high - first, size)) & ~ones(max(low - first, 0))
        shown_here = free = offered & visible
        if free:
            free &= ~blocked(state.occupancy.booked, offer, first, size)
            free &= ~blocked(state.occupancy.held, offer, first, size)
        if offer.capacity > 1:
            free |= seats.open_starts(state, offer, first, shown_here & ~free)
        while free:
            lowest = free & -free
            yield Minute((first + lowest.bit_length() - 1) * state.cell)
            free ^= lowest


def _offer(state: CalendarState, visit_type: VisitTypeId) -> Offer | None:
    offers = state.openings.offers
    if visit_type:
        return offers.get(visit_type)
    return next((offer for offer in offers.values() if offer.active), None)


def _span(
    zone: Zone, first: str | Minute, last: str | Minute, days_max: int
) -> tuple[Minute, Minute] | Refusal:
    """A span's instants: a date is a whole local day, an instant is exclusive."""
    since = _bound(zone, first, 0)
    until = _bound(zone, last, 1)
    if since is None or until is None:
        return invalid("dates must be YYYY-MM-DD, from 1970 to 2199")
    # The day before ``first`` gives an empty span, not a negative one.
    if isinstance(first, str) and isinstance(last, str) and last < first:
        since = Minute(until + 1)
    if since > until:
        return invalid("the span must not end before it begins")
    most = days_max + isinstance(last, str)  # the last day is included
    if until - since > most * DAY + 2 * 60:  # a clock change makes days longer
        return invalid(f"ask for at most {days_max} days at a time")
    return since, until


def _bound(zone: Zone, bound: str | Minute, later: int) -> Minute | None:
    if not isinstance(bound, str):
        return bound
    day = day_named(bound)
    return None if day is None else zone.midnight(day + later)
