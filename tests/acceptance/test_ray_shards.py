"""Shards in real Ray processes: the whole way, kill -9, and two hundred rivals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import pytest

from actors.domain.ids import (
    BookingId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    booking_id,
)
from actors.domain.messages.answers import (
    BookingView,
    HoldView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.commands import BookSlot
from actors.domain.messages.reads import ReadSchedule, ReadSlots
from actors.domain.messages.refusals import Refusal
from actors.placement import Placement
from tests.fixtures.ray import RaySite, local_ray, ray_site
from tests.unit.actors import practice as p

pytestmark = pytest.mark.acceptance
__all__ = ["local_ray"]

DAY = 24 * 60


@pytest.fixture(params=list(Placement))
async def site(
    request: pytest.FixtureRequest, ray_address: str, tmp_path: Path
) -> AsyncIterator[RaySite]:
    async with ray_site(tmp_path, request.param) as one:
        yield one


def days(site: RaySite) -> tuple[Minute, Minute]:
    """From tomorrow's midnight, for seven weeks."""
    first = (site.clock.now() // 60_000 // DAY + 1) * DAY
    return Minute(first), Minute(first + 49 * DAY)


async def free_starts(site: RaySite, provider: ProviderId = p.ANA) -> list[Minute]:
    first, last = days(site)
    view = await site.courier.ask(ReadSlots(provider, p.CONSULT, first, last))
    assert isinstance(view, SlotsView)
    pairs = zip(view.starts, view.states, strict=True)
    return [Minute(start) for start, state in pairs if state == "f"]


def booking(
    token: str, start: Minute, deadline: Millis, provider: ProviderId = p.ANA
) -> BookSlot:
    return BookSlot(
        provider_id=provider,
        key=f"key-{token}",
        booking_id=booking_id(provider, token),
        patient_id=PatientId(f"pat_{token}"),
        visit_type=p.CONSULT,
        start=start,
        deadline=deadline,
    )


async def test_from_a_hold_to_a_booking_that_watchers_see(site: RaySite) -> None:
    """Register, open, hold, confirm, read and poll, through processes and files."""
    await site.open_practice()
    start = (await free_starts(site))[0]
    shard = site.links.shard_of(p.ANA)
    feed = await site.links.poll(shard, 0, 0, 1000)
    held = await site.courier.ask(
        p.hold("a", (start - p.NINE) // 30, deadline=site.deadline())
    )
    assert isinstance(held, HoldView)
    booked = await site.courier.ask(p.confirm("a"))
    assert isinstance(booked, BookingView)
    assert booked.start == start
    assert start not in await free_starts(site)
    news = await site.links.poll(shard, feed.epoch, feed.number, 1000)
    told = [view for change in news.changes for view in change.bookings]
    assert [view.booking_id for view in told] == [booked.booking_id]


async def test_one_slot_and_two_hundred_rivals(site: RaySite) -> None:
    """Exactly one wins, and all others are refused."""
    await site.open_practice()
    start = (await free_starts(site))[0]
    deadline = site.deadline()
    rivals = [booking(f"r{n}", start, deadline) for n in range(200)]
    answers = await asyncio.gather(*(site.courier.ask(one) for one in rivals))
    assert sum(isinstance(answer, BookingView) for answer in answers) == 1
    assert sum(isinstance(answer, Refusal) for answer in answers) == 199


class Crowd:
    """Books every free slot from twenty lanes, and notes when answers came."""

    def __init__(self, site: RaySite, commands: list[BookSlot]) -> None:
        self.site = site
        self.commands = commands
        self.booked: dict[BookingId, BookingView] = {}
        self.silences: list[float] = []
        self._last = perf_counter()
        self._progress = asyncio.Condition()

    async def book(self) -> None:
        await asyncio.gather(*(self._lane(self.commands[n::20]) for n in range(20)))

    async def _lane(self, commands: list[BookSlot]) -> None:
        for command in commands:
            answer = await self.site.courier.ask(command)
            assert isinstance(answer, BookingView)
            self.silences.append(perf_counter() - self._last)
            self._last = perf_counter()
            async with self._progress:
                self.booked[answer.booking_id] = answer
                self._progress.notify_all()

    async def kill_after(self, *shares: int) -> None:
        for share in shares:
            async with self._progress:
                while len(self.booked) < share:
                    await self._progress.wait()
            os.kill(await self.site.pid_of(), signal.SIGKILL)


async def test_kill_9_loses_nothing_acknowledged_and_repeats_nothing(
    site: RaySite, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process killed under load comes back; every key had one effect."""
    await site.open_practice()
    starts = (await free_starts(site))[:600]
    deadline = site.deadline(60)
    commands = [booking(f"n{n}", start, deadline) for n, start in enumerate(starts)]
    crowd = Crowd(site, commands)
    await asyncio.gather(crowd.book(), crowd.kill_after(100, 300))
    assert len(crowd.booked) == len(commands)
    view = await site.courier.ask(ReadSchedule(p.ANA, *days(site)))
    assert isinstance(view, ScheduleView)
    assert view.epoch >= 3
    kept = {one.booking_id: one.start for one in view.bookings}
    assert kept == {one.booking_id: one.start for one in crowd.booked.values()}
    assert len(set(kept.values())) == len(kept)
    again = await asyncio.gather(*(site.courier.ask(one) for one in commands[::50]))
    assert list(again) == [crowd.booked[one.booking_id] for one in commands[::50]]
    second, first = sorted(crowd.silences)[-2:]
    with capsys.disabled():
        sys.stdout.write(f" [{site.placement}: silent {first:.2f} s, {second:.2f} s]")


async def test_idle_provider_leaves_and_comes_back(
    ray_address: str, tmp_path: Path
) -> None:
    """With a process per provider an idle one ends, and its next call starts it."""
    async with ray_site(tmp_path, Placement.PROVIDER) as site:
        await site.open_practice()
        before = await site.pid_of()
        assert await site.links.passivate(site.clock.now(), 0) == 1
        assert site.links.shards() == ()
        assert await free_starts(site)
        assert await site.pid_of() != before


@pytest.mark.parametrize("placement", list(Placement))
async def test_clean_stop_and_start_over_the_same_files(
    placement: Placement, ray_address: str, tmp_path: Path
) -> None:
    """Shards that were closed come back under the next epoch with what they knew."""
    async with ray_site(tmp_path, placement) as site:
        await site.open_practice()
        start = (await free_starts(site))[3]
        command = booking("a", start, site.deadline(60))
        booked = await site.courier.ask(command)
    async with ray_site(tmp_path, placement) as site:
        assert await site.courier.ask(command) == booked
        assert start not in await free_starts(site)
        status = await site.links.status(site.links.shard_of(p.ANA))
        assert status.epoch == 2
        assert status.snapshot_position > 0
