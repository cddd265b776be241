"""A server's Ray and its shards: damaged ones at a start, and starts after a death."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from cluster.own_ray.parts import RayPart
from cluster.server import ray_host
from cluster.server.ray_host import STARTS_MAX, RayHost
from cluster.site.run_file import mark_of
from cluster.site.settings import read_settings
from cluster.site.site import site_made_if_needed
from cluster.terminal.alongside import alongside
from cluster.terminal.obstacle import Obstacle

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
PATIENCE_S = 60


def host_of(
    tmp_path: Path, states: dict[str, list[str]], told: list[str] | None = None
) -> RayHost:
    """A host whose shards say these states, one after another, the last for ever."""
    settings = read_settings(data=tmp_path / "data", seed="none", shards=len(states))
    site = site_made_if_needed(settings, date(2026, 9, 1))
    told = [] if told is None else told
    host = RayHost(site, told.append, lambda: None)

    async def status(shard: ShardId) -> Any:
        left = states[shard]
        state = left.pop(0) if len(left) > 1 else left[0]
        if not state:
            raise Unavailable
        return SimpleNamespace(state=state)

    def suspend() -> Sequence[ShardId]:
        return ()

    host.links = SimpleNamespace(  # type: ignore[assignment]
        status=status, suspend=suspend, resume=lambda: None
    )
    return host


async def test_one_damaged_shard_does_not_stop_the_start(tmp_path: Path) -> None:
    """It is named; the others are waited for as always."""
    states = {"s0000": ["", "corrupt"], "s0001": ["", "opening", "open"]}
    told: list[str] = []
    await host_of(tmp_path, states, told).open_shards()
    assert len(told) == 1
    assert "s0000" in told[0]
    assert states["s0001"] == ["open"]


async def test_nothing_is_served_if_all_are_damaged(tmp_path: Path) -> None:
    """Then the start ends, and says what to do."""
    host = host_of(tmp_path, {"s0000": ["corrupt"], "s0001": ["corrupt"]})
    with pytest.raises(Obstacle, match="damaged"):
        await host.open_shards()


class Rays:
    """Starts of a Ray that is one sleeping process each; a start may fail."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.fails = False

    def start(self, _config: object) -> str:
        if self.fails:
            raise ConnectionError("no Ray today")
        self.processes.append(subprocess.Popen(SLEEPER))
        return f"127.0.0.1:{len(self.processes)}"

    def living(self, _folder: Path) -> list[RayPart]:
        last = self.processes[-1:]
        return [RayPart("raylet", mark_of(psutil.Process(one.pid))) for one in last]

    def kill(self) -> None:
        self.processes[-1].kill()
        self.processes[-1].wait()


@pytest.fixture
def rays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Rays]:
    made = Rays()
    monkeypatch.setattr(
        ray_host, "new_ray_folder", lambda: Path(mkdtemp(dir=tmp_path, prefix="ray-"))
    )
    monkeypatch.setattr(ray_host, "start_ray", made.start)
    monkeypatch.setattr(ray_host, "stop_ray", lambda: None)
    monkeypatch.setattr(ray_host, "create_shards", lambda _shards, _spec: None)
    monkeypatch.setattr(
        ray_host,
        "ray_processes",
        lambda folder: [] if made.processes[-1].poll() else made.living(folder),
    )
    yield made
    for one in made.processes:
        one.kill()
        one.wait()


async def until_whole(host: RayHost, address: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while host.missing() or host.address != address:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_after_a_death_another_ray_is_started(tmp_path: Path, rays: Rays) -> None:
    """In a folder of its own, and what was missing was said while it was."""
    told: list[str] = []
    host = host_of(tmp_path, {"s0000": ["open"]}, told)
    assert host.missing()
    async with alongside(host.run()):
        await until_whole(host, "127.0.0.1:1")
        first = host.folder
        rays.kill()
        await until_whole(host, "127.0.0.1:2")
        assert host.folder != first
        assert first is not None
        assert not first.exists()
    assert [text for text in told if "Ray's raylet" in text]


async def test_when_ray_does_not_start_again_the_server_ends(
    tmp_path: Path, rays: Rays
) -> None:
    """It is tried some times; then a sentence says why, with a status other than 0."""
    host = host_of(tmp_path, {"s0000": ["open"]})
    async with alongside(host.run()) as running:
        await until_whole(host, "127.0.0.1:1")
        rays.fails = True
        rays.kill()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Obstacle, match="no Ray today") as caught:
                await running
    assert caught.value.code != 0
    assert STARTS_MAX > 1


async def test_a_first_start_that_fails_is_not_repeated(
    tmp_path: Path, rays: Rays
) -> None:
    """The reason is said at once."""
    rays.fails = True
    with pytest.raises(Obstacle, match="no Ray today"):
        await host_of(tmp_path, {"s0000": ["open"]}).run()
    assert rays.processes == []
