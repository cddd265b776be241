"""Which time off follows from busy times."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from random import Random

import pytest

from actors.domain.ids import Millis, Minute, TimeOffId, is_id
from actors.domain.rules import TimeOff
from care.busy.ports import (
    BACK_OFF_MOST_MS,
    EVERY_MS,
    BusyFailure,
    BusyOutcome,
    BusyTask,
    ReadBefore,
    checked_address,
    next_attempt,
)
from care.busy.slimming import number_of_events, slimmed
from care.busy.spans import (
    PAST_MINUTES,
    SPANS_MAX,
    BusySpan,
    differences,
    horizon_at,
    imported_id,
    is_imported,
    joined,
    wanted_spans,
)
from tests import factories as make

HAND = TimeOff(make.a_time_off_id(1), make.at(9), make.at(10), "sealed")


def span(start: int, end: int) -> BusySpan:
    return BusySpan(Minute(start), Minute(end))


def instant(*parts: int) -> Millis:
    return Millis(int(datetime(*parts, tzinfo=UTC).timestamp() * 1000))  # type: ignore[misc, arg-type]


def test_the_same_minutes_are_busy_in_as_few_spans_as_possible() -> None:
    """Whatever spans there are: minute by minute they are the same, and none of the
    joined ones meets another."""
    chance, horizon = Random(3), horizon_at(make.NOW)
    for _ in range(200):
        spans = [
            span(first, first + chance.randrange(1, 20))
            for first in (
                horizon.start + chance.randrange(-30, 300)
                for _ in range(chance.randrange(30))
            )
        ]
        found = joined(spans, horizon)
        busy = {minute for one in spans for minute in range(one.start, one.end)}
        inside = {minute for minute in busy if minute >= horizon.start}
        assert {m for one in found for m in range(one.start, one.end)} == inside
        for before, after in itertools.pairwise(found):
            assert before.end < after.start


def test_ids_stay_all_month() -> None:
    """A time that is busy beyond the horizon on both sides is the same time off on
    every day of a month: it is not taken and given back each day."""
    always = [span(0, 2**31)]
    first, last = instant(2026, 8, 1), instant(2026, 8, 31, 23, 59)
    assert wanted_spans(always, first) == wanted_spans(always, last)
    assert wanted_spans(always, last) != wanted_spans(always, instant(2026, 9, 1))
    ((whole,), cut) = wanted_spans(always, instant(2026, 12, 31))
    assert cut is None
    assert datetime.fromtimestamp(whole.start * 60, UTC) == datetime(
        2026, 11, 1, tzinfo=UTC
    )
    assert datetime.fromtimestamp(whole.end * 60, UTC) == datetime(
        2027, 7, 1, tzinfo=UTC
    )


def test_time_off_is_bounded_and_says_from_where_on_it_is_cut() -> None:
    """The soonest are taken; what was over a day ago is not."""
    now = make.NOW // 60_000
    many = [span(now + 60 * n, now + 60 * n + 30) for n in range(SPANS_MAX + 7)]
    found, cut = wanted_spans(many, make.NOW)
    assert found == many[:SPANS_MAX]
    assert cut == many[SPANS_MAX].start
    over = [span(now - PAST_MINUTES - 60, now - PAST_MINUTES)]
    assert wanted_spans(over, make.NOW) == ([], None)
    recent = [span(now - PAST_MINUTES - 60, now - PAST_MINUTES + 1)]
    assert wanted_spans(recent, make.NOW) == (recent, None)


def test_only_differences_are_sent_and_none_touches_what_was_taken_by_hand() -> None:
    """Also not one with the same times."""
    kept, new = span(HAND.start, HAND.end), span(make.at(12), make.at(13))
    gone = span(make.at(14), make.at(15))
    present = [
        HAND,
        *(
            TimeOff(imported_id(make.PROVIDER, one), one.start, one.end)
            for one in (kept, gone)
        ),
    ]
    found = differences(make.PROVIDER, [kept, new], present)
    assert found.added == [new]
    assert found.removed == [imported_id(make.PROVIDER, gone)]
    ended = differences(make.PROVIDER, [], present)
    assert HAND.time_off_id not in ended.removed
    assert len(ended.removed) == 2


def test_imported_time_off_is_told_by_its_id() -> None:
    """The id is one that calendars take; ids of people's are random."""
    longest = make.PROVIDER.ljust(68, "x")
    name = imported_id(make.a_provider_id(), span(2**30, 2**30 - 1))
    assert is_imported(name)
    assert is_id(imported_id(type(make.PROVIDER)(longest), span(9**9, 9**9)), "off")
    for other in (
        HAND.time_off_id,
        "off_1.busy-1",
        "off_1.busy-1-2\n",
        "off_1.busy-1-2.x",
        "hld_1.busy-1-2",
    ):
        assert not is_imported(TimeOffId(other))


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://calendar.example/a.ics", "https://calendar.example/a.ics"),
        (
            "webcal://calendar.example/a.ics?key=1",
            "https://calendar.example/a.ics?key=1",
        ),
        ("WEBCAL://calendar.example/a.ics#x", "https://calendar.example/a.ics"),
        ("http://calendar.example/a.ics", None),
        ("https://localhost/a.ics", None),
        ("https://127.0.0.1/a.ics", None),
        ("https://[::1]/a.ics", None),
        ("https://calendar.example:8443/a.ics", None),
        ("https://user:word@calendar.example/a.ics", None),
        ("file:///etc/passwd", None),
        ("https://calendar.example/a b.ics", None),
        ("https://calendar.example/" + "a" * 2_000, None),
        ("https://[broken/a.ics", None),
    ],
)
def test_addresses_that_may_be_asked(given: str, asked: str | None) -> None:
    """https at a public name, as programs write it."""
    assert checked_address(given, is_open=False) == asked


def test_failures_are_waited_for_longer_and_longer() -> None:
    """Doubling to half a day; a server that says when is asked then."""
    task = BusyTask(make.PROVIDER, "bsy_1", "acc_1", "u", ReadBefore(), 0, Millis(0))
    waits = []
    for failures in range(12):
        one = BusyTask(
            *(task.provider_id, task.calendar_id, task.account_id, task.url),
            *(task.before, failures, task.claimed_until),
        )
        outcome = BusyOutcome(BusyFailure.UNREACHABLE)
        waits.append(next_attempt(one, outcome, make.NOW) - make.NOW)
    assert waits == sorted(waits)
    assert 7 * EVERY_MS // 8 <= waits[0] <= EVERY_MS
    assert 7 * BACK_OFF_MOST_MS // 8 <= waits[-1] <= BACK_OFF_MOST_MS
    told = BusyOutcome(BusyFailure.SERVER, after_ms=4 * EVERY_MS)
    assert next_attempt(task, told, make.NOW) - make.NOW >= 3 * EVERY_MS


def test_what_is_not_about_time_is_dropped_before_anything_reads_it() -> None:
    """Titles, notes and people, folded lines with them; a new stamp changes nothing."""
    text = (
        b"\xef\xbb\xbfBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTAMP:%s\r\nUID:1\r\n"
        b"SUMMARY:secret\r\n DTSTART:20260101\r\nATTENDEE:mailto:a@b\r\n"
        b"DTSTART;TZID=Europe/Ber\r\n lin:20260810T090000\r\nEND:VEVENT\r\n"
        b"END:VCALENDAR\r\n"
    )
    slim = slimmed(text % b"20260101T000000Z")
    assert slim == slimmed(text % b"20270101T000000Z")
    assert b"secret" not in slim
    assert b"mailto" not in slim
    assert b"lin:20260810T090000" in slim
    assert b"20260101" not in slim
    assert number_of_events(slim) == 1
    assert slim.startswith(b"BEGIN:VCALENDAR")
