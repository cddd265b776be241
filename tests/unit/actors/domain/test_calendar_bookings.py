"""What a calendar decides about bookings and leave, by example."""

from __future__ import annotations

from actors.domain.calendar import views
from actors.domain.calendar.bookings import MOVED
from actors.domain.calendar.calendar import Calendar
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingView, TimeOffView
from actors.domain.messages.refusals import Refusal
from tests import factories as f
from tests.factories import NOW, a_calendar, at, play

HOLD_MS = 120_000


def code(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> str:
    """The refusal's code, or "" if the command was accepted and applied."""
    outcome = play(calendar, command, now)
    return outcome.code.value if isinstance(outcome, Refusal) else ""


def test_a_confirmed_hold_becomes_the_booking() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    play(calendar, f.confirm_hold(1, reason="cough"))
    answer = calendar.state.answer("confirm-1")
    assert isinstance(answer, BookingView)
    assert answer == views.booking(calendar.state, f.a_booking_id(1))
    assert (answer.start, answer.reason, answer.version) == (at(9), "cough", 5)
    assert calendar.state.occupancy.holds == {}


def test_booking_takes_the_patients_own_hold_of_that_slot() -> None:
    """And only the patient's own, of just that slot and type."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1, at(9)))
    play(calendar, f.place_hold(3, at(10), patient_id=f.a_patient_id(1)))
    assert code(calendar, f.book_slot(2, at(9))) == "slot_unavailable"
    assert code(calendar, f.book_slot(1, at(10))) == ""
    assert list(calendar.state.occupancy.holds) == [f.a_hold_id(1)]
    assert code(calendar, f.book_slot(4, at(11), patient_id=f.a_patient_id(1))) == ""


def test_a_visit_outlives_its_rules_and_a_hold_does_not() -> None:
    """Booked instants never move; what is held cannot be booked, and says why."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1, at(9)))
    play(calendar, f.place_hold(2, at(10)))
    closed = f.an_availability(locations=[f.a_location(weekly=((),) * 7)])
    play(calendar, f.set_availability(closed, 2))
    refusal = play(calendar, f.confirm_hold(2))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, "hours" in refusal.detail) == ("slot_not_offered", True)
    booking = views.booking(calendar.state, f.a_booking_id(1))
    assert isinstance(booking, BookingView)
    assert booking.start == at(9)


def test_a_cancelled_time_is_free_again() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    assert code(calendar, f.cancel_booking(1, reason="ill")) == ""
    answer = calendar.state.answer("cancel-1")
    assert isinstance(answer, BookingView)
    assert (answer.status, answer.cancel_reason) == ("cancelled", "ill")
    assert code(calendar, f.book_slot(2)) == ""
    long = f.cancel_booking(2, reason="x" * (3_000 + 1))
    assert code(calendar, long) == "invalid_request"


def test_the_canceller_is_named_only_as_patient_or_not() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    play(calendar, f.book_slot(2, at(10)))
    for number, owner in ((1, f.a_patient_id(1)), (2, None)):
        events = play(calendar, f.cancel_booking(number, owner=owner))
        assert isinstance(events, tuple)
        assert isinstance(events[0], ev.BookingCancelled)
        assert events[0].by_patient == (owner is not None)


def test_a_booking_moves_over_its_own_time() -> None:
    kind = f.a_visit_type(alignment=5)
    calendar = a_calendar(f.an_availability(kind))
    play(calendar, f.book_slot(1, at(9)))
    play(calendar, f.book_slot(2, at(10)))
    assert code(calendar, f.reschedule_booking(1, start=at(9, 10))) == ""
    far = f.reschedule_booking(1, start=at(9, 35), key="m2")
    assert code(calendar, far) == "slot_unavailable"
    onto = f.reschedule_booking(1, start=at(10), key="m3")
    assert code(calendar, onto) == "slot_unavailable"
    closed = f.reschedule_booking(1, start=at(8), key="m4")
    assert code(calendar, closed) == "slot_not_offered"
    answer = calendar.state.answer("move-1")
    assert isinstance(answer, BookingView)
    assert (answer.start, answer.end) == (at(9, 10), at(9, 40))
    assert code(calendar, f.book_slot(3, at(9))) == "slot_unavailable"
    assert code(calendar, f.book_slot(4, at(9, 40), key="x")) == "slot_unavailable"


def test_a_booking_moves_to_its_patients_hold() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1, at(9)))
    play(calendar, f.place_hold(1, at(10)))
    play(calendar, f.place_hold(2, at(11)))
    other = f.reschedule_booking(1, hold_id=f.a_hold_id(2))
    assert code(calendar, other) == "hold_not_found"
    move = f.reschedule_booking(1, hold_id=f.a_hold_id(1), key="m2")
    assert code(calendar, move) == ""
    assert views.booking(calendar.state, f.a_booking_id(1)) == calendar.state.answer(
        "m2"
    )
    assert list(calendar.state.occupancy.holds) == [f.a_hold_id(2)]
    assert code(calendar, f.book_slot(3, at(9))) == ""


def test_a_move_to_a_start_that_the_patient_holds_takes_the_hold() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1, at(9)))
    play(calendar, f.place_hold(1, at(10)))
    assert code(calendar, f.reschedule_booking(1, start=at(10))) == ""
    assert calendar.state.occupancy.holds == {}


def test_a_move_names_one_goal() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    both = f.reschedule_booking(1, start=at(10), hold_id=f.a_hold_id(1))
    assert code(calendar, both) == "invalid_request"
    assert code(calendar, f.reschedule_booking(1)) == "invalid_request"
    gone = f.reschedule_booking(9, start=at(10))
    assert code(calendar, gone) == "booking_not_found"


def test_somebody_elses_booking_is_not_found() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    cancel = f.cancel_booking(1, owner=f.a_patient_id(2))
    assert code(calendar, cancel) == "booking_not_found"
    assert code(calendar, f.check_in(7)) == "booking_not_found"


# --- leaves ---


def test_a_leave_names_the_visits_it_hits_and_leaves_them() -> None:
    calendar = a_calendar()
    for number, hour in enumerate((9, 10, 11, 12), 1):
        play(calendar, f.book_slot(number, at(hour)))
    play(calendar, f.cancel_booking(3))
    assert code(calendar, f.add_time_off(1, at(9, 29), at(12))) == ""
    answer = calendar.state.answer("off-1")
    assert isinstance(answer, TimeOffView)
    assert answer.affected == (f.a_booking_id(1), f.a_booking_id(2))
    assert [view.booking_id for view in answer.bookings] == [*answer.affected]
    assert code(calendar, f.book_slot(5, at(11))) == "slot_not_offered"
    assert code(calendar, f.remove_time_off(1)) == ""
    assert code(calendar, f.book_slot(6, at(11))) == ""
    assert code(calendar, f.remove_time_off(2)) == "time_off_not_found"


def test_a_visit_that_is_not_where_it_is_expected_stays() -> None:
    """One choice among several moves a visit: the others expect it where it was."""
    calendar, booking = a_calendar(), f.a_booking_id(1)
    play(calendar, f.book_slot(1, at(9)))
    play(calendar, f.reschedule_booking(1, start=at(10)))
    wrong = {"booking_id": booking, "if_start": at(9)}
    for command in (
        f.reschedule_booking(2, start=at(11), **wrong),
        f.cancel_booking(2, **wrong),
    ):
        assert play(calendar, command) is MOVED
    assert calendar.state.occupancy.bookings[booking].start == at(10)
    assert code(calendar, f.cancel_booking(3, **wrong | {"if_start": at(10)})) == ""
