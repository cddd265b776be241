"""Ctrl-C and SIGTERM: the first asks for an orderly stop, the second forces it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cluster.site.run_file import marks_of_descendants, stop_processes
from cluster.terminal.terminal import Terminal

FORCED = 1
"""Exit code of a stop that was not orderly."""
_KINDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Handles the signals of this process; the first one sets ``asked``."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        self.asked = asyncio.Event()

    @property
    def is_asked(self) -> bool:
        """Whether a stop was asked for; true at once, before the loop turns."""
        return self._count > 0

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Install the handlers.

        Must be entered on the main thread, on the running loop.
        """
        self._loop = asyncio.get_running_loop()
        before = {kind: signal.signal(kind, self._on_signal) for kind in _KINDS}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _on_signal(self, _kind: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            self._terminal.note("stopping (once more to force it)")
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self.asked.set)
        else:
            force()


def force() -> None:
    """End this process and all below it, now. Nothing acknowledged is lost."""
    stop_processes(marks_of_descendants(), patience_s=0.0)
    os._exit(FORCED)
