"""What one client says, and what it is answered: the bounds of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from gateway.access import Access
from gateway.auth import Authenticator, Caller, Role
from gateway.errors import Unauthenticated
from gateway.live.commands import SocketCommands
from gateway.live.conversation import Conversation, House
from gateway.live.persons import Persons
from gateway.live.settings import LiveSettings
from gateway.live.watcher import Watcher
from gateway.reply import Reply
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import NOW, WEEK, PageWriter, a_hub


class _Commands:
    """Commands that wait until the test lets them be answered."""

    def __init__(self) -> None:
        self.operations = {"hold": None}
        self.gate = asyncio.Event()

    def knows(self, op: str) -> bool:
        return op in self.operations

    def admit(self, *_args: object) -> None:
        return

    async def perform(self, *_args: object) -> Reply:
        await self.gate.wait()
        return Reply(201, b'{"hold_id":"hld_1.a"}')


class _Authenticator:
    """Believes tokens that are a patient's id."""

    def verify(self, token: str) -> Caller:
        if not token.startswith("pat_"):
            raise Unauthenticated
        return Caller(Role.PATIENT, token, NOW)


class _Stage:
    """A house, and clients in it."""

    def __init__(self, **settings: Any) -> None:
        self.commands = _Commands()
        self.house = House(
            hub=a_hub(),
            authenticator=cast("Authenticator", _Authenticator()),
            access=cast("Access", None),
            commands=cast("SocketCommands", self.commands),
            clock=SteppedClock(NOW),
            settings=LiveSettings(**settings),
            persons=Persons(LiveSettings(**settings).connections_per_person_max),
        )

    def client(self) -> tuple[Conversation, PageWriter]:
        writer = PageWriter()
        watcher = Watcher(writer)
        self.house.hub.joined(watcher)
        return Conversation(self.house, watcher, "10.0.0.1"), writer


def say(conversation: Conversation, op: str, **fields: Any) -> Any:
    return conversation.hear(json.dumps({"op": op, "id": 1, **fields}))


async def test_commands_in_flight_are_bounded() -> None:
    """One more than the bound is 429; the others are answered, and room is made."""
    stage = _Stage(commands_in_flight_max=3)
    conversation, writer = stage.client()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(say(conversation, "hold"))
        assert say(conversation, "hold") is None
        assert (writer.page[0]["status"], writer.page[0]["retry_ms"]) == (429, 1000)
        stage.commands.gate.set()
    results = writer.page[1:]
    assert [frame["status"] for frame in results] == [201] * 3
    assert results[0]["body"] == {"hold_id": "hld_1.a"}
    await say(conversation, "hold")
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
    assert stage.house.persons.counts == {}
    conversation, writer = stage.client()
    say(conversation, "auth", token="pat_1")
    assert writer.closed is None


def test_signing_in_again_counts_once() -> None:
    """A fresher token of the same person is not another connection."""
    stage = _Stage()
    conversation, _ = stage.client()
    for _ in range(3):
        say(conversation, "auth", token="pat_1")
    assert stage.house.persons.counts == {"pat_1": 1}


def test_three_bad_tokens_close() -> None:
    """4501: come with a better one, on another connection."""
    conversation, writer = _Stage().client()
    for _ in range(3):
        say(conversation, "auth", token="nonsense")
    assert writer.closed == 4501
    *answers, bye = writer.page
    assert [frame["status"] for frame in answers] == [401] * 3
    assert (bye["t"], bye["code"]) == ("bye", 4501)


def test_topics_of_the_process_are_bounded() -> None:
    """Beyond the cap new topics are refused for now, known ones are not."""
    stage = _Stage(topics_max=1)
    conversation, writer = stage.client()
    say(conversation, "subscribe", topics=[WEEK.wire])
    say(conversation, "subscribe", topics=["slots/prv_2/consult/2026-W49"])
    error, result = writer.page[1], writer.page[2]
    assert (error["status"], error["topic"][:11]) == (503, "slots/prv_2")
    assert result["body"] == {"topics": []}
    other, page = stage.client()
    say(other, "subscribe", topics=[WEEK.wire])
    assert page.page[0]["body"] == {"topics": [WEEK.wire]}


@pytest.mark.parametrize("text", ["", "nul", "{}", '{"op":1}', "[" * 2_000, None])
def test_what_nobody_can_read_is_an_error(text: str | None) -> None:
    """It has no id, and the connection lives on for now."""
    conversation, writer = _Stage().client()
    conversation.hear(text)
    assert (writer.page[0]["id"], writer.page[0]["status"]) == (None, 422)
    assert writer.closed is None


def test_a_frame_that_is_too_long_is_an_error() -> None:
    """The bound is in bytes, not in characters."""
    conversation, writer = _Stage().client()
    conversation.hear('{"op":"ping","id":"' + "ä" * 40_000 + '"}')
    assert writer.page[0]["code"] == "invalid_request"


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


def test_unsubscribing_answers_with_what_was_left() -> None:
    """Topics that were not watched are not in the answer."""
    conversation, writer = _Stage().client()
    say(conversation, "subscribe", topics=[WEEK.wire, WEEK.wire])
    say(conversation, "unsubscribe", topics=[WEEK.wire, "me"])
    assert [frame["body"] for frame in writer.page] == [{"topics": [WEEK.wire]}] * 2
