"""With a rule of the client taken away, its properties fail."""

from __future__ import annotations

import pytest

from slotcast.client.frames import Frame
from slotcast.client.subscriptions import Subscriptions
from slotcast.client.view import Applied, Gap, Skipped, TopicView
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

    def reckless(view: TopicView, frame: Frame) -> Applied | Skipped | Gap:
        if frame.t == "delta" and frame.epoch == view.epoch and view.position:
            view.version = min(view.version, frame.version - 1)
            view.version = max(view.version, frame.before)
        return apply(view, frame)

    monkeypatch.setattr(TopicView, "apply", reckless)
    assert diverging() > 0


def test_without_heartbeats_positions_views_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last delta before a silence is missed by nobody but the heartbeat."""
    monkeypatch.setattr(TopicView, "is_behind", lambda view, position: False)
    assert diverging() > 0


def test_without_asking_again_views_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap that is only noticed stays a gap."""
    monkeypatch.setattr(Subscriptions, "_lacks", lambda *_, **__: ([], []))
    assert diverging() > 0
