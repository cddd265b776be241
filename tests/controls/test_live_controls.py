"""With a guard of the live side taken away, the convergence property fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.domain.ids import Millis
from gateway.live.core.frames import NOWHERE, Frame, FrameEncoder, Position, Rows
from gateway.live.core.topic_names import TopicName
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board
from gateway.live.topics.watcher import Watcher
from tests.properties.live_world import run_world


class _UnchainedEncoder(FrameEncoder):
    """Says ``from`` is the version before this one, as if topics were calendars."""

    def delta(
        self, name: TopicName, before: int, position: Position, rows: Rows
    ) -> Frame:
        return super().delta(name, position.version - 1, position, rows)


class _UnchainedHub(Hub):
    def __init__(self, encoder: FrameEncoder, *args: Any, **options: Any) -> None:
        super().__init__(_UnchainedEncoder(encoder._booking_body), *args, **options)


class _ForgetfulHub(Hub):
    """Drops changes that come while a topic is being read."""

    def _change(self, board: Board, at: Position, rows: Rows, now: Millis) -> None:
        if not board.reading and board.loaded:
            super()._change(board, at, rows, now)


class _CredulousHub(Hub):
    """Takes a read for good although it began before a reset, or is old."""

    def _is_stale(self, board: Board, position: Position) -> bool:
        return False

    def loaded(self, board: Board, view: Any, now: Millis) -> bool:
        board.again = False
        return super().loaded(board, view, now)


class _DeafHub(Hub):
    """Never follows up what verification finds."""

    def _follow_up(self, provider: Any, now: Millis) -> None:
        return


class _CalmHub(Hub):
    """Believes that a reset feed has missed nothing."""

    def _reset(self, state: Any) -> None:
        return


class _CarelessHub(Hub):
    """Forgets what it owes to watchers that could not take a frame."""

    def writable(self, watcher: Watcher, now: Millis) -> None:
        watcher.dirty.clear()


class _FloorlessHub(Hub):
    """Applies changes that a read has already shown."""

    def _change(self, board: Board, at: Position, rows: Rows, now: Millis) -> None:
        board.floor = min(board.floor, at.version - 1)
        super()._change(board, at, rows, now)


def _run_worlds(make_hub: Callable[..., Hub], seeds: int) -> None:
    for seed in range(seeds):
        run_world(seed, steps=250, make_hub=make_hub)


@pytest.mark.parametrize(
    "broken",
    [
        _UnchainedHub,
        _ForgetfulHub,
        _CredulousHub,
        _DeafHub,
        _CalmHub,
        _CarelessHub,
        _FloorlessHub,
    ],
)
def test_the_property_notices(broken: Callable[..., Hub]) -> None:
    """A hub without this guard leaves some watcher with something else."""
    with pytest.raises(AssertionError):
        _run_worlds(broken, 200)


def test_a_whole_hub_passes() -> None:
    """The controls fail for their own reason: the hub as it is converges."""
    _run_worlds(Hub, 20)


def test_nowhere_is_before_every_position() -> None:
    """The order of positions, on which the guards rest, begins at NOWHERE."""
    assert Position(0, 0) > NOWHERE
    assert Position(2, 1) > Position(1, 9)
