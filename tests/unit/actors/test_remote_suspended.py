"""While Ray is away every call is told so; in the next Ray shards are found again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from actors.errors import CalendarRecovering, Unavailable
from actors.placement import Placement, placing, shard_name
from actors.ports import ShardStatus
from actors.remote import links as remote

SHARD = shard_name(0)
FOR_EVER = 3600.0
"""No call of a test may end by its own time limit."""


def status_by(pid: int) -> bytes:
    """What a process answers about itself."""
    status = ShardStatus(SHARD, pid, 0, 0, 0, 0, 0, 0, 0, 0, state="open")
    return msgspec.msgpack.encode(status)


def actor(status: Callable[[], Awaitable[bytes]]) -> Any:
    """A shard's actor that has no door and answers one question."""

    async def no_door() -> str:
        return ""

    return SimpleNamespace(
        door=SimpleNamespace(remote=no_door), status=SimpleNamespace(remote=status)
    )


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The actors that can be found, by what a look-up of each returns."""
    found: dict[str, Any] = {}

    def seats_of(shard: str) -> list[remote.Seat]:
        look_up = found.get(shard)
        return [] if look_up is None else [remote.Seat(f"shard-{shard}", look_up())]

    monkeypatch.setattr(remote, "seats_of", seats_of)
    return found


@pytest.fixture
def links() -> remote.RayLinks:
    return remote.RayLinks(placing(Placement.SHARD, 1), [SHARD])


async def test_calls_under_way_end_at_once_and_their_outcome_is_unknown(
    links: remote.RayLinks, ray: dict[str, Any]
) -> None:
    """A call to a process that died with its Ray does not wait for its time limit."""
    asked = asyncio.Event()

    async def silent() -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    ray[SHARD] = lambda: actor(silent)
    call = asyncio.create_task(links._call(SHARD, _question(), FOR_EVER))
    await asked.wait()
    assert links.suspend() == (SHARD,)
    with pytest.raises(Unavailable):
        await call
    await links.close()


async def test_calls_meanwhile_are_told_to_come_again(
    links: remote.RayLinks, ray: dict[str, Any]
) -> None:
    """No look-up begins while Ray is away: it would hang."""
    ray[SHARD] = lambda: pytest.fail("looked for a shard without Ray")
    links.suspend()
    with pytest.raises(CalendarRecovering):
        await links.status(SHARD)
    await links.close()


async def test_the_next_ray_is_asked_and_never_what_the_last_one_said(
    links: remote.RayLinks, ray: dict[str, Any]
) -> None:
    """A look-up in the last Ray that ends late leads no caller to a dead process."""
    begun, go_on = Event(), Event()

    async def dead() -> bytes:
        raise AssertionError("a process of the last Ray was asked")

    async def alive() -> bytes:
        return status_by(pid=7)

    def late() -> Any:
        begun.set()
        go_on.wait()
        return actor(dead)

    ray[SHARD] = late
    first = asyncio.create_task(links.status(SHARD))
    await asyncio.to_thread(begun.wait)
    links.suspend()
    with pytest.raises(Unavailable):
        await first
    links.resume()
    ray[SHARD] = lambda: actor(alive)
    go_on.set()
    assert (await links.status(SHARD)).pid == 7
    assert (await links.status(SHARD)).pid == 7
    await links.close()


def _question() -> remote.ShardQuestion:
    return remote.ShardQuestion(0, b"", lambda one: one.status.remote())
