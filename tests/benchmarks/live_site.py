"""The whole server with providers whose next week is watched: what the rows measure.

Journal, four shards on Ray, projector and gateway, as ``slotcast serve`` starts them;
with more than one gateway a node of a cluster on a Redis of its own. Only the rate
limits and the cap for one address are off, since all load comes from one.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loadtests.wire.http_client import HttpClient
from loadtests.workload.providers import (
    WEEK,
    hours,
    opening_rules,
    register_provider,
)
from tests.fixtures.cluster import ClusterOnOneMachine
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.server import ROOT, ServerProcess, clean_environment

PATIENTS = 64
OPENS, CLOSES, MINUTES = 9, 19, 15
"""Forty slots a day: a week is 280, and its snapshot nine kilobytes."""
VISIT = "visit"
AT_ONCE = 32
SETTINGS = {
    "SLOTCAST_SEED": "none",
    "SLOTCAST_RATE_LIMITS": "false",
    "SLOTCAST_PATIENT_LIMITS": "false",
    "SLOTCAST_SOCKETS_PER_ADDRESS": "0",
    "SLOTCAST_CONNECTIONS_PER_ADDRESS": "0",
}


@dataclass
class LiveSite:
    """A server that is up, its providers and who may book."""

    url: str
    gateways: list[int]
    """The processes that serve people."""
    admin: str
    patients: list[str]
    providers: list[str] = field(default_factory=list)
    monday: datetime = field(default_factory=lambda: next_monday())

    @property
    def live(self) -> str:
        """Where its live socket is."""
        return self.url.replace("http", "ws", 1) + "/v1/live"

    def part(self, first: int, count: int) -> LiveSite:
        """The same server, and of its providers only these."""
        return replace(self, providers=self.providers[first : first + count])

    def topic(self, provider: str) -> str:
        """The week of a provider that is watched."""
        year, week, _ = self.monday.isocalendar()
        return f"slots/{provider}/{VISIT}/{year}-W{week:02d}"

    def topics(self) -> list[str]:
        """That of every provider."""
        return [self.topic(provider) for provider in self.providers]

    def starts(self) -> list[str]:
        """All slots of that week."""
        day = (CLOSES - OPENS) * 60 // MINUTES
        first = self.monday + timedelta(hours=OPENS)
        times = [
            first + timedelta(days=n // day, minutes=MINUTES * (n % day))
            for n in range(7 * day)
        ]
        return [one.strftime("%Y-%m-%dT%H:%M:%SZ") for one in times]

    async def open(self, count: int) -> None:
        """Let there be so many providers."""
        client = HttpClient(self.url, AT_ONCE, timeout_s=60)
        names = [f"prv_live{n:05d}" for n in range(len(self.providers), count)]
        room = asyncio.Semaphore(AT_ONCE)
        weekly = dict.fromkeys(WEEK, hours(f"{OPENS:02d}:00", f"{CLOSES:02d}:00"))
        rules = opening_rules(VISIT, MINUTES, weekly)

        async def one(name: str) -> None:
            async with room:
                await register_provider(client, self.admin, name, "cln_live", rules)

        try:
            await asyncio.gather(*(one(name) for name in names))
        finally:
            await client.close()
        self.providers += names


def next_monday() -> datetime:
    """The Monday of the week after next, so that no slot of it is too soon."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=14 - today.weekday())


def tokens_of(settings: dict[str, str], role: str, subjects: list[str]) -> list[str]:
    """A token for each subject."""
    command = (sys.executable, "-m", "cluster", "token", "--role", role)
    done = subprocess.run(
        [*command, "--subjects-from", "-", "--ttl", "24h"],
        cwd=ROOT,
        env=clean_environment(**settings),
        input="\n".join(subjects) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split()


def _site(url: str, gateways: list[int], settings: dict[str, str]) -> LiveSite:
    patients = [f"pat_live{n}" for n in range(PATIENTS)]
    (admin,) = tokens_of(settings, "admin", ["adm_live"])
    return LiveSite(url, gateways, admin, tokens_of(settings, "patient", patients))


@contextmanager
def live_site(providers: int, gateways: int = 1) -> Iterator[LiveSite]:
    """A server with so many providers and gateway processes; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="live-") as name:
        opened = _several(Path(name), gateways) if gateways > 1 else _one(Path(name))
        with opened as site:
            asyncio.run(site.open(providers))
            yield site


@contextmanager
def _one(folder: Path) -> Iterator[LiveSite]:
    with ServerProcess(folder / "data", None, **SETTINGS) as server:
        server.start()
        yield _site(server.url, [server.pid], server.settings)
        server.stop()


@contextmanager
def _several(folder: Path, gateways: int) -> Iterator[LiveSite]:
    with (
        RedisServer(folder / "redis") as redis,
        ClusterOnOneMachine(
            folder / "nodes",
            nodes=1,
            gateways=gateways,
            shards=4,
            **SETTINGS,
            SLOTCAST_JOURNAL=redis.url,
        ) as cluster,
    ):
        cluster.start()
        cluster.wait_ready()
        head = cluster.head
        yield _site(head.url, head.pids("gateway"), head.settings)
        cluster.stop()
