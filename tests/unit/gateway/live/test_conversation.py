"""What one client says, and what it is answered: the bounds of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from gateway.access.rights import Access
from gateway.access.tokens import Authenticator, Caller, Identity, Role
from gateway.config import LiveSettings
from gateway.live.sessions.commands import SocketCommands
from gateway.live.sessions.context import LiveContext
from gateway.live.sessions.conversation import Conversation
from gateway.live.sessions.identity import PersonCounts
from gateway.live.sessions.topic_limits import TopicRoom
from gateway.live.topics.watcher import STRIKES_MAX, Watcher
from gateway.wire.errors import Unauthenticated
from gateway.wire.replies import Reply
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import (
    TODAY,
    WEEK,
    PageWriter,
    a_hub,
    a_view,
    read,
)


class _Commands:
    """Commands that wait until the test lets them be answered."""

    def __init__(self) -> None:
        self.operations = {"hold": None}
        self.messages: dict[type, str] = {}
        self.gate = asyncio.Event()

    def knows(self, op: str) -> bool:
        return op in self.operations

    def admit(self, *_args: object) -> None:
        return

    admit_topics = admit

    async def begin(self, *_args: object) -> Reply:
        await self.gate.wait()
        return Reply(201, b'{"hold_id":"hld_1.a"}')


class _Authenticator:
    """Believes tokens that are a patient's id, or an account of the clinic's."""

    def verify(self, token: str) -> Caller:
        if token.startswith("acc_"):
            identity = Identity(token, "ses_1", "", 1, 1, TODAY)
            return Caller(Role.CLINIC_ADMIN, "cln_1", TODAY, identity=identity)
        if not token.startswith("pat_"):
            raise Unauthenticated
        return Caller(Role.PATIENT, token, TODAY)


class _Stage:
    """An API, and clients in it."""

    def __init__(self, **settings: Any) -> None:
        self.commands = _Commands()
        hub, clock, chosen = a_hub(), SteppedClock(TODAY), LiveSettings(**settings)
        self.api = LiveContext(
            hub=hub,
            authenticator=cast("Authenticator", _Authenticator()),
            access=cast("Access", None),
            commands=cast("SocketCommands", self.commands),
            clock=clock,
            settings=chosen,
            persons=PersonCounts(chosen.connections_per_person_max),
            room=TopicRoom(hub, chosen, clock),
        )

    def client(self) -> tuple[Conversation, PageWriter]:
        writer = PageWriter()
        watcher = Watcher(writer)
        self.api.hub.joined(watcher)
        return Conversation(self.api, watcher, "10.0.0.1"), writer

    async def watch(self, conversation: Conversation, *topics: str) -> None:
        """Subscribe, and let every topic that is new be read."""
        later = say(conversation, "subscribe", topics=topics)
        if later is not None:
            answering = asyncio.ensure_future(later)
            await asyncio.sleep(0)
            read(self.api.hub, a_view(5))
            await answering


def say(conversation: Conversation, op: str, **fields: Any) -> Any:
    return conversation.hear(json.dumps({"op": op, "id": 1, **fields}))


async def test_commands_in_flight_are_bounded() -> None:
    """One more than the bound is 429; the others are answered, and room is made."""
    stage = _Stage(commands_in_flight_max=3)
    conversation, writer = stage.client()
    for _ in range(4):
        assert say(conversation, "hold") is None
    assert (writer.page[0]["status"], writer.page[0]["retry_ms"]) == (429, 1000)
    stage.commands.gate.set()
    for _ in range(5):  # turns of the loop: more than a command needs to go on
        await asyncio.sleep(0)
    results = writer.page[1:]
    assert [frame["status"] for frame in results] == [201] * 3
    assert results[0]["body"] == {"hold_id": "hld_1.a"}
    say(conversation, "hold")
    assert writer.page[-1]["status"] == 201


def test_connections_of_a_person_are_bounded() -> None:
    """One more than the bound closes with 4504; one that ended makes room."""
    stage = _Stage(connections_per_person_max=2)
    clients = [stage.client() for _ in range(3)]
    for conversation, _ in clients:
        say(conversation, "auth", token="pat_1")
    assert [writer.closed for _, writer in clients] == [None, None, 4504]
    for conversation, _ in clients:
        conversation.ended()
    assert stage.api.persons.counts == {}
    conversation, writer = stage.client()
    say(conversation, "auth", token="pat_1")
    assert writer.closed is None


def test_connections_of_colleagues_are_counted_apart() -> None:
    """They have the subject of their clinic, and an account each; changing from one
    colleague to another moves the connection's count."""
    stage = _Stage(connections_per_person_max=1)
    clients = [stage.client() for _ in range(3)]
    for (conversation, _), token in zip(
        clients, ("acc_1", "acc_2", "acc_1"), strict=True
    ):
        say(conversation, "auth", token=token)
    assert [writer.closed for _, writer in clients] == [None, None, 4504]
    clients[0][0].ended()
    say(clients[1][0], "auth", token="acc_1")
    assert stage.api.persons.counts == {"acc_1": 1}
    clients[1][0].ended()
    assert stage.api.persons.counts == {}


def test_by_clinic_colleagues_would_share_a_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control."""
    monkeypatch.setattr(Caller, "person", property(lambda caller: caller.subject))
    with pytest.raises(AssertionError):
        test_connections_of_colleagues_are_counted_apart()


def test_signing_in_again_counts_once() -> None:
    """A fresher token of the same person is not another connection."""
    stage = _Stage()
    conversation, _ = stage.client()
    for _ in range(3):
        say(conversation, "auth", token="pat_1")
    assert stage.api.persons.counts == {"patient:pat_1": 1}


def test_three_bad_tokens_close() -> None:
    """4501: come with a better one, on another connection."""
    conversation, writer = _Stage().client()
    for _ in range(3):
        say(conversation, "auth", token="nonsense")
    assert writer.closed == 4501
    *answers, bye = writer.page
    assert [frame["status"] for frame in answers] == [401] * 3
    assert (bye["t"], bye["code"]) == ("bye", 4501)


@pytest.mark.parametrize("text", ["", "nul", "{}", '{"op":1}', "[" * 2_000, None])
def test_what_nobody_can_read_is_an_error(text: str | None) -> None:
    """It has no id, and the connection lives on for now."""
    conversation, writer = _Stage().client()
    conversation.hear(text)
    assert (writer.page[0]["id"], writer.page[0]["status"]) == (None, 422)
    assert writer.closed is None


@pytest.mark.parametrize(
    "fields", ['"op":1', '"key":[]', '"pad":"' + "x" * 70_000 + '"']
)
def test_a_frame_whose_id_can_be_read_keeps_it(fields: str) -> None:
    """Whatever else is wrong: its author is told which, and is not sent away."""
    conversation, writer = _Stage().client()
    for number in range(2 * STRIKES_MAX):
        conversation.hear(f'{{"id":{number},{fields}}}')
    answers = [(frame["id"], frame["status"]) for frame in writer.page]
    assert answers == [(number, 422) for number in range(2 * STRIKES_MAX)]
    assert writer.closed is None


def test_a_frame_that_is_too_long_is_an_error() -> None:
    """The bound is in bytes, not in characters."""
    conversation, writer = _Stage().client()
    conversation.hear('{"op":"ping","id":1,"pad":"' + "ä" * 40_000 + '"}')
    assert (writer.page[0]["id"], writer.page[0]["code"]) == (1, "invalid_request")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"topics": []},
        {"topics": "me"},
        {"topics": [1]},
        {"topics": ["me"], "since": {"me": [1]}},
        {"topics": ["me"], "since": {"me": ["1", 2]}},
    ],
)
def test_malformed_subscriptions_say_what_is_wrong(fields: dict[str, Any]) -> None:
    """The error names the field and keeps the client's id."""
    conversation, writer = _Stage().client()
    say(conversation, "subscribe", **fields)
    error = writer.page[0]
    assert (error["id"], error["status"]) == (1, 422)
    assert error["errors"]


async def test_unsubscribing_answers_with_what_was_left() -> None:
    """Topics that were not watched are not in the answer."""
    stage = _Stage()
    conversation, writer = stage.client()
    await stage.watch(conversation, WEEK.wire, WEEK.wire)
    say(conversation, "unsubscribe", topics=[WEEK.wire, "me"])
    results = [frame for frame in writer.page if frame["t"] == "result"]
    assert [frame["body"] for frame in results] == [{"topics": [WEEK.wire]}] * 2


async def test_a_topic_given_up_before_it_was_read_is_not_watched() -> None:
    """It is left at once, and the answer to the subscription does not list it."""
    stage = _Stage()
    conversation, writer = stage.client()
    asked = asyncio.ensure_future(say(conversation, "subscribe", topics=[WEEK.wire]))
    await asyncio.sleep(0)
    assert writer.page == []
    say(conversation, "unsubscribe", topics=[WEEK.wire])
    read(stage.api.hub, a_view(5))
    await asked
    assert [frame["body"] for frame in writer.page] == [
        {"topics": [WEEK.wire]},
        {"topics": []},
    ]
    (board,) = stage.api.hub.index.boards.values()
    assert not board.is_watched


async def test_topics_that_are_still_read_count_among_a_connections_topics() -> None:
    """Or a client that does not wait for answers would have any number."""
    stage = _Stage(subscriptions_max=2)
    conversation, writer = stage.client()
    weeks = [f"slots/prv_1/consult/2026-W{week}" for week in (49, 50, 51)]
    waiting = [say(conversation, "subscribe", topics=[week]) for week in weeks[:2]]
    assert say(conversation, "subscribe", topics=weeks[2:]) is None
    assert writer.closed == 4505
    for later in waiting:
        later.close()
