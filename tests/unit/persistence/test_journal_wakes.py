"""A reader of a journal's files is woken by what another process appends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from persistence.journal.files.journal import FileJournal
from persistence.journal.files.wakes import WakeReceiver, WakeSender
from persistence.readmodel.projection.resting import TellsNews
from tests.fixtures.events import booked

SHARD, OTHER = ShardId("s0000"), ShardId("s0001")
LONG_S = 60.0
"""Longer than a test may take: what returns earlier was woken."""


@pytest.fixture
async def ends(tmp_path: Path) -> AsyncIterator[tuple[FileJournal, FileJournal]]:
    """A writer and a reader of one folder, as in two processes."""
    root = tmp_path / "journal"
    writer, reader = (FileJournal(root, keep_free_bytes=0) for _ in range(2))
    yield writer, reader
    await writer.close()
    await reader.close()


async def test_an_append_ends_the_wait(
    ends: tuple[FileJournal, FileJournal],
) -> None:
    """A reader at rest returns with the shard that grew, long before its time."""
    writer, reader = ends
    assert isinstance(reader, TellsNews)
    epoch = (await writer.seal(SHARD)).epoch
    await writer.append(SHARD, epoch, 0, [booked(1)])
    waiting = asyncio.ensure_future(reader.wait_for_news({SHARD: 1}, LONG_S))
    assert await reader.last_seqs([SHARD]) == {SHARD: 1}
    assert not waiting.done()
    await writer.append(SHARD, epoch, 1, [booked(2)])
    assert await asyncio.wait_for(waiting, LONG_S / 2) == {SHARD}


async def test_what_was_there_before_the_wait_ends_it_at_once(
    ends: tuple[FileJournal, FileJournal],
) -> None:
    """No append falls between looking and waiting: the look comes after the name is
    bound, and older wake-ups are dropped before it."""
    writer, reader = ends
    epoch = (await writer.seal(SHARD)).epoch
    await writer.append(SHARD, epoch, 0, [booked(1), booked(2)])
    for _ in range(2):
        news = reader.wait_for_news({SHARD: 1, OTHER: 0}, LONG_S)
        assert await asyncio.wait_for(news, LONG_S / 2) == {SHARD}


async def test_one_append_ends_the_waits_of_all_tasks(
    ends: tuple[FileJournal, FileJournal],
) -> None:
    """Projection and audit trail wait for one journal; neither takes the other's news,
    nor does one that stops waiting leave the other deaf."""
    writer, reader = ends
    epoch = (await writer.seal(SHARD)).epoch
    await writer.append(SHARD, epoch, 0, [booked(1)])
    waiting = [
        asyncio.ensure_future(reader.wait_for_news({SHARD: 1}, LONG_S))
        for _ in range(3)
    ]
    while len(reader._woken._waiting) < len(waiting):  # noqa: ASYNC110 - a condition
        await asyncio.sleep(0)
    await reader.last_seqs([SHARD])
    waiting.pop().cancel()
    await asyncio.sleep(0)
    await writer.append(SHARD, epoch, 1, [booked(2)])
    for task in waiting:
        assert await asyncio.wait_for(task, LONG_S / 2) == {SHARD}


async def test_a_second_reader_polls(
    ends: tuple[FileJournal, FileJournal], tmp_path: Path
) -> None:
    """The name has one owner; another reader finds what is new without a wake-up."""
    writer, reader = ends
    epoch = (await writer.seal(SHARD)).epoch
    await writer.append(SHARD, epoch, 0, [booked(1)])
    assert await reader.wait_for_news({SHARD: 0}, 0) == {SHARD}
    second = FileJournal(tmp_path / "journal", keep_free_bytes=0)
    assert await second.wait_for_news({SHARD: 1}, 0.01) == set()
    await writer.append(SHARD, epoch, 1, [booked(2)])
    assert await second.wait_for_news({SHARD: 1}, LONG_S) == {SHARD}
    await second.close()


async def test_wakes_without_a_reader_and_without_end_are_harmless(
    tmp_path: Path,
) -> None:
    """A writer never waits for a reader: not for one that is missing or is full."""
    sender, receiver = WakeSender(str(tmp_path)), WakeReceiver(str(tmp_path))
    sender.send()
    with receiver.listening() as woken:
        for _ in range(2_000):
            sender.send()
        await asyncio.wait_for(receiver.wait(woken, LONG_S), LONG_S / 2)
    sender.close()
    receiver.close()
    WakeSender(str(tmp_path / "missing")).send()
