"""Overbooking: a visit more at a time that is taken, in a lane of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of
from actors.domain.calendar.snapshot import encode
from actors.domain.ids import Minute
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import SlotsView
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy, Waiting
from tests import factories as f
from tests.factories import CONSULT, PROVIDER, a_calendar, at, play


def a_busy_calendar(lanes: int | None = 3, policy: Policy | None = None) -> Calendar:
    """Nine o'clock is booked by patient 1; half-hour visits and hour-long ones."""
    rules = f.an_availability(f.a_visit_type(), f.a_visit_type("long", minutes=60))
    rules = msgspec.structs.replace(rules, lanes=lanes)
    calendar = a_calendar(rules, policy=policy)
    done(calendar, f.book_slot(1))
    return calendar


def overbook(number: int, start: int = at(9), **changes: Any) -> cm.BookSlot:
    given = {"overbook": True, "by_staff": True, "reason": "acute"}
    return f.book_slot(number, start, **(given | changes))


def done(calendar: Calendar, command: cm.Command) -> ev.Event:
    outcome = play(calendar, command)
    assert isinstance(outcome, tuple), outcome
    return outcome[-1]


def refused(calendar: Calendar, command: cm.Command) -> Refusal:
    outcome = play(calendar, command)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def lane_of(calendar: Calendar, number: int) -> int:
    return calendar.state.occupancy.bookings[f.a_booking_id(number)].lane


def state_at(calendar: Calendar, start: int) -> str:
    view = views.slots(calendar.state, CONSULT, Minute(start), Minute(start + 1))
    assert isinstance(view, SlotsView)
    return view.states


def test_overbooked_visits_take_one_lane_after_the_other() -> None:
    """The first lane that is free over all of the visit's time; then no more."""
    calendar = a_busy_calendar(lanes=3)
    done(calendar, overbook(2))
    done(calendar, overbook(3))
    assert [lane_of(calendar, n) for n in (1, 2, 3)] == [0, 1, 2]
    refusal = refused(calendar, overbook(4))
    assert refusal.code.value == "slot_unavailable"
    assert "as far as the provider's rules allow" in refusal.detail
    done(calendar, f.cancel_booking(2))
    done(calendar, overbook(5))
    assert lane_of(calendar, 5) == 1


def test_a_long_visit_needs_a_lane_that_is_free_all_along() -> None:
    """A lane with a shorter visit in the middle of it is passed over."""
    calendar = a_busy_calendar(lanes=3)
    done(calendar, f.book_slot(2, at(9, 30)))
    done(calendar, overbook(3, at(9, 30)))
    done(calendar, overbook(4, at(9), visit_type=msgspec.convert("long", str)))
    assert lane_of(calendar, 4) == 2


def test_a_time_that_is_free_is_booked_as_any() -> None:
    """What became free before staff asked is the public's, not a lane beside it."""
    calendar = a_busy_calendar()
    done(calendar, overbook(2, at(10)))
    assert lane_of(calendar, 2) == 0
    assert state_at(calendar, at(10)) == "b"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"by_staff": False}, "slot_unavailable"),
        ({"overbook": False}, "slot_unavailable"),
        ({"reason": ""}, "invalid_request"),
        ({"patient_id": f.a_patient_id(1)}, "slot_unavailable"),
        ({"start": at(20)}, "slot_not_offered"),
    ],
)
def test_who_may_overbook_what(changes: dict[str, Any], code: str) -> None:
    """Staff, with a reason, another patient, within the opening hours."""
    calendar = a_busy_calendar()
    assert refused(calendar, overbook(2, **changes)).code.value == code


@pytest.mark.parametrize(
    ("lanes", "policy", "allowed"),
    [(None, 1, False), (None, 2, True), (1, 2, False), (2, 1, True)],
)
def test_the_rules_say_how_many_else_the_site(
    lanes: int | None, policy: int, allowed: bool
) -> None:
    """One lane is no overbooking; the provider's rules go before the site's."""
    calendar = a_busy_calendar(lanes, Policy(lanes=policy))
    outcome = play(calendar, overbook(2))
    assert isinstance(outcome, tuple) == allowed


def test_a_held_time_can_be_overbooked() -> None:
    """The hold stays, and is booked beside the overbooked visit."""
    calendar = a_busy_calendar()
    done(calendar, f.place_hold(2, at(10)))
    done(calendar, overbook(3, at(10)))
    assert lane_of(calendar, 3) == 1
    assert state_at(calendar, at(10)) == "h"
    done(calendar, f.confirm_hold(2))


def test_the_public_sees_nothing_of_an_overbooked_visit() -> None:
    """Neither its coming nor its going changes a slot, a free one least of all."""
    calendar = a_busy_calendar()
    for command in (overbook(2), f.cancel_booking(2)):
        outcome = play(calendar, command)
        assert isinstance(outcome, tuple)
        slots, bookings, _ = change_of(calendar.state, outcome)
        told = {
            (start, state)
            for one in slots
            for start, state in zip(one.starts, one.states, strict=True)
            if start == at(9)
        }
        assert told <= {(at(9), "b")}
        assert [one.lane for one in bookings] == [1]
        assert state_at(calendar, at(9)) == "b"


def test_the_time_of_a_visit_that_goes_is_free_although_another_stays() -> None:
    """Lane 0 alone is the public's; staff can move the other visit into it."""
    calendar = a_busy_calendar()
    done(calendar, overbook(2))
    done(calendar, f.cancel_booking(1))
    assert state_at(calendar, at(9)) == "f"
    done(calendar, f.reschedule_booking(2, start=at(9)))
    assert lane_of(calendar, 2) == 0
    assert state_at(calendar, at(9)) == "b"


def test_an_overbooked_visit_moves_only_to_what_is_free() -> None:
    """The time it shares is not its own to give: another's visit stays another's."""
    calendar = a_busy_calendar()
    done(calendar, overbook(2))
    assert refused(calendar, f.reschedule_booking(2, start=at(9))).code.value == (
        "slot_unavailable"
    )
    hold = f.place_hold(9, at(9), patient_id=f.a_patient_id(2))
    moving = msgspec.structs.replace(hold, moving=f.a_booking_id(2))
    assert refused(calendar, moving).code.value == "slot_unavailable"
    done(calendar, f.reschedule_booking(2, start=at(11)))
    assert lane_of(calendar, 2) == 0
    assert [state_at(calendar, at(hour)) for hour in (9, 11)] == ["b", "b"]


def test_outcomes_of_an_overbooked_visit_keep_its_lane() -> None:
    """A no-show has had its time, in its lane, as any visit has."""
    calendar = a_busy_calendar(2, Policy(early_outcomes=True))
    done(calendar, overbook(2))
    done(calendar, f.mark_no_show(2))
    assert lane_of(calendar, 2) == 1
    assert refused(calendar, overbook(3)).code.value == "slot_unavailable"


def test_what_waits_gets_nothing_of_an_overbooked_visit() -> None:
    """It frees no slot; the visit beside it frees its own for the waiting list."""
    calendar = a_busy_calendar()
    waiting = Waiting((CONSULT,), at(0), at(0, day=7), 8)
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=waiting))
    done(calendar, overbook(2))
    outcome = play(calendar, f.cancel_booking(2))
    assert isinstance(outcome, tuple)
    assert [type(event) for event in outcome] == [ev.BookingCancelled]
    outcome = play(calendar, f.cancel_booking(1))
    assert isinstance(outcome, tuple)
    assert [type(event) for event in outcome] == [ev.SlotReserved, ev.BookingCancelled]


def test_lanes_survive_a_snapshot() -> None:
    """A calendar that was stored knows who is in which lane."""
    calendar = a_busy_calendar(lanes=2)
    done(calendar, overbook(2))
    again = f.restored(calendar)
    assert encode(again.state) == encode(calendar.state)
    assert refused(again, overbook(3)).code.value == "slot_unavailable"
    done(again, f.cancel_booking(2))
    done(again, overbook(3))


def test_plain_events_say_no_lane() -> None:
    """The journal of an ordinary booking is as it was, byte for byte."""
    calendar = a_busy_calendar()
    plain = msgspec.json.encode(done(calendar, f.book_slot(2, at(10))))
    assert b'"z"' not in plain
    assert b'"z":1' in msgspec.json.encode(done(calendar, overbook(3)))


def test_old_commands_overbook_nothing() -> None:
    """A command from before there were lanes decodes, and asks for none."""
    told: dict[str, object]
    told = {"type": "book", "provider_id": PROVIDER, "booking_id": "bkg_1.a"}
    told |= {"patient_id": "pat_1", "visit_type": "consult", "start": 5}
    command = msgspec.convert(told, cm.BookSlot)
    assert not command.overbook


def test_rules_bound_the_lanes() -> None:
    """Zero and ten lanes are refused with what to correct."""
    for lanes in (0, 10):
        rules = msgspec.structs.replace(f.an_availability(), lanes=lanes)
        calendar = a_calendar()
        refusal = refused(calendar, f.set_availability(rules, 2))
        assert "Lanes must be 1 to 9" in refusal.detail
