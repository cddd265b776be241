"""A journal looked at through its port: in memory, in files and in Redis alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.ports import Journal
from persistence.journal import scan as journal_scan
from persistence.journal.files.journal import FileJournal
from persistence.journal.files.wal import Limits
from persistence.journal.memory import MemoryJournal
from tests.fixtures.events import booked

SHARD = ShardId("s0000")
SMALL = Limits(segment_bytes=2048, grow_bytes=1024)


@pytest.fixture(params=["memory", "file"])
async def journal(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Journal]:
    made: Journal = (
        MemoryJournal()
        if request.param == "memory"
        else FileJournal(tmp_path / "journal", limits=SMALL, keep_free_bytes=0)
    )
    sealed = await made.seal(SHARD)
    for number in range(1, 101):
        await made.append(SHARD, sealed.epoch, number - 1, [booked(number)])
    yield made
    await made.close()


async def test_a_sound_journal_is_reported_whole(journal: Journal) -> None:
    """Every record is counted, and the report names first, last and epoch."""
    (report,) = await journal_scan.verify(journal)
    assert report.is_sound
    assert (report.records, report.first_seq, report.last_seq) == (100, 1, 100)
    assert (report.first_epoch, report.last_epoch) == (1, 1)


async def test_a_trimmed_journal_begins_where_it_begins(journal: Journal) -> None:
    """What was trimmed is passed over, and the first record found."""
    await journal.trim(SHARD, 60)
    first = await journal_scan.first_seq(journal, SHARD)
    assert 1 < first <= 61
    assert (await journal.read(SHARD, first - 1, 1))[0].seq == first
    (report,) = await journal_scan.verify(journal)
    assert (report.is_sound, report.first_seq) == (True, first)
    assert report.records == 100 - first + 1


async def test_records_are_shown_without_persons(journal: Journal) -> None:
    """What is shown is bounded, in order, and names no patient unless asked to."""
    shown = [one async for one in journal_scan.show(journal, after_seq=10, limit=5)]
    assert [one["seq"] for one in shown] == [11, 12, 13, 14, 15]
    assert all(one.get("patient_id", "hidden") == "hidden" for one in shown)
    personal = [one async for one in journal_scan.show(journal, personal=True, limit=1)]
    assert personal[0]["patient_id"] != "hidden"
