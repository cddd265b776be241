"""Child processes of a server: started, watched, restarted, stopped.

A child reads a pipe from us as its standard input and ends when that closes, so it
never outlives the server, however the server ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

BACK_OFF_LEAST_S, BACK_OFF_MOST_S = 0.2, 10.0
"""Pause before a projector that died is started again; doubles."""
HEALTHY_S = 30.0
"""One that lived so long is started again without delay."""
FINISH_S = 5.0
"""How long it may take to finish its batch when asked to stop."""


class Supervisor:
    """Keeps one child process alive until told otherwise."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
    ) -> None:
        self.name = name
        """The child in words, for the log."""
        self._command = command
        self._environment = {**os.environ, **environment}
        self._output = output
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.restarts = 0
        """How often it died and was started again."""

    @property
    def pid(self) -> int | None:
        """The child's pid while it lives."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def run(self) -> None:
        """Start the child, and again whenever it dies; returns after ``stop``."""
        back_off = BACK_OFF_LEAST_S
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._live_once()
            if self._stopping.is_set():
                return
            if loop.time() - began > HEALTHY_S:
                back_off = BACK_OFF_LEAST_S
            self.restarts += 1
            log.error("%s ended with %s; again in %.1f s", self.name, code, back_off)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), back_off)
            back_off = min(back_off * 2, BACK_OFF_MOST_S)

    async def stop(self) -> None:
        """Let the child finish what it has at hand, and end; bounded."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), FINISH_S)
        except TimeoutError:
            log.warning("%s did not end in %.0f s; killed", self.name, FINISH_S)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _live_once(self) -> int:
        self._output.parent.mkdir(parents=True, exist_ok=True)
        with self._output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the server, who tells it
            )
        return await self._process.wait()


def child_command(command: str) -> list[str]:
    """How this installation starts one of its commands as a child."""
    return [sys.executable, "-m", "cluster", command, "--until-stdin-closes"]
