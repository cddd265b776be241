"""The processes of the server's own Ray are told apart, and each one's end is heard."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from cluster.own_ray.parts import RayPart, RayWatch, kind_of, ray_processes
from cluster.site.run_file import mark_of

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
PATIENCE_S = 60.0
SITE = "/srv/venv/site-packages/ray"


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes of ours."""
    made = [subprocess.Popen(SLEEPER) for _ in range(2)]
    yield made
    for one in made:
        one.kill()
        one.wait()


def part(kind: str, process: subprocess.Popen[bytes]) -> RayPart:
    return RayPart(kind, mark_of(psutil.Process(process.pid)))


@pytest.mark.parametrize(
    ("name", "command", "kind"),
    [
        ("gcs_server", f"{SITE}/core/src/ray/gcs/gcs_server --log_dir=/d", "control"),
        ("raylet", f"{SITE}/core/src/ray/raylet/raylet --raylet_socket_name=/d", "ray"),
        ("python", f"python -u {SITE}/_private/log_monitor.py --logs-dir=/d", "log"),
        ("python", f"python -u {SITE}/autoscaler/_private/monitor.py --l=/d", "auto"),
        ("python", f"python {SITE}/dashboard/dashboard.py --host=::1", "dashboard"),
        ("python", f"python -u {SITE}/dashboard/agent.py --n=1", "dashboard agent"),
        ("ray::DashboardAgent", "ray::DashboardAgent", "dashboard agent"),
        ("python", f"python {SITE}/_private/runtime_env/agent/main.py", "runtime"),
        ("ray::RuntimeEnvAgent", "ray::RuntimeEnvAgent", "runtime"),
        ("ray::ShardActor", "ray::ShardActor", ""),
        ("ray::IDLE", "ray::IDLE", ""),
        ("python", f"python {SITE}/_private/workers/default_worker.py --raylet=1", ""),
    ],
)
def test_parts_are_told_by_name_and_command(name: str, command: str, kind: str) -> None:
    """Every process of Ray has a name in words; a shard's is none of its parts."""
    told = kind_of(name, command)
    assert told.startswith(kind)
    assert bool(told) == bool(kind)


async def test_the_end_of_a_part_is_heard_once(
    sleepers: list[subprocess.Popen[bytes]],
) -> None:
    """Added twice, ended once, told once; the others live on."""
    first, second = sleepers
    parts = [part("raylet", first), part("control service", second)]
    with closing(RayWatch()) as watch:
        watch.add(parts)
        watch.add(parts)
        first.kill()
        async with asyncio.timeout(PATIENCE_S):
            assert await watch.ended() == parts[0]
        watch.add(parts)
        second.kill()
        async with asyncio.timeout(PATIENCE_S):
            assert await watch.ended() == parts[1]


async def test_a_part_that_ended_before_it_was_watched_is_heard(
    sleepers: list[subprocess.Popen[bytes]],
) -> None:
    """Between being found and being watched a process may end."""
    gone = part("raylet", sleepers[0])
    sleepers[0].kill()
    sleepers[0].wait()
    with closing(RayWatch()) as watch:
        watch.add([gone])
        async with asyncio.timeout(PATIENCE_S):
            assert await watch.ended() == gone


def test_only_processes_of_this_folder_are_found(tmp_path: Path) -> None:
    """Another child of ours, the projector for one, is no part of Ray."""
    ours = subprocess.Popen([*SLEEPER, f"--logs={tmp_path}"])
    other = subprocess.Popen(SLEEPER)
    try:
        found = [one.mark.pid for one in ray_processes(tmp_path)]
        assert found == [ours.pid]
    finally:
        for one in (ours, other):
            one.kill()
            one.wait()
