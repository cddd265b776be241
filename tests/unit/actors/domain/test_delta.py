"""What watchers are told. The law is tested over random days in tests/properties."""

from __future__ import annotations

import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of, holds_of
from actors.domain.calendar.effects import apply
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis, VisitTypeId
from actors.domain.messages.answers import BookingView
from actors.domain.messages.changes import HoldEnd, HoldEnding, SlotsChange
from actors.domain.messages.commands import Command
from actors.domain.messages.events import Event
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy
from tests import factories as f
from tests.factories import CONSULT, NOW, a_calendar, at, millis, play


def happened(calendar: Calendar, *commands: Command, now: Millis = NOW) -> list[Event]:
    found: list[Event] = []
    for command in commands:
        events = play(calendar, command, now)
        assert not isinstance(events, Refusal)
        found += events
    return found


def test_a_booking_names_the_slots_it_blocks_and_itself() -> None:
    kinds = f.a_visit_type(), f.a_visit_type("long", minutes=60)
    calendar = a_calendar(f.an_availability(*kinds, f.a_visit_type("x", active=False)))
    events = happened(calendar, f.book_slot(1, at(10)))
    slots, bookings, reread = change_of(calendar.state, events)
    assert slots == [
        SlotsChange(CONSULT, "2026-W33", [at(10)], "b"),
        SlotsChange(VisitTypeId("long"), "2026-W33", [at(9, 30), at(10)], "bb"),
    ]
    assert bookings == [views.booking(calendar.state, f.a_booking_id(1))]
    assert not reread
    assert change_of(calendar.state, events) == (slots, bookings, reread)


def test_a_batch_is_told_once_with_its_last_states() -> None:
    """Held, booked and cancelled within one batch: free, and one booking."""
    calendar = a_calendar()
    events = happened(calendar, f.place_hold(1), f.confirm_hold(1), f.cancel_booking(1))
    slots, bookings, _ = change_of(calendar.state, events)
    assert slots == [SlotsChange(CONSULT, "2026-W33", [at(9)], "f")]
    assert [booking.status for booking in bookings] == ["cancelled"]


def test_the_weeks_are_those_of_the_place() -> None:
    """A move from Sunday to Monday concerns two weeks."""
    calendar = a_calendar()
    events = happened(
        calendar,
        f.book_slot(1, at(9, day=6)),
        f.reschedule_booking(1, start=at(9, day=7)),
    )
    slots, _, _ = change_of(calendar.state, events)
    assert [(change.week, change.states) for change in slots] == [
        ("2026-W33", "f"),
        ("2026-W34", "b"),
    ]


def test_what_changes_no_slot_names_none() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    slots, bookings, reread = change_of(
        calendar.state, happened(calendar, f.check_in(1))
    )
    assert (slots, reread) == ([], False)
    assert isinstance(bookings[0], BookingView)
    refused = calendar.refused(
        f.book_slot(2), Refusal(RefusalCode.SLOT_UNAVAILABLE), NOW
    )
    apply(calendar.state, refused, 1)
    assert change_of(calendar.state, [refused]) == ([], [], False)


def test_time_takes_slots_away_and_brings_others() -> None:
    """The first as gone, the last as they are."""
    calendar = a_calendar(f.an_availability(f.a_visit_type(horizon=24 * 60)))
    play(calendar, f.advance_window(), millis(at(9)))
    events = happened(calendar, f.advance_window(), now=millis(at(9, 35)))
    slots, _, reread = change_of(calendar.state, events)
    assert not reread
    assert slots == [
        SlotsChange(
            CONSULT,
            "2026-W33",
            [at(9), at(9, 30), at(9, day=1), at(9, 30, day=1)],
            "ggff",
        )
    ]


def test_slots_of_two_batches_of_time_are_told_together() -> None:
    calendar = a_calendar(f.an_availability(f.a_visit_type(horizon=6 * 60)))
    play(calendar, f.advance_window(), millis(at(9)))
    events = happened(calendar, f.advance_window(), now=millis(at(9, 5)))
    events += happened(calendar, f.book_slot(1, at(10)), now=millis(at(9, 5)))
    events += happened(calendar, f.advance_window(), now=millis(at(9, 35)))
    slots, _, _ = change_of(calendar.state, events)
    assert slots == [
        SlotsChange(
            CONSULT,
            "2026-W33",
            [at(9), at(9, 30), at(10), at(15), at(15, 30)],
            "ggbff",
        )
    ]


@pytest.mark.parametrize(
    "command",
    [
        f.set_availability(number=2),
        f.add_time_off(2),
        f.remove_time_off(1),
        f.register(
            2, profile=f.a_profile(clinic=f.a_clinic(time_zone="Europe/Berlin"))
        ),
        f.register(2, profile=f.a_profile(clinic=f.a_clinic(clinic_id="cln_2"))),
    ],
)
def test_changed_rules_are_read_anew(command: Command) -> None:
    calendar = a_calendar()
    play(calendar, f.add_time_off(1))
    assert change_of(calendar.state, happened(calendar, command)) == ([], [], True)


def test_another_name_is_not_another_rule() -> None:
    calendar = a_calendar()
    events = happened(calendar, f.register(2, profile=f.a_profile(2)))
    assert change_of(calendar.state, events) == ([], [], False)


def test_a_long_silence_is_read_anew() -> None:
    """The first window, more than a week at once, and what cannot be traced."""
    calendar = Calendar(CalendarState(f.PROVIDER, Policy()))
    happened(calendar, f.register(), f.set_availability())
    events = happened(calendar, f.advance_window())
    assert change_of(calendar.state, events)[2]
    late = happened(calendar, f.advance_window(), now=millis(at(1, day=8)))
    assert change_of(calendar.state, late)[2]


def test_what_was_forgotten_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traces of a batch are bounded; so are those of advances."""
    monkeypatch.setattr("actors.domain.calendar.occupancy.TRAIL_MAX", 2)
    monkeypatch.setattr("actors.domain.calendar.effects.ADVANCES_MAX", 1)
    calendar = a_calendar()
    events = happened(calendar, *(f.book_slot(n, at(9 + n)) for n in range(4)))
    assert change_of(calendar.state, events)[2]
    assert not change_of(calendar.state, events[-1:])[2]
    events = happened(calendar, f.advance_window(), now=millis(at(10)))
    events += happened(calendar, f.advance_window(), now=millis(at(11)))
    assert change_of(calendar.state, events)[2]


def test_a_booking_that_was_forgotten_is_not_told() -> None:
    """An old one, marked and forgotten in one batch."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    for day in range(30, 400, 30):
        play(calendar, f.advance_window(), millis(at(0, day=day)))
    play(calendar, f.advance_window(), millis(at(0, day=400)))
    events = happened(calendar, f.mark_no_show(1), now=millis(at(0, day=420)))
    events += happened(calendar, f.advance_window(), now=millis(at(0, day=420)))
    assert change_of(calendar.state, events) == ([], [], True)


def test_holds_are_told_while_they_live_and_how_they_end() -> None:
    """Placed, extended, released, expired, booked and moved with; once per batch."""
    calendar = a_calendar()

    def told(
        *commands: Command, now: Millis = NOW
    ) -> tuple[list[object], list[HoldEnd]]:
        live, ended = holds_of(calendar.state, happened(calendar, *commands, now=now))
        return list(live), ended

    one, two, three = (f.a_hold_id(number) for number in (1, 2, 3))
    owner = f.place_hold(1).patient_id
    assert told(f.place_hold(1)) == ([views.hold(calendar.state, one)], [])
    assert told(f.extend_hold(1)) == ([views.hold(calendar.state, one)], [])
    assert told(f.release_hold(1)) == ([], [HoldEnd(one, owner, HoldEnding.RELEASED)])
    assert told(f.place_hold(2, at(10)), f.confirm_hold(2)) == (
        [],
        [HoldEnd(two, f.place_hold(2).patient_id, HoldEnding.BOOKED)],
    )
    told(f.place_hold(3, at(11)))
    live, ended = told(f.expire_holds(), now=Millis(NOW + 10 * 60_000))
    assert (live, ended) == (
        [],
        [HoldEnd(three, f.place_hold(3).patient_id, HoldEnding.EXPIRED)],
    )
