"""What a batch of events changes for watchers: states of the slots it touched.

Invariant, checked by a test: an old view with these changes applied equals the fresh
view, unless ``reread`` is set. This is the one place that decides what leaves the
calendar with a change: slots name no patient, bookings do (staff and the patient),
holds do (the patient).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.domain.calendar import seats
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.views import blocked, shown, zone_of
from actors.domain.ids import BookingId, HoldId, Minute
from actors.domain.messages import events as ev
from actors.domain.messages.answers import (
    BOOKED,
    FREE,
    GONE,
    HELD,
    BookingView,
    HoldView,
)
from actors.domain.messages.changes import HoldEnd, HoldEnding, SlotsChange
from actors.domain.time.grid import bits
from actors.domain.time.openings import Offer
from actors.domain.zones import Zone, week_of_day

Spans = list[tuple[int, int]]

_REREAD = frozenset(
    {ev.AvailabilitySet, ev.TimeOffAdded, ev.TimeOffRemoved, ev.CalendarMovedIn}
)
_UNSEEN = frozenset({ev.RefusalRecorded, ev.ClockTrusted, ev.CalendarMovedOut})


def change_of(
    calendar: CalendarState, events: Sequence[ev.Event], *, with_slots: bool = True
) -> tuple[list[SlotsChange], list[BookingView], bool]:
    """The slots, the bookings, and whether to read slots again (then none are listed).

    To be called after ``apply`` of ``events``: the whole of one batch of one
    calendar, the last that it applied. Not ``with_slots``: no slots are worked out,
    and a gateway that shows them after all reads them again.
    """
    happened = [event for event in events if type(event) not in _UNSEEN]
    if not happened:
        return [], [], False
    touched: dict[str, None] = {}
    for event in happened:
        if isinstance(event, _BOOKING_EVENTS):
            touched[event.booking_id] = None
        elif isinstance(event, _MARKING_EVENTS):
            touched |= dict.fromkeys(event.stranded)
    bookings = [
        calendar.booking_view(booking)
        for name in touched
        if (booking := calendar.occupancy.bookings.get(BookingId(name))) is not None
    ]
    if not with_slots:
        calendar.occupancy.forget_trail(calendar.version + 1)
        return [], bookings, True
    since = happened[0].version
    reread = (
        calendar.occupancy.trail_from > since
        or any(type(event) in _REREAD for event in happened)
        or calendar.clinic_moved >= since
    )
    window = _window_before(calendar, happened)
    if reread or window is None:
        return [], bookings, True
    calendar.occupancy.forget_trail(since)
    return list(_slots(calendar, since, window)), bookings, False


def holds_of(
    calendar: CalendarState, events: Sequence[ev.Event]
) -> tuple[list[HoldView], list[HoldEnd]]:
    """The live holds changed by the batch, and those it ended.

    A hold that was placed and ended within the batch is among the ended only.
    """
    touched: dict[str, None] = {}
    ended: list[HoldEnd] = []
    for event in events:
        if isinstance(event, ev.HoldPlaced | ev.HoldExtended | ev.HoldOffered):
            touched[event.hold_id] = None
        elif isinstance(event, _MARKING_EVENTS):
            touched |= dict.fromkeys(event.stranded)
        elif (end := _end_of(calendar, event)) is not None:
            ended.append(end)
    live = [
        calendar.hold_view(hold)
        for name in touched
        if (hold := calendar.occupancy.holds.get(HoldId(name))) is not None
        and hold.patient_id  # what only the waiting list has is no patient's
    ]
    return live, ended


def _end_of(calendar: CalendarState, event: ev.Event) -> HoldEnd | None:
    """The hold that an event ended; None if it ended none."""
    match event:
        case ev.HoldExpired(hold_id=hold_id):
            patient_id, how = calendar.expired.get(hold_id), HoldEnding.EXPIRED
        case ev.HoldReturned(hold_id=hold_id, patient_id=patient_id):
            how = HoldEnding.RELEASED if event.declined else HoldEnding.EXPIRED
        case ev.HoldReleased(hold_id=hold_id, patient_id=patient_id):
            how = HoldEnding.RELEASED
        case ev.SlotBooked(hold_id=str(hold_id), patient_id=patient_id):
            how = HoldEnding.BOOKED
        case ev.BookingRescheduled(hold_id=str(hold_id), booking_id=booking_id):
            booking = calendar.occupancy.bookings.get(booking_id)
            patient_id = None if booking is None else booking.patient_id
            how = HoldEnding.BOOKED
        case _:
            return None
    return HoldEnd(HoldId(hold_id), patient_id, how) if patient_id else None


_MARKING_EVENTS = (ev.AvailabilitySet, ev.TimeOffAdded, ev.TimeOffRemoved)
_BOOKING_EVENTS = (
    ev.SlotBooked,
    ev.BookingCancelled,
    ev.BookingRescheduled,
    ev.ConfidentialSet,
    ev.PatientArrived,
    ev.VisitCompleted,
    ev.NoShowMarked,
    ev.OutcomeUndone,
)


def _window_before(
    calendar: CalendarState, happened: Sequence[ev.Event]
) -> Minute | None:
    """The window before the batch; None if unknown, more than a week back, or later.

    After so long a pause, reading again costs less than all the slots in between.
    """
    for event in happened:
        if type(event) is ev.WindowAdvanced:
            before = calendar.advances.get(event.version)
            if not before or not 0 <= calendar.window - before <= 7 * 24 * 60:
                return None
            return before
    return calendar.window


def _slots(
    calendar: CalendarState, since: int, window: Minute
) -> Iterator[SlotsChange]:
    cell = calendar.cell
    spans = [
        (first // cell, last // cell)
        for version, first, last in calendar.occupancy.trail
        if version >= since
    ]
    passed = (calendar.window - window) // cell
    if not spans and not passed:
        return
    zone = zone_of(calendar)
    for offer in calendar.openings.offers.values():
        if offer.active:
            letters = _letters(calendar, offer, spans, passed)
            yield from _by_week(offer, zone, letters, cell)


def _letters(
    calendar: CalendarState, offer: Offer, spans: Spans, passed: int
) -> dict[int, str]:
    """New states of starts (cells), those that passed first."""
    low, high = shown(calendar, offer)
    letters: dict[int, str] = {}
    if passed:
        gone = calendar.openings.cut(offer, low - passed, min(low, high - passed))
        letters = {low - passed + place: GONE for place in bits(gone)}
    reach = [(a - offer.span + offer.before + 1, b + offer.before) for a, b in spans]
    reach.append((high - passed, high))
    for first, last in _merged(reach, low, high):
        offered = calendar.openings.cut(offer, first, last)
        if offered:
            booked = blocked(calendar.occupancy.booked, offer, first, last - first)
            held = blocked(calendar.occupancy.held, offer, first, last - first)
            for place in bits(offered):
                if booked >> place & 1:
                    letters[first + place] = BOOKED
                else:
                    letters[first + place] = HELD if held >> place & 1 else FREE
    return letters if offer.capacity == 1 else _with_seats(calendar, offer, letters)


def _with_seats(
    calendar: CalendarState, offer: Offer, letters: dict[int, str]
) -> dict[int, str]:
    return {
        place: letter
        if letter == GONE
        else seats.with_seats(calendar, offer, place, letter)
        for place, letter in letters.items()
    }


def _merged(spans: Spans, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The union of spans, within ``[low, high)``, in order."""
    reached = low
    for first, last in sorted(spans):
        a, b = max(first, reached), min(last, high)
        if a < b:
            yield a, b
            reached = b


def _by_week(
    offer: Offer, zone: Zone, letters: dict[int, str], cell: int
) -> Iterator[SlotsChange]:
    """The states, a change per ISO week of local days."""
    kind = offer.rule.visit_type
    week, ends = "", 0
    starts: list[int] = []
    states: list[str] = []
    for place in sorted(letters):
        start = place * cell
        if start >= ends:
            if starts:
                yield SlotsChange(kind, week, starts, "".join(states))
            week, monday = week_of_day(zone.day_of(start))
            ends = zone.midnight(monday + 7)
            starts, states = [], []
        starts.append(start)
        states.append(letters[place])
    if starts:
        yield SlotsChange(kind, week, starts, "".join(states))
