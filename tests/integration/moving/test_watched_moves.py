"""Watchers of a calendar that moves: on two gateways, none stays with what was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from time import monotonic

from actors.domain.ids import Millis, PatientId, ShardId
from actors.domain.messages.answers import BookingView
from actors.domain.rules import Policy
from actors.hosting.local import LocalLinks
from actors.hosting.mailbox import Mailbox
from actors.placement import Placement, isolated_shard, placing, shard_name
from actors.shard.limits import ShardLimits
from cluster.moving.calendar_moves import CalendarMover
from gateway.app.application import create_app
from gateway.calendars.courier import Courier
from gateway.config import GatewayPorts
from gateway.live.core.topic_names import slots_topic
from gateway.live.service import LiveService
from gateway.live.topics.watcher import Watcher
from persistence.journal.memory import MemoryJournal
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.snapshots.memory import MemorySnapshots
from tests.fakes.api import CONFIG
from tests.properties.live_shards import TestWriter
from tests.unit.actors import practice as p

PLACE = placing(Placement.SHARD, 2)
HOME, OWN = PLACE(p.ANA), isolated_shard(p.ANA)
DAY = datetime.fromtimestamp(p.NINE * 60, UTC)
TOPIC = slots_topic(p.ANA, p.CONSULT, f"{DAY:%G}-W{DAY:%V}")
PATIENCE_S = 60.0


class Running:
    """A clock that runs, from the practice's first day on."""

    def __init__(self) -> None:
        self._began = monotonic()

    def now(self) -> Millis:
        return Millis(p.NOW + int((monotonic() - self._began) * 1000))

    def steady(self) -> Millis:
        return self.now()


class Region:
    """Stores and shards; each gateway has a road of its own to them."""

    def __init__(self) -> None:
        self.clock = Running()
        self.journal, self.snapshots = MemoryJournal(), MemorySnapshots()
        self.mailboxes: dict[ShardId, Mailbox] = {}

    def road(self) -> LocalLinks:
        links = LocalLinks(PLACE, [shard_name(0), shard_name(1)], self._mailbox)
        links._mailboxes = self.mailboxes
        return links

    def _mailbox(self, shard: ShardId) -> Mailbox:
        limits = ShardLimits(retry_ms=1)
        return Mailbox(
            shard, self.journal, self.snapshots, self.clock, Policy(), limits
        )


class Gateway:
    """One process's live side, and a watcher of Ana's week on it."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.links = region.road()
        self.courier = Courier(self.links, region.clock)
        numbers, rows = count(1), MemoryReadModel()
        ports = GatewayPorts(
            calendars=self.courier,
            links=self.links,
            directory=rows,
            history=rows,
            progress=rows,
            clock=region.clock,
            tokens=lambda: f"token-{next(numbers):010}",
        )
        self.live: LiveService = create_app(ports, CONFIG).state.live
        self.writer = TestWriter(PatientId("pat_9"))
        self.writer.room = 10_000

    def watch(self) -> None:
        watcher = Watcher(self.writer)
        self.live.hub.joined(watcher)
        self.live.hub.subscribe(watcher, TOPIC, None, self.region.clock.now())

    def shows(self, place: int) -> str | None:
        """The state of the slot ``place`` half hours after nine, as a client has it."""
        start = datetime.fromtimestamp((p.NINE + 30 * place) * 60, UTC)
        copy = self.writer.client.copies.get(TOPIC.wire)
        if copy is None:
            return None
        state: str | None = copy.content.get(f"{start:%Y-%m-%dT%H:%M:%SZ}")
        return state


@asynccontextmanager
async def two_gateways() -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Both watch Ana's week; the second one never asks anything by itself."""
    region = Region()
    one, two = Gateway(region), Gateway(region)
    for gateway in (one, two):
        await gateway.live.start()
    try:
        for command in p.opened():
            await one.courier.ask(command)
        for gateway in (one, two):
            gateway.watch()
        await until(lambda: one.shows(0) == two.shows(0) == "free")
        yield one, two
    finally:
        for gateway in (one, two):
            await gateway.live.stop()
            await gateway.courier.close()
        for mailbox in region.mailboxes.values():
            await mailbox.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - clients report nothing
            await asyncio.sleep(0.01)


async def moved(region: Region) -> None:
    """What `slotcast cluster isolate` does."""
    links = region.road()
    links.moved(p.ANA, OWN)
    await CalendarMover(links, region.clock).move(p.ANA, HOME, OWN)


async def test_no_watcher_stays_with_what_was() -> None:
    """After the move a booking reaches both, also without a request in between."""
    async with two_gateways() as (one, two):
        await moved(one.region)
        booked = await one.courier.ask(p.book("after", 3))
        assert isinstance(booked, BookingView)
        await until(lambda: one.shows(3) == two.shows(3) == "booked")
        assert two.links.shard_of(p.ANA) == OWN
        assert two.live.hub.index.providers[p.ANA].shard == OWN
        assert not one.writer.client.gaps
        assert not two.writer.client.gaps
        for place in (4, 5):  # and deltas go on from there
            await one.courier.ask(p.book(f"later{place}", place, patient="pat_2"))
        await until(lambda: two.shows(4) == two.shows(5) == "booked")
        assert not two.writer.client.gaps


async def test_also_if_the_old_shard_is_gone() -> None:
    """No feed told of the move: the old shard's next epoch tells of it."""
    async with two_gateways() as (one, two):
        for gateway in (one, two):  # the feeds miss what is published now
            vars(gateway.live.hub)["on_feed"] = _deaf
        await moved(one.region)
        for gateway in (one, two):
            del gateway.live.hub.on_feed
        lost = one.region.mailboxes.pop(HOME)
        await lost.close()
        booked = await one.courier.ask(p.book("after", 3))
        assert isinstance(booked, BookingView)
        await until(lambda: one.shows(3) == two.shows(3) == "booked")


def _deaf(*_told: object) -> bool:
    return False
