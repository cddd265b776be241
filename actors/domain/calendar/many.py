"""Several visits of one patient booked by one command: all of them, or none.

Its events are those of as many bookings, the last with the command's key. They are in
one batch, which the journal has whole or not at all, so no crash leaves a part of them.
Visits that take rooms are held first, each as a group: this books all of these holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from actors.domain.calendar import bookings, rulings
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.window import MINUTE_MS
from actors.domain.ids import HoldId, Millis, Minute
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import NEEDS_MEMBERS, BookingStatus
from actors.domain.messages.refusals import (
    Refusal,
    at_start,
    booking_limit,
    invalid,
)

MANY_MAX: Final = 52
"""Visits of one command: a year of weeks, and a bound on one command's events."""


def book_many(
    state: CalendarState, c: cm.BookMany, now: Millis, version: int
) -> tuple[ev.Event, ...] | Refusal:
    """Each start is booked as a single one would be; the first refusal is of all."""
    if problem := _problem(c):
        return invalid(problem)
    if not c.by_staff and (full := _too_many(state, c, now)):
        return full
    found: list[ev.SlotBooked] = []
    used: set[HoldId] = set()
    for place, start in enumerate(c.starts):
        event = bookings.book(state, _single(c, place), now, version + place)
        if isinstance(event, Refusal):
            return _refused(start, event)
        assert isinstance(event, ev.SlotBooked)
        if found and event.busy_start < found[-1].busy_end:
            return at_start(start, invalid("these visits meet one another"))
        if (hold_id := event.hold_id) is not None:
            if hold_id in used:  # it ended with an earlier one of these visits
                event = replace(event, hold_id=None)
            used.add(hold_id)
        found.append(event)
    found[-1] = replace(found[-1], key=c.key, fingerprint=c.fingerprint)
    return tuple(found)


def _problem(c: cm.BookMany) -> str:
    starts: Sequence[Minute] = c.starts
    if not 0 < len(starts) <= MANY_MAX:
        return f"starts must be 1 to {MANY_MAX}"
    if any(later <= earlier for earlier, later in pairwise(starts)):
        return "starts must ascend"
    if len(set(c.booking_ids)) != len(starts) or len(c.booking_ids) != len(starts):
        return "booking_ids must be as many as starts, each another"
    if c.reasons and len(c.reasons) != len(starts):
        return "reasons must be as many as starts, or none"
    return ""


def _too_many(state: CalendarState, c: cm.BookMany, now: Millis) -> Refusal | None:
    """``booking_limit`` if the patient may not book all of these visits."""
    limit = rulings.limits_of(state).upcoming
    bookings_of, known = state.occupancy.bookings_of, state.occupancy.bookings
    ahead = sum(
        one.status is BookingStatus.BOOKED
        and one.start * MINUTE_MS > now
        and not rulings.is_hidden(one, proxy=c.proxy)
        for one in map(known.__getitem__, bookings_of.get(c.patient_id, ()))
    )
    return booking_limit(limit) if limit and ahead + len(c.starts) > limit else None


def _refused(start: Minute, refusal: Refusal) -> Refusal:
    """To a gateway, which holds the rooms of all of them; or of one of the visits."""
    return refusal if refusal is NEEDS_MEMBERS else at_start(start, refusal)


def _single(c: cm.BookMany, place: int) -> cm.BookSlot:
    """The command of one visit; the patient's limit was checked for all together."""
    return cm.BookSlot(
        provider_id=c.provider_id,
        by=c.by,
        proxy=c.proxy,
        booking_id=c.booking_ids[place],
        patient_id=c.patient_id,
        visit_type=c.visit_type,
        start=c.starts[place],
        reason=c.reasons[place] if c.reasons else "",
        by_staff=True,
        confidential=c.confidential,
    )
