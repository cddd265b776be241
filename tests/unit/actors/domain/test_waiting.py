"""The waiting list of a calendar: reserved before free, offered to one patient.

One file because every promise is about the same few steps of one calendar.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of, holds_of
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import encode, encode_for_new_shard
from actors.domain.ids import HoldId, Millis, Minute, PatientId, ShardId, VisitTypeId
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import HoldView, SlotsView
from actors.domain.messages.changes import HoldEnding
from actors.domain.messages.reads import ReadEffect
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Availability, Hours, Policy, Waiting
from tests import factories as f
from tests.factories import CONSULT, NOW, PROVIDER, a_calendar, at, play

MINUTE_MS = 60_000
HALF_HOUR = 30 * MINUTE_MS
LONG = VisitTypeId("long")
CLASS = VisitTypeId("class")
ANN, BEN, CAT = (f.a_patient_id(number) for number in (1, 2, 3))


def wait(
    calendar: Calendar, *kinds: VisitTypeId, now: Millis = NOW, **changes: Any
) -> None:
    given = {"first": at(0), "until": at(0, day=7), "most": 8} | changes
    waiting = Waiting(kinds or (CONSULT,), **given)
    command = cm.SetWaiting(provider_id=PROVIDER, waiting=waiting)
    assert isinstance(play(calendar, command, now), tuple)


def a_waiting_calendar(*kinds: VisitTypeId, **changes: Any) -> Calendar:
    rules = f.an_availability(f.a_visit_type(), f.a_visit_type("long", minutes=60))
    calendar = a_calendar(rules)
    wait(calendar, *kinds, **changes)
    return calendar


def done(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> list[ev.Event]:
    outcome = play(calendar, command, now)
    assert isinstance(outcome, tuple), outcome
    return list(outcome)


def code(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> str:
    outcome = play(calendar, command, now)
    return outcome.code.value if isinstance(outcome, Refusal) else ""


def offer(hold: HoldId, patient: PatientId, until: int, **changes: Any) -> cm.OfferHold:
    given = {"provider_id": PROVIDER, "hold_id": hold, "patient_id": patient}
    return cm.OfferHold(until=Millis(until), **(given | changes))


def reserved(events: list[ev.Event]) -> list[ev.SlotReserved]:
    return [event for event in events if isinstance(event, ev.SlotReserved)]


def state_at(calendar: Calendar, start: int, kind: VisitTypeId = CONSULT) -> str:
    view = views.slots(calendar.state, kind, Minute(start), Minute(start + 1))
    assert isinstance(view, SlotsView)
    return view.states


def a_reserve(calendar: Calendar, now: Millis = NOW) -> HoldId:
    """The slot at nine, given up by a fourth patient."""
    done(calendar, f.book_slot(4), now)
    (one,) = reserved(done(calendar, f.cancel_booking(4), now))
    return one.hold_id


# --- reserved before it is free ---


def test_a_cancelled_visits_slot_is_reserved_before_it_is_free() -> None:
    """At no version is it free: the reserve is applied while the visit has the time."""
    calendar = a_waiting_calendar()
    done(calendar, f.book_slot(4))
    outcome = calendar.decide(f.cancel_booking(4), NOW)
    assert isinstance(outcome, tuple)
    first, last = outcome
    assert isinstance(first, ev.SlotReserved)
    assert isinstance(last, ev.BookingCancelled)
    assert (first.key, last.key) == ("", "cancel-4")
    assert (first.start, first.end, first.visit_type) == (at(9), at(9, 30), CONSULT)
    assert first.expires == NOW + HALF_HOUR
    apply(calendar.state, first, 1)
    assert state_at(calendar, at(9)) == "b"
    apply(calendar.state, last, 1)
    assert state_at(calendar, at(9)) == "h"
    assert f.next_start(calendar) == at(9, 30)
    for rival in (f.place_hold(2), f.book_slot(2), f.book_slot(2, by_staff=True)):
        assert code(calendar, rival) == "slot_unavailable"


def test_without_a_waiting_list_a_cancelled_slot_is_free() -> None:
    """The list reserves nothing where none waits."""
    calendar = a_waiting_calendar()
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=None))
    done(calendar, f.book_slot(4))
    assert len(done(calendar, f.cancel_booking(4))) == 1
    assert state_at(calendar, at(9)) == "f"


def test_a_moved_visits_old_slot_is_reserved_and_its_new_one_is_not() -> None:
    """What the visit gives up is reserved, as far as its new time leaves it."""
    calendar = a_waiting_calendar(CONSULT, LONG)
    done(calendar, f.book_slot(4))
    (one,) = reserved(done(calendar, f.reschedule_booking(4, start=at(12))))
    assert (one.start, one.end) == (at(9), at(9, 30))
    done(calendar, f.book_slot(5, visit_type=LONG, start=at(14)))
    moved = done(calendar, f.reschedule_booking(5, start=at(14, 30)))
    (one,) = reserved(moved)
    assert (one.visit_type, one.start) == (LONG, at(13, 30))


@pytest.mark.parametrize("overbooked", [False, True])
def test_what_a_move_leaves_of_the_patients_hold_is_reserved(overbooked: bool) -> None:
    """A visit moves over its patient's own hold, which ends and gives time up.

    So does an overbooked visit, whose own time stays taken.
    """
    rules = f.an_availability(f.a_visit_type(), f.a_visit_type("long", minutes=60))
    calendar = a_calendar(rules, policy=Policy(lanes=2))
    wait(calendar)
    visit = f.book_slot(4, patient_id=ANN)
    if overbooked:
        done(calendar, f.book_slot(2))
        visit = f.book_slot(
            4, patient_id=ANN, overbook=True, by_staff=True, reason="acute"
        )
    done(calendar, visit)
    done(calendar, f.place_hold(4, start=at(12), visit_type=LONG, patient_id=ANN))
    moved = done(calendar, f.reschedule_booking(4, start=at(12), owner=ANN))
    assert isinstance(moved[-1], ev.BookingRescheduled)
    assert moved[-1].hold_id == f.a_hold_id(4)
    given_up = [at(12, 30)] if overbooked else [at(9), at(12, 30)]
    assert [one.start for one in reserved(moved)] == given_up
    assert state_at(calendar, at(12, 30)) == "h"
    assert code(calendar, f.book_slot(9, start=at(12, 30))) == "slot_unavailable"


def test_a_slot_of_a_visit_and_its_patients_hold_is_reserved_whole() -> None:
    """What is reserved stays taken where the hold was that ends with the move."""
    calendar = a_waiting_calendar(LONG)
    done(calendar, f.book_slot(4, patient_id=ANN))
    done(calendar, f.place_hold(4, start=at(9, 30), visit_type=LONG, patient_id=ANN))
    moved = done(calendar, f.reschedule_booking(4, start=at(10), owner=ANN))
    assert [one.start for one in reserved(moved)] == [at(9)]
    assert code(calendar, f.book_slot(9, start=at(9, 30))) == "slot_unavailable"
    again = f.restored(calendar)
    assert code(again, f.book_slot(9, start=at(9, 30))) == "slot_unavailable"


def test_a_seat_that_is_left_for_another_of_its_session_is_reserved() -> None:
    """The visit's new seat counts as taken, and its old one as free."""
    kind = f.a_visit_type("class", capacity=2)
    calendar = a_calendar(f.an_availability(kind))
    wait(calendar, CLASS)
    for number in (1, 2):
        done(calendar, f.book_slot(number, visit_type=CLASS))
    (first,) = reserved(done(calendar, f.cancel_booking(1)))
    done(calendar, offer(first.hold_id, BEN, NOW + HALF_HOUR))
    move = f.reschedule_booking(2, hold_id=first.hold_id, owner=BEN)
    (left,) = reserved(done(calendar, move))
    assert (left.start, {first.lane, left.lane}) == (at(9), {-1, -2})
    refused = code(calendar, f.book_slot(9, visit_type=CLASS))
    assert refused == "slot_unavailable"


def test_a_leave_given_back_reserves_its_slots() -> None:
    """As many as the list waits for, soonest first; the others are free."""
    calendar = a_waiting_calendar(most=3)
    done(calendar, f.book_slot(4, start=at(10)))
    done(calendar, f.add_time_off(1, at(9), at(12)))
    found = reserved(done(calendar, f.remove_time_off(1)))
    assert [one.start for one in found] == [at(9), at(9, 30), at(10, 30)]
    assert state_at(calendar, at(11)) == "f"


def test_new_rules_reserve_the_slots_that_they_add() -> None:
    """What was free before stays free."""
    calendar = a_waiting_calendar()
    longer = f.a_location(weekly=((Hours(9 * 60, 18 * 60),),) + ((),) * 6)
    rules = f.an_availability(f.a_visit_type(), locations=(longer,))
    found = reserved(done(calendar, f.set_availability(rules, number=2)))
    assert [one.start for one in found] == [at(17), at(17, 30)]
    assert state_at(calendar, at(16, 30)) == "f"


def test_only_what_is_waited_for_is_reserved() -> None:
    """Another visit type, another day: free to all. A part that fits is reserved."""
    calendar = a_waiting_calendar(first=at(0), until=at(12))
    done(calendar, f.book_slot(4, start=at(13)))
    assert not reserved(done(calendar, f.cancel_booking(4)))
    done(calendar, f.book_slot(5, visit_type=LONG, start=at(10)))
    found = reserved(done(calendar, f.cancel_booking(5)))
    assert [(one.visit_type, one.start) for one in found] == [
        (CONSULT, at(10)),
        (CONSULT, at(10, 30)),
    ]


def test_a_visit_that_is_too_near_is_not_reserved() -> None:
    """Within the cut-off a freed slot is best seen by all."""
    calendar = a_waiting_calendar()
    done(calendar, f.book_slot(4))
    near = Millis(at(7) * MINUTE_MS + 1)
    assert not reserved(done(calendar, f.cancel_booking(4), near))


def test_a_slot_that_is_not_free_afterwards_is_not_reserved() -> None:
    """A hold to move the visit has a part of its time."""
    calendar = a_waiting_calendar()
    done(calendar, f.book_slot(4, visit_type=LONG, start=at(9)))
    moving = f.place_hold(
        4, start=at(9, 30), moving=f.a_booking_id(4), patient_id=f.a_patient_id(4)
    )
    done(calendar, moving)
    found = reserved(done(calendar, f.cancel_booking(4)))
    assert [one.start for one in found] == [at(9)]


# --- the offer ---


def test_only_the_offered_patient_books() -> None:
    """Until the offer ends no other patient can have the slot, and no staff either."""
    calendar = a_waiting_calendar()
    hold = a_reserve(calendar)
    assert code(calendar, f.confirm_hold(9, hold_id=hold)) == "hold_not_found"
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR, key="offer"))
    answer = calendar.state.answer("offer")
    assert isinstance(answer, HoldView)
    assert (answer.patient_id, answer.expires) == (ANN, NOW + HALF_HOUR)
    assert (answer.offer, answer.extensions_left) == (True, 0)
    assert code(calendar, offer(hold, BEN, NOW + HALF_HOUR)) == "wrong_status"
    assert code(calendar, f.extend_hold(9, hold_id=hold, owner=ANN)) == "wrong_status"
    late = f.confirm_hold(8, hold_id=hold, owner=BEN)
    assert code(calendar, late) == "hold_not_found"
    assert code(calendar, f.book_slot(7, patient_id=BEN)) == "slot_unavailable"
    done(calendar, f.book_slot(6, patient_id=ANN))
    assert calendar.state.occupancy.bookings[f.a_booking_id(6)].hold_id == hold
    assert hold not in calendar.state.occupancy.holds


@pytest.mark.parametrize("declines", [True, False])
def test_an_offer_that_ends_goes_back_to_the_list(declines: bool) -> None:
    """Declined or over, the slot is never free in between, and is offered again."""
    calendar = a_waiting_calendar()
    hold, until = a_reserve(calendar), NOW + HALF_HOUR
    done(calendar, offer(hold, ANN, until))
    now = Millis(NOW + MINUTE_MS if declines else until)
    if declines:
        events = done(calendar, f.release_hold(9, hold_id=hold, owner=ANN), now)
    else:
        assert calendar.state.occupancy.next_expiry() == until
        ours = f.confirm_hold(9, hold_id=hold, owner=ANN)
        assert code(calendar, ours, now) == "hold_expired"
        assert code(calendar, f.place_hold(2), now) == "slot_unavailable"
        events = done(calendar, f.expire_holds(), now)
    (back,) = events
    assert isinstance(back, ev.HoldReturned)
    assert (back.patient_id, back.declined) == (ANN, declines)
    assert state_at(calendar, at(9)) == "h"
    (end,) = holds_of(calendar.state, events)[1]
    how = HoldEnding.RELEASED if declines else HoldEnding.EXPIRED
    assert (end.hold_id, end.patient_id, end.how) == (hold, ANN, how)
    same = offer(hold, BEN, now + HALF_HOUR)
    assert code(calendar, same, now) == "wrong_status", "out of turn"
    done(calendar, offer(hold, BEN, now + HALF_HOUR, turn=1), now)
    assert code(calendar, f.confirm_hold(8, hold_id=hold, owner=BEN), now) == ""


def test_a_dead_worker_frees_the_slot_by_its_deadline() -> None:
    """The reserve ends by itself; so does one whose offer was the last act."""
    calendar = a_waiting_calendar()
    a_reserve(calendar)
    done(calendar, f.expire_holds(), Millis(NOW + HALF_HOUR))
    assert state_at(calendar, at(9)) == "f"
    hold = a_reserve_of(calendar, 5, Millis(NOW + HALF_HOUR))
    until = NOW + 2 * HALF_HOUR
    done(calendar, offer(hold, ANN, until), Millis(NOW + HALF_HOUR))
    (back,) = done(calendar, f.expire_holds(), Millis(until))
    assert isinstance(back, ev.HoldReturned)
    (over,) = done(calendar, f.expire_holds(), Millis(until + HALF_HOUR))
    assert isinstance(over, ev.HoldExpired)
    assert state_at(calendar, at(9)) == "f"


def a_reserve_of(calendar: Calendar, number: int, now: Millis) -> HoldId:
    done(calendar, f.book_slot(number), now)
    (one,) = reserved(done(calendar, f.cancel_booking(number), now))
    return one.hold_id


def test_the_list_gives_up_what_it_has_and_not_what_it_offered() -> None:
    """A worker that comes late cannot take an offer away from its patient."""
    calendar = a_waiting_calendar()
    hold = a_reserve(calendar)
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR))
    assert code(calendar, f.release_hold(8, hold_id=hold)) == "wrong_status"
    done(calendar, f.release_hold(9, hold_id=hold, owner=ANN))
    assert (
        code(calendar, f.release_hold(7, hold_id=hold, owner=ANN)) == "hold_not_found"
    )
    done(calendar, f.release_hold(6, hold_id=hold))
    assert state_at(calendar, at(9)) == "f"


def test_an_earlier_slot_is_taken_in_one_event_and_the_old_one_is_reserved() -> None:
    """The move ends the offer; the time it leaves goes to the list in its turn."""
    calendar = a_waiting_calendar()
    done(calendar, f.book_slot(1, start=at(15)))
    hold = a_reserve(calendar)
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR))
    events = done(calendar, f.reschedule_booking(1, hold_id=hold, owner=ANN))
    assert [type(event) for event in events] == [ev.SlotReserved, ev.BookingRescheduled]
    assert (state_at(calendar, at(9)), state_at(calendar, at(15))) == ("b", "h")


def test_a_move_to_an_offer_makes_room_for_the_slot_that_it_leaves() -> None:
    """The slot that is taken up counts no more among those that the list has."""
    calendar = a_waiting_calendar(most=1)
    done(calendar, f.book_slot(1, start=at(15)))
    hold = a_reserve(calendar)
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR))
    move = f.reschedule_booking(1, hold_id=hold, owner=ANN)
    assert [one.start for one in reserved(done(calendar, move))] == [at(15)]


def test_offers_do_not_count_as_holds_of_the_patient() -> None:
    """An offer was made to them: they may place as many holds as without it."""
    calendar = a_calendar(policy=Policy(holds_per_patient=1))
    wait(calendar)
    hold = a_reserve(calendar)
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR))
    assert code(calendar, f.place_hold(1, start=at(11), patient_id=ANN)) == ""
    again = f.place_hold(2, start=at(12), patient_id=ANN)
    assert code(calendar, again) == "hold_limit"


def test_an_offer_is_not_booked_over_for_another_slot() -> None:
    """What another slot left of the offer's time would be free to all."""
    calendar = a_waiting_calendar()
    hold = a_reserve(calendar)
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR))
    over = f.book_slot(7, patient_id=ANN, visit_type=LONG, start=at(9))
    outcome = play(calendar, over)
    assert isinstance(outcome, Refusal)
    assert (outcome.code.value, outcome.about) == ("slot_unavailable", hold)


@pytest.mark.parametrize("until", [0, 60_000, 25 * 3_600_000])
def test_an_offer_ends_ahead_within_a_day_and_before_the_visit(until: int) -> None:
    """A mistaken deadline is refused."""
    calendar = a_waiting_calendar()
    day = Millis(NOW + 60_000)
    hold = a_reserve(calendar, day)
    assert code(calendar, offer(hold, ANN, NOW + until), day) == "invalid_request"


def test_a_long_offer_keeps_the_slot_beyond_the_first_deadline() -> None:
    """Quiet hours move the end of an offer: the reserve lasts as long, and a while."""
    calendar = a_waiting_calendar(until=at(0, day=9))
    done(calendar, f.book_slot(4, start=at(9, day=2)))
    (one,) = reserved(done(calendar, f.cancel_booking(4)))
    until = NOW + 20 * 3_600_000
    done(calendar, offer(one.hold_id, ANN, until))
    hold = calendar.state.occupancy.holds[one.hold_id]
    assert (hold.offered, hold.expires) == (until, until + HALF_HOUR)


def test_other_holds_are_no_offers() -> None:
    """A patient's own hold cannot be given to another patient."""
    calendar = a_waiting_calendar()
    done(calendar, f.place_hold(1))
    theirs = offer(f.a_hold_id(1), BEN, NOW + 60_000)
    assert code(calendar, theirs) == "hold_not_found"
    assert code(calendar, offer(f.a_hold_id(7), BEN, NOW + 60_000)) == "hold_not_found"


@pytest.mark.parametrize(
    "changes",
    [{"first": at(9), "until": at(9)}, {"most": 0}, {"most": 65}, {"visit_types": ()}],
)
def test_what_is_waited_for_is_checked(changes: dict[str, Any]) -> None:
    """Nonsense is refused, not stored."""
    fine: dict[str, Any] = {
        "visit_types": (CONSULT,),
        "first": at(0),
        "until": at(9),
    }
    given = fine | changes
    command = cm.SetWaiting(provider_id=PROVIDER, waiting=Waiting(**given))
    assert code(a_waiting_calendar(), command) == "invalid_request"


# --- what others see, and what is kept ---


def test_a_reserve_names_no_patient_to_others() -> None:
    """It is published as taken, and as no patient's hold; staff lists leave it out."""
    calendar = a_waiting_calendar()
    done(calendar, f.book_slot(4))
    events = done(calendar, f.cancel_booking(4))
    slots, _, reread = change_of(calendar.state, events)
    assert not reread
    assert {
        start: state
        for change in slots
        if change.visit_type == CONSULT
        for start, state in zip(change.starts, change.states, strict=True)
    } == {at(9): "h"}
    assert holds_of(calendar.state, events) == ([], [])
    read = ReadEffect(PROVIDER, NOW, start=at(9), end=at(10))
    effect = views.effect(calendar.state, read)
    assert not isinstance(effect, Refusal)
    assert effect.holds == ()
    off = done(calendar, f.add_time_off(1, at(9), at(10)))
    assert holds_of(calendar.state, off) == ([], [])
    answer: Any = calendar.state.answer("off-1")
    assert answer.holds == ()


def test_the_list_survives_a_snapshot_and_a_move() -> None:
    """What it waits for, what it has, and what is offered, with both deadlines."""
    calendar = a_waiting_calendar()
    hold = a_reserve(calendar)
    done(calendar, offer(hold, ANN, NOW + HALF_HOUR))
    again = f.restored(calendar)
    assert again.state.waiting == calendar.state.waiting
    assert encode(again.state) == encode(calendar.state)
    until = Millis(NOW + HALF_HOUR)
    assert again.state.occupancy.next_expiry() == until
    (back,) = done(again, f.expire_holds(), until)
    assert isinstance(back, ev.HoldReturned)
    apply(
        calendar.state,
        ev.CalendarMovedOut(
            provider_id=PROVIDER,
            at=NOW,
            version=calendar.state.version,
            to_shard=ShardId("s9"),
            seq=9,
        ),
        1,
    )
    assert encode_for_new_shard(calendar.state)


def test_a_snapshot_without_a_list_is_read() -> None:
    """Snapshots of before there were waiting lists have no such field."""
    calendar = a_calendar()
    done(calendar, f.place_hold(1))
    fields = msgspec.msgpack.decode(encode(calendar.state))
    old = fields[:-1]
    old[7] = [hold[:-4] for hold in old[7]]
    from actors.domain.calendar.snapshot import decode

    again = decode(msgspec.msgpack.encode(old), calendar.state.policy)
    assert again.waiting is None
    assert encode(again) == encode(calendar.state)


def test_rules_are_compared_by_their_own_lengths() -> None:
    """A visit type that becomes shorter adds starts; those free before stay free."""
    calendar = a_waiting_calendar()
    rules = Availability((f.a_location(),), (f.a_visit_type(minutes=15, alignment=15),))
    found = reserved(done(calendar, f.set_availability(rules, number=2)))
    assert all((one.start - at(9)) % 30 == 15 for one in found)
    assert state_at(calendar, at(9)) == "f"
