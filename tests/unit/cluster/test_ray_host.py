"""A server's start with shards whose journal is damaged."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from cluster.obstacle import Obstacle
from cluster.ray_host import RayHost
from cluster.settings import read_settings
from cluster.site import site_made_if_needed


def host_of(tmp_path: Path, states: dict[str, list[str]]) -> RayHost:
    """A host whose shards say these states, one after another, the last for ever."""
    settings = read_settings(data=tmp_path / "data", seed="none", shards=len(states))
    host = RayHost(site_made_if_needed(settings, date(2026, 9, 1)), tmp_path / "ray")

    async def status(shard: ShardId) -> Any:
        left = states[shard]
        state = left.pop(0) if len(left) > 1 else left[0]
        if not state:
            raise Unavailable
        return SimpleNamespace(state=state)

    host.links = SimpleNamespace(status=status)  # type: ignore[assignment]
    return host


async def test_one_damaged_shard_does_not_stop_the_start(tmp_path: Path) -> None:
    """It is named; the others are waited for as always."""
    states = {"s0000": ["", "corrupt"], "s0001": ["", "opening", "open"]}
    host = host_of(tmp_path, states)
    assert await host.opened(lambda: False) == ["s0000"]
    assert states["s0001"] == ["open"]


async def test_nothing_is_served_if_all_are_damaged(tmp_path: Path) -> None:
    """Then the start ends, and says what to do."""
    host = host_of(tmp_path, {"s0000": ["corrupt"], "s0001": ["corrupt"]})
    with pytest.raises(Obstacle, match="damaged"):
        await host.opened(lambda: False)


async def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    """Nobody waits for shards when a stop is asked for."""
    host = host_of(tmp_path, {"s0000": [""]})
    assert await host.opened(lambda: True) == []
