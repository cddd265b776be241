"""Ten thousand lean watchers in a few processes, asked without waiting in the way."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PROCESSES = 2
"""At least so many: one per core, and each below its limit of open files."""
FILES_SPARE = 200
"""Open files of a process that are not watchers."""
GATEWAY_WATCHERS_MAX = 19_000
"""One gateway process lets in 20,000; some room is for others."""
LINE_BYTES_MAX = 8 * 1024 * 1024


class TooManyWatchers(ValueError):
    """More than this machine, or one server process, can hold; says how many can."""


def room_for(watchers: int) -> int:
    """Processes that can hold so many. Raises TooManyWatchers.

    Raises this process's own limit of open files as far as it may; others inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    each = hard - FILES_SPARE
    # The server holds all of them in one process, under the same limit.
    most = max(0, min(each, GATEWAY_WATCHERS_MAX))
    if watchers > most:
        raise TooManyWatchers(f"At most {most:,} watchers fit into one server here.")
    return max(PROCESSES, -(-watchers // each))


class Crowds:
    """Processes of listeners, all on one topic."""

    def __init__(self, processes: list[asyncio.subprocess.Process], folder: Path):
        self._processes = processes
        self._folder = folder

    async def arrived(self) -> list[dict[str, Any]]:
        """Wait until all are connected, or have given up."""
        return await asyncio.gather(*(_line(one) for one in self._processes))

    async def ask(self, command: str) -> list[dict[str, Any]]:
        """Every process's answer."""
        return await self._ask([command] * len(self._processes))

    async def counts(self) -> tuple[int, int]:
        """Watchers that are there, and those that were lost."""
        told = await self.ask("report")
        lost = sum(int(one["lost"]) for one in told)
        return sum(int(one["joined"]) for one in told) - lost, lost

    async def seen(self, version: int) -> list[float]:
        """When each watcher saw the delta to a version: monotonic seconds."""
        files = [self._folder / f"seen-{n}" for n in range(len(self._processes))]
        await self._ask([f"deliveries {path}" for path in files])
        return [at for path in files for at in _times(path, version)]

    async def _ask(self, commands: list[str]) -> list[dict[str, Any]]:
        for one, command in zip(self._processes, commands, strict=True):
            assert one.stdin is not None
            one.stdin.write(f"{command}\n".encode())
        return await asyncio.gather(*(_line(one) for one in self._processes))


def _times(path: Path, version: int) -> list[float]:
    found: list[float] = []
    for line in path.read_text("ascii").splitlines():
        told = json.loads(line)
        if told["kind"] == "delta" and told["version"] == version:
            found += [told["first"] + us / 1e6 for us in told["us"]]
    return found


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process of watchers has ended; its reason stands above")
    found: dict[str, Any] = json.loads(line)
    return found


@asynccontextmanager
async def crowds(
    url: str, topic: str, watchers: int, folder: Path
) -> AsyncIterator[Crowds]:
    """So many watchers of a topic; none of their processes outlives the block."""
    count = room_for(watchers)
    plan = folder / "plan"
    plan.write_text(json.dumps([[topic]]))
    edges = [watchers * number // count for number in range(count + 1)]
    made: list[asyncio.subprocess.Process] = []
    try:
        for number in range(count):
            share = edges[number + 1] - edges[number]
            words = ["--plan", str(plan), "--count", str(share)]
            words += ["--first", str(edges[number]), "--first-source", str(1 + number)]
            made.append(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "loadtests.crowd", url, *words),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=LINE_BYTES_MAX,
                    start_new_session=True,  # Ctrl-C is for us; we end them
                )
            )
        yield Crowds(made, folder)
    finally:
        for one in made:
            if one.returncode is None:
                one.kill()
            await one.wait()
