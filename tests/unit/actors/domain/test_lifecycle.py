"""The course of a visit, and that docs/calendar.md shows it truly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors.domain.calendar import views
from actors.domain.calendar.lifecycle import (
    BLOCKING,
    LIVE,
    TRANSITIONS,
    UNDO_MS,
    UNDOABLE,
)
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import BookingStatus, BookingView
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy
from tests import factories as f

PAGE = Path(__file__).parents[4] / "docs" / "calendar.md"
COMMANDS: dict[type, cm.Command] = {
    cm.CancelBooking: f.cancel_booking(1, key="now"),
    cm.RescheduleBooking: f.reschedule_booking(1, start=f.at(11), key="now"),
    cm.CheckIn: f.check_in(1, key="now"),
    cm.CompleteVisit: f.complete_visit(1, key="now"),
    cm.MarkNoShow: f.mark_no_show(1, key="now"),
}
WAYS: dict[BookingStatus, list[cm.Command]] = {
    BookingStatus.BOOKED: [],
    BookingStatus.ARRIVED: [f.check_in(1)],
    BookingStatus.FULFILLED: [f.complete_visit(1, without_check_in=True)],
    BookingStatus.CANCELLED: [f.cancel_booking(1)],
    BookingStatus.NOSHOW: [f.mark_no_show(1)],
}


@pytest.mark.parametrize("status", BookingStatus)
@pytest.mark.parametrize("kind", list(COMMANDS))
def test_every_command_in_every_status(kind: type, status: BookingStatus) -> None:
    """The calendar does what the table says, and refuses what it leaves out."""
    calendar = f.a_calendar()
    f.play(calendar, f.book_slot(1))
    now = f.millis(f.at(9))  # the visit begins
    for command in WAYS[status]:
        f.play(calendar, command, now)
    outcome = f.play(calendar, COMMANDS[kind], now)
    after = views.booking(calendar.state, f.a_booking_id(1))
    assert isinstance(after, BookingView)
    expected = TRANSITIONS[kind].get(status)
    if expected is None:
        assert isinstance(outcome, Refusal)
        assert outcome.code is RefusalCode.WRONG_STATUS
        assert status.value in outcome.detail
        assert after.status is status
    else:
        assert not isinstance(outcome, Refusal)
        assert after.status is expected
    taken = f.play(calendar, f.book_slot(2, after.start), now)
    assert isinstance(taken, Refusal) == (after.status in BLOCKING)


def _code(outcome: object) -> str:
    return outcome.code.value if isinstance(outcome, Refusal) else ""


@pytest.mark.parametrize(
    ("zone", "day_begins"),
    [
        ("UTC", f.at(0, day=1)),
        ("Pacific/Auckland", f.at(12)),
        ("Pacific/Pago_Pago", f.at(11)),
    ],
)
def test_outcomes_wait_for_their_time(zone: str, day_begins: int) -> None:
    """Check-in and completion from the local day on, a no-show from the start on."""
    # 23:00 in UTC and Auckland's 11:00 are on the next local day, Pago Pago's 11:00 is
    # on the same one.
    start = {"UTC": f.at(23, day=1), "Pacific/Auckland": f.at(23)}.get(zone, f.at(22))
    place = f.a_location(time_zone=zone, weekly=(f.ALL_DAY,) * 7)
    for command, opens in (
        (f.check_in(1), day_begins),
        (f.complete_visit(1, without_check_in=True), day_begins),
        (f.mark_no_show(1), start),
    ):
        calendar = f.a_calendar(f.an_availability(locations=[place]))
        assert not isinstance(f.play(calendar, f.book_slot(1, start)), Refusal)
        early = Millis(f.millis(opens) - 1)
        assert _code(f.play(calendar, command, early)) == "too_early"
        assert _code(f.play(calendar, command, f.millis(opens))) == ""


def test_a_replay_records_outcomes_at_any_time() -> None:
    """A site that is set up for it does not wait for the visit's day."""
    calendar = f.a_calendar(policy=Policy(early_outcomes=True))
    f.play(calendar, f.book_slot(1, f.at(9, day=5)))
    assert _code(f.play(calendar, f.mark_no_show(1))) == ""


def test_mistakes_are_undone_one_after_another_for_a_day() -> None:
    """The status before comes back, however deep, and the time stays taken."""
    calendar = f.a_calendar()
    f.play(calendar, f.book_slot(1))
    start = f.millis(f.at(9))
    for command in (f.mark_no_show(1), f.check_in(1), f.complete_visit(1)):
        f.play(calendar, command, start)
    seen = []
    for number in range(1, 5):
        outcome = f.play(
            calendar, f.undo_outcome(number, booking_id=f.a_booking_id(1)), start
        )
        found = views.booking(calendar.state, f.a_booking_id(1))
        assert isinstance(found, BookingView)
        seen.append(_code(outcome) or found.status.value)
        assert _code(f.play(calendar, f.book_slot(2), start)) == "slot_unavailable"
    assert seen == ["arrived", "noshow", "booked", "wrong_status"]


@pytest.mark.parametrize(("late", "expected"), [(0, ""), (1, "too_late")])
def test_a_day_later_an_outcome_is_final(late: int, expected: str) -> None:
    """Exactly a day after it was recorded it can still be undone."""
    calendar = f.a_calendar()
    f.play(calendar, f.book_slot(1))
    f.play(calendar, f.check_in(1), f.millis(f.at(8)))
    now = Millis(f.millis(f.at(8)) + UNDO_MS + late)
    assert _code(f.play(calendar, f.undo_outcome(1), now)) == expected


def test_what_nobody_recorded_cannot_be_undone() -> None:
    """A booking that is booked or cancelled, and one that is not there."""
    calendar = f.a_calendar()
    f.play(calendar, f.book_slot(1))
    assert _code(f.play(calendar, f.undo_outcome(1))) == "wrong_status"
    f.play(calendar, f.check_in(1))
    f.play(calendar, f.cancel_booking(1))
    assert _code(f.play(calendar, f.undo_outcome(2, booking_id=f.a_booking_id(1)))) == (
        "wrong_status"
    )
    assert _code(f.play(calendar, f.undo_outcome(9))) == "booking_not_found"


@pytest.mark.parametrize("before", [0, 90])
def test_patients_change_visits_until_the_clinics_limit(before: int) -> None:
    """To the millisecond; staff always may."""
    rules = f.an_availability()
    rules = type(rules)(rules.locations, rules.visit_types, before)
    last = f.millis(f.at(9) - before)
    mine = f.a_patient_id(1)
    for kind in (f.cancel_booking, f.reschedule_booking):
        given = {"start": f.at(15)} if kind is f.reschedule_booking else {}
        for owner, late, expected in (
            (mine, 0, ""),
            (mine, 1, "too_late"),
            (None, 1, ""),
        ):
            calendar = f.a_calendar(rules)
            f.play(calendar, f.book_slot(1))
            command = kind(1, owner=owner, **given)
            outcome = f.play(calendar, command, Millis(last + late))
            assert _code(outcome) == expected


def test_the_page_shows_the_table() -> None:
    """docs/calendar.md has a row per command and a column per status, as in code."""
    text = PAGE.read_text()
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.MULTILINE)
    shown = {
        name: [cell.strip(" `") for cell in cells.split("|")] for name, cells in rows
    }
    expected = {
        kind.__name__: [moves[s].value if s in moves else "–" for s in BookingStatus]
        for kind, moves in TRANSITIONS.items()
    }
    assert shown == expected
    head = "| command | " + " | ".join(f"`{s.value}`" for s in BookingStatus) + " |"
    assert head in text


def test_the_page_draws_the_same_diagram() -> None:
    """Every arrow of the diagram is a move of the table, and the other way round."""
    text = PAGE.read_text()
    arrows = set(re.findall(r"^\s+(\w+) --> (\w+) : (\w+)$", text, re.MULTILINE))
    expected = {
        (before.value, after.value, kind.__name__)
        for kind, moves in TRANSITIONS.items()
        for before, after in moves.items()
    }
    holds = {
        ("held", "held", "ExtendHold"),
        ("held", "booked", "ConfirmHold"),
    }
    assert {arrow for arrow in arrows if arrow[0] != "held"} == expected
    assert {arrow for arrow in arrows if arrow[0] == "held"} == holds


def test_the_page_names_who_takes_time() -> None:
    """Blocking and live statuses are listed."""
    text = PAGE.read_text()
    order = list(BookingStatus)
    for title, statuses in (
        ("Takes its time", BLOCKING),
        ("Hit by leave", LIVE),
        ("Can be undone for a day", UNDOABLE),
    ):
        names = ", ".join(f"`{s.value}`" for s in order if s in statuses)
        assert f"{title}: {names}." in text


def test_a_visit_is_completed_once_it_was_checked_in_or_staff_say_so() -> None:
    """From ``booked`` only with ``without_check_in``, and even then in its time."""
    start = f.millis(f.at(9))
    calendar = f.a_calendar()
    f.play(calendar, f.book_slot(1))
    assert _code(f.play(calendar, f.complete_visit(1), start)) == "wrong_status"
    said = f.complete_visit(2, booking_id=f.a_booking_id(1), without_check_in=True)
    early = Millis(f.millis(f.at(0)) - 1)
    assert _code(f.play(calendar, said, early)) == "too_early"
    assert _code(f.play(calendar, said, start)) == ""
    f.play(calendar, f.cancel_booking(2))
    assert _code(f.play(calendar, f.complete_visit(3), start)) == "booking_not_found"
