"""Starts the child process that writes a workbook; see workbook_child.py."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.errors import Overloaded, Unavailable

WORKBOOKS_AT_ONCE: Final = 1
WORKBOOKS_WAITING: Final = 16
"""Workbooks that wait for a child, the one being written included."""
WRITING_S: Final = 30.0
"""Longest life of a child in seconds, on a busy machine."""
_CHILD: Final = Path(__file__).with_name("workbook_child.py")
_GIVEN: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


class ChildWorkbooks:
    """Implements Workbooks by children of this process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(WORKBOOKS_AT_ONCE, "workbooks")
        self._waiting = 0

    async def write(self, name: str, rows: Sequence[Sequence[Any]]) -> bytes:
        """See Workbooks.write."""
        if self._waiting >= WORKBOOKS_WAITING:
            raise Overloaded("many workbooks are being written")
        self._waiting += 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, _written, name, rows)
        work.add_done_callback(self._ended)
        return await work

    def _ended(self, work: asyncio.Future[bytes]) -> None:
        self._waiting -= 1
        if not work.cancelled():
            work.exception()  # the client may be gone, and asyncio would complain


def _written(name: str, rows: Sequence[Sequence[Any]]) -> bytes:
    # Nothing of this process's environment: secrets are in it.
    given = {one: os.environ[one] for one in _GIVEN if one in os.environ}
    try:
        done = subprocess.run(  # noqa: S603  # nosec B603
            [sys.executable, "-P", str(_CHILD)],
            input=msgspec.json.encode({"name": name, "rows": rows}),
            capture_output=True,
            timeout=WRITING_S,
            env=given,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("a workbook cannot be written just now") from error
    if done.returncode:
        raise Unavailable("the child process for workbooks does not start")
    return done.stdout
