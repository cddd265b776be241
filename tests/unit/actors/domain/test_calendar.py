"""What a calendar decides, by example: what is offered, keys and deadlines."""

from __future__ import annotations

import msgspec
import pytest

from actors.domain.calendar import views, window
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import BookingView, Done, SlotsView
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy
from tests import factories as f
from tests.factories import NOW, a_calendar, at, millis, play

HOLD_MS = 120_000


def code(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> str:
    """The refusal's code, or "" if the command was accepted and applied."""
    outcome = play(calendar, command, now)
    return outcome.code.value if isinstance(outcome, Refusal) else ""


# --- who gets a slot ---


def test_two_patients_cannot_hold_one_slot() -> None:
    calendar = a_calendar()
    assert code(calendar, f.place_hold(1)) == ""
    assert code(calendar, f.place_hold(2)) == "slot_unavailable"


def test_two_patients_cannot_book_one_slot() -> None:
    calendar = a_calendar()
    assert code(calendar, f.book_slot(1)) == ""
    assert code(calendar, f.book_slot(2)) == "slot_unavailable"
    assert code(calendar, f.place_hold(2)) == "slot_unavailable"


def test_visits_may_touch() -> None:
    calendar = a_calendar()
    assert code(calendar, f.book_slot(1, at(9))) == ""
    assert code(calendar, f.book_slot(2, at(9, 30))) == ""


def test_buffers_may_touch_and_must_not_overlap() -> None:
    kind = f.a_visit_type(alignment=5, buffer_before=10, buffer_after=5)
    calendar = a_calendar(f.an_availability(kind))
    assert code(calendar, f.book_slot(1, at(10))) == ""
    assert code(calendar, f.book_slot(2, at(10, 40))) == "slot_unavailable"
    assert code(calendar, f.book_slot(2, at(10, 45))) == ""
    assert code(calendar, f.book_slot(3, at(9, 20))) == "slot_unavailable"
    assert code(calendar, f.book_slot(3, at(9, 15))) == ""


def test_buffers_need_not_lie_in_opening_hours() -> None:
    kind = f.a_visit_type(buffer_before=60, buffer_after=60)
    calendar = a_calendar(f.an_availability(kind))
    assert code(calendar, f.book_slot(1, at(9))) == ""
    assert code(calendar, f.book_slot(2, at(16, 30))) == ""


def test_types_of_other_lengths_share_the_time() -> None:
    kinds = f.a_visit_type(), f.a_visit_type("long", minutes=60)
    calendar = a_calendar(f.an_availability(*kinds))
    assert code(calendar, f.book_slot(1, at(9), visit_type="long")) == ""
    assert code(calendar, f.book_slot(2, at(9, 30))) == "slot_unavailable"


def test_what_is_not_offered_cannot_be_had() -> None:
    calendar = a_calendar()
    for start in (at(8, 30), at(16, 45), at(17), at(9, 15), at(9, 1), at(9) * 100):
        assert code(calendar, f.book_slot(1, start)) == "slot_not_offered"
        assert code(calendar, f.place_hold(1, start)) == "slot_not_offered"
    other = f.book_slot(1, visit_type="other")
    assert code(calendar, msgspec.structs.replace(other, key="")) == (
        "visit_type_not_found"
    )


def test_an_inactive_type_is_not_offered() -> None:
    calendar = a_calendar(f.an_availability(f.a_visit_type(active=False)))
    assert code(calendar, f.book_slot()) == "slot_not_offered"


@pytest.mark.parametrize("notice", [0, 5, 60])
def test_notice_is_kept_to_the_millisecond_on_every_path(notice: int) -> None:
    """Exactly the notice ahead is early enough, a millisecond later is not."""
    kind = f.a_visit_type(notice=notice)
    last = Millis(millis(at(9) - notice))
    moved = f.reschedule_booking(9, start=at(9))
    for command in (f.place_hold(1), f.book_slot(1), moved):
        calendar = a_calendar(f.an_availability(kind))
        play(calendar, f.book_slot(9, at(16)))
        late = msgspec.structs.replace(command, key="late")
        assert code(calendar, late, Millis(last + 1)) == "slot_not_offered"
        assert code(calendar, command, last) == ""


@pytest.mark.parametrize("notice", [0, 5, 60])
def test_what_is_read_can_be_booked_and_nothing_else(notice: int) -> None:
    """Views and next free starts pass at the same millisecond as bookings."""
    calendar = a_calendar(f.an_availability(f.a_visit_type(notice=notice)))
    last = Millis(millis(at(9) - notice))
    for now, first in ((last, at(9)), (Millis(last + 1), at(9, 30))):
        if window.is_due(calendar.state, now):
            play(calendar, f.advance_window(), now)
        found = views.slots(calendar.state, f.CONSULT, at(0), at(24))
        assert isinstance(found, SlotsView)
        assert found.starts[0] == f.next_start(calendar) == first


def test_a_hold_is_not_taken_up_after_its_start() -> None:
    """At the start it still is, by confirming, booking or moving to it."""
    start = millis(at(9))
    ways = (
        f.confirm_hold(1),
        f.book_slot(1),
        f.reschedule_booking(9, start=at(9), booking_id=f.a_booking_id(9)),
        f.reschedule_booking(9, hold_id=f.a_hold_id(1)),
    )
    for command in ways:
        for late, expected in ((0, ""), (1, "slot_not_offered")):
            calendar = a_calendar()
            play(calendar, f.book_slot(9, at(16), patient_id=f.a_patient_id(1)))
            assert code(calendar, f.place_hold(1), Millis(start - 10_000)) == ""
            assert code(calendar, command, Millis(start + late)) == expected


def test_the_horizon_is_not_reached_but_almost() -> None:
    calendar = a_calendar(f.an_availability(f.a_visit_type(horizon=24 * 60)))
    now = millis(at(9))
    assert code(calendar, f.book_slot(1, at(9, day=1)), now) == "slot_not_offered"
    assert code(calendar, f.book_slot(2, at(9, day=1)), millis(at(9, 5))) == ""


def test_a_clock_that_goes_back_does_not_reopen_the_past() -> None:
    """Once the window has passed, its slots stay gone."""
    calendar = a_calendar()
    play(calendar, f.advance_window(), millis(at(9, 5)))
    assert code(calendar, f.book_slot(1, at(9)), millis(at(9))) == "slot_not_offered"


def test_a_window_that_a_wrong_clock_moved_closes_nothing() -> None:
    """A shard's time that is put right takes the windows of its calendars back."""
    calendar = a_calendar()
    play(calendar, f.advance_window(), millis(at(9, day=400)))
    assert code(calendar, f.book_slot(1, at(9)), millis(at(8))) == ""
    assert window.is_due(calendar.state, millis(at(8)))
    play(calendar, f.advance_window(), millis(at(8)))
    assert calendar.state.window == at(8)
    assert not window.is_due(calendar.state, millis(at(8)))


def test_a_window_that_a_wrong_clock_moved_forgets_no_bookings() -> None:
    """Ten years ahead for some minutes, a visit of next week is still booked."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1, at(9)), millis(at(8)))
    for minutes in range(0, 30, 5):
        play(calendar, f.advance_window(), millis(at(8, minutes, day=3_650)))
    calendar = f.restored(calendar)
    assert code(calendar, f.book_slot(2, at(9)), millis(at(8))) == "slot_unavailable"


# --- keys and deadlines ---


def test_a_retry_hears_the_first_answer() -> None:
    """Also after the world has moved on, first epoch and version included."""
    calendar = a_calendar()
    command = f.book_slot(1, fingerprint=5)
    play(calendar, command)
    first = calendar.state.answer("book-1")
    play(calendar, f.cancel_booking(1), epoch=2)
    assert calendar.decide(command, NOW) == ()
    assert calendar.state.answer("book-1") == first
    assert isinstance(first, BookingView)
    assert (first.epoch, first.version) == (1, 4)


def test_a_refusal_is_remembered_word_for_word() -> None:
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    command = f.book_slot(2)
    refusal = calendar.decide(command, NOW)
    assert isinstance(refusal, Refusal)
    version = calendar.state.version
    apply(calendar.state, calendar.refused(command, refusal, NOW), 1)
    play(calendar, f.cancel_booking(1))
    assert calendar.decide(command, NOW) == ()
    assert calendar.state.answer("book-2") == refusal
    assert calendar.state.version == version + 1


def test_a_key_for_something_else_is_refused_even_too_late() -> None:
    """The key comes before the deadline, and the deadline before all else."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    other = f.book_slot(2, key="book-1", fingerprint=1, deadline=Millis(1))
    assert code(calendar, other) == "idempotency_key_reused"
    retry = f.book_slot(1, deadline=Millis(1))
    assert calendar.decide(retry, NOW) == ()


def test_a_command_acts_up_to_its_deadline() -> None:
    calendar = a_calendar()
    late = f.book_slot(1, deadline=Millis(NOW - 1))
    assert code(calendar, late) == "deadline_passed"
    assert code(calendar, f.book_slot(1, deadline=NOW)) == ""
    assert calendar.state.answer("never") is None


def test_no_deadline_outlasts_the_memory_of_keys() -> None:
    """One that a clock days ahead set is refused, or a late repetition would act."""
    calendar = a_calendar()
    furthest = NOW + Policy().key_retention_ms // 2
    far = f.book_slot(1, deadline=Millis(furthest + 1))
    assert code(calendar, far) == "deadline_passed"
    assert code(calendar, f.book_slot(1, deadline=Millis(furthest))) == ""


# --- beginnings ---


def test_a_calendar_begins_with_its_provider() -> None:
    calendar = Calendar(CalendarState(f.PROVIDER, Policy()))
    assert calendar.state.registered is False
    assert code(calendar, f.book_slot()) == "provider_not_found"
    assert calendar.decide(f.expire_holds(), NOW) == ()
    assert calendar.decide(f.advance_window(), NOW) == ()
    assert code(calendar, f.register()) == ""
    assert calendar.state.answer("register-1") == Done(f.PROVIDER, 1, 1)
    assert not window.is_due(calendar.state, NOW)
    assert code(calendar, f.book_slot()) == "visit_type_not_found"


def test_the_window_advances_only_when_something_shows() -> None:
    """After rules were set, and whenever a slot passes or comes into reach."""
    calendar = a_calendar(f.an_availability(f.a_visit_type(horizon=12 * 60)))
    assert calendar.state.window == at(0)
    assert not window.is_due(calendar.state, millis(at(0)))
    # A moment later noon is within twelve hours.
    assert window.is_due(calendar.state, Millis(millis(at(0)) + 1))
    play(calendar, f.advance_window(), millis(at(4, 35)))
    assert calendar.state.window == at(4, 35)
    assert calendar.decide(f.advance_window(), millis(at(9))) == ()
    assert not window.is_due(calendar.state, millis(at(9)))
    assert window.is_due(calendar.state, Millis(millis(at(9)) + 1))
    play(calendar, f.set_availability(number=2), millis(at(4, 35)))
    assert not window.is_due(calendar.state, millis(at(4, 35)))
    assert window.is_due(calendar.state, millis(at(4, 36)))


def test_an_event_that_is_missing_is_our_bug() -> None:
    """A gap in the journal must crash, not corrupt."""
    calendar = a_calendar()
    other = a_calendar()
    play(other, f.book_slot(1))
    events = play(other, f.book_slot(2, at(10)))
    assert isinstance(events, tuple)
    with pytest.raises(AssertionError):
        apply(calendar.state, events[0], 1)
