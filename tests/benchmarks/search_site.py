"""A node with two gateways, a Redis and a MariaDB of its own, and many providers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.live_site import SETTINGS, tokens_of
from tests.benchmarks.search_people import PER_PRACTICE, Person, invented, practices
from tests.fixtures.cluster import ClusterOnOneMachine, NodeProcess
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.server import ROOT, clean_environment

PATIENTS = 256
RUN_HOURS = 24
"""Of one run; the horizon is sixty days."""
BIG: dict[str, Any] = {
    "innodb_buffer_pool_size": "512M",
    "innodb_log_file_size": "256M",
}


@dataclass
class Site:
    """A running node with its people."""

    people: list[Person]
    node: NodeProcess
    redis: RedisServer
    urls: list[str]
    admin: str
    patients: list[str]
    run: int = 0
    """How often the site was used before."""

    def gateway(self, index: int) -> int:
        """The pid of one gateway."""
        for pid in self.node.pids("gateway"):
            words = psutil.Process(pid).cmdline()
            if words[words.index("--index") + 1] == str(index):
                return pid
        raise LookupError(index)


class Supply:
    """Distinct starts of five minutes at providers open around the clock.

    Each ``run`` of a kept site has others: none is taken twice.
    """

    def __init__(self, people: Sequence[Person], run: int) -> None:
        self._providers = [one.row.provider_id for one in people if one.is_busy]
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self._first = hour + timedelta(hours=1 + RUN_HOURS * run)
        self._next = 0

    def take(self) -> tuple[int, str, str]:
        """The next: its number, provider and start."""
        number = self._next
        self._next += 1
        row, place = divmod(number, len(self._providers))
        start = self._first + timedelta(minutes=5 * row)
        return number, self._providers[place], start.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def search_site(
    folder: Path, path: Path | None, providers: int
) -> Iterator[tuple[Site, dict[str, Any]]]:
    """The node, filled if it is new; and the seconds that filling and starting took."""
    told: dict[str, Any] = {}
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(folder / "redis", maxmemory="4gb"))
        mariadb = stack.enter_context(MariaDbServer(folder / "mariadb", **BIG))
        cluster = stack.enter_context(
            ClusterOnOneMachine(
                folder / "nodes",
                nodes=0,
                gateways=2,
                shards=1,
                **SETTINGS,
                SLOTCAST_JOURNAL=redis.url,
                SLOTCAST_DATABASE=mariadb.url("search"),
            )
        )
        node = cluster.add()
        node.words = (*node.words, "--ports", f"{node.port}-{node.port + 1}")
        if not (folder / "filled").exists():
            for name in ("search", "search_records"):
                mariadb.create_database(name)
            told["fill_s"] = _filled(node, path, providers)
            (folder / "filled").touch()
        clinics = practices(path, max(1, providers // PER_PRACTICE))
        people = invented(clinics, providers)
        began = time.monotonic()
        cluster.start()
        told["node_start_s"] = round(time.monotonic() - began, 1)
        named = [f"pat_search{number}" for number in range(PATIENTS)]
        (admin,) = tokens_of(node.settings, "admin", ["adm_search"])
        urls = [f"http://{node.host}:{node.port + number}" for number in (0, 1)]
        patients = tokens_of(node.settings, "patient", named)
        yield Site(people, node, redis, urls, admin, patients, _run_of(folder)), told
        cluster.stop()


def _run_of(folder: Path) -> int:
    """The number of this run of a kept site."""
    counted = folder / "filled"
    run = int(counted.read_text() or 0)
    counted.write_text(str(run + 1))
    return run


def _filled(node: NodeProcess, path: Path | None, providers: int) -> float:
    began = time.monotonic()
    words = ["--providers", str(providers)]
    if path is not None:
        words += ["--practices", str(path)]
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.search_fill", *words],
        cwd=ROOT,
        env=clean_environment(**node.settings),
        check=True,
    )
    return round(time.monotonic() - began, 1)
