"""Watchers during a replay: one view per provider and week, updated by deltas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from types import TracebackType

from loadtests.wire.http_client import HttpClient
from loadtests.wire.live_client import LiveWatcher
from loadtests.workload.region import Region
from loadtests.workload.weeks import iso_week

TOPICS_PER_SOCKET = 100
SETTLE_S = 20.0


class Watch:
    """Live sockets on every provider's weeks of the replay; use with ``async with``."""

    def __init__(
        self, url: str, region: Region, days: Sequence[date], *, enabled: bool
    ) -> None:
        self.enabled = enabled
        weeks = sorted({iso_week(day) for day in days})
        topics = [
            f"slots/{provider.provider_id}/{provider.visit_type}/{week}"
            for provider in region.providers
            for week in weeks
        ]
        socket = url.replace("http", "ws", 1).rstrip("/") + "/v1/live"
        self.watchers = [
            LiveWatcher(socket, topics[first : first + TOPICS_PER_SOCKET], seed=first)
            for first in range(0, len(topics) if enabled else 0, TOPICS_PER_SOCKET)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Watch:
        self._tasks = [asyncio.ensure_future(w.run()) for w in self.watchers]
        for watcher in self.watchers:
            await asyncio.wait_for(watcher.ready(), 60)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for watcher in self.watchers:
            watcher.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def counts(self) -> dict[str, int]:
        """The watchers' counts."""
        if not self.enabled:
            return {}
        return {
            "sockets": len(self.watchers),
            "topics": sum(len(w.watched.topics) for w in self.watchers),
            "frames": sum(w.frames for w in self.watchers),
            "deltas": sum(w.watched.deltas for w in self.watchers),
            "gaps": sum(w.watched.gaps for w in self.watchers),
            "reconnects": sum(w.watched.reconnects for w in self.watchers),
            "errors": sum(len(w.watched.errors) for w in self.watchers),
        }

    async def differences(self, client: HttpClient) -> int:
        """Topics whose view still differs from a fresh read after some retries."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + SETTLE_S
        while True:
            found = 0
            for watcher in self.watchers:
                for topic, view in watcher.watched.topics.items():
                    found += view.slots != await fresh(client, topic)
            if found == 0 or loop.time() > give_up:
                return found
            await asyncio.sleep(0.5)


async def fresh(client: HttpClient, topic: str) -> dict[str, str]:
    """The slots of a topic as REST returns them now."""
    _, provider, visit_type, week = topic.split("/")
    year, number = week.split("-W")
    first = date.fromisocalendar(int(year), int(number), 1)
    last = date.fromordinal(first.toordinal() + 6)
    answer = await client.ask(
        "GET",
        f"/v1/providers/{provider}/slots?visit_type={visit_type}&from={first}&to={last}",
    )
    if answer.status != 200:
        return {}
    return {slot["start"]: slot["state"] for slot in answer.json()["slots"]}
