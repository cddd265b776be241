"""What a process and the kernel have spent: processor time, memory, counts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

_PAGE = 4096
_CPUCLOCK_SCHED = 2


def cpu_s(pid: int) -> float:
    """Processor time of a process and those below it, up to now."""
    own = psutil.Process(pid)
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def own_cpu_s(pid: int) -> float:
    """Processor time of one process and its threads, to the microsecond."""
    # The clock of another process, as clock_getcpuclockid(3) makes its number.
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def memory(pid: int) -> int:
    """Resident bytes of a process and those below it."""
    own = psutil.Process(pid)
    return sum(int(p.memory_info().rss) for p in (own, *own.children(recursive=True)))


def own_memory(pid: int) -> dict[str, int]:
    """Resident bytes of one process, and those that are its own (PSS)."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name.lower()] = int(rest.split()[0]) * 1024
    return found


def tree_memory(pid: int) -> dict[str, int]:
    """The same of a process and those below it."""
    own = psutil.Process(pid)
    each = [own_memory(one.pid) for one in (own, *own.children(recursive=True))]
    return {name: sum(one[name] for one in each) for name in ("rss", "pss")}


def kernel() -> dict[str, int]:
    """Bytes in TCP buffers of this machine, and of the kernel's own objects.

    Both ends of a loopback connection are in these.
    """
    sockets = Path("/proc/net/sockstat").read_text()
    words = next(one for one in sockets.splitlines() if one.startswith("TCP:")).split()
    slab = Path("/proc/meminfo").read_text().partition("Slab:")[2].split()[0]
    return {
        "buffers": int(words[words.index("mem") + 1]) * _PAGE,
        "slab": int(slab) * 1024,
    }


def metrics(url: str) -> dict[str, float]:
    """A gateway's counts, by name with labels."""
    text = httpx.get(f"{url}/metrics", timeout=30, trust_env=False).text
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def grown(before: dict[str, float], after: dict[str, float], name: str) -> float:
    """By how much a count has grown, over all its labels."""
    return sum(
        value - before.get(key, 0.0)
        for key, value in after.items()
        if key == name or key.startswith(name + "{")
    )


def spent(pids: Sequence[int]) -> float:
    """Processor time of these processes, up to now."""
    return sum(own_cpu_s(pid) for pid in pids)


def tell(found: dict[str, Any], path: Path | None) -> None:
    """Print a benchmark's figures, and write them where asked."""
    text = json.dumps(found, indent=1)
    sys.stdout.write(text + "\n")
    if path is not None:
        path.write_text(text + "\n")


def say(text: str) -> None:
    """How far it is, for who waits."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
