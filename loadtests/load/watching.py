"""Processor time and memory of the server and Locust, sampled once a second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

import psutil

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: seconds of processor time so far, and bytes in memory."""

    at: float
    """Seconds since the epoch, like Locust's times."""
    server_cpu_s: float
    server_rss: int
    locust_cpu_s: float
    locust_rss: int


@dataclass(slots=True)
class Watching:
    """Samples two process trees in a thread until the block ends; pid 0: none."""

    server: int
    locust: int = 0
    samples: list[Sample] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watching:
        self._thread = threading.Thread(target=self._look, name="watching", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(EVERY_S):
            looked = (*tree(self.server), *tree(self.locust))
            self.samples.append(Sample(time.time(), *looked))


def tree(pid: int) -> tuple[float, int]:
    """Processor seconds and resident bytes of a process and its descendants."""
    if not pid:
        return 0.0, 0
    cpu_s, rss = 0.0, 0
    try:
        own = psutil.Process(pid)
        processes = [own, *own.children(recursive=True)]
    except psutil.Error:
        return 0.0, 0
    for process in processes:
        try:
            times, memory = process.cpu_times(), process.memory_info()
        except psutil.Error:
            continue
        cpu_s += times.user + times.system
        rss += int(memory.rss)
    return cpu_s, rss


def cores(samples: list[Sample], whose: str) -> list[tuple[float, float]]:
    """Cores in use between consecutive samples: (seconds since the epoch, cores).

    The time of a process that ended between two samples is missing from the later
    one; such a difference counts as 0 instead of negative.
    """
    found = []
    for before, after in pairwise(samples):
        used = getattr(after, whose) - getattr(before, whose)
        found.append((after.at, max(0.0, used) / (after.at - before.at)))
    return found
