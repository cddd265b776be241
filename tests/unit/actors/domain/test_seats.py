"""Group visits: seats of one session, which takes its time once.

One file because every promise is about the same few steps of one session.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of
from actors.domain.calendar.snapshot import encode
from actors.domain.ids import Millis, Minute, VisitTypeId
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import SlotsView, seats_of
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import (
    Availability,
    BookingLimits,
    Need,
    Policy,
    ResourceKind,
    Waiting,
)
from tests import factories as f
from tests.factories import CONSULT, NOW, PROVIDER, a_calendar, at, play

CLASS = VisitTypeId("class")
HOLD_MS = Policy().hold_ms


def rules(capacity: int = 3, minutes: int = 60) -> Availability:
    return f.an_availability(
        f.a_visit_type(),
        f.a_visit_type("class", minutes=minutes, capacity=capacity, buffer_after=30),
        f.a_visit_type("other", minutes=60, capacity=2),
    )


def a_group_calendar(capacity: int = 3) -> Calendar:
    return a_calendar(rules(capacity), policy=Policy(early_outcomes=True))


def seat(number: int, start: int = at(9), **changes: Any) -> cm.BookSlot:
    return f.book_slot(number, start, **({"visit_type": CLASS} | changes))


def held_seat(number: int, start: int = at(9), **changes: Any) -> cm.PlaceHold:
    return f.place_hold(number, start, **({"visit_type": CLASS} | changes))


def done(
    calendar: Calendar, command: cm.Command, now: Millis = NOW
) -> tuple[ev.Event, ...]:
    outcome = play(calendar, command, now)
    assert isinstance(outcome, tuple), outcome
    return outcome


def refused(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> Refusal:
    outcome = play(calendar, command, now)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def left(calendar: Calendar, start: int = at(9), kind: VisitTypeId = CLASS) -> str:
    """The seats left as a digit, else the letter."""
    view = views.slots(calendar.state, kind, Minute(start), Minute(start + 1))
    assert isinstance(view, SlotsView)
    return "".join(str(seats_of(one) or one) for one in view.states)


def lanes(calendar: Calendar) -> dict[str, int]:
    bookings = calendar.state.occupancy.bookings.values()
    return {one.patient_id: one.lane for one in bookings if one.status == "booked"}


# --- seats ---


def test_a_session_is_free_while_a_seat_is_left() -> None:
    """Seats left are said of each start; the last one taken, it is booked."""
    calendar = a_group_calendar()
    shown = [left(calendar)]
    for number in (1, 2, 3):
        done(calendar, seat(number))
        shown.append(left(calendar))
    assert shown == ["3", "2", "1", "b"]
    assert lanes(calendar) == {"pat_1": -1, "pat_2": -2, "pat_3": -3}
    refusal = refused(calendar, seat(4))
    assert (refusal.code.value, refusal.about) == ("slot_unavailable", "")


def test_a_session_takes_its_time_from_its_first_seat_to_its_last() -> None:
    """No other visit shares it, buffers included, until the last seat is given back."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    done(calendar, seat(2))
    for start in (at(9), at(9, 30), at(10)):
        assert left(calendar, start, CONSULT) == "b"
        rival = f.book_slot(7, start)
        assert refused(calendar, rival).code.value == "slot_unavailable"
    done(calendar, f.cancel_booking(1))
    assert left(calendar, at(10), CONSULT) == "b"
    done(calendar, f.cancel_booking(2))
    assert left(calendar, at(10), CONSULT) == "f"
    assert left(calendar) == "3"
    done(calendar, f.book_slot(7, at(10)))


@pytest.mark.parametrize(
    ("kind", "start"), [("class", at(9, 30)), ("class", at(8)), ("other", at(9))]
)
def test_a_seat_is_of_the_same_start_and_type(kind: str, start: int) -> None:
    """A session that overlaps, or another type at its start, is another visit."""
    calendar = a_calendar(rules(), policy=Policy())
    done(calendar, seat(1))
    rival = seat(2, start, visit_type=VisitTypeId(kind))
    refusal = refused(calendar, rival)
    assert refusal.code.value in ("slot_unavailable", "slot_not_offered")


def test_one_patient_has_one_seat() -> None:
    """A second seat is refused, and names the first; another patient gets it."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    again = refused(calendar, seat(2, patient_id=f.a_patient_id(1), by_staff=True))
    assert (again.code.value, again.about) == ("slot_unavailable", f.a_booking_id(1))
    held = refused(calendar, held_seat(3, patient_id=f.a_patient_id(1)))
    assert held.about == f.a_booking_id(1)
    done(calendar, f.cancel_booking(1))
    done(calendar, seat(4, patient_id=f.a_patient_id(1)))


def test_a_held_seat_counts_until_its_deadline() -> None:
    """Held seats are taken; one whose time is over is free, written off or not."""
    calendar = a_group_calendar(2)
    done(calendar, held_seat(1))
    done(calendar, seat(2))
    assert left(calendar) == "h"
    assert refused(calendar, seat(3)).code.value == "slot_unavailable"
    later = Millis(NOW + HOLD_MS)
    events = done(calendar, seat(4), later)
    assert [type(event) for event in events] == [ev.HoldExpired, ev.SlotBooked]
    assert lanes(calendar) == {"pat_2": -2, "pat_4": -1}
    assert left(calendar) == "b"


def test_a_session_whose_holds_are_over_is_no_session() -> None:
    """Its time is free to any visit type as soon as the deadlines have come."""
    calendar = a_group_calendar()
    done(calendar, held_seat(1))
    done(calendar, held_seat(2))
    later = Millis(NOW + HOLD_MS)
    done(calendar, f.book_slot(3), later)
    assert left(calendar) == "b"
    assert calendar.state.occupancy.sessions.at == {}


def test_a_held_seat_is_booked_where_it_is() -> None:
    """The booking has the hold's seat, and its patient no second one."""
    calendar = a_group_calendar()
    done(calendar, held_seat(1))
    done(calendar, held_seat(2))
    assert left(calendar) == "1"
    done(calendar, f.confirm_hold(2))
    done(calendar, seat(5, patient_id=f.a_patient_id(1)))
    assert lanes(calendar) == {"pat_2": -2, "pat_1": -1}
    assert left(calendar) == "1"
    assert calendar.state.occupancy.holds == {}


def test_a_released_seat_leaves_its_session_to_the_others() -> None:
    """Holds of one session come and go without its time."""
    calendar = a_group_calendar()
    done(calendar, held_seat(1))
    done(calendar, held_seat(2))
    done(calendar, f.release_hold(1))
    assert left(calendar) == "2"
    assert left(calendar, at(9), CONSULT) == "h"
    done(calendar, f.release_hold(2))
    assert left(calendar, at(9), CONSULT) == "f"


def test_a_seat_moves_to_another_session() -> None:
    """It leaves the one and joins the other, by start or by hold."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    done(calendar, seat(2))
    done(calendar, f.reschedule_booking(1, start=at(13)))
    assert [left(calendar, at(9)), left(calendar, at(13))] == ["2", "2"]
    done(calendar, held_seat(3, at(13), patient_id=f.a_patient_id(2)))
    done(calendar, f.reschedule_booking(2, hold_id=f.a_hold_id(3)))
    assert [left(calendar, at(9)), left(calendar, at(13))] == ["3", "1"]
    assert lanes(calendar) == {"pat_1": -1, "pat_2": -2}


def test_a_seat_gives_no_time_of_its_session_up() -> None:
    """Moving into the time of one's own session meets the others' seats."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    done(calendar, seat(2))
    plain = f.place_hold(5, at(9, 30), patient_id=f.a_patient_id(1))
    moving = msgspec.structs.replace(plain, moving=f.a_booking_id(1))
    assert refused(calendar, moving).about == f.a_booking_id(1)
    own = refused(calendar, f.reschedule_booking(1, start=at(9)))
    assert own.about == f.a_booking_id(1)


def test_the_only_seat_moves_over_the_time_of_its_session() -> None:
    """Earlier or later by less than it lasts; the session goes with it."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    for start in (at(9, 30), at(9)):
        moved = f.reschedule_booking(1, start=start)
        done(calendar, msgspec.structs.replace(moved, key=f"to-{start}"))
        assert lanes(calendar) == {"pat_1": -1}
        assert left(calendar, start) == "2"
        assert len(calendar.state.occupancy.sessions.at) == 1
    assert left(calendar, at(10, 30), CONSULT) == "f"
    done(calendar, f.cancel_booking(1))
    assert left(calendar, at(9), CONSULT) == "f"


def test_a_seat_that_is_held_beside_the_only_one_keeps_the_session_there() -> None:
    """Its holder would lose the time that is kept for them; over, it does no longer."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    done(calendar, held_seat(2))
    moved = f.reschedule_booking(1, start=at(9, 30))
    assert refused(calendar, moved).code.value == "slot_unavailable"
    later = Millis(NOW + HOLD_MS)
    again = msgspec.structs.replace(moved, key="again")
    assert isinstance(done(calendar, again, later)[-1], ev.BookingRescheduled)


@pytest.mark.parametrize("kind", [CLASS, CONSULT])
def test_no_hold_shares_the_time_of_a_session(kind: VisitTypeId) -> None:
    """Until the move others could take a seat of it: the only seat moves at once."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    held = f.place_hold(5, at(9, 30), patient_id=f.a_patient_id(1), visit_type=kind)
    moving = msgspec.structs.replace(held, moving=f.a_booking_id(1))
    assert refused(calendar, moving).about == f.a_booking_id(1)
    assert calendar.state.occupancy.holds == {}


def test_a_session_is_not_held_over_the_visit_that_is_to_move_there() -> None:
    """Who joined it before the move would sit in the visit's time."""
    calendar = a_group_calendar()
    done(calendar, f.book_slot(1, at(9, 30)))
    held = held_seat(5, at(9), patient_id=f.a_patient_id(1))
    moving = msgspec.structs.replace(held, moving=f.a_booking_id(1))
    assert refused(calendar, moving).about == f.a_booking_id(1)


def test_staff_see_where_the_only_seat_can_move() -> None:
    """Its own time with all seats; to a patient, who holds it first, it is booked."""
    calendar = a_group_calendar()
    done(calendar, seat(1))
    view = views.slots(calendar.state, CLASS, at(9, 30), Minute(at(9, 30) + 1))
    assert isinstance(view, SlotsView)
    for owner, wanted in ((None, "3"), (f.a_patient_id(1), "b")):
        seen = views.slots_to_move(calendar.state, view, f.a_booking_id(1), owner)
        assert isinstance(seen, SlotsView)
        assert "".join(str(seats_of(x) or x) for x in seen.states) == wanted
    done(calendar, seat(2))
    seen = views.slots_to_move(calendar.state, view, f.a_booking_id(1), None)
    assert isinstance(seen, SlotsView)
    assert seen.states == "b"


def test_a_session_keeps_its_times_when_the_rules_change() -> None:
    """Who joins later has the session's times; more seats are there at once."""
    calendar = a_group_calendar(2)
    done(calendar, seat(1))
    done(calendar, seat(2))
    assert left(calendar) == "b"
    done(calendar, f.set_availability(rules(4, minutes=30), 2))
    assert left(calendar) == "2"
    (booked,) = done(calendar, seat(3))
    assert isinstance(booked, ev.SlotBooked)
    assert (booked.end, booked.busy_end) == (at(10), at(10, 30))
    done(calendar, f.set_availability(rules(2), 3))
    assert left(calendar) == "b"
    done(calendar, f.cancel_booking(1))
    assert left(calendar) == "b"


def test_a_missed_visit_keeps_its_seat() -> None:
    """A no-show has had its seat; a cancelled one is free again."""
    calendar = a_group_calendar(2)
    done(calendar, seat(1))
    done(calendar, seat(2))
    done(calendar, f.mark_no_show(1))
    assert left(calendar) == "b"
    done(calendar, f.cancel_booking(2))
    assert left(calendar) == "1"


def test_a_full_session_can_be_overbooked() -> None:
    """One patient more than its seats, in a lane of their own, by staff."""
    calendar = a_group_calendar(2)
    many = msgspec.structs.replace(rules(2), lanes=2)
    done(calendar, f.set_availability(many, 2))
    done(calendar, seat(1))
    done(calendar, seat(2))
    done(calendar, seat(3, overbook=True, by_staff=True, reason="came along"))
    assert lanes(calendar) == {"pat_1": -1, "pat_2": -2, "pat_3": 1}
    assert left(calendar) == "b"


def test_limits_of_patients_hold_for_seats() -> None:
    """Seats are visits: they count among those ahead."""
    few = msgspec.structs.replace(rules(), booking_limits=BookingLimits(upcoming=1))
    calendar = a_calendar(few)
    done(calendar, seat(1))
    second = seat(2, at(13), patient_id=f.a_patient_id(1))
    assert refused(calendar, second).code.value == "booking_limit"


# --- what watchers and searches see ---


def test_each_seat_is_told() -> None:
    """An old view with the change applied is the fresh view, seats included."""
    calendar = a_group_calendar(2)
    shown: dict[int, str] = {at(9): left(calendar)}
    for command in (held_seat(1), seat(2), f.release_hold(1), f.cancel_booking(2)):
        events = done(calendar, command)
        slots, _, reread = change_of(calendar.state, events)
        assert not reread
        for change in slots:
            if change.visit_type == CLASS:
                pairs = zip(change.starts, change.states, strict=True)
                shown |= {s: str(seats_of(x) or x) for s, x in pairs}
        assert shown[at(9)] == left(calendar)
        fresh: dict[int, str] = {one: left(calendar, one) for one in shown}
        assert shown == fresh


def test_the_next_free_start_is_a_session_with_a_seat() -> None:
    """Searches find what can still be joined, and not what is full."""
    calendar = a_group_calendar(2)
    done(calendar, seat(1))
    assert views.next_free(calendar.state)[CLASS] == at(9)
    done(calendar, seat(2))
    assert views.next_free(calendar.state)[CLASS] == at(10, 30)


def test_sessions_survive_a_snapshot() -> None:
    """Seats, held and booked, are where they were."""
    calendar = a_group_calendar(3)
    done(calendar, seat(1))
    done(calendar, held_seat(2))
    again = f.restored(calendar)
    assert encode(again.state) == encode(calendar.state)
    assert left(again) == "1"
    done(again, seat(3))
    assert refused(again, seat(4)).code.value == "slot_unavailable"
    done(again, f.cancel_booking(1))
    done(again, f.release_hold(2))
    done(again, f.cancel_booking(3))
    assert left(again, at(9), CONSULT) == "f"


# --- the waiting list ---


def wait(calendar: Calendar, *kinds: VisitTypeId, most: int = 8) -> None:
    waiting = Waiting(kinds, at(0), at(0, day=7), most)
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=waiting))


def test_the_seat_of_a_full_session_is_reserved_before_it_is_free() -> None:
    """At no version is it free; it is offered and booked as a hold is."""
    calendar = a_group_calendar(2)
    wait(calendar, CLASS)
    done(calendar, seat(1))
    done(calendar, seat(2))
    reserve, cancelled = done(calendar, f.cancel_booking(1))
    assert isinstance(reserve, ev.SlotReserved)
    assert (reserve.lane, reserve.start) == (-1, at(9))
    assert isinstance(cancelled, ev.BookingCancelled)
    assert left(calendar) == "h"
    assert refused(calendar, seat(3)).code.value == "slot_unavailable"
    offer = cm.OfferHold(
        provider_id=PROVIDER,
        hold_id=reserve.hold_id,
        patient_id=f.a_patient_id(4),
        until=Millis(NOW + 60_000),
    )
    done(calendar, offer)
    done(calendar, f.confirm_hold(4, hold_id=reserve.hold_id))
    assert lanes(calendar) == {"pat_2": -2, "pat_4": -1}


def test_a_seat_of_a_session_that_was_not_full_is_free_at_once() -> None:
    """It was free to all before: there is nothing to keep for who waits."""
    calendar = a_group_calendar(3)
    wait(calendar, CLASS, CONSULT)
    done(calendar, seat(1))
    done(calendar, seat(2))
    assert len(done(calendar, f.cancel_booking(1))) == 1
    assert left(calendar) == "2"


def test_the_last_seat_frees_the_time_for_who_waits_for_it() -> None:
    """The session's cells become free: other types that are waited for have them."""
    calendar = a_group_calendar(3)
    wait(calendar, CONSULT)
    done(calendar, seat(1))
    events = done(calendar, f.cancel_booking(1))
    starts = [event.start for event in events if isinstance(event, ev.SlotReserved)]
    assert starts == [at(9), at(9, 30), at(10)]


def test_seats_that_come_with_the_move_of_the_only_one_are_reserved() -> None:
    """They were not free while its session was in the way."""
    calendar = a_group_calendar(3)
    wait(calendar, CLASS)
    done(calendar, seat(1))
    *reserves, moved = done(calendar, f.reschedule_booking(1, start=at(9, 30)))
    assert isinstance(moved, ev.BookingRescheduled)
    assert moved.lane == -1
    found = [(one.start, one.lane) for one in reserves]  # type: ignore[union-attr]
    assert found == [(at(9, 30), -2), (at(9, 30), -3)]
    assert left(calendar, at(9, 30)) == "h"


def test_seats_of_a_leave_given_back_are_reserved_one_by_one() -> None:
    """As many as wait: the rest is free."""
    calendar = a_group_calendar(3)
    done(calendar, f.add_time_off(1, at(9), at(24)))
    wait(calendar, CLASS, most=2)
    events = done(calendar, f.remove_time_off(1))
    reserves = [event for event in events if isinstance(event, ev.SlotReserved)]
    assert [(one.start, one.lane) for one in reserves] == [(at(9), -1), (at(9), -2)]
    assert left(calendar) == "1"


def test_seats_of_another_type_are_reserved_in_a_session_of_their_own() -> None:
    """Although the session whose time they get is not over until the next event."""
    calendar = a_group_calendar(2)
    wait(calendar, CLASS)
    other = VisitTypeId("other")
    done(calendar, seat(1, visit_type=other))
    first, second, _ = done(calendar, f.cancel_booking(1))
    assert isinstance(first, ev.SlotReserved)
    assert isinstance(second, ev.SlotReserved)
    assert [(one.visit_type, one.lane) for one in (first, second)] == [
        (CLASS, -1),
        (CLASS, -2),
    ]
    assert [left(calendar), left(calendar, at(9), other)] == ["h", "h"]
    refusal = refused(calendar, seat(2, visit_type=other))
    assert refusal.code.value == "slot_unavailable"
    done(calendar, f.release_hold(7, hold_id=first.hold_id))
    assert left(calendar) == "1"


def test_an_offered_seat_is_no_second_seat() -> None:
    """A patient who has a seat meanwhile cannot book another with an offer."""
    calendar = a_group_calendar(3)
    wait(calendar, CLASS)
    for number in (1, 2, 3):
        done(calendar, seat(number))
    (first, _), (second, _) = (done(calendar, f.cancel_booking(n)) for n in (1, 2))
    assert isinstance(first, ev.SlotReserved)
    assert isinstance(second, ev.SlotReserved)
    for number, reserve in ((7, first), (8, second)):
        done(
            calendar,
            cm.OfferHold(
                provider_id=PROVIDER,
                key=f"offer-{number}",
                hold_id=reserve.hold_id,
                patient_id=f.a_patient_id(9),
                until=Millis(NOW + 60_000),
            ),
        )
    done(calendar, f.confirm_hold(7, hold_id=first.hold_id))
    refusal = refused(calendar, f.confirm_hold(8, hold_id=second.hold_id))
    assert refusal.about == f.a_booking_id(7)


def test_rules_bound_the_seats() -> None:
    """No seats, and more than are counted, are refused."""
    for capacity in (0, 501):
        refusal = refused(a_calendar(), f.set_availability(rules(capacity), 2))
        assert "capacity must be 1 to 500" in refusal.detail


def test_a_group_visit_takes_no_rooms() -> None:
    """Each seat would hold a room of its own."""
    kind = f.a_visit_type("class", capacity=2, needs=(Need(ResourceKind.ROOM),))
    refusal = refused(a_calendar(), f.set_availability(f.an_availability(kind), 2))
    assert "takes no rooms" in refusal.detail
