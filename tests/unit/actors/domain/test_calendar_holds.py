"""What a calendar decides about holds, by example."""

from __future__ import annotations

import pytest

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.holding import holds
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import Done
from actors.domain.messages.refusals import Refusal
from tests import factories as f
from tests.factories import NOW, a_calendar, at, play

HOLD_MS = 120_000


def code(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> str:
    """The refusal's code, or "" if the command was accepted and applied."""
    outcome = play(calendar, command, now)
    return outcome.code.value if isinstance(outcome, Refusal) else ""


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
    monkeypatch.setattr("actors.domain.calendar.effects.EXPIRED_MAX", 4)
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
