"""The projector's keeper: it starts, restarts and stops one child."""

import asyncio
import sys
from pathlib import Path

import psutil

from cluster.server.children import Supervisor
from cluster.terminal.alongside import alongside

UNTIL_STDIN_CLOSES = [sys.executable, "-c", "import sys; sys.stdin.read()"]


async def a_pid(supervisor: Supervisor, other_than: int | None = None) -> int:
    async with asyncio.timeout(20):
        while supervisor.pid in {None, other_than}:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
    assert supervisor.pid is not None
    return supervisor.pid


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    """kill -9, and soon there is another one."""
    supervisor = Supervisor("the child", UNTIL_STDIN_CLOSES, {}, tmp_path / "out")
    async with alongside(supervisor.run()):
        first = await a_pid(supervisor)
        psutil.Process(first).kill()
        second = await a_pid(supervisor, other_than=first)
        assert second != first
        assert supervisor.restarts == 1
        await supervisor.stop()


async def test_a_stop_closes_the_pipe_and_the_child_ends(tmp_path: Path) -> None:
    """It is told by its standard input, and nothing is left."""
    supervisor = Supervisor("the child", UNTIL_STDIN_CLOSES, {}, tmp_path / "out")
    async with alongside(supervisor.run()) as running:
        pid = await a_pid(supervisor)
        await supervisor.stop()
        await running
    assert not psutil.pid_exists(pid)
    assert supervisor.restarts == 0
