"""The journal in files as processes use it: threads, restarts, pressure."""

from __future__ import annotations

import asyncio
import errno
import random
import threading
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.errors import Fenced, JournalFull, OutcomeUnknown
from persistence.files.disk import SystemDisk
from persistence.journal.files.journal import FileJournal
from persistence.journal.files.room import KEEP_FREE, MIB, Room
from persistence.journal.files.wal import Limits
from tests.fixtures.events import tiny
from tests.simulation.sim_disk import SimDisk

SHARD = ShardId("s0000")


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


async def test_a_restart_goes_on(tmp_path: Path) -> None:
    """What one journal object wrote, the next reads, under a higher epoch."""
    first = FileJournal(tmp_path)
    await first.seal(SHARD)
    await first.append(SHARD, 1, 0, [tiny(1), tiny(2)])
    await first.close()
    second = FileJournal(tmp_path)
    assert await second.last_seq(SHARD) == 2
    sealed = await second.seal(SHARD)
    assert (sealed.epoch, sealed.last_seq) == (2, 2)
    assert [r.event.version for r in await second.read(SHARD, 0, 10)] == [1, 2]
    await second.close()


async def test_two_processes_on_one_folder(tmp_path: Path) -> None:
    """Of two journals on one folder the one that sealed later writes."""
    old, new = FileJournal(tmp_path), FileJournal(tmp_path)
    await old.seal(SHARD)
    await old.append(SHARD, 1, 0, [tiny(1)])
    await new.seal(SHARD)
    with pytest.raises(Fenced):
        await old.append(SHARD, 1, 1, [tiny(2)])
    with pytest.raises(Fenced):
        await old.check(SHARD, 1)
    await new.append(SHARD, 2, 1, [tiny(3)])
    assert [r.event.version for r in await old.read(SHARD, 0, 10)] == [1, 3]
    await old.close()
    await new.close()


async def test_the_loop_does_not_wait_for_the_disk() -> None:
    """While a sync is under way the event loop goes on."""
    disk = SimDisk(random.Random(1))
    journal = FileJournal(Path("journal"), disk=disk)
    await journal.seal(SHARD)
    reached, go_on = threading.Event(), threading.Event()

    def hold(call: str) -> None:
        if call == "sync":
            reached.set()
            assert go_on.wait(10)

    disk.on_call = hold
    append = asyncio.ensure_future(journal.append(SHARD, 1, 0, [tiny(1)]))
    await asyncio.to_thread(reached.wait, 10)
    assert not append.done()
    go_on.set()
    assert await append == 1
    await journal.close()


async def test_an_abandoned_append_is_still_done(tmp_path: Path) -> None:
    """An append whose waiter went away has an outcome, which the journal knows."""
    journal = FileJournal(tmp_path)
    await journal.seal(SHARD)
    append = asyncio.ensure_future(journal.append(SHARD, 1, 0, [tiny(1)]))
    await asyncio.sleep(0)
    append.cancel()
    assert (await journal.seal(SHARD)).last_seq == 1
    await journal.close()


async def test_errors_reach_the_caller() -> None:
    """A failed sync on the writer's thread is raised where the append was awaited."""
    disk = SimDisk(random.Random(1))
    journal = FileJournal(Path("journal"), disk=disk)
    await journal.seal(SHARD)
    disk.fail("sync", errno.EIO)
    with pytest.raises(OutcomeUnknown):
        await journal.append(SHARD, 1, 0, [tiny(1)])
    await journal.close()


def test_pressure_rises_as_the_disk_fills() -> None:
    """A small journal on a filling disk passes 0.90 and 0.97 with room to spare."""
    disk = SimDisk(random.Random(1))
    room = Room(disk, "journal")
    found = {}
    for left in (100_000, 100, 56, 15, 0):
        disk.free = KEEP_FREE + left * MIB
        found[left] = room.pressure()
    assert found[100_000] < 0.01
    assert found[100] < 0.90 < found[56] < 0.97 < found[15] < found[0] == 1.0
    with pytest.raises(JournalFull, match="must stay free"):
        room.demand(1)


async def test_room_is_counted_without_opening_old_segments(tmp_path: Path) -> None:
    """Each count opens one file of a shard, however many there are, and is exact."""

    class CountingDisk(SystemDisk):
        opened = 0

        def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
            self.opened += 1
            return super().open(path, create=create, write=write)

    limits = Limits(segment_bytes=2_000, grow_bytes=500)
    journal = FileJournal(tmp_path, limits=limits)
    shards = [ShardId("s0000"), ShardId("s0001")]
    disk = CountingDisk()
    room = Room(disk, str(tmp_path), budget=100 * MIB)
    for shard in shards:
        await journal.seal(shard)
    for number in range(1, 300):
        for shard in shards:
            await journal.append(shard, 1, number - 1, [tiny(number)])
        if number % 50 == 49:
            assert room.used() == sum(_sizes(tmp_path))
    assert len(_sizes(tmp_path)) > 20
    disk.opened = 0
    room.used()
    assert disk.opened == len(shards)
    disk.opened = 0
    room.demand(100)
    assert disk.opened == 0, "far from the budget an append counts nothing"
    await journal.trim(shards[0], 250)
    assert room.used() == sum(_sizes(tmp_path))
    await journal.close()


async def test_closing_twice_and_unused(tmp_path: Path) -> None:
    """A journal that did nothing closes, and a closed one closes again."""
    journal = FileJournal(tmp_path)
    await journal.close()
    await journal.seal(SHARD)
    await journal.close()
    await journal.close()
    assert [t.name for t in threading.enumerate() if "journal" in t.name] == []
