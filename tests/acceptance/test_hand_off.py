"""Shards handed from process to process while people book and watch."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

import msgspec
import pytest
import ray

from actors.domain.ids import Minute, PatientId, ShardId, booking_id, hold_id
from actors.domain.messages.answers import BookingView, HoldView, ScheduleView
from actors.domain.messages.commands import ConfirmHold, PlaceHold
from actors.domain.messages.reads import ReadSchedule
from actors.domain.messages.refusals import Refusal
from actors.errors import SchedulingError
from actors.hosting.process import ELSEWHERE, HostTimeouts
from actors.placement import Placement
from actors.ports import ShardReply
from actors.remote.actor import NAMESPACE
from cluster.keeping.moves import HandOff, Mover, Question, Step
from cluster.keeping.planner import Move
from cluster.keeping.ray_actors import RayActors
from cluster.terminal.alongside import alongside
from tests.acceptance.test_ray_shards import booking, days, free_starts
from tests.fixtures.ray import RaySite, local_ray, ray_site
from tests.unit.actors import practice as p

pytestmark = pytest.mark.acceptance
__all__ = ["local_ray"]

HAND_OFFS = 10
REPLIES = msgspec.msgpack.Decoder(list[ShardReply])
HASTY = HostTimeouts(released_s=1.5, warm_s=3.0, again_s=0.5)
"""Watchdogs that a test can wait for."""


@dataclass
class Bench:
    """A site whose shards can be moved."""

    site: RaySite
    actors: RayActors
    mover: Mover
    node: str

    async def hand_over(self) -> HandOff:
        """Give Ana's shard a fresh process; there is only one node."""
        shard = self.site.links.shard_of(p.ANA)
        return await self.mover.hand_over(Move(shard, self.node, self.node))


@asynccontextmanager
async def bench(
    folder: Path, patience: HostTimeouts | None = None
) -> AsyncIterator[Bench]:
    async with ray_site(folder, Placement.SHARD, patience) as site:
        await site.open_practice()
        actors = RayActors(site.spec)
        survey = await actors.survey()
        (node,) = survey.nodes
        assert set(survey.places().values()) == {node}
        yield Bench(site, actors, Mover(actors), node)
        actors.close()


@dataclass
class Watcher:
    """Follows a shard's feed as a gateway does: reads again when it is told to."""

    bench: Bench
    seen: dict[str, int] = field(default_factory=dict)
    resets: int = 0
    version: int = -1

    async def run(self) -> None:
        site = self.bench.site
        shard = site.links.shard_of(p.ANA)
        epoch = number = 0
        while True:
            try:
                batch = await site.links.poll(shard, epoch, number, 5000)
            except SchedulingError:
                await asyncio.sleep(0.02)
                continue
            if batch.reset:
                self.resets += 1
                await self._read_again()
            for change in batch.changes:
                self.version = max(self.version, change.version)
                for view in change.bookings:
                    self.seen[view.booking_id] = view.start
            epoch, number = batch.epoch, batch.number

    async def _read_again(self) -> None:
        site = self.bench.site
        view = await site.courier.ask(ReadSchedule(p.ANA, *days(site)))
        assert isinstance(view, ScheduleView)
        self.seen = {one.booking_id: one.start for one in view.bookings}
        self.version = view.version


class Visitors:
    """Book until told to stop, one in three by a hold first; remember every yes."""

    def __init__(self, site: RaySite, starts: list[Minute]) -> None:
        self.site = site
        self.starts = starts
        self.booked: dict[str, int] = {}
        self.silence = 0.0
        self.enough = asyncio.Event()
        self._last = perf_counter()

    async def run(self) -> None:
        await asyncio.gather(*(self._lane(n) for n in range(8)))

    async def _lane(self, lane: int) -> None:
        dice = Random(lane)
        while not self.enough.is_set() and self.starts:
            start = self.starts.pop()
            view = await self._visit(
                f"{lane}x{start}", start, holds=dice.random() < 1 / 3
            )
            self.silence = max(self.silence, perf_counter() - self._last)
            self._last = perf_counter()
            assert view.start == start
            self.booked[view.booking_id] = view.start
            await asyncio.sleep(dice.uniform(0, 0.01))

    async def _visit(self, token: str, start: Minute, *, holds: bool) -> BookingView:
        site, patient = self.site, PatientId(f"pat_{token}")
        deadline = site.deadline(60)
        if not holds:
            view = await site.courier.ask(booking(token, start, deadline))
        else:
            hold = hold_id(p.ANA, token)
            held = await site.courier.ask(
                PlaceHold(
                    provider_id=p.ANA,
                    key=f"hold-{token}",
                    hold_id=hold,
                    patient_id=patient,
                    visit_type=p.CONSULT,
                    start=start,
                    deadline=deadline,
                )
            )
            assert isinstance(held, HoldView)
            await asyncio.sleep(0.02)
            view = await site.courier.ask(
                ConfirmHold(
                    provider_id=p.ANA,
                    key=f"key-{token}",
                    hold_id=hold,
                    booking_id=booking_id(p.ANA, token),
                    owner=patient,
                    deadline=deadline,
                )
            )
        assert isinstance(view, BookingView), view
        return view


async def test_ten_hand_offs_among_bookings_and_holds(
    ray_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every yes is there once, no hold is lost, and watchers see what a read sees."""
    async with bench(tmp_path) as one:
        site = one.site
        visitors = Visitors(site, (await free_starts(site))[::-1])
        watcher = Watcher(one)
        async with alongside(watcher.run()), alongside(visitors.run()) as visiting:
            went = [await one.hand_over() for _ in range(HAND_OFFS)]
            assert [hand_off.fault for hand_off in went] == [""] * HAND_OFFS
            visitors.enough.set()
            await visiting
            view = await site.courier.ask(ReadSchedule(p.ANA, *days(site)))
            assert isinstance(view, ScheduleView)
            assert view.epoch == HAND_OFFS + 1
            kept = {booked.booking_id: booked.start for booked in view.bookings}
            assert kept == visitors.booked
            assert len(set(kept.values())) == len(kept)
            async with asyncio.timeout(60):
                while watcher.version < view.version:  # noqa: ASYNC110 - it polls too
                    await asyncio.sleep(0.01)
            assert watcher.seen == kept
        pauses = sorted(hand_off.pause_ms for hand_off in went)
        with capsys.disabled():
            sys.stdout.write(
                f" [{len(kept)} visits, pause p50 {pauses[len(pauses) // 2]:.0f} ms, "
                f"max {pauses[-1]:.0f} ms; longest silence "
                f"{visitors.silence * 1000:.0f} ms; {watcher.resets} resets]"
            )


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still within the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def has_decided(answer: bytes) -> bool:
    """Whether a shard said yes or no, not just that it cannot answer."""
    if answer == ELSEWHERE:
        return False
    return any(isinstance(one, BookingView | Refusal) for one in REPLIES.decode(answer))


async def test_frozen_owner_is_fenced_when_it_wakes(
    ray_address: str, tmp_path: Path
) -> None:
    """A zombie confirms nothing, refuses nothing, and ends without being asked."""
    async with bench(tmp_path) as one:
        site = one.site
        shard = site.links.shard_of(p.ANA)
        start = (await free_starts(site))[0]
        command, rival = (
            booking(token, start, site.deadline(60)) for token in ("after", "rival")
        )
        zombie = await site.pid_of()
        old, successor = one.actors.names(shard)
        handle = ray.get_actor(old, namespace=NAMESPACE)
        with stopped(zombie):
            await one.actors.create(shard, successor, one.node, warm=False)
            await one.actors.ask(successor, Question.START, 20)
            asked = handle.execute.remote(msgspec.msgpack.encode([rival]))
            booked = await site.courier.ask(command)
            assert isinstance(booked, BookingView)
        with suppress(ray.exceptions.RayError):  # it may leave before it answers
            assert not has_decided(await asyncio.wait_for(asked, 10))
        await only_is_left(one, shard, successor)
        assert await site.pid_of() != zombie
        assert await site.courier.ask(command) == booked
        status = await site.links.status(shard)
        assert (status.epoch, status.state) == (2, "open")


async def only_is_left(one: Bench, shard: ShardId, name: str = "") -> None:
    """Return when the shard has one process: the one of this name, or any."""
    async with asyncio.timeout(60):
        while True:
            alive = await one.actors.alive(shard)
            if len(alive) == 1 and name in ("", alive[0]):
                return
            await asyncio.sleep(0.05)


async def test_idle_zombie_leaves_though_nobody_asks(
    ray_address: str, tmp_path: Path
) -> None:
    """Two owners without any traffic: the older one finds out by itself."""
    async with bench(tmp_path) as one:
        shard = one.site.links.shard_of(p.BEN)
        (name,) = await one.actors.alive(shard)
        successor = next(other for other in one.actors.names(shard) if other != name)
        await one.actors.create(shard, successor, one.node, warm=False)
        await only_is_left(one, shard, successor)


@pytest.mark.parametrize("last", [Step.RELEASED])
async def test_mover_killed_midway(
    ray_address: str, tmp_path: Path, last: Step
) -> None:
    """The hand-off's leader is gone: the processes finish it, and one owner is left."""
    async with bench(tmp_path, HASTY) as one:
        site = one.site
        shard = site.links.shard_of(p.ANA)
        command = booking("a", (await free_starts(site))[0], site.deadline(60))
        booked = await site.courier.ask(command)

        def killed(_shard: object, step: Step) -> None:
            if step is last:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            await Mover(one.actors, stepped=killed).hand_over(
                Move(shard, one.node, one.node)
            )
        assert await site.courier.ask(command) == booked
        await only_is_left(one, shard)
        assert await site.courier.ask(command) == booked
