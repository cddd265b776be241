"""Snapshots in files when they rot, and after a restart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from actors.domain.ids import ProviderId, ShardId
from actors.errors import JournalUnavailable
from actors.ports import StoredCalendar
from persistence.snapshots.files import FileSnapshots, SnapshotCorrupt

SHARD = ShardId("s0000")
ONE = ProviderId("prv_1")


async def _stored(root: Path) -> Path:
    store = FileSnapshots(root)
    await store.save(SHARD, 1, {ONE: StoredCalendar(7, b"a calendar" * 50)})
    await store.advance(SHARD, 1, 7)
    await store.close()
    return root / f"{SHARD}.sqlite3"


async def test_a_restart_finds_them(tmp_path: Path) -> None:
    """What was stored by one process is loaded by the next."""
    await _stored(tmp_path)
    store = FileSnapshots(tmp_path)
    assert await store.position(SHARD) == 7
    assert (await store.load(SHARD, [ONE]))[ONE].seq == 7
    await store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE calendar SET blob = CAST(replace(blob, 'a', 'b') AS BLOB)",
        "UPDATE calendar SET blob = 'text'",
        "UPDATE calendar SET seq = 8",
        "UPDATE calendar SET crc = crc + 1",
    ],
)
async def test_rot_in_a_calendar(tmp_path: Path, change: str) -> None:
    """A calendar that changed on the disk is refused with the file and what to do."""
    path = await _stored(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute(change)
    db.close()
    store = FileSnapshots(tmp_path)
    with pytest.raises(SnapshotCorrupt, match=r"prv_1.*Move this file away"):
        await store.load(SHARD, [ONE])
    await store.close()


@pytest.mark.parametrize("column", ["position", "epoch"])
async def test_rot_in_the_position(tmp_path: Path, column: str) -> None:
    """A position or an epoch that changed on the disk is refused."""
    path = await _stored(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE shard SET {column} = {column} + 1")
    db.close()
    store = FileSnapshots(tmp_path)
    with pytest.raises(SnapshotCorrupt):
        await store.position(SHARD)
    with pytest.raises(SnapshotCorrupt):
        await store.advance(SHARD, 9, 9)
    await store.close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """A file overwritten with something else is refused and left as it is."""
    path = tmp_path / f"{SHARD}.sqlite3"
    path.write_bytes(b"something else" * 100)
    store = FileSnapshots(tmp_path)
    with pytest.raises(SnapshotCorrupt, match=str(path)):
        await store.position(SHARD)
    await store.close()
    assert path.read_bytes().startswith(b"something else")


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where the folder cannot be, saving is unavailable, with the path."""
    (tmp_path / "file").write_text("in the way")
    store = FileSnapshots(tmp_path / "file")
    with pytest.raises(JournalUnavailable, match="file"):
        await store.advance(SHARD, 1, 1)
    await store.close()
