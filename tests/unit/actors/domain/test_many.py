"""Several visits by one command: all of them, or none."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.snapshot import encode
from actors.domain.ids import BookingId, Millis, Minute
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingView
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import BookingLimits
from persistence import codec
from tests import factories as f
from tests.factories import CONSULT, NOW, PROVIDER, a_calendar, at, play

WEEKS = (at(9), at(9, day=7), at(9, day=14))


def many(number: int = 1, starts: tuple[Minute, ...] = WEEKS, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "provider_id": PROVIDER,
        "key": f"many-{number}",
        "fingerprint": number,
        "booking_ids": tuple(name(number, place) for place in range(len(starts))),
        "patient_id": f.a_patient_id(number),
        "visit_type": CONSULT,
        "starts": starts,
    }
    return cm.BookMany(**(given | changes))


def name(number: int, place: int) -> BookingId:
    return f.a_booking_id(number * 100 + place)


def refused(calendar: Calendar, command: cm.Command, now: Millis = NOW) -> Refusal:
    outcome = calendar.decide(command, now)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def booked(calendar: Calendar) -> list[int]:
    return sorted(one.start for one in calendar.state.occupancy.bookings.values())


def test_all_are_booked_and_the_last_answers_a_repetition() -> None:
    """As many events as visits, in order, the key on the last; the same again has the
    same answer and books nothing, after a snapshot too."""
    calendar = a_calendar()
    events = play(calendar, many(reasons=("a", "b", "c"), confidential=True))
    assert isinstance(events, tuple)
    kinds = [type(one) for one in events]
    assert kinds == [ev.SlotBooked] * 3
    assert [one.key for one in events] == ["", "", "many-1"]
    assert [one.version for one in events] == [4, 5, 6]
    assert [getattr(one, "reason", "") for one in events] == ["a", "b", "c"]
    assert booked(calendar) == list(WEEKS)
    answer = calendar.state.answer("many-1")
    assert isinstance(answer, BookingView)
    assert (answer.booking_id, answer.confidential) == (name(1, 2), True)
    for known in (calendar, f.restored(calendar)):
        assert known.decide(many(reasons=("a", "b", "c"), confidential=True), NOW) == ()
        assert known.state.answer("many-1") == answer
    assert refused(calendar, many(fingerprint=9)).code == "idempotency_key_reused"


def test_its_events_are_those_of_as_many_bookings_in_the_journal() -> None:
    """A version that does not know the command reads and replays its journal."""
    calendar, alone = a_calendar(), a_calendar()
    events = play(calendar, many())
    assert isinstance(events, tuple)
    for place, (event, start) in enumerate(zip(events, WEEKS, strict=True)):
        assert codec.decode(codec.encode(event)) == event
        single = f.book_slot(
            1, start, booking_id=name(1, place), key=event.key, fingerprint=0
        )
        play(alone, single)
    assert booked(alone) == booked(calendar)


@pytest.mark.parametrize("taken", range(3))
def test_one_that_is_taken_refuses_all(taken: int) -> None:
    """The refusal says which; nothing is booked, and the calendar is as before."""
    calendar = a_calendar()
    play(calendar, f.book_slot(2, WEEKS[taken]))
    before = encode(calendar.state)
    refusal = refused(calendar, many())
    assert refusal.code == "slot_unavailable"
    day = ("10", "17", "24")[taken]
    assert f"2026-08-{day}T09:00Z" in refusal.detail
    assert encode(calendar.state) == before


def test_one_that_is_not_offered_refuses_all() -> None:
    """Out of hours, or beyond the horizon."""
    calendar = a_calendar()
    for last in (at(20, day=14), at(9, day=40)):
        command = many(starts=(at(9), last))
        assert refused(calendar, command).code == "slot_not_offered"
    assert booked(calendar) == []


def test_visits_of_one_command_do_not_meet() -> None:
    """They would each be free, but not beside one another; buffers count."""
    kinds = (f.a_visit_type(buffer_after=15), f.a_visit_type("long", minutes=60))
    calendar = a_calendar(f.an_availability(*kinds))
    meeting = many(starts=(at(9), at(9, 30)))
    assert refused(calendar, meeting).code == "invalid_request"
    beside = many(starts=(at(9), at(10)))
    assert isinstance(play(calendar, beside), tuple)


def test_the_patients_limit_counts_all_of_them() -> None:
    """Three ahead are allowed: one and two more, but not three more; staff are free."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1, at(12)))
    assert refused(calendar, many()).code == "booking_limit"
    assert refused(a_calendar(), many(starts=(*WEEKS, at(9, day=21)))).code == (
        "booking_limit"
    )
    assert isinstance(play(calendar, many(starts=WEEKS[:2])), tuple)
    another = many(2, starts=(at(15),), patient_id=f.a_patient_id(1))
    assert refused(calendar, another).code == "booking_limit"
    assert isinstance(play(calendar, many(3, starts=(at(15),), by_staff=True)), tuple)


def test_without_a_limit_a_years_weeks_are_booked() -> None:
    """52 at most."""
    rules = f.an_availability(f.a_visit_type(horizon=400 * 24 * 60))
    calendar = a_calendar(
        type(rules)(rules.locations, rules.visit_types, 0, BookingLimits(0, 0))
    )
    weeks = tuple(at(9, day=7 * week) for week in range(53))
    assert refused(calendar, many(starts=weeks)).code == "invalid_request"
    assert isinstance(play(calendar, many(starts=weeks[:52])), tuple)
    assert len(booked(calendar)) == 52


def test_a_hold_of_ones_own_is_used_up_once() -> None:
    """The held slot itself, or two visits over what one hold took."""
    calendar = a_calendar()
    play(calendar, f.place_hold(1, at(9)))
    events = play(calendar, many())
    assert isinstance(events, tuple)
    assert [getattr(one, "hold_id", None) for one in events] == [
        f.a_hold_id(1),
        None,
        None,
    ]
    assert not calendar.state.occupancy.holds
    kinds = (f.a_visit_type(), f.a_visit_type("long", minutes=60))
    calendar = a_calendar(f.an_availability(*kinds))
    play(calendar, f.place_hold(1, at(9), visit_type="long"))
    assert isinstance(play(calendar, many(starts=(at(9), at(9, 30)))), tuple)
    assert not calendar.state.occupancy.holds
    assert booked(calendar) == [at(9), at(9, 30)]


def test_a_hold_of_another_refuses_all_and_one_that_is_due_ends_first() -> None:
    """Expiry is written before the visits, with versions that follow."""
    calendar = a_calendar()
    play(calendar, f.place_hold(2, at(9)))
    assert refused(calendar, many()).code == "slot_unavailable"
    later = Millis(NOW + 121_000)
    events = play(calendar, many(), later)
    assert isinstance(events, tuple)
    assert [type(one) for one in events] == [ev.HoldExpired] + [ev.SlotBooked] * 3
    assert [one.version for one in events] == [5, 6, 7, 8]


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": (), "booking_ids": ()},
        {"starts": (at(10), at(9)), "booking_ids": (name(1, 0), name(1, 1))},
        {"booking_ids": (name(1, 0), name(1, 1))},
        {"booking_ids": (name(1, 0), name(1, 0), name(1, 1))},
        {"reasons": ("one",)},
    ],
)
def test_a_malformed_command_is_refused(changes: dict[str, Any]) -> None:
    """Starts ascend, ids are as many and distinct, reasons as many or none."""
    assert refused(a_calendar(), many(**changes)).code == "invalid_request"


def test_an_id_is_used_once_for_ever() -> None:
    """However another attempt is keyed, no visit is booked a second time."""
    calendar = a_calendar()
    play(calendar, many())
    again = many(key="other", starts=(at(11), at(11, day=7), at(11, day=14)))
    assert refused(calendar, again).code == "booking_limit"
    again = many(
        key="other",
        starts=(at(11), at(11, day=7), at(11, day=14)),
        by_staff=True,
    )
    assert refused(calendar, again).code == "invalid_request"
    assert booked(calendar) == list(WEEKS)
