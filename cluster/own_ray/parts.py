"""The processes of the server's own Ray, and notification when one ends.

Ray starts a handful of processes beside those of the shards. It restarts a shard's
process, but not these: without the raylet there is no shard, and without the control
service none is restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil
from msgspec import Struct

from cluster.site.run_file import ProcessMark, living, mark_of

PARTS_MAX = 64
"""Upper bound of Ray's processes beside the shards."""
_KINDS = {
    "gcs_server": "control service",
    "raylet": "raylet",
    "dashboardagent": "dashboard agent",
    "dashboard/agent.py": "dashboard agent",
    "runtimeenvagent": "runtime-environment agent",
    "runtime_env/agent": "runtime-environment agent",
    "log_monitor": "log monitor",
    "monitor.py": "autoscaler monitor",
    "dashboard/dashboard.py": "dashboard",
}
"""Patterns that identify a part of Ray by name or command; the first match counts."""
_SPARE = frozenset({"log monitor", "autoscaler monitor", "dashboard"})
"""Parts that Slotcast does not use."""


class RayPart(Struct, frozen=True):
    """One process of Ray."""

    kind: str
    """Empty for a shard's process, which Ray restarts by itself."""
    mark: ProcessMark

    @property
    def is_spare(self) -> bool:
        """Whether shards survive without it."""
        return self.kind in _SPARE


def kind_of(name: str, command: str) -> str:
    """Which part of Ray a process is, by its name and command; empty: none."""
    program = command.split(" --", 1)[0]  # what follows are folders and addresses
    shown = f"{name} {program}".lower()
    return next((kind for sign, kind in _KINDS.items() if sign in shown), "")


def ray_processes(folder: Path) -> list[RayPart]:
    """All processes of the Ray in this folder; those of the shards have no kind.

    Processes started by this one have the folder in their command; the rest are their
    descendants.
    """
    found: dict[int, RayPart] = {}
    own = os.getpid()
    # One pass over all processes of the machine, parents before their children.
    for process in psutil.Process(own).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            parent, command = process.ppid(), " ".join(process.cmdline())
            if parent in found or (parent == own and str(folder) in command):
                kind = kind_of(process.name(), command)
                found[process.pid] = RayPart(kind, mark_of(process))
    return list(found.values())


class RayWatch:
    """Notified by the kernel (pidfd) when a part ends. Must be closed.

    Must be used on the running loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptors: dict[ProcessMark, int] = {}
        self._ended: asyncio.Queue[RayPart] = asyncio.Queue(PARTS_MAX)

    def add(self, parts: Iterable[RayPart]) -> None:
        """Watch the processes that are no shard's and are not watched yet."""
        for part in parts:
            is_known = part.mark in self._descriptors
            if not part.kind or is_known or len(self._descriptors) >= PARTS_MAX:
                continue
            try:
                descriptor = os.pidfd_open(part.mark.pid)
            except ProcessLookupError:
                descriptor = -1
            self._descriptors[part.mark] = descriptor
            if descriptor < 0 or living(part.mark) is None:
                self._end(part)
            else:
                self._loop.add_reader(descriptor, self._end, part)

    async def ended(self) -> RayPart:
        """The next part that ends."""
        return await self._ended.get()

    def close(self) -> None:
        """Stop watching."""
        for mark in tuple(self._descriptors):
            self._give_back(mark)
        self._descriptors.clear()

    def _end(self, part: RayPart) -> None:
        self._give_back(part.mark)
        self._ended.put_nowait(part)

    def _give_back(self, mark: ProcessMark) -> None:
        descriptor = self._descriptors[mark]
        self._descriptors[mark] = -1  # it stays known, so its end is reported once
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
