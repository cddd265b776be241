"""With a rule of the client taken away, its properties fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slotcast.client import AnswerUnknown
from slotcast.client.events import SignedIn
from slotcast.client.frames import ServerMessage
from slotcast.client.session import LiveSession
from slotcast.client.subscriptions import Subscriptions
from slotcast.client.view import Applied, Gap, Skipped, TopicView
from tests.fakes.live_api import open_live_api
from tests.fakes.live_clients import patient, until
from tests.fakes.live_relay import open_relay
from tests.properties.client_world import ClientWorld

SEEDS = range(40)
HAPPENINGS = (
    ClientWorld.change,
    ClientWorld.change,
    ClientWorld.deliver_any,
    ClientWorld.lose,
    ClientWorld.double,
    ClientWorld.deliver,
)


def diverging() -> int:
    """How many worlds end with a view that is not the server's page."""
    found = 0
    for seed in SEEDS:
        world = ClientWorld(seed)
        for _ in range(60):
            world.dice.choice(HAPPENINGS)(world)
        world.settle()
        found += bool(world.differences())
    return found


def test_with_all_rules_no_view_differs() -> None:
    """The same worlds, with nothing taken away, all end well."""
    assert diverging() == 0


def test_without_looking_at_from_views_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applying a delta over a gap leaves a hole that no position shows."""
    apply = TopicView.apply

    def reckless(view: TopicView, frame: ServerMessage) -> Applied | Skipped | Gap:
        if frame.t == "delta" and frame.epoch == view.epoch and view.position:
            view.version = min(view.version, frame.version - 1)
            view.version = max(view.version, frame.before)
        return apply(view, frame)

    monkeypatch.setattr(TopicView, "apply", reckless)
    assert diverging() > 0


def test_without_heartbeats_positions_views_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last delta before a silence is found by the heartbeat alone."""
    monkeypatch.setattr(TopicView, "is_behind", lambda view, position: False)
    assert diverging() > 0


def test_without_asking_again_views_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap that is only noticed stays a gap."""
    monkeypatch.setattr(Subscriptions, "_lacks", lambda *_, **__: ([], []))
    assert diverging() > 0


SLOT: dict[str, Any] = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}


async def test_without_sending_again_a_lost_answer_stays_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The contract's lost answer, with a client that forgets what it asked."""
    connected = LiveSession.connected

    def forgetful(session: LiveSession, now: float) -> list[str]:
        texts = connected(session, now)
        return [text for text in texts if json.loads(text)["op"] != "book"]

    monkeypatch.setattr(LiveSession, "connected", forgetful)
    async with (
        open_live_api() as api,
        open_relay(f"ws://127.0.0.1:{api.port}/v1/live") as relay,
        patient(api, relay.url) as person,
    ):
        await until(person, SignedIn)

        def loses(frame: dict[str, Any]) -> bool:
            if frame["t"] == "result" and not relay.lost:
                relay.cut()
                return True
            return False

        relay.loses = loses
        with pytest.raises(AnswerUnknown):
            await person.call("book", key="k1", timeout_s=2.0, **SLOT)
        await person.when(lambda it: it.connections == 2)
