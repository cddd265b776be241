"""A node that stops hands its shards over, and never hangs on that."""

from __future__ import annotations

import sys
from typing import cast

import psutil
import pytest

from cluster.node import leaving
from cluster.node.plan import NodePlan
from cluster.server.children import Start
from cluster.site.site import Site
from cluster.terminal.terminal import Terminal
from tests.fixtures.reserved import free_port


class Notes(Terminal):
    """A terminal that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str, style: str = "") -> None:
        self.notes.append(text)


@pytest.fixture
def two_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this node had shards, and drained by a process that never ends."""
    command = [sys.executable, "-c", "import time; print('begun'); time.sleep(3600)"]
    monkeypatch.setattr(leaving, "shards_here", lambda: 2)
    monkeypatch.setattr(leaving, "own_start", lambda *_: Start(command, {}))


def plan_of(head: str, *, is_head: bool = False) -> NodePlan:
    site = cast("Site", None)  # to ask where the head is needs none
    return NodePlan(
        *(site, "n2", "127.0.0.3", "127.0.0.3", ()),
        is_head=is_head,
        ray_address=head,
        takes_shards=True,
    )


@pytest.mark.usefixtures("two_shards")
async def test_nothing_is_handed_over_while_the_head_is_away() -> None:
    """It says so, and the stop goes on at once."""
    terminal = Notes()
    await leaving.hand_over(plan_of(f"127.0.0.1:{free_port()}"), terminal)
    (note,) = terminal.notes
    assert "the head is away: 2 shards" in note


@pytest.mark.usefixtures("two_shards")
async def test_the_head_has_nobody_to_hand_over_to() -> None:
    """It has shards only while it is alone."""
    terminal = Notes()
    await leaving.hand_over(plan_of("127.0.0.1:1", is_head=True), terminal)
    assert terminal.notes == []


@pytest.mark.usefixtures("two_shards")
async def test_a_hand_over_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After its time the stop goes on, and nothing of it is left."""

    async def answers(_address: str) -> bool:
        return True

    monkeypatch.setattr(leaving, "head_answers", answers)
    monkeypatch.setattr(leaving, "HAND_OVER_S", 0.5)
    others = set(psutil.Process().children())
    terminal = Notes()
    await leaving.hand_over(plan_of("127.0.0.1:1"), terminal)
    assert "2 shards were not handed over" in terminal.notes[-1]
    assert set(psutil.Process().children()) <= others
