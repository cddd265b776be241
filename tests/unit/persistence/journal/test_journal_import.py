"""A journal written from old records is one that a shard can go on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt
from actors.ports import Record
from persistence.journal.files.inspect import verify
from persistence.journal.files.journal import FileJournal
from persistence.journal.files.restore import FileJournalImport
from tests.fixtures.story import Story

SHARD = ShardId("s0003")


def records(first: int, epochs: list[int]) -> list[Record]:
    """One record for each epoch, from seq ``first`` on."""
    story = Story()
    return [
        Record(first + index, epoch, story.booked(index))
        for index, epoch in enumerate(epochs)
    ]


async def imported(
    root: Path, told: list[Record], epoch: int, segment_bytes: int = 1_000_000
) -> None:
    writer = FileJournalImport(root, segment_bytes=segment_bytes)
    half = len(told) // 2
    await writer.write(SHARD, told[:half])
    await writer.write(SHARD, told[half:])
    await writer.finish(SHARD, epoch)
    await writer.close()


@pytest.mark.parametrize("first", [1, 4711])
async def test_records_keep_their_places(tmp_path: Path, first: int) -> None:
    """Seq, epoch and event of each record are what they were; segments are many."""
    told = records(first, [2] * 300 + [3] * 5 + [7] * 900)
    await imported(tmp_path, told, 7, segment_bytes=20_000)
    assert len(list((tmp_path / SHARD).glob("*.wal"))) > 3
    journal = FileJournal(tmp_path)
    assert list(await journal.read(SHARD, first - 1, 5_000)) == told
    assert await journal.last_seq(SHARD) == told[-1].seq
    await journal.close()
    (report,) = verify(tmp_path)
    assert report.is_sound
    assert (report.first_seq, report.last_seq) == (first, told[-1].seq)


async def test_the_next_owner_has_a_newer_epoch_than_anybody_before(
    tmp_path: Path,
) -> None:
    """An epoch that only a snapshot knew of is not given out again."""
    told = records(1, [2, 2, 3])
    await imported(tmp_path, told, 9)
    journal = FileJournal(tmp_path)
    sealed = await journal.seal(SHARD)
    assert (sealed.epoch, sealed.last_seq) == (10, 3)
    await journal.append(SHARD, 10, 3, [Story().booked(99)])
    assert [one.epoch for one in await journal.read(SHARD, 0, 9)] == [2, 2, 3, 10]
    await journal.close()


async def test_a_gap_or_an_epoch_that_goes_back_is_refused(tmp_path: Path) -> None:
    """A damaged backup does not become a journal."""
    one, two, three = records(1, [4, 4, 4])
    writer = FileJournalImport(tmp_path)
    await writer.write(SHARD, [one])
    with pytest.raises(JournalCorrupt):
        await writer.write(SHARD, [three])
    with pytest.raises(JournalCorrupt):
        await writer.write(SHARD, [Record(2, 3, two.event)])
    with pytest.raises(JournalCorrupt):
        await writer.write(ShardId("s0004"), [one, three])
    await writer.close()


async def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    """A shard that has files already is left alone."""
    told = records(1, [1, 1])
    await imported(tmp_path, told, 1)
    with pytest.raises(FileExistsError):
        await imported(tmp_path, told, 1)
