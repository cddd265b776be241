"""What a calendar decides, by example: the boundaries, one sentence each.

One file because it is the table of one calendar's decisions.
"""

from __future__ import annotations

import msgspec
import pytest

from actors.domain.calendar import holds, views, window
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingView, Done, SlotsView, TimeOffView
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


# --- holds ---


def test_a_hold_lasts_until_its_deadline_and_not_at_it() -> None:
    """One millisecond before, it confirms; at the deadline it is gone."""
    for late, expected in ((-1, ""), (0, "hold_expired"), (1, "hold_expired")):
        calendar = a_calendar()
        play(calendar, f.place_hold(1))
        now = Millis(NOW + HOLD_MS + late)
        assert calendar.state.occupancy.next_expiry() == NOW + HOLD_MS
        assert holds.are_due(calendar.state, now) == bool(expected)
        assert code(calendar, f.confirm_hold(1), now) == expected


def test_a_hold_that_is_due_blocks_nobody_before_it_is_swept() -> None:
    """Expiry is a predicate: the other patient's hold expires it in passing."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    outcome = play(calendar, f.place_hold(2), Millis(NOW + HOLD_MS))
    assert not isinstance(outcome, Refusal)
    assert [type(event) for event in outcome] == [ev.HoldExpired, ev.HoldPlaced]
    assert [event.version for event in outcome] == [5, 6]
    assert [event.key for event in outcome] == ["", "hold-2"]


def test_a_live_hold_blocks_also_when_another_is_due() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1, at(9)))
    play(calendar, f.place_hold(2, at(10)), Millis(NOW + 1_000))
    now = Millis(NOW + HOLD_MS)
    assert code(calendar, f.book_slot(3, at(10)), now) == "slot_unavailable"
    assert holds.are_due(calendar.state, now)
    assert code(calendar, f.book_slot(4, at(9)), now) == ""
    assert not holds.are_due(calendar.state, now)


def test_a_refused_command_expires_nothing() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    now = Millis(NOW + HOLD_MS)
    assert code(calendar, f.cancel_booking(9), now) == "booking_not_found"
    assert len(calendar.state.occupancy.holds) == 1
    assert code(calendar, f.expire_holds(), now) == ""
    assert calendar.state.occupancy.holds == {}
    assert calendar.state.occupancy.next_expiry() is None
    assert calendar.decide(f.expire_holds(), now) == ()


def test_the_next_deadline_stays_when_a_later_hold_ends() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1, at(9)))
    play(calendar, f.place_hold(2, at(10)), Millis(NOW + 1_000))
    play(calendar, f.release_hold(2), Millis(NOW + 2_000))
    assert calendar.state.occupancy.next_expiry() == NOW + HOLD_MS


def test_a_patient_may_hold_only_so_much() -> None:
    """Three at a time; those that are due do not count."""
    calendar = a_calendar()
    mine = {"patient_id": f.a_patient_id(1)}
    for number in range(3):
        assert code(calendar, f.place_hold(number, at(9 + number), **mine)) == ""
    assert code(calendar, f.place_hold(4, at(15), **mine)) == "hold_limit"
    assert code(calendar, f.place_hold(5, at(15))) == ""
    now = Millis(NOW + HOLD_MS)
    assert code(calendar, f.place_hold(6, at(15), **mine), now) == ""


def test_somebody_elses_hold_is_not_found() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    other = f.a_patient_id(2)
    for command in (
        f.extend_hold(1, owner=other),
        f.release_hold(1, owner=other),
        f.confirm_hold(1, owner=other),
    ):
        assert code(calendar, command) == "hold_not_found"
    play(calendar, f.expire_holds(), Millis(NOW + HOLD_MS))
    assert code(calendar, f.release_hold(1, owner=other)) == "hold_not_found"
    assert code(calendar, f.release_hold(1, owner=f.a_patient_id(1))) == "hold_expired"


def test_what_was_released_or_confirmed_is_no_hold() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    play(calendar, f.place_hold(2, at(10)))
    assert code(calendar, f.release_hold(1)) == ""
    assert calendar.state.answer("release-1") == Done(f.PROVIDER, 1, 6)
    assert code(calendar, f.confirm_hold(2)) == ""
    assert code(calendar, f.release_hold(1, key="again")) == "hold_not_found"
    assert code(calendar, f.release_hold(2)) == "hold_confirmed"


def test_only_recent_expiries_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.domain.calendar.state.EXPIRED_MAX", 4)
    calendar = a_calendar()
    for number in range(6):
        now = Millis(NOW + number * HOLD_MS)
        assert code(calendar, f.place_hold(number, at(9)), now) == ""
    assert list(calendar.state.expired) == [f.a_hold_id(n) for n in range(1, 5)]


def test_ids_in_use_are_refused() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    again = f.place_hold(1, at(10), key="again")
    assert code(calendar, again) == "invalid_request"
    play(calendar, f.expire_holds(), Millis(NOW + HOLD_MS))
    assert code(calendar, again) == "invalid_request"
    play(calendar, f.book_slot(1))
    assert code(calendar, f.book_slot(1, at(10), key="two")) == "invalid_request"
    play(calendar, f.place_hold(2, at(10)))
    confirm = f.confirm_hold(2, booking_id=f.a_booking_id(1))
    assert code(calendar, confirm) == "invalid_request"


# --- bookings ---


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
    long = f.cancel_booking(2, reason="x" * 2_000)
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
    calendar.state.apply(calendar.refused(command, refusal, NOW), 1)
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
        calendar.state.apply(events[0], 1)
