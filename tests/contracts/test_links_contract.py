"""What every road to the shards must do: one suite, in this process and over Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from actors.domain.ids import Minute, ProviderId, ShardId
from actors.domain.messages.answers import (
    Affected,
    BookingView,
    Done,
    HoldView,
    Refusal,
    SlotsView,
)
from actors.domain.messages.reads import ReadProvider, ReadSlots
from actors.domain.rules import Policy
from actors.errors import Unavailable
from actors.hosting.local import LocalLinks
from actors.hosting.mailbox import Mailbox
from actors.placement import Placement, placing, shard_name
from actors.ports import ShardLinks
from cluster.clock import SystemClock
from persistence.journal.memory import MemoryJournal
from persistence.snapshots.memory import MemorySnapshots
from tests.fixtures.ray import local_ray, ray_site
from tests.unit.actors import practice as p

__all__ = ["local_ray"]

MakeLinks = Callable[[], AbstractAsyncContextManager[ShardLinks]]


@asynccontextmanager
async def local_links(placement: Placement) -> AsyncIterator[ShardLinks]:
    journal, snapshots = MemoryJournal(), MemorySnapshots()

    def make(shard: ShardId) -> Mailbox:
        return Mailbox(shard, journal, snapshots, SystemClock(), Policy())

    shards = [shard_name(0), shard_name(1)] if placement is Placement.SHARD else []
    links = LocalLinks(placing(placement, 2), shards, make)
    yield links
    await links.close()


@asynccontextmanager
async def ray_links(folder: Path, placement: Placement) -> AsyncIterator[ShardLinks]:
    async with ray_site(folder, placement) as site:
        yield site.links


@pytest.fixture(params=list(Placement))
async def placement(request: pytest.FixtureRequest) -> Placement:
    chosen: Placement = request.param
    return chosen


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.acceptance)])
async def links(
    request: pytest.FixtureRequest, placement: Placement, tmp_path: Path
) -> AsyncIterator[ShardLinks]:
    if request.param == "ray":
        request.getfixturevalue("ray_address")
        made = ray_links(tmp_path, placement)
    else:
        made = local_links(placement)
    async with made as one:
        yield one


def tomorrow(provider: ProviderId = p.ANA) -> ReadSlots:
    day = (SystemClock().now() // 86_400_000 + 1) * 1440
    return ReadSlots(provider, p.CONSULT, Minute(day), Minute(day + 1440))


async def test_replies_come_in_the_order_of_their_requests(links: ShardLinks) -> None:
    """One reply per request, in order, refusals and views among them."""
    shard = links.shard_of(p.ANA)
    replies = await links.execute(shard, [*p.opened(), tomorrow()], 20)
    assert [type(one) for one in replies] == [Done, Affected, SlotsView]
    view = replies[2]
    assert isinstance(view, SlotsView)
    place = (view.starts[0] - p.NINE) // 30
    replies = await links.execute(
        shard,
        [p.hold("a", place), p.hold("b", place, patient="pat_2"), p.confirm("a")],
        5,
    )
    assert [type(one) for one in replies] == [HoldView, Refusal, BookingView]
    assert await links.execute(shard, [], 5) == []


async def test_repeated_requests_have_one_effect(links: ShardLinks) -> None:
    """The same commands again hear the same answers."""
    shard = links.shard_of(p.ANA)
    first = await links.execute(shard, p.opened(), 20)
    assert await links.execute(shard, p.opened(), 5) == first


async def test_polls_hear_what_follows_their_cursor(links: ShardLinks) -> None:
    """A new cursor is told to read; later ones hear changes, or silence."""
    shard = links.shard_of(p.ANA)
    await links.execute(shard, p.opened(), 20)
    feed = await links.poll(shard, 0, 0, 1000)
    assert feed.reset
    quiet = await links.poll(shard, feed.epoch, feed.number, 10)
    assert (quiet.number, quiet.changes, quiet.reset) == (feed.number, [], False)
    polling = asyncio.ensure_future(links.poll(shard, feed.epoch, feed.number, 10_000))
    await links.execute(shard, [tomorrow()], 5)
    news = await polling
    assert [change.provider_id for change in news.changes] == [p.ANA]
    assert news.seq == (await links.status(shard)).last_seq


async def test_status_tells_what_was_done(links: ShardLinks) -> None:
    """Counts grow with the work; the epoch is the journal's."""
    shard = links.shard_of(p.ANA)
    await links.execute(shard, [*p.opened(), ReadProvider(p.ANA)], 20)
    status = await links.status(shard)
    assert status.shard == shard
    assert status.state == "open"
    assert status.epoch == 1
    assert (status.commands, status.reads) == (2, 1)
    assert sum(status.append_seconds) >= 1
    assert sum(status.batch_sizes) == status.batches
    assert shard in links.shards()


async def test_unknown_shard_is_unavailable(
    links: ShardLinks, placement: Placement
) -> None:
    """A shard that does not exist, or not yet, is an error that may be retried."""
    if placement is Placement.PROVIDER:
        pytest.skip("every provider has a shard as soon as it is asked")
    with pytest.raises(Unavailable):
        await links.execute(ShardId("s0099"), p.opened(), 2)
