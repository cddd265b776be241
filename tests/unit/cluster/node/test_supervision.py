"""The supervisor of a child process: it starts, restarts and stops one process."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cluster.server.children import (
    ORPHANED,
    WORKER_FINISH_S,
    Child,
    Start,
    tethered,
)
from cluster.terminal.alongside import alongside
from cluster.work import worker

UNTIL_SIGTERM = Start([sys.executable, "-c", "import signal; signal.pause()"], {}, 3)
DEAF = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', "
    "flush=True); signal.pause(); signal.pause()",
]


def child_of(
    start: Start, tmp_path: Path, *, finish_s: float = 20.0, reports: list[str]
) -> Child:
    output = tmp_path / "out"
    return Child(
        *("the child", lambda: start, output), finish_s=finish_s, report=reports.append
    )


async def a_pid(child: Child, other_than: int | None = None) -> int:
    async with asyncio.timeout(60):
        while child.pid in {None, other_than}:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
    assert child.pid is not None
    return child.pid


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    """kill -9, and soon there is another one; the first end is reported."""
    reports: list[str] = []
    child = child_of(UNTIL_SIGTERM, tmp_path, reports=reports)
    async with alongside(child.run()):
        first = await a_pid(child)
        psutil.Process(first).kill()
        second = await a_pid(child, other_than=first)
        assert second != first
        assert child.restarts == 1
        assert reports == ["the child ended with status -9; it is restarted"]
        await child.stop()


async def test_a_stop_ends_the_child(tmp_path: Path) -> None:
    """SIGTERM is enough, nothing is left, and it is no end to report."""
    reports: list[str] = []
    child = child_of(UNTIL_SIGTERM, tmp_path, reports=reports)
    async with alongside(child.run()) as running:
        pid = await a_pid(child)
        await child.stop()
        await running
    assert not psutil.pid_exists(pid)
    assert child.restarts == 0
    assert not reports


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """A stop is bounded by finish_s, whatever the child does."""
    child = child_of(Start(DEAF, {}), tmp_path, finish_s=0.1, reports=[])
    async with alongside(child.run()) as running:
        pid = await a_pid(child)
        async with asyncio.timeout(60):
            while (tmp_path / "out").read_text() != "deaf\n":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await child.stop()
        await running
    assert not psutil.pid_exists(pid)


def test_a_child_ends_with_its_parent() -> None:
    """kill -9 of the parent: the kernel ends the child, which has its niceness."""
    asking = (
        "import os, subprocess, sys; from cluster.server.children import tethered; "
        "print(subprocess.Popen(tethered([sys.executable, '-c', "
        "'import os, signal; print(os.nice(0), flush=True); signal.pause()'], 3), "
        "stdout=sys.stdout).pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", asking],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert int(parent.stdout.readline()) == os.nice(0) + 3
        parent.kill()
    child.wait(20)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_session_scheduled_as_a_group_yields_as_a_group(
    *, is_known: bool, tmp_path: Path
) -> None:
    """Its nice value alone would change nothing between sessions (autogroup)."""
    group = tmp_path / ("autogroup" if is_known else "absent/autogroup")
    code = (
        "import os, pathlib, sys; from cluster.server.children import yield_to_others; "
        "yield_to_others(2, pathlib.Path(sys.argv[1])); print(os.nice(0))"
    )
    command, expected = [sys.executable, "-c", code, str(group)], str(os.nice(0) + 2)
    for leads in (False, True):  # a session is asked to yield by its leader alone
        assert not group.exists()
        done = subprocess.run(
            command, capture_output=True, check=True, start_new_session=leads
        )
        assert done.stdout.decode().strip() == expected
    assert not is_known or group.read_text() == expected


def test_a_child_of_a_parent_that_has_ended_does_not_start() -> None:
    """A signal for a death that is past would never come."""
    command = tethered([sys.executable, "-c", "print('runs')"])
    gone = psutil.Process(1).pid  # not the parent of what we start
    command[3] = str(gone)
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (ORPHANED, b"")


def test_a_worker_may_finish_its_jobs_before_it_is_killed() -> None:
    """The supervisor's bound lies beyond the worker's own."""
    assert WORKER_FINISH_S > worker.FINISH_S + 2
