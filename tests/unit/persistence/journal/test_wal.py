"""The log of one shard when the disk misbehaves, and its files."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import (
    Fenced,
    JournalCorrupt,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
)
from persistence.files.disk import SystemDisk
from persistence.journal.files.format import SLOT_STRIDE, segment_bases, segment_name
from persistence.journal.files.reader import RecordPosition, WalReader
from persistence.journal.files.wal import Limits, Wal
from tests.crash.model import FOLDER, SHARD, everything, new_wal
from tests.fixtures.events import booked, tiny
from tests.simulation.sim_disk import SimDisk


@pytest.fixture
def disk() -> SimDisk:
    return SimDisk(random.Random(1))


def _versions(wal: Wal) -> list[int]:
    return [record.event.version for record in everything(wal)]


def test_one_write_and_one_sync_per_append(disk: SimDisk) -> None:
    """A batch costs a write, a sync and the watermark, in this order."""
    wal = new_wal(disk)
    wal.seal()
    wal.append(1, 0, [tiny(1)])
    disk.calls.clear()
    wal.append(1, 1, [tiny(2), tiny(3)])
    assert disk.calls == ["lock", "write", "sync", "write"]


def test_a_failed_sync_ends_the_log(disk: SimDisk) -> None:
    """After a failed sync nothing is tried again; a new start knows the truth."""
    wal = new_wal(disk)
    wal.seal()
    wal.append(1, 0, [tiny(1)])
    disk.fail("sync", errno.EIO)
    with pytest.raises(OutcomeUnknown, match="must end"):
        wal.append(1, 1, [tiny(2)])
    calls = len(disk.calls)
    for again in (lambda: wal.append(1, 1, [tiny(2)]), wal.seal, lambda: wal.check(1)):
        with pytest.raises(JournalUnavailable, match="must end"):
            again()
    assert len(disk.calls) == calls
    disk.kill()
    wal = new_wal(disk)
    wal.seal()
    found = _versions(wal)
    assert found in ([1], [1, 2])
    disk.crash()
    wal = new_wal(disk)
    wal.seal()
    assert _versions(wal) == found


@pytest.mark.parametrize("short", [0, 1, 40])
def test_a_short_write_is_taken_back(disk: SimDisk, short: int) -> None:
    """A disk that fills up in a write costs that append only."""
    wal = new_wal(disk)
    wal.seal()
    wal.append(1, 0, [tiny(1)])
    disk.fail("write", errno.ENOSPC, short=short)
    with pytest.raises(JournalFull):
        wal.append(1, 1, [tiny(2)])
    assert wal.append(1, 1, [tiny(3)]) == 2
    disk.crash()
    wal = new_wal(disk)
    wal.seal()
    assert _versions(wal) == [1, 3]


def test_a_write_that_fails_is_unknown(disk: SimDisk) -> None:
    """An I/O error in a write says nothing about what is on the disk."""
    wal = new_wal(disk)
    wal.seal()
    disk.fail("write", errno.EIO)
    with pytest.raises(OutcomeUnknown):
        wal.append(1, 0, [tiny(1)])


def test_no_room_shows_before_the_write(disk: SimDisk) -> None:
    """Room is reserved ahead, so a full disk refuses before anything is written."""
    wal = new_wal(disk)
    wal.seal()
    disk.free = 0
    disk.calls.clear()
    with pytest.raises(JournalFull):
        wal.append(1, 0, [booked(n) for n in range(20)])
    assert "write" not in disk.calls
    disk.free = 1 << 30
    assert wal.append(1, 0, [tiny(1)]) == 1


def test_a_half_made_segment_is_no_segment(disk: SimDisk) -> None:
    """No room for a new segment refuses the append, and a later one succeeds."""
    wal = new_wal(disk)
    wal.seal()
    seq = wal.append(1, 0, [booked(n) for n in range(1, 10)])
    disk.fail("write", errno.ENOSPC, short=10)
    with pytest.raises(JournalFull):
        wal.append(1, seq, [booked(10)])
    assert wal.append(1, seq, [booked(10)]) == 10
    assert _versions(wal) == list(range(1, 11))


def test_a_stopped_writer_is_named(tmp_path: Path) -> None:
    """A seal waits a bounded time for the lock and says which process holds it."""
    folder = f"{tmp_path}/{SHARD}"
    wal = Wal(SystemDisk(), folder, SHARD, limits=Limits(lock_wait_s=0.05))
    wal.seal()
    hold = "import fcntl,sys; f=open(sys.argv[1]); fcntl.flock(f,2); print(1,flush=1); "
    command = [sys.executable, "-c", hold + "sys.stdin.read()", f"{folder}/lock"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(JournalUnavailable, match=f"process {holder.pid}"):
            wal.seal()
        with pytest.raises(JournalUnavailable):
            wal.append(1, 0, [tiny(1)])
        holder.communicate()
    assert wal.seal().epoch == 2
    wal.close()


def test_the_lock_is_given_back(tmp_path: Path) -> None:
    """Between appends the lock is free, so a stopped shard blocks no other."""
    wal = Wal(SystemDisk(), f"{tmp_path}/{SHARD}", SHARD)
    wal.seal()
    wal.append(1, 0, [tiny(1)])
    handle = os.open(tmp_path / SHARD / "lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
    wal.close()


def test_a_tailing_reader_sees_durable_records_only(disk: SimDisk) -> None:
    """What was written but not synced is not read; what was synced is, at once."""
    wal, reader = new_wal(disk), WalReader(disk, FOLDER, SHARD)
    assert reader.read(0, 10) == []
    wal.seal()
    seen: list[int] = []

    def look(call: str) -> None:
        if call == "sync":
            seen.extend(record.seq for record in reader.read(len(seen), 10))

    for number in range(1, 60):
        disk.on_call = look
        wal.append(1, number - 1, [booked(number)])
        disk.on_call = lambda _: None
        assert len(seen) == number - 1
        look("sync")
        assert len(seen) == number
    assert len(disk.paths()) > 5


def test_two_followers_of_one_reader_each_go_on_where_they_stopped(
    disk: SimDisk,
) -> None:
    """One behind the other: neither begins at the segment's start again."""
    wal = new_wal(disk)
    wal.seal()
    for number in range(400):
        wal.append(1, number, [tiny(number + 1)])
    reader = WalReader(disk, FOLDER, SHARD)
    found: list[RecordPosition] = []
    find = reader._find

    def counted(after_seq: int) -> RecordPosition:
        found.append(find(after_seq))
        return found[-1]

    reader._find = counted  # type: ignore[method-assign]
    first = second = 0
    while second < 400:
        first += len(reader.read(first, 20))
        if first > 100:
            second += len(reader.read(second, 20))
    assert len(found) == 2


def test_a_place_in_a_trimmed_segment_is_looked_up_again(disk: SimDisk) -> None:
    """What a reader remembers of a segment that is gone is no error of the disk."""
    wal = new_wal(disk)
    wal.seal()
    for number in range(400):
        wal.append(1, number, [tiny(number + 1)])
    reader = WalReader(disk, FOLDER, SHARD)
    assert reader.read(300, 1)[0].seq == 301
    assert reader.read(0, 1)[0].seq == 1
    assert reader.read(399, 1)[0].seq == 400
    wal.trim(200)
    with pytest.raises(JournalCorrupt, match="trimmed"):
        reader.read(1, 10)
    assert reader.read(399, 1)[0].seq == 400


def test_a_place_at_the_end_of_a_trimmed_segment_is_looked_up_again(
    disk: SimDisk,
) -> None:
    """The segment is still open, the next one is gone, too: that is no damage."""
    wal = new_wal(disk)
    wal.seal()
    for number in range(400):
        wal.append(1, number, [tiny(number + 1)])
    first, second, *_ = segment_bases(disk.names(FOLDER))
    reader = WalReader(disk, FOLDER, SHARD)
    end = second - 1
    assert reader.read(first - 1, end)[-1].seq == end
    wal.trim(350)
    assert second not in segment_bases(disk.names(FOLDER))
    assert reader.read(399, 1)[0].seq == 400


def test_files_of_another_shard_are_refused(disk: SimDisk) -> None:
    """A folder that was copied under another shard's name is not taken for it."""
    new_wal(disk).seal()
    with pytest.raises(JournalCorrupt, match="belongs to shard s0000"):
        Wal(disk, FOLDER, "s0001").seal()


def test_a_lost_newest_segment_is_noticed(disk: SimDisk) -> None:
    """The watermark shows that a segment was removed."""
    wal = new_wal(disk)
    wal.seal()
    for number in range(1, 20):
        wal.append(1, number - 1, [booked(number)])
    wal.close()
    last = [path for path in disk.paths() if path.endswith(".wal")][-1]
    disk.unlink(last)
    with pytest.raises(JournalCorrupt, match=last):
        new_wal(disk).seal()


def test_a_lost_epoch_file_is_noticed(disk: SimDisk) -> None:
    """Without the epoch file nothing would keep an older writer out: refused."""
    new_wal(disk).seal()
    disk.unlink(f"{FOLDER}/epoch")
    with pytest.raises(JournalCorrupt, match="epoch"):
        new_wal(disk).seal()


def test_a_damaged_epoch_file_shuts_everybody_out(disk: SimDisk) -> None:
    """Where the newest epoch cannot be read, none of the older ones may write."""
    old, new = new_wal(disk), new_wal(disk)
    old.seal()
    new.seal()
    disk.damage(f"{FOLDER}/epoch", SLOT_STRIDE + 8)
    with pytest.raises(Fenced):
        old.append(1, 0, [tiny(1)])
    with pytest.raises(Fenced):
        new.append(2, 0, [tiny(1)])
    assert new_wal(disk).seal().epoch == 3


def test_segment_names_sort_by_seq() -> None:
    """A folder's listing is in the journal's order."""
    assert sorted([segment_name(10), segment_name(9)]) == [
        segment_name(9),
        segment_name(10),
    ]
