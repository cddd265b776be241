"""Holds and bookings of one person: their own time, its moves, and how much of it."""

from __future__ import annotations

import msgspec
import pytest

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.occupancy import Hold
from actors.domain.calendar.snapshot import decode, encode
from actors.domain.ids import Millis, VisitTypeId
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import HoldView
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import BookingLimits, Policy
from tests import factories as f
from tests.factories import NOW, a_calendar, at, play

HOLD_MS = 120_000
HOUR_MS = 3_600_000
ME, OTHER = f.a_patient_id(1), f.a_patient_id(2)
LONG = VisitTypeId("long")


def refused(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> Refusal:
    outcome = play(calendar, command, now)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def code(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> str:
    outcome = play(calendar, command, now)
    return outcome.code.value if isinstance(outcome, Refusal) else ""


def two_types() -> Calendar:
    rules = f.an_availability(
        f.a_visit_type(), f.a_visit_type("long", minutes=60, buffer_after=10)
    )
    return a_calendar(rules)


# --- how long a hold lasts ---


def test_a_hold_is_extended_ten_times_by_answers_at_the_last_moment() -> None:
    """Each answer lets it last two minutes again, and says how often it still can."""
    calendar, now = a_calendar(), NOW
    play(calendar, f.place_hold(1))
    for number in range(10):
        now = Millis(now + 100_000)
        assert code(calendar, f.extend_hold(1, key=f"e{number}"), now) == ""
        answer = calendar.state.answer(f"e{number}")
        assert isinstance(answer, HoldView)
        assert answer.expires == now + HOLD_MS
        assert (answer.extended, answer.extensions_left) == (True, 9 - number)
    assert calendar.state.occupancy.next_expiry() == now + HOLD_MS
    assert code(calendar, f.extend_hold(1, key="more"), now) == "wrong_status"
    late = Millis(now + HOLD_MS)
    assert code(calendar, f.extend_hold(1, key="late"), late) == "hold_expired"


def test_extensions_end_when_the_whole_time_is_used() -> None:
    """However many are left, a hold ends twenty minutes after it was placed."""
    calendar, now = a_calendar(policy=Policy(hold_extensions=50)), NOW
    play(calendar, f.place_hold(1))
    number = 0
    while calendar.state.extensions_left(
        calendar.state.occupancy.holds[f.a_hold_id(1)]
    ):
        now = Millis(now + 110_000)
        number += 1
        assert code(calendar, f.extend_hold(1, key=f"e{number}"), now) == ""
    assert calendar.state.occupancy.next_expiry() == NOW + 20 * 60_000
    assert "20 minutes" in refused(calendar, f.extend_hold(1, key="more"), now).detail


def test_extending_at_once_gains_nothing_and_shortens_nothing() -> None:
    """Holds cannot be stacked up: an extension counts from its answer."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    play(calendar, f.extend_hold(1))
    assert calendar.state.occupancy.next_expiry() == NOW + HOLD_MS


def test_a_hold_kept_by_an_older_program_counts_its_extension() -> None:
    """Snapshots without a count are read: one extension at most was made."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    fields = msgspec.msgpack.decode(encode(calendar.state))
    kept = fields[7][0][: Hold.__struct_fields__.index("extensions")]
    kept[Hold.__struct_fields__.index("extended")] = True
    fields[7] = [kept]
    again = decode(msgspec.msgpack.encode(fields), Policy())
    hold = again.occupancy.holds[f.a_hold_id(1)]
    assert (hold.extensions, hold.placed) == (1, hold.expires - 2 * HOLD_MS)


# --- what is one's own ---


def test_holding_again_names_the_own_hold() -> None:
    """A second click, or another visit type: the hold is named, to oneself only."""
    calendar = two_types()
    play(calendar, f.place_hold(1))
    for again in (
        f.place_hold(2, patient_id=ME),
        f.place_hold(3, patient_id=ME, visit_type=LONG),
        f.place_hold(4, at(8, 30), patient_id=ME, visit_type=LONG),
    ):
        found = calendar.decide(again, NOW)
        assert isinstance(found, Refusal)
        if again.start == at(9):
            assert (found.code, found.about) == ("slot_unavailable", f.a_hold_id(1))
    stranger = refused(calendar, f.place_hold(5, patient_id=OTHER))
    assert (stranger.code, stranger.about) == ("slot_unavailable", "")


def test_holding_over_the_own_visit_names_it() -> None:
    """The time is the patient's own."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    again = refused(calendar, f.place_hold(2, patient_id=ME))
    assert (again.code, again.about) == ("slot_unavailable", f.a_booking_id(1))
    assert refused(calendar, f.place_hold(3, patient_id=OTHER)).about == ""


def test_the_refusal_names_it_after_a_replay_too() -> None:
    """The retry of a refused key is answered the same, also by another owner."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    command = f.place_hold(2, patient_id=ME)
    refusal = calendar.decide(command, NOW)
    assert isinstance(refusal, Refusal)
    apply(calendar.state, calendar.refused(command, refusal, NOW), 1)
    assert calendar.state.answer(command.key) == refusal


def test_booking_another_visit_type_uses_the_own_hold() -> None:
    """The hold ends with it, and what it alone held is free again."""
    calendar = two_types()
    play(calendar, f.place_hold(1))
    booked = play(calendar, f.book_slot(2, patient_id=ME, visit_type=LONG))
    assert isinstance(booked, tuple)
    (event,) = booked
    assert isinstance(event, ev.SlotBooked)
    assert (event.hold_id, event.end) == (f.a_hold_id(1), at(10))
    assert calendar.state.occupancy.holds == {}
    assert code(calendar, f.book_slot(3, at(9), patient_id=OTHER)) != ""


def test_a_hold_of_others_is_never_booked_over() -> None:
    """Own and foreign holds in the way: refused, and both stay."""
    calendar = two_types()
    play(calendar, f.place_hold(1, at(9)))
    play(calendar, f.place_hold(2, at(9, 30)))
    over = f.book_slot(3, patient_id=ME, visit_type=LONG)
    assert code(calendar, over) == "slot_unavailable"
    assert len(calendar.state.occupancy.holds) == 2


def test_a_confirmed_hold_names_its_booking() -> None:
    """Booked, extended or released again with another key: 409, and which booking."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    play(calendar, f.confirm_hold(1))
    for owner in (ME, None):
        for again in (
            f.confirm_hold(1, key="again", owner=owner, booking_id=f.a_booking_id(9)),
            f.extend_hold(1, owner=owner),
            f.release_hold(1, owner=owner),
        ):
            found = refused(calendar, again)
            assert (found.code, found.about) == ("hold_confirmed", f.a_booking_id(1))
    assert refused(calendar, f.release_hold(1, owner=OTHER)).code == "hold_not_found"


# --- moving ---


def test_a_hold_to_move_may_meet_the_visit_that_it_moves() -> None:
    """Its own time is free to it, and only to it; rescheduling with it works."""
    calendar = two_types()
    play(calendar, f.book_slot(1, visit_type=LONG))
    move = f.place_hold(2, at(9, 30), patient_id=ME, moving=f.a_booking_id(1))
    assert code(calendar, f.place_hold(3, at(9, 30), patient_id=OTHER)) != ""
    assert code(calendar, move) == ""
    again = f.restored(calendar)
    for one in (calendar, again):
        moved = f.reschedule_booking(1, owner=ME, hold_id=f.a_hold_id(2))
        assert code(one, moved) == ""
        assert one.state.occupancy.bookings[f.a_booking_id(1)].start == at(9, 30)
        assert code(one, f.book_slot(4, at(9))) == ""


def test_only_the_own_visit_can_be_moved_by_a_hold() -> None:
    """Of others it is not found; a cancelled one does not move."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    moving = {"moving": f.a_booking_id(1)}
    assert code(calendar, f.place_hold(2, at(10), **moving)) == "booking_not_found"
    play(calendar, f.cancel_booking(1))
    late = f.place_hold(3, at(10), patient_id=ME, **moving)
    assert code(calendar, late) == "wrong_status"


def test_a_hold_to_move_books_nothing_over_the_visit() -> None:
    """Confirming it, or moving another visit there, would book one time twice."""
    calendar = two_types()
    play(calendar, f.book_slot(1, visit_type=LONG))
    play(calendar, f.book_slot(2, at(14), patient_id=ME))
    move = f.place_hold(3, at(9, 30), patient_id=ME, moving=f.a_booking_id(1))
    play(calendar, move)
    for asked in (
        f.confirm_hold(3),
        f.book_slot(4, at(9, 30), patient_id=ME),
        f.reschedule_booking(2, hold_id=f.a_hold_id(3)),
    ):
        found = refused(calendar, asked)
        assert (found.code, found.about) == ("slot_unavailable", f.a_booking_id(1))
    play(calendar, f.cancel_booking(1))
    assert code(calendar, f.confirm_hold(3, key="now")) == ""


# --- how much ---


def test_a_patient_has_three_visits_ahead_with_one_provider() -> None:
    """Booked or confirmed; staff may add, and what is over or cancelled is none."""
    calendar = a_calendar()
    mine = {"patient_id": ME}
    play(calendar, f.place_hold(4, at(12), **mine))
    for number in range(1, 4):
        assert code(calendar, f.book_slot(number, at(8 + number), **mine)) == ""
    for asked in (
        f.book_slot(5, at(13), **mine),
        f.place_hold(5, at(13), **mine),
        f.confirm_hold(4),
    ):
        assert "3 visits" in refused(calendar, asked).detail
        assert refused(calendar, asked).code == "booking_limit"
    assert code(calendar, f.book_slot(6, at(14), by_staff=True, **mine)) == ""
    assert code(calendar, f.reschedule_booking(3, start=at(15))) == ""
    for number in (1, 6):
        play(calendar, f.cancel_booking(number))
    assert code(calendar, f.confirm_hold(4, key="again")) == ""
    over = Millis(at(10) * 60_000)
    assert code(calendar, f.book_slot(7, at(16), **mine), over) == ""


def test_a_slot_is_held_three_times_in_an_hour_and_no_more() -> None:
    """Released or expired makes no difference; a time that meets it is the same."""
    calendar = two_types()
    for number in range(3):
        start = at(9) if number < 2 else at(9, 30)
        kind = LONG if number < 2 else f.CONSULT
        hold = f.place_hold(number, start, patient_id=ME, visit_type=kind)
        assert code(calendar, hold) == ""
        play(calendar, f.release_hold(number))
    fourth = f.place_hold(4, at(9), patient_id=ME, visit_type=LONG)
    assert refused(calendar, fourth).code == "hold_limit"
    for one in (calendar, f.restored(calendar)):
        assert code(one, msgspec.structs.replace(fourth, by_staff=True)) == ""
        play(one, f.release_hold(4))
    assert code(calendar, f.place_hold(5, patient_id=OTHER)) == ""
    play(calendar, f.release_hold(5))
    assert code(calendar, f.place_hold(6, at(11), patient_id=ME)) == ""
    later = Millis(NOW + HOUR_MS)
    assert code(calendar, f.place_hold(7, patient_id=ME), later) == ""


def test_booking_a_slot_forgets_how_often_it_was_held() -> None:
    """Booking and cancelling is no hoarding."""
    calendar = a_calendar()
    for number in range(3):
        play(calendar, f.place_hold(number, patient_id=ME))
        if number < 2:
            play(calendar, f.release_hold(number))
    play(calendar, f.confirm_hold(2))
    play(calendar, f.cancel_booking(2))
    assert code(calendar, f.place_hold(3, patient_id=ME)) == ""


@pytest.mark.parametrize("upcoming", [0, 1, 5])
def test_a_clinic_sets_its_own_limits(upcoming: int) -> None:
    """In its rules; 0 lifts one, and rules without limits have those of the site."""
    limits = BookingLimits(upcoming=upcoming, renewals=0)
    rules = msgspec.structs.replace(f.an_availability(), booking_limits=limits)
    calendar = a_calendar(rules)
    codes = [
        code(calendar, f.book_slot(number, at(9 + number), patient_id=ME))
        for number in range(7)
    ]
    assert codes.count("") == (upcoming or 7)
    for number in range(20, 26):
        assert code(calendar, f.place_hold(number, at(16))) == ""
        play(calendar, f.release_hold(number))
