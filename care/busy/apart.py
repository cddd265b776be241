"""Reads one calendar in this process, and ends: ``python -m care.busy.apart``.

The text comes from another company's server. Here it may take so much processor time
and memory, and what it makes a library keep is gone with the process.

Stdin: a line of JSON (BusyWanted), then the text. Stdout: BusyReading as JSON. The exit
status says what was wrong with the text.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import json

CPU_S: Final = 12
ENTRY_S: Final = 2.0
"""Of processor time for one entry: a rule whose days never come is searched for them
for thousands of years, and any person may send a doctor one."""
MEMORY_BYTES: Final = 768 * 1024 * 1024
"""Of address space: what it uses is a fraction of it."""
EXIT_NOT_A_CALENDAR: Final = 65
EXIT_TOO_LARGE: Final = 66


class EntryTooComplex(Exception):
    """One entry takes more than ``ENTRY_S``."""


class _Bound:
    """Ends the work on an entry that takes too long."""

    def __init__(self) -> None:
        self._is_on = False
        signal.signal(signal.SIGVTALRM, self._end)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._is_on = True
        signal.setitimer(signal.ITIMER_VIRTUAL, ENTRY_S)
        try:
            yield
        finally:
            self._is_on = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def _end(self, *_: Any) -> None:
        if self._is_on:
            raise EntryTooComplex


def main() -> int:
    """Read, and write what was read; the exit status."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from care.busy.reading import NotACalendar, TooManyEvents, read_busy
    from care.busy.spans import BusyWanted

    head, _, text = sys.stdin.buffer.read().partition(b"\n")
    try:
        found = read_busy(text, json.decode(head, type=BusyWanted), _Bound())
    except NotACalendar:
        return EXIT_NOT_A_CALENDAR
    except TooManyEvents:
        return EXIT_TOO_LARGE
    sys.stdout.buffer.write(json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
