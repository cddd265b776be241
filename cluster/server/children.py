"""Child processes of a server or of a node: started, watched, restarted, stopped.

The kernel sends a child SIGTERM when its parent process ends, so it never outlives its
parent, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

log = logging.getLogger(__name__)

BACK_OFF_LEAST_S, BACK_OFF_MOST_S = 0.2, 10.0
"""Pause before a process that ended is started again; doubles."""
HEALTHY_S = 30.0
"""A process that lived this long is started again after the shortest pause."""
OUTPUT_BYTES_MAX = 10 * 1024 * 1024
"""Size from which a process's output file is removed before the next start."""
NICENESS = {"project": 5, "work": 10}
"""Nice values of processes behind requests: gateways and shards come first, and what
is read from SQL before what is told by mail."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux schedules each session as a group (`sched_autogroup_enabled`), a nice
value counts inside the session alone, and the group has one of its own."""
PROJECTOR_FINISH_S = 6.0
"""Seconds a projector may take to end: it catches up first."""
WORKER_FINISH_S = 12.0
"""Seconds a worker may take to end: its running jobs finish first."""
PR_SET_PDEATHSIG = 1
ORPHANED = 1
"""Exit code if the parent had ended before the kernel was asked for its signal."""


class Start(Struct, frozen=True):
    """How to start a process once."""

    command: Sequence[str]
    environment: Mapping[str, str]
    """Added to the environment of the parent."""
    niceness: int = 0


class Child:
    """Keeps one process running until it is stopped.

    ``start`` is called before each start, because its answer may have changed; None
    means that the process cannot start yet. ``report`` is called with a sentence for
    the terminal when the process has ended by itself, for the first of several
    consecutive ends. ``finish_s`` bounds an orderly stop, in seconds.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Start | None],
        output: Path,
        *,
        finish_s: float,
        report: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.name = name
        """Its description for the log."""
        self.restarts = 0
        """How often it ended by itself and was started again."""
        self._start = start
        self._output = output
        self._finish_s = finish_s
        self._report = report
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The pid while the process lives."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def run(self) -> None:
        """Start the process, and again whenever it ends; returns after ``stop``."""
        back_off = BACK_OFF_LEAST_S
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            start = self._start()
            if start is None:
                await self._pause(BACK_OFF_LEAST_S)
                continue
            began = loop.time()
            code = await self._live_once(start)
            if self._stopping.is_set():
                return
            if loop.time() - began > HEALTHY_S:
                back_off = BACK_OFF_LEAST_S
            self.restarts += 1
            log.error("%s ended with %s; again in %.1f s", self.name, code, back_off)
            if back_off == BACK_OFF_LEAST_S:
                self._report(f"{self.name} ended with status {code}; it is restarted")
            await self._pause(back_off)
            back_off = min(back_off * 2, BACK_OFF_MOST_S)

    async def stop(self) -> None:
        """Send SIGTERM, wait for the end, and kill what takes too long."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._finish_s)
        except TimeoutError:
            log.warning("%s did not end in %.0f s; killed", self.name, self._finish_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _live_once(self, start: Start) -> int:
        self._output.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self._output.stat().st_size > OUTPUT_BYTES_MAX:
                self._output.unlink()
        with self._output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *tethered(start.command, start.niceness),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **start.environment},
                start_new_session=True,  # Ctrl-C reaches the parent alone: it stops us
            )
        return await self._process.wait()


def own_command(*words: str) -> list[str]:
    """The command line that runs ``slotcast WORDS`` of this installation."""
    return [sys.executable, "-m", "cluster", *words]


def tethered(command: Sequence[str], niceness: int = 0) -> list[str]:
    """The command line of a process that ends with the process that calls this.

    The kernel's signal follows the thread that starts it: that must be the main one.
    """
    parent = str(os.getpid())
    own = [sys.executable, "-m", "cluster.server.children", parent, str(niceness)]
    return [*own, *command]


def yield_to_others(niceness: int, autogroup: Path = AUTOGROUP) -> None:
    """Lower the priority of this process, and of its session if it leads one."""
    if not niceness:
        return
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        # Absent in containers and on other kernels, where the line above is enough.
        with contextlib.suppress(OSError):
            autogroup.write_text(str(os.nice(0)))


def main(words: Sequence[str]) -> int:
    """Replace this process by the program.

    Returns only if the parent has already ended.
    """
    parent, niceness, *command = words
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(parent):
        yield_to_others(int(niceness))
        os.execvp(command[0], command)  # noqa: S606  # nosec B606
    return ORPHANED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
