"""Choices, quiet hours, and what is told of a visit in which order of events."""

from __future__ import annotations

from itertools import permutations

import pytest
from msgspec.structs import replace

from actors.domain.ids import Millis, Minute
from actors.domain.messages.answers import BookingStatus, BookingView
from care.notices.kinds import (
    NoticeKind,
    Preferences,
    QuietHours,
    after_quiet,
    due_at,
    language_of,
    notice_id,
)
from care.notices.messages import Channel
from care.notices.visits import STALE_MS, Told, VisitEvent, decide, still_holds
from tests import factories as make

NOW = make.NOW
NEXT, LATER = make.at(9, day=2), make.at(14, day=2)
VIEW = BookingView(
    provider_id=make.PROVIDER,
    epoch=1,
    version=1,
    booking_id=make.a_booking_id(1),
    status=BookingStatus.BOOKED,
    patient_id=make.a_patient_id(1),
    visit_type=make.CONSULT,
    start=NEXT,
    end=Minute(NEXT + 30),
    location_id=make.a_location().location_id,
    booked_at=NOW,
)


def event(kind: NoticeKind, version: int, at: Millis = NOW) -> VisitEvent:
    return VisitEvent(kind, VIEW.booking_id, version, at)


BOOKED = event(NoticeKind.BOOKED, 1)
MOVED = event(NoticeKind.RESCHEDULED, 2)
CANCELLED = event(NoticeKind.CANCELLED, 3)
STRANDED = event(NoticeKind.STRANDED, 3)


def heard(view: BookingView, *events: VisitEvent) -> list[NoticeKind]:
    """What is told when all these are handled in this order, each of them twice."""
    told: Told | None = None
    found = []
    for one in (*events, *events):
        told, telling = decide(one, view, told, NEXT, NOW)
        found += [telling.kind] if telling else []
    return found


@pytest.mark.parametrize("events", list(permutations((BOOKED, MOVED, CANCELLED))))
def test_a_visit_that_is_over_is_told_to_be_over(events: tuple[VisitEvent]) -> None:
    """Whatever comes first, a cancelled visit is told of once, as cancelled."""
    over = replace(VIEW, version=3, status=BookingStatus.CANCELLED, start=LATER)
    assert heard(over, *events) == [NoticeKind.CANCELLED]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((BOOKED, MOVED), [NoticeKind.BOOKED]),
        ((MOVED, BOOKED), [NoticeKind.RESCHEDULED]),
    ],
)
def test_a_moved_visit_is_told_where_it_is(
    events: tuple[VisitEvent], told: list[NoticeKind]
) -> None:
    """Once: a confirmation that already has the new time needs no change after it."""
    moved = replace(VIEW, version=2, start=LATER)
    assert heard(moved, *events) == told


@pytest.mark.parametrize("events", list(permutations((MOVED, STRANDED))))
def test_a_move_is_told_whatever_came_of_it_first(
    events: tuple[VisitEvent, ...],
) -> None:
    """Calendars must change the visit (SEQUENCE) also where its doctor's leave is heard
    of before the move; and that the visit stands again is heard after both."""
    told, _ = decide(BOOKED, VIEW, None, NEXT, NOW)
    view = replace(VIEW, version=3, start=LATER, stranded="leave")
    ids = set()
    for one in (*events, *events):
        told, telling = decide(one, view, told, NEXT, NOW)
        if telling:
            ids.add((telling.kind, telling.version))
    assert ids == {(NoticeKind.RESCHEDULED, 2), (NoticeKind.STRANDED, 3)}
    assert (told.sequence, told.start) == (1, LATER)
    covered = event(NoticeKind.COVERED, 4)
    told, telling = decide(covered, replace(view, stranded=""), told, NEXT, NOW)
    assert telling is not None
    assert (telling.kind, told.version) == (NoticeKind.COVERED, 4)


def test_what_is_told_first_says_when_the_visit_is() -> None:
    """Whatever it is: what was told is kept until so long after the visit, and one
    that stands again is told of."""
    view = replace(VIEW, version=3, stranded="leave")
    told, _ = decide(STRANDED, view, None, NEXT, NOW)
    assert (told.start, told.end) == (view.start, view.end)


def test_what_is_past_or_stale_is_not_told() -> None:
    """Nor is it the last that was told, but for its version."""
    past = replace(VIEW, start=Minute(NOW // 60_000 - 1))
    assert heard(past, BOOKED) == []
    old = event(NoticeKind.BOOKED, 1, Millis(NOW - STALE_MS - 1))
    assert heard(VIEW, old) == []


def test_a_message_holds_while_its_visit_stands() -> None:
    """The start counts, and the status; the end of a visit can always be told."""
    over = replace(VIEW, status=BookingStatus.CANCELLED)
    for kind in (NoticeKind.BOOKED, NoticeKind.REMINDER, NoticeKind.COVERED):
        assert still_holds(kind, NEXT, VIEW)
        assert not still_holds(kind, LATER, VIEW)
        assert not still_holds(kind, NEXT, over)
        assert not still_holds(kind, NEXT, None)
    assert still_holds(NoticeKind.CANCELLED, NEXT, None)
    assert not still_holds(NoticeKind.STRANDED, NEXT, VIEW)


@pytest.mark.parametrize(
    ("zone", "at", "until"),
    [
        ("UTC", make.at(20, 59), make.at(20, 59)),
        ("UTC", make.at(21), make.at(32)),
        ("UTC", make.at(7, 59), make.at(8)),
        ("UTC", make.at(8), make.at(8)),
        ("Asia/Kolkata", make.at(15, 30), make.at(26, 30)),
        ("America/New_York", make.at(3), make.at(12)),
        ("No/Where", make.at(22), make.at(32)),
    ],
)
def test_quiet_hours_end_on_the_wall(zone: str, at: int, until: int) -> None:
    """Over midnight, in the person's zone; an unknown zone is UTC."""
    assert after_quiet(QuietHours(), zone, make.millis(at)) == make.millis(until)


def test_quiet_hours_end_on_the_wall_when_clocks_change() -> None:
    """On 29 March 2026 Berlin goes to summer time at 1:00 UTC: eight is 6:00 UTC."""
    evening = Millis(1_774_735_200_000)  # 2026-03-28T22:00Z, 23:00 in Berlin
    assert (
        after_quiet(QuietHours(), "Europe/Berlin", evening) == evening + 8 * 3_600_000
    )


def test_quiet_hours_last_through_an_hour_that_comes_again() -> None:
    """On 25 October 2026 Berlin has 2:10 at 0:10 and at 1:10 UTC; 2:30 is then at
    0:30, and at 1:30."""
    quiet, first = QuietHours("21:00", "02:30"), 1_792_887_000_000
    for ten in (first, first + 3_600_000):
        until = after_quiet(quiet, "Europe/Berlin", Millis(ten))
        assert until == ten + 20 * 60_000


def test_equal_times_are_no_quiet() -> None:
    """Who wants no quiet hours has none."""
    assert after_quiet(QuietHours("08:00", "08:00"), "UTC", NOW) == NOW


def test_what_is_near_and_what_makes_no_sound_is_not_held_back() -> None:
    """A visit in the next hours is told of at night, too; a mail always."""
    night, mine = make.millis(make.at(22)), Preferences()
    near, far = make.millis(make.at(33)), make.millis(make.at(57))
    assert due_at(mine, Channel.SMS, "UTC", now=night, start=near) == night
    assert due_at(mine, Channel.MAIL, "UTC", now=night, start=far) == night
    assert due_at(mine, Channel.SMS, "UTC", now=night, start=far) > night


def test_languages_fall_back() -> None:
    """To the first that is written, then to English."""
    assert language_of("", "de-AT") == "de"
    assert language_of("fr", "ar_EG", "de") == "ar"
    assert language_of("fr") == "en"


def test_an_id_of_a_notice_is_made_of_what_it_tells() -> None:
    """Equal for equal parts, and it shows none of them."""
    assert notice_id("booked", "bkg_1.1", 7) == notice_id("booked", "bkg_1.1", 7)
    assert notice_id("booked", "bkg_1.1", 7) != notice_id("booked", "bkg_1.1", 8)
    assert "bkg" not in notice_id("booked", "bkg_1.1", 7)
