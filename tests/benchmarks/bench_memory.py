"""Memory for each watcher, all in, from 1,000 to 10,000: ours, Nchan and Starlette.

    python -m tests.benchmarks.bench_memory [--json FILE]

Watchers come in steps and stay; after each step every one of them has had frames, and
the server has had a moment to give back. Told by step: resident memory of the server's
processes that hold connections, bytes in TCP buffers of the machine and the kernel's
own objects (both ends of each connection are in these two), and the slope of a line
through the steps. Ours is the gateway of the whole server, 100 topics; the other two
send the same bytes to all.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from loadtests.crowd.processes import Crowds, Plan
from tests.benchmarks.bench_fanout import NEWS, SERVERS
from tests.benchmarks.bench_sight import changed
from tests.benchmarks.changing import Changer
from tests.benchmarks.gauging import kernel, own_memory, say, tell, tree_memory
from tests.benchmarks.live_site import LiveSite, live_site

STEPS = (1_000, 2_500, 5_000, 7_500, 10_000)
PROVIDERS = 100
SETTLE_S = 3.0
MESSAGES = 3

Sized = Callable[[], dict[str, int]]
"""Memory of the processes that hold connections."""


class Subject:
    """A server whose memory is looked at."""

    def __init__(
        self,
        url: str,
        memory: Sized,
        stir: Callable[[], None],
        plan: Plan | None = None,
    ) -> None:
        self.url = url
        self.memory = memory
        self.stir = stir
        """Sends a message to all watchers."""
        self.plan = plan


def ours(site: LiveSite) -> Subject:
    """The whole server; the process that serves people."""
    changer = Changer(site, site.providers)

    def stir() -> None:
        asyncio.run(changed(changer, len(site.providers), MESSAGES))

    (pid,) = site.gateways
    plan = [[topic] for topic in site.topics()]
    return Subject(site.live, lambda: own_memory(pid), stir, plan)


@contextmanager
def subject(name: str) -> Iterator[Subject]:
    """The server of this name."""
    if name == "slotcast":
        with live_site(PROVIDERS) as site:
            yield ours(site)
    else:
        with other(name) as found:
            yield found


@contextmanager
def other(name: str) -> Iterator[Subject]:
    """One of the servers of bench_fanout."""
    with SERVERS[name]() as (pid, url, _, change):

        def stir() -> None:
            for number in range(MESSAGES):
                change(number)
                time.sleep(1.0)

        yield Subject(url, lambda: tree_memory(pid), stir)


def sample(subject: Subject, watchers: int) -> dict[str, int]:
    """What is held with so many watchers."""
    subject.stir()
    time.sleep(SETTLE_S)
    return {"watchers": watchers, **subject.memory(), **kernel()}


def slope(samples: list[dict[str, int]], name: str) -> float:
    """KiB for each further watcher."""
    line = np.polyfit(
        [one["watchers"] for one in samples], [one[name] for one in samples], 1
    )
    return round(float(line[0]) / 1024, 2)


def measure(one: Subject, steps: list[int]) -> dict[str, Any]:
    """One server."""
    with ExitStack() as stack:
        samples = []
        crowds: list[Crowds] = []
        for number, step in enumerate(steps):
            share = step - sum(crowd.sockets for crowd in crowds)
            made = Crowds(
                one.url,
                share,
                *("--counts", NEWS),
                plan=one.plan,
                first_source=1 + 10 * number,
            )
            crowds.append(stack.enter_context(made))
            samples.append(sample(one, step))
            say(f"{step}: {samples[-1]['rss'] / 2**20:.0f} MiB")
        counts = [crowd.counts() for crowd in crowds]
    return {
        "joined": sum(told["joined"] for told in counts),
        "lost": sum(told["lost"] for told in counts),
        "kib_each": {
            key: slope(samples, key) for key in ("rss", "pss", "buffers", "slab")
        },
        "samples": samples,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    found = {}
    for name in chosen.servers:
        say(name)
        with subject(name) as one:
            found[name] = measure(one, chosen.steps)
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
