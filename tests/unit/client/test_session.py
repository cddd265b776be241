"""One client's conversation, without a socket: what it says, and when it comes back."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from slotcast.client.errors import TooManyOpenCommands
from slotcast.client.events import (
    Answered,
    ByeSeen,
    DeltaSeen,
    DeltaSkipped,
    Event,
    GapHealed,
    GapSeen,
    HeartbeatSeen,
    MessageUnreadable,
    PongSeen,
    ProblemDetails,
    SignedIn,
    SignInRefused,
    SnapshotSeen,
    Subscribed,
    TokenEnding,
    TopicRefused,
)
from slotcast.client.session import COMMANDS_OPEN_MAX, LiveSession
from slotcast.client.view import Change

WEEK = "slots/prv_1/consult/2026-W49"
OTHER = "slots/prv_1/consult/2026-W50"
NINE = "2026-12-01T09:00:00Z"


class Line:
    """A session and the texts it sends, read as JSON."""

    def __init__(self, *topics: str, token: str = "") -> None:
        self.session = LiveSession(topics, token=token, random=Random(1))
        self.said: list[dict[str, Any]] = []

    def connect(self, now: float = 0.0) -> list[dict[str, Any]]:
        return self.say(self.session.connected(now))

    def say(self, texts: list[str]) -> list[dict[str, Any]]:
        read = [json.loads(text) for text in texts]
        self.said += read
        return read

    def hear(self, *, at: float = 1.0, **frame: Any) -> list[Event]:
        if "first" in frame:
            frame["from"] = frame.pop("first")
        heard = self.session.heard(json.dumps(frame), at)
        self.sent = self.say(heard.send)
        return heard.events

    def snapshot(self, topic: str, epoch: int, version: int, state: str) -> list[Event]:
        return self.hear(
            t="snapshot",
            topic=topic,
            epoch=epoch,
            version=version,
            slots=[[NINE, state]],
        )

    def delta(
        self, topic: str, epoch: int, first: int, version: int, state: str
    ) -> list[Event]:
        return self.hear(
            t="delta",
            topic=topic,
            epoch=epoch,
            first=first,
            version=version,
            slots=[[NINE, state]],
        )

    def result(self, question: dict[str, Any], body: Any = None) -> list[Event]:
        return self.hear(t="result", id=question["id"], status=200, body=body)

    def error(
        self, identifier: Any, status: int, code: str, **more: Any
    ) -> list[Event]:
        return self.hear(
            t="error", id=identifier, status=status, code=code, detail="No.", **more
        )


def watching(*topics: str) -> Line:
    """A line with a snapshot of each topic at 7.101."""
    line = Line(*topics)
    for question in line.connect():
        line.result(question, {"topics": question["topics"]})
    for topic in topics:
        line.snapshot(topic, 7, 101, "free")
    return line


def test_it_signs_in_before_it_asks_for_topics() -> None:
    """Private topics need the sign-in to be heard first."""
    line = Line(WEEK, "me", token="a-token")
    auth, subscribe = line.connect()
    assert auth == {"op": "auth", "id": 1, "token": "a-token"}
    assert subscribe == {"op": "subscribe", "id": 2, "topics": [WEEK, "me"]}
    told = {"role": "patient", "subject": "pat_1", "expires_at": "2026-12-01T10:00:00Z"}
    assert line.result(auth, told) == [SignedIn(**told)]
    assert line.result(subscribe, {"topics": [WEEK, "me"]}) == [
        Subscribed((WEEK, "me"))
    ]


def test_it_resumes_from_where_it_stands() -> None:
    """After a loss it asks with the position of every topic that it knows."""
    line = watching(WEEK)
    line.session.subscribe([OTHER])
    line.delta(WEEK, 7, 101, 105, "held")
    assert line.session.lost(1006, 2.0) is not None
    (question,) = line.connect(3.0)
    assert question["topics"] == [WEEK, OTHER]
    assert question["since"] == {WEEK: [7, 105]}
    assert line.delta(WEEK, 7, 105, 106, "booked") == [
        DeltaSeen(WEEK, (7, 106), (7, 105), (Change(NINE, "held", "booked"),))
    ]


def test_snapshots_and_deltas_are_told_with_what_changed() -> None:
    """The first content is no change; what comes after is told against it."""
    line = Line(WEEK)
    line.connect()
    assert line.snapshot(WEEK, 7, 101, "free") == [SnapshotSeen(WEEK, (7, 101), None)]
    assert line.snapshot(WEEK, 8, 3, "held") == [
        SnapshotSeen(WEEK, (8, 3), (7, 101), (Change(NINE, "free", "held"),))
    ]
    assert line.delta(WEEK, 8, 1, 3, "free") == [DeltaSkipped(WEEK, (8, 3))]
    assert line.session.views[WEEK].slots == {NINE: "held"}


def test_a_gap_is_asked_for_once_and_healed() -> None:
    """However many frames show it; what heals it is told."""
    line = watching(WEEK)
    assert line.delta(WEEK, 7, 103, 104, "held") == [GapSeen(WEEK, (7, 101), (7, 104))]
    (question,) = line.sent
    assert (question["topics"], question["since"]) == ([WEEK], {WEEK: [7, 101]})
    assert line.delta(WEEK, 7, 104, 105, "booked") == []
    assert line.sent == []
    line.result(question, {"topics": [WEEK]})
    events = line.delta(WEEK, 7, 101, 105, "booked")
    assert events[1:] == [GapHealed(WEEK, (7, 105))]
    assert line.session.views[WEEK].slots == {NINE: "booked"}


def test_a_gap_that_deltas_do_not_heal_is_healed_by_a_snapshot() -> None:
    """After two answers that brought nothing it asks for everything."""
    line = watching(WEEK)
    asked = []
    for version in (104, 106, 108):
        line.delta(WEEK, 7, version - 1, version, "held")
        asked += line.sent
        line.result(line.sent[0], {"topics": [WEEK]})
    assert [question.get("since") for question in asked] == [
        {WEEK: [7, 101]},
        {WEEK: [7, 101]},
        None,
    ]
    events = line.snapshot(WEEK, 7, 108, "held")
    assert events[-1] == GapHealed(WEEK, (7, 108))


@pytest.mark.parametrize(("position", "is_behind"), [
    ((7, 101), False), ((7, 100), False), ((7, 102), True), ((8, 1), True),
])  # fmt: skip
def test_heartbeats_show_what_was_missed(
    position: tuple[int, int], is_behind: bool
) -> None:
    """A topic that stands elsewhere than we do is asked for."""
    line = watching(WEEK)
    now = "2026-12-01T08:00:00Z"
    events = line.hear(
        t="heartbeat", now=now, positions={WEEK: position, OTHER: [1, 1]}
    )
    assert events[-1] == HeartbeatSeen(now, (WEEK,) if is_behind else ())
    assert [question["topics"] for question in line.sent] == [[WEEK]] * is_behind
    if is_behind:
        assert events[0] == GapSeen(WEEK, (7, 101), position, by_heartbeat=True)


def test_commands_are_answered_by_their_id() -> None:
    """Once; an unsolicited answer is ignored."""
    line = watching(WEEK)
    first, text = line.session.command("hold", key="k1", provider_id="prv_1")
    assert json.loads(text) == {
        "op": "hold",
        "id": first,
        "key": "k1",
        "provider_id": "prv_1",
    }
    second, _ = line.session.command("book", key="k2", hold_id="hld_1")
    assert line.error(second, 410, "hold_expired") == [
        Answered(second, 410, None, ProblemDetails("hold_expired", "No."))
    ]
    body = {"hold_id": "hld_1"}
    assert line.hear(t="result", id=first, status=201, body=body) == [
        Answered(first, 201, body)
    ]
    assert line.hear(t="result", id=first, status=201, body=body) == []
    assert line.error(None, 422, "invalid_request") == []


def test_commands_without_an_answer_are_sent_again_with_their_key() -> None:
    """The very same text, after sign-in and topics; what is forgotten is not."""
    line = Line(WEEK, token="a-token")
    line.connect()
    _, lost = line.session.command("book", key="k1", hold_id="hld_1")
    forgotten, _ = line.session.command("book", key="k2", hold_id="hld_2")
    line.session.forget(forgotten)
    line.session.lost(None, 2.0)
    assert [said["op"] for said in line.connect(3.0)] == ["auth", "subscribe", "book"]
    assert line.said[-1] == json.loads(lost)


def test_commands_are_bounded() -> None:
    """The one that the server would refuse is not sent; an answer makes room."""
    line = watching(WEEK)
    ids = [
        line.session.command("release", key=f"k{number}", hold_id="hld_1")[0]
        for number in range(COMMANDS_OPEN_MAX)
    ]
    with pytest.raises(TooManyOpenCommands):
        line.session.command("release", key="one-more", hold_id="hld_1")
    line.hear(t="result", id=ids[0], status=204, body=None)
    line.session.command("release", key="one-more", hold_id="hld_1")


@pytest.mark.parametrize(
    ("code", "comes_back"),
    [
        (None, True),
        (1000, True),
        (1006, True),
        (1012, True),
        (4000, True),
        (4005, True),
        (4012, True),
        (4499, True),
        (4500, False),
        (4501, False),
        (4505, False),
        (4999, False),
        (5000, True),
    ],
)
def test_close_codes_say_whether_to_come_back(
    code: int | None, comes_back: bool
) -> None:
    """4500 to 4999 mean stay away; everything else means come back."""
    line = watching(WEEK)
    assert (line.session.lost(code, 2.0) is not None) is comes_back


def test_a_bye_counts_when_the_close_itself_is_lost() -> None:
    """The line broke after the bye: its code and its times hold."""
    line = watching(WEEK)
    seen = line.hear(t="bye", code=4012, retry_ms=[7_000, 8_000])
    assert seen == [ByeSeen(4012, (7_000, 8_000))]
    wait = line.session.lost(None, 2.0)
    assert wait is not None
    assert 7.0 <= wait <= 8.0
    line.connect(20.0)
    line.hear(t="bye", code=4501, retry_ms=[500, 15_000])
    assert line.session.lost(None, 21.0) is None


def test_silence_is_a_dead_line() -> None:
    """45 s without a frame; any frame restarts the time."""
    line = watching(WEEK)
    line.connect(100.0)
    assert not line.session.deaf_at(144.9)
    line.hear(at=140.0, t="pong", id=None)
    assert not line.session.deaf_at(184.9)
    assert line.session.deaf_at(185.0)
    line.session.lost(None, 186.0)
    assert not line.session.deaf_at(1_000.0)


def test_a_refused_topic_is_gone_or_asked_for_later() -> None:
    """For good: its view goes. For now: it is asked for with the next heartbeat."""
    line = Line(WEEK, OTHER)
    (question,) = line.connect()
    assert line.error(question["id"], 404, "provider_not_found", topic=WEEK) == [
        TopicRefused(WEEK, 404, "provider_not_found", "No.")
    ]
    assert line.error(question["id"], 503, "unavailable", topic=OTHER) == [
        TopicRefused(OTHER, 503, "unavailable", "No.", comes_again=True)
    ]
    line.result(question, {"topics": []})
    assert list(line.session.views) == [OTHER]
    line.hear(t="heartbeat", now="2026-12-01T08:00:00Z", positions={})
    assert [question["topics"] for question in line.sent] == [[OTHER]]
    line.hear(t="heartbeat", now="2026-12-01T08:00:20Z", positions={})
    assert line.sent == []


def test_a_refused_question_is_that_of_all_its_topics() -> None:
    """Too many requests: nothing was subscribed to, so all is asked for again."""
    line = Line(WEEK, OTHER)
    (question,) = line.connect()
    events = line.error(question["id"], 429, "too_many_requests", retry_ms=1000)
    assert [event.topic for event in events if isinstance(event, TopicRefused)] == [
        WEEK,
        OTHER,
    ]
    line.hear(t="heartbeat", now="2026-12-01T08:00:00Z", positions={})
    assert [question["topics"] for question in line.sent] == [[WEEK, OTHER]]


def test_who_signs_in_later_gets_the_private_topics_then() -> None:
    """A refused token is not sent again by itself; a good one brings its topics."""
    line = Line("me", token="an-old-token")
    auth, question = line.connect()
    assert line.error(auth["id"], 401, "unauthenticated") == [SignInRefused("No.")]
    line.error(question["id"], 401, "unauthenticated", topic="me")
    line.result(question, {"topics": []})
    line.session.lost(1006, 2.0)
    (question,) = line.connect(3.0)
    assert question["op"] == "subscribe"
    line.error(question["id"], 401, "unauthenticated", topic="me")
    (auth,) = line.say(line.session.authenticate("a-fresh-token"))
    told = {"role": "patient", "subject": "pat_1", "expires_at": ""}
    assert line.result(auth, told) == [SignedIn(**told)]
    assert [(said["op"], said["topics"]) for said in line.sent] == [
        ("subscribe", ["me"])
    ]


def test_the_end_of_a_token_is_told_once_by_the_servers_clock() -> None:
    """Early enough for a fresh one; ours is never asked what time it is."""
    line = Line(WEEK, token="a-token")
    auth, _ = line.connect()
    told = {"role": "patient", "subject": "pat_1", "expires_at": "2026-12-01T08:10:00Z"}
    line.result(auth, told)

    def beat(now: str) -> list[Event]:
        return line.hear(t="heartbeat", now=f"2026-12-01T{now}Z", positions={})

    assert not any(isinstance(event, TokenEnding) for event in beat("08:09:00"))
    assert beat("08:09:20")[-1] == TokenEnding(40.0)
    assert not any(isinstance(event, TokenEnding) for event in beat("08:09:40"))


def test_topics_come_and_go() -> None:
    """New ones are asked for, left ones forgotten; nothing is said without a line."""
    line = watching(WEEK)
    (more,) = line.say(line.session.subscribe([WEEK, OTHER, OTHER]))
    assert more["topics"] == [OTHER]
    (less,) = line.say(line.session.unsubscribe([WEEK, "schedule/prv_9"]))
    assert (less["op"], less["topics"]) == ("unsubscribe", [WEEK])
    assert line.delta(WEEK, 7, 101, 102, "held") == []
    line.session.lost(1006, 2.0)
    assert line.session.subscribe([WEEK]) == []
    assert line.session.unsubscribe([OTHER]) == []
    (question,) = line.connect(3.0)
    assert question == {"op": "subscribe", "id": question["id"], "topics": [WEEK]}


def test_many_topics_are_asked_for_in_several_messages() -> None:
    """Each below the 64 KiB that a server reads, positions included."""
    topics = [f"slots/prv_{'x' * 160}{n:03}/consult/2026-W49" for n in range(256)]
    line = watching(*topics)
    line.session.lost(1006, 2.0)
    texts = line.session.connected(3.0)
    assert all(len(text.encode()) < 64 * 1024 for text in texts)
    asked = [topic for text in texts for topic in json.loads(text)["topics"]]
    assert asked == topics


def test_what_cannot_be_read_is_told_and_survived() -> None:
    """A word of nonsense costs a word; unknown kinds are ignored."""
    line = watching(WEEK)
    (event,) = line.session.heard("nonsense", 1.0).events
    assert isinstance(event, MessageUnreadable)
    assert line.hear(t="fireworks") == []
    assert line.hear(t="pong", id="x") == [PongSeen("x")]
    assert line.delta(WEEK, 7, 101, 102, "held")
