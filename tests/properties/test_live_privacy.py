"""After any sign-in or sign-out, a frame shows its reader nothing of another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.live.sessions.identity import Owner
from gateway.live.sessions.permits import Permits
from gateway.live.topics.hub import Hub
from tests.properties.privacy_world import run_world

SEEDS = 300


def run_worlds(seeds: int) -> int:
    async def all_of_them() -> int:
        return sum([await run_world(seed) for seed in range(seeds)])

    return asyncio.run(all_of_them())


def test_nobody_sees_what_is_anothers() -> None:
    """In hundreds of worlds; and what one may see is seen, or nothing was tried."""
    assert run_worlds(SEEDS) > 3 * SEEDS


def _endless(_owner: Owner, _now: object) -> None:
    """Sessions that do not end their topics."""


def _unnumbered(patch: pytest.MonkeyPatch) -> None:
    """Answers and topics are given to the session at the time they come."""
    patch.setattr(Owner, "number", property(lambda _: 0, lambda _, __: None))


def _undoubted(_permits: Permits, _board: Any) -> None:
    """Rights that last for ever."""


@pytest.mark.parametrize(
    "without",
    [
        lambda patch: patch.setattr(Owner, "_end", _endless),
        _unnumbered,
        lambda patch: patch.setattr(Permits, "doubt", _undoubted),
        lambda patch: patch.setattr(Hub, "unsubscribe", lambda *_: False),
    ],
    ids=["endless", "unnumbered", "undoubted", "unsubscribed"],
)
def test_without_a_guard_somebody_does(
    without: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control for each: the same worlds find what it keeps out."""
    without(monkeypatch)
    with pytest.raises(AssertionError):
        run_worlds(SEEDS)
