"""The processes below a node's supervisor: started, watched, restarted, stopped."""

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
"""One that lived so long is started again after the shortest pause."""
OUTPUT_BYTES_MAX = 10 * 1024 * 1024
"""Size from which what a process printed is thrown away before its next start."""


class Start(Struct, frozen=True):
    """How to start a process once: its words and what it finds in the environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


class Child:
    """Keeps one process alive until told otherwise.

    ``start`` is asked anew each time, for what it says may have changed; None means
    that the process cannot begin yet. ``told`` hears of an end that nobody asked for,
    the first time of several in a row.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Start | None],
        output: Path,
        *,
        finish_s: float,
        told: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.name = name
        self.restarts = 0
        """How often it ended and was started again."""
        self._start = start
        self._output = output
        self._finish_s = finish_s
        self._told = told
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The pid while it lives."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def run(self) -> None:
        """Start it, and again whenever it ends; returns after ``stop``."""
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
                self._told(f"{self.name} ended with status {code}; it is started again")
            await self._pause(back_off)
            back_off = min(back_off * 2, BACK_OFF_MOST_S)

    async def stop(self) -> None:
        """Let it finish what it has at hand, and end; bounded."""
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
                *tethered(start.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **start.environment},
                start_new_session=True,  # Ctrl-C is for the supervisor, who tells it
            )
        return await self._process.wait()


PR_SET_PDEATHSIG = 1
ORPHANED = 1
"""Exit code when the parent was gone before we could ask to be told."""


def tethered(command: Sequence[str]) -> list[str]:
    """This command, to be started by the process that calls this."""
    own = [sys.executable, "-m", "cluster.node.children", str(os.getpid())]
    return [*own, *command]


def main(words: Sequence[str]) -> int:
    """Become the program; returns only if the parent has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(words[0]):
        os.execvp(words[1], list(words[1:]))  # noqa: S606 - no shell is wanted
    return ORPHANED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
