"""Reads other companies' calendars, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

from msgspec import json

from care.busy.apart import EXIT_NOT_A_CALENDAR, EXIT_TOO_LARGE
from care.busy.ports import BusyFailure, BusyUnreadable
from care.busy.spans import BusyReading, BusyWanted

READ_S: Final = 20.0
"""How long one may be read, waiting for processors included."""
AT_ONCE: Final = 2
"""Calendars that one worker reads at a time."""
_FAILURES: Final = {
    EXIT_NOT_A_CALENDAR: BusyFailure.NOT_A_CALENDAR,
    EXIT_TOO_LARGE: BusyFailure.TOO_LARGE,
}
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""Of the environment; the rest has the site's secrets."""


class BusyReader:
    """Reads texts, few at a time."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def read(self, text: bytes, wanted: BusyWanted) -> BusyReading:
        """When a calendar is busy. Raises BusyUnreadable."""
        async with self._turns:
            status, output = await _run(json.encode(wanted) + b"\n" + text)
        if status == 0:
            return json.decode(output, type=BusyReading)
        raise BusyUnreadable(_FAILURES.get(status, BusyFailure.TOO_COMPLEX))


async def _run(given: bytes) -> tuple[int, bytes]:
    """Exit status and output; a process that takes too long is killed."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "care.busy.apart"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        async with asyncio.timeout(READ_S):
            output, _ = await process.communicate(given)
    except TimeoutError:
        raise BusyUnreadable(BusyFailure.TOO_COMPLEX) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output
