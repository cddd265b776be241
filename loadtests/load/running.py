"""One run: starts the server and Locust, and ends both."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.bench.servers import Server, free_port, slotcast_server
from loadtests.load.plan import FACTS_VARIABLE, PLAN_VARIABLE, Plan
from loadtests.load.watching import Watching

ROOT = Path(__file__).parents[2]
GRACE_S = 180.0
"""Longest time in seconds from the end of the curve to Locust's exit."""
STOP_S = 20.0


class LocustFailed(Exception):
    """Locust ended without facts; ``said`` is the end of its log."""

    def __init__(self, code: int | None, said: str) -> None:
        super().__init__(f"Locust exited with status {code}")
        self.said = said


@dataclass(frozen=True, slots=True)
class Target:
    """The server under load."""

    url: str
    pid: int
    """Process id; 0 if it was not started here, so it cannot be measured."""

    @property
    def is_ours(self) -> bool:
        """Whether this run started the server."""
        return self.pid != 0


@asynccontextmanager
async def target(url: str) -> AsyncIterator[Target]:
    """The server at ``url``, or a new one with a temporary data folder."""
    if url:
        yield Target(url.rstrip("/"), 0)
        return
    with tempfile.TemporaryDirectory(prefix="slotcast-load-") as folder:
        data = Path(folder) / "data"
        os.environ |= {"SLOTCAST_DATA": str(data), "SLOTCAST_SEED": "none"}
        caps = {
            "SLOTCAST_SOCKETS_PER_ADDRESS": "0",
            "SLOTCAST_CONNECTIONS_PER_ADDRESS": "0",
        }
        async with slotcast_server(data, **caps) as server:
            yield _ours(server)


def _ours(server: Server) -> Target:
    return Target(server.url, server.process.pid)


@dataclass(frozen=True, slots=True)
class Manner:
    """How Locust runs."""

    web: bool = False
    """Whether Locust serves its page while it runs."""
    elsewhere: bool = False
    """Number of workers started by hand, perhaps on other machines."""
    bind: str = "127.0.0.1"
    """Address on which the master listens for workers and serves its page."""
    plan: Path | None = None
    """Where the plan is kept for workers; None: deleted after the run."""


def command(plan: Plan, folder: Path, manner: Manner) -> list[str]:
    """Locust's command line."""
    words = [sys.executable, "-m", "locust"]
    words += ["-f", str(ROOT / "loadtests" / "swarm" / "locustfile.py")]
    words += ["--host", plan.url, "--loglevel", "ERROR", "--exit-code-on-error", "0"]
    words += ["--csv", str(folder / "locust"), "--csv-full-history"]
    words += ["--html", str(folder / "locust.html")]
    if manner.elsewhere:
        words += ["--master", "--expect-workers", str(plan.processes)]
        words += ["--master-bind-host", manner.bind]
    elif plan.processes > 1:
        # A port of its own, so that two runs on one machine do not collide.
        port = str(free_port())
        words += ["--processes", str(plan.processes), "--master-port", port]
        words += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    if manner.web:
        return [*words, "--autostart", "--autoquit", "1", "--web-host", manner.bind]
    return [*words, "--headless", "--only-summary"]


async def swarm(
    plan: Plan, folder: Path, watching: Watching, manner: Manner
) -> dict[str, Any]:
    """Run Locust; the facts that its master wrote. Raises LocustFailed."""
    facts, log = folder / "facts.json", folder / "locust.log"
    with tempfile.TemporaryDirectory(prefix="slotcast-plan-") as private:
        written = manner.plan or Path(private) / "plan.json"
        plan.write(written)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        told = {
            PLAN_VARIABLE: str(written.resolve()),
            FACTS_VARIABLE: str(facts),
            "PYTHONPATH": path,
        }
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command(plan, folder, manner),
                env=os.environ | told,
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # this process forwards Ctrl-C
            )
            watching.locust = process.pid
            try:
                limit = None if manner.elsewhere else plan.seconds + GRACE_S
                await asyncio.wait_for(process.wait(), limit)
            except TimeoutError:
                pass
            finally:
                await _end(process)
    if not facts.exists():
        raise LocustFailed(process.returncode, log.read_text("utf-8")[-2000:])
    found: dict[str, Any] = json.loads(facts.read_text("utf-8"))
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    """End Locust and its workers, which form a process group."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
