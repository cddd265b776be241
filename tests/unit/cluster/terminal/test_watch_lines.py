"""What ``slotcast watch`` says of each event: lines for people and for programs."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cluster.terminal.watch_lines import JsonLines, PlainLines, isolated
from slotcast.client import Change, TopicView
from slotcast.client.events import (
    ByeSeen,
    Connected,
    DeltaSeen,
    Event,
    GapHealed,
    GapSeen,
    HeartbeatSeen,
    Lost,
    SignedIn,
    SnapshotSeen,
    Subscribed,
    TokenEnding,
    TopicRefused,
)
from slotcast.client.frames import read_frame
from tests.wall_clock import packaged_zone

WEEK = "slots/prv_1/consult/2026-W49"
NINE, TEN = "2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"
NOW = 1_796_112_000_123  # 2026-12-01T08:00:00.123Z
ZURICH = packaged_zone("Europe/Zurich")
BOOKING = {
    "booking_id": "bkg_1",
    "status": "booked",
    "start": NINE,
    "visit_type": "consult",
    "patient_id": "pat_1",
}


def shown(topic: str, **content: Any) -> dict[str, TopicView]:
    view = TopicView(topic)
    frame = {"t": "snapshot", "topic": topic, "epoch": 7, "version": 101, **content}
    view.apply(read_frame(msgspec.json.encode(frame)))
    return {topic: view}


def people(event: Event, views: dict[str, TopicView], *, many: bool = False) -> str:
    writing = PlainLines(ZURICH, names_topics=many)
    return "\n".join(line.plain for line in writing.lines(event, views, NOW))


def programs(event: Event, views: dict[str, TopicView]) -> list[dict[str, Any]]:
    return [json.loads(line.plain) for line in JsonLines().lines(event, views, NOW)]


def test_content_is_shown_by_day_and_state_in_local_time() -> None:
    """One line a state, the day on the first of them; instants in the given zone."""
    views = shown(
        WEEK, slots=[[NINE, "booked"], [TEN, "free"], ["2026-12-02T23:30:00Z", "held"]]
    )
    assert people(SnapshotSeen(WEEK, (7, 101), None), views).splitlines() == [
        f"{WEEK}  1 free, 1 held, 1 booked, at 7.101, times in CET",
        "  Tue  1 Dec free   11:00",
        "             booked 10:00",
        "  Thu  3 Dec held   00:30",
    ]


def test_an_empty_topic_is_said_to_be_empty() -> None:
    """No slot is also an answer."""
    text = people(SnapshotSeen(WEEK, (7, 101), None), shown(WEEK, slots=[]))
    assert text == f"{WEEK}  nothing, at 7.101, times in CET"


def test_bookings_are_shown_with_who_and_leave() -> None:
    """A schedule's lines: start, status, who; leave below."""
    leave = {"time_off_id": "off_1", "start": NINE, "end": TEN, "reason": "course"}
    views = shown("schedule/prv_1", bookings=[BOOKING], time_off=[leave])
    assert people(SnapshotSeen("schedule/prv_1", (7, 101), None), views).splitlines()[
        1:
    ] == [
        "  Tue  1 Dec 10:00  booked     consult  pat_1  bkg_1",
        "  off from Tue  1 Dec 10:00 to Tue  1 Dec 11:00  course",
    ]


def test_a_change_is_a_line() -> None:
    """Local time, start, old and new state, position; the topic if there are many."""
    event = DeltaSeen(
        WEEK,
        (7, 105),
        (7, 101),
        (Change(NINE, "free", "held"), Change(TEN, "held", "")),
    )
    assert people(event, {}).splitlines() == [
        "09:00:00.123  Tue  1 Dec 10:00  free -> held  at 7.105",
        "09:00:00.123  Tue  1 Dec 11:00  held -> gone  at 7.105",
    ]
    first = people(event, {}, many=True).splitlines()[0]
    assert first == f"09:00:00.123  {WEEK}  Tue  1 Dec 10:00  free -> held  at 7.105"
    booked = Change("bkg_1", "", "booked", BOOKING)
    assert people(DeltaSeen("me", (1, 2), (1, 1), (booked,)), {}) == (
        "09:00:00.123  Tue  1 Dec 10:00  nothing -> booked  consult  pat_1  bkg_1"
        "  at 1.2"
    )
    moved = Change("bkg_1", "booked", "booked", BOOKING)
    said = people(DeltaSeen("me", (1, 3), (1, 2), (moved,)), {})
    assert "  Tue  1 Dec 10:00  booked, changed  consult  " in said


@pytest.mark.parametrize(
    ("event", "said", "kind"),
    [
        (Connected(again=True), "connected again", "connected"),
        (Lost("the line broke", 1.23), "lost (the line broke); again in 1.2 s", "lost"),
        (Lost("closed", 2.0, 4012), "lost (the server stops); again in 2.0 s", "lost"),
        (GapSeen(WEEK, (7, 1), (7, 3)), "was missed; asked for it", "gap"),
        (GapHealed(WEEK, (7, 3)), "complete again, at 7.3", "healed"),
        (TopicRefused("me", 401, "x", "No."), "me is refused: No.", "refused"),
        (TokenEnding(30.0), "the token ends soon", "token_ending"),
        (SignedIn("patient", "pat_1", ""), "as patient pat_1", "signed_in"),
        (ByeSeen(4012), "goodbye: the server stops", "bye"),
    ],
)
def test_what_is_no_change_is_a_plain_sentence(
    event: Event, said: str, kind: str
) -> None:
    """With the time, and for programs with a name."""
    text = people(event, {})
    assert text.startswith("09:00:00.123  ")
    assert said in text
    (document,) = programs(event, {})
    assert document["event"] == kind


@pytest.mark.parametrize(
    "event",
    [Connected(again=False), Subscribed((WEEK,)), HeartbeatSeen(NINE), ],
)  # fmt: skip
def test_what_interests_nobody_is_not_said(event: Event) -> None:
    """Heartbeats and the like leave no line."""
    assert people(event, {}) == ""
    assert programs(event, {}) == []


def test_programs_get_content_and_changes_as_objects() -> None:
    """UTC, positions as numbers, one object for each change."""
    views = shown(WEEK, slots=[[TEN, "free"], [NINE, "booked"]])
    where = {"topic": WEEK, "epoch": 7}
    seen_at = "2026-12-01T08:00:00.123Z"
    assert programs(SnapshotSeen(WEEK, (7, 101), None), views) == [
        {
            "event": "snapshot",
            "seen_at": seen_at,
            **where,
            "version": 101,
            "slots": [[NINE, "booked"], [TEN, "free"]],
        }
    ]
    change = Change(NINE, "booked", "free")
    assert programs(DeltaSeen(WEEK, (7, 105), (7, 101), (change,)), views) == [
        {
            "event": "change",
            "seen_at": seen_at,
            **where,
            "version": 105,
            "start": NINE,
            "old": "booked",
            "new": "free",
        }
    ]
    (me,) = programs(
        DeltaSeen("me", (1, 2), None, (Change("bkg_1", "", "booked", BOOKING),)), {}
    )
    assert (me["booking_id"], me["booking"]) == ("bkg_1", BOOKING)


def test_free_text_cannot_turn_the_line_around() -> None:
    """A direction override ends with the text it is in; other text stays as it is."""
    assert isolated("on a course") == "on a course"
    assert isolated("a\u202eb") == "\u2068a\u202eb\u2069"
