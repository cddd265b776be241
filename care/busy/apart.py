"""Reads one calendar in this process, and ends: ``python -m care.busy.apart``.

The text comes from another company's server. Here it may take so much processor time
and memory, and what it makes a library keep is gone with the process.

Stdin: a line of JSON (BusyWanted), then the text. Stdout: BusyReading as JSON. The exit
status says what was wrong with the text.
"""

from __future__ import annotations

import resource
import sys
from typing import Final

from msgspec import json

CPU_S: Final = 12
MEMORY_BYTES: Final = 768 * 1024 * 1024
"""Of address space: what it uses is a fraction of it."""
EXIT_NOT_A_CALENDAR: Final = 65
EXIT_TOO_LARGE: Final = 66


def main() -> int:
    """Read, and write what was read; the exit status."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from care.busy.reading import NotACalendar, TooManyEvents, read_busy
    from care.busy.spans import BusyWanted

    head, _, text = sys.stdin.buffer.read().partition(b"\n")
    try:
        found = read_busy(text, json.decode(head, type=BusyWanted))
    except NotACalendar:
        return EXIT_NOT_A_CALENDAR
    except TooManyEvents:
        return EXIT_TOO_LARGE
    sys.stdout.buffer.write(json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
