"""The attacked server from outside: its process, its port, its memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
"""Far longer than anything takes, on a busy machine too."""


class Attacked:
    """A running server."""

    def __init__(self, pid: int, port: int, token: str) -> None:
        self.pid = pid
        self.port = port
        self.token = token

    async def metric(self, series: str) -> float:
        """The value of a series, as /metrics shows it; 0 if it is not there yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            page = (await reader.read()).decode()
        writer.close()
        found = [line for line in page.splitlines() if line.startswith(f"{series} ")]
        return float(found[0].split()[1]) if found else 0.0

    def resident_mib(self) -> float:
        """Memory of the server now."""
        return self._status("VmRSS:")

    def forget_peak(self) -> None:
        """Begin to look for the highest memory again."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """The highest memory since then, as the kernel counted it."""
        return self._status("VmHWM:")

    def _status(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        raise AssertionError(f"no {name} of process {self.pid}")


@asynccontextmanager
async def attacked(
    without: Sequence[str] = (),
    limits: Mapping[str, float] | None = None,
    files: int = 0,
    **settings: Any,
) -> AsyncIterator[Attacked]:
    """A server for the time of the block.

    ``without`` names guards of site.GUARDS; ``limits`` are of HttpLimits; ``files``
    may be open, 0 for as many as here.
    """
    options = {
        "without": list(without),
        "files": files,
        "limits": limits or {},
        "settings": settings,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.attacks.site", json.dumps(options)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = await process.stdout.readline()
        told = json.loads(line)
        yield Attacked(process.pid, told["port"], told["token"])
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
