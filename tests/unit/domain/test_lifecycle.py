"""The course of a visit, and that docs/calendar.md shows it truly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors.domain import commands as cm
from actors.domain.answers import BookingStatus, BookingView
from actors.domain.errors import Refusal, RefusalCode
from actors.domain.lifecycle import BLOCKING, LIVE, TRANSITIONS
from tests import factories as f

PAGE = Path(__file__).parents[3] / "docs" / "calendar.md"
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
    BookingStatus.FULFILLED: [f.complete_visit(1)],
    BookingStatus.CANCELLED: [f.cancel_booking(1)],
    BookingStatus.NOSHOW: [f.mark_no_show(1)],
}


@pytest.mark.parametrize("status", BookingStatus)
@pytest.mark.parametrize("kind", list(COMMANDS))
def test_every_command_in_every_status(kind: type, status: BookingStatus) -> None:
    """The calendar does what the table says, and refuses what it leaves out."""
    calendar = f.a_calendar()
    for command in (f.book_slot(1), *WAYS[status]):
        f.play(calendar, command)
    outcome = f.play(calendar, COMMANDS[kind])
    after = calendar.booking(f.a_booking_id(1))
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
    taken = f.play(calendar, f.book_slot(2, after.start))
    assert isinstance(taken, Refusal) == (after.status in BLOCKING)


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
    for title, statuses in (("Takes its time", BLOCKING), ("Hit by leave", LIVE)):
        names = ", ".join(f"`{s.value}`" for s in order if s in statuses)
        assert f"{title}: {names}." in text
