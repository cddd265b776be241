"""The log under power cuts, rot, failing calls and second writers."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from actors.errors import Fenced, JournalCorrupt, JournalUnavailable
from persistence.journal.files.format import SLOT_BYTES, SLOT_STRIDE, segment_name
from persistence.journal.files.reader import WalReader
from persistence.journal.files.wal import Wal
from tests.crash.model import FOLDER, SHARD, Model, Run, everything, new_wal
from tests.fixtures.events import tiny
from tests.simulation.sim_disk import PowerCut, SimDisk

SEEDS = 2000
LAST = f"{FOLDER}/{segment_name(1)}"
FILES = (LAST, f"{FOLDER}/epoch", f"{FOLDER}/watermark")


def _small_log() -> tuple[SimDisk, list[int]]:
    """A log of two epochs and seven records in five frames, in one segment."""
    disk = SimDisk(random.Random(0))
    seq = 0
    for sizes in ((1, 2, 1), (2, 1)):
        wal = new_wal(disk)
        epoch = wal.seal().epoch
        for size in sizes:
            batch = [tiny(n) for n in range(seq + 1, seq + size + 1)]
            seq = wal.append(epoch, seq, batch)
        wal.close()
    return disk, list(range(1, seq + 1))


def _versions(wal: Wal | WalReader) -> list[int]:
    return [record.event.version for record in wal.read(0, 1000)]


def _prefix_or_refusal(disk: SimDisk, whole: list[int]) -> int | None:
    """How many records a new owner and a reader get; None if they are refused."""
    reader = WalReader(disk, FOLDER, SHARD)
    try:
        read = _versions(reader)
        assert read == whole[: len(read)]
    except JournalCorrupt:
        pass
    try:
        wal = new_wal(disk)
        sealed = wal.seal()
        records = _versions(wal)
    except JournalCorrupt:
        return None
    assert records == whole[: sealed.last_seq]
    assert sealed.epoch >= 3
    assert wal.append(sealed.epoch, sealed.last_seq, [tiny(99)]) == len(records) + 1
    assert _versions(wal) == [*records, 99]
    return len(records)


@pytest.mark.parametrize("with_mark", [True, False])
def test_truncated_at_every_byte(with_mark: bool) -> None:
    """A log cut anywhere is a prefix or refused; with its watermark never less."""
    end = len(_small_log()[0].content(LAST))
    found = set()
    for size in range(end):
        disk, whole = _small_log()
        del disk.content(LAST)[size:]
        if not with_mark:
            disk.unlink(f"{FOLDER}/watermark")
        found.add(_prefix_or_refusal(disk, whole))
    assert found == ({None, 7} if with_mark else {None, 0, 1, 3, 4, 6, 7})


@pytest.mark.parametrize(
    ("path", "with_mark"), [*((path, True) for path in FILES), (LAST, False)]
)
def test_every_bit_flipped(path: str, with_mark: bool) -> None:
    """Any one wrong bit means a prefix or a refusal, never a wrong record."""
    found = set()
    for bit in _bits(_small_log()[0], path):
        disk, whole = _small_log()
        if not with_mark:
            disk.unlink(f"{FOLDER}/watermark")
        disk.damage(path, bit // 8, 1 << bit % 8)
        found.add(_prefix_or_refusal(disk, whole))
    expected = {
        (LAST, True): {None, 7},  # nothing durable is ever cut
        (LAST, False): {None, 6, 7},  # only the last frame can pass for a tear
    }
    assert found == expected.get((path, with_mark), {7})


def _bits(disk: SimDisk, path: str) -> list[int]:
    """All bits of a file, without the gap between the epoch's two slots."""
    places = range(len(disk.content(path)))
    gap = range(SLOT_BYTES, SLOT_STRIDE) if path.endswith("epoch") else ()
    return [at * 8 + bit for at in places if at not in gap for bit in range(8)]


def _story(disk: SimDisk, model: Model, until: Callable[[], None]) -> None:
    for _ in range(2):
        wal = new_wal(disk)
        epoch = wal.seal().epoch
        for size in (1, 9, 2, 9):
            model.append(wal, epoch, size)
        wal.trim(model.acknowledged[-1] // 2)
    until()


@pytest.mark.parametrize("seed", range(12))
def test_power_cut_at_every_call(seed: int) -> None:
    """Whatever call the power fails in, what was acknowledged is there after it."""
    counting = SimDisk(random.Random(seed))
    _story(counting, Model(), lambda: None)
    for call in range(len(counting.calls)):
        disk, model = SimDisk(random.Random(seed * 1000 + call)), Model()
        disk.cut_after = call
        with pytest.raises(PowerCut):
            _story(disk, model, lambda: None)
        disk.crash()
        wal = new_wal(disk)
        sealed = wal.seal()
        first = min(_bases(disk))
        model.trimmed = first - 1
        model.check(wal.read(first - 1, 1000), sealed.last_seq)


def _bases(disk: SimDisk) -> list[int]:
    names = [path.rpartition("/")[2] for path in disk.paths()]
    return [int(name[:-4]) for name in names if name.endswith(".wal")]


def test_random_crashes_against_the_model() -> None:
    """Appends, seals, trims, zombies, faults and crashes: the log is as the model."""
    cuts = 0
    for seed in range(SEEDS):
        run = Run(seed)
        try:
            run.go(25)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        cuts += run.cuts
    assert cuts > SEEDS


@pytest.mark.parametrize("call", range(8))
def test_a_seal_in_the_middle_of_an_append(call: int) -> None:
    """Wherever in an old owner's append a new one seals, one of them is refused."""
    disk = SimDisk(random.Random(1))
    old, new = new_wal(disk), new_wal(disk)
    epoch = old.seal().epoch
    old.append(epoch, 0, [tiny(1)])
    seals: list[object] = []
    count = 0

    def meanwhile(_: str) -> None:
        nonlocal count
        count += 1
        if count == call + 1:
            disk.on_call = lambda _: None
            try:
                seals.append(new.seal())
            except JournalUnavailable:
                seals.append(None)

    disk.on_call = meanwhile
    try:
        last = old.append(epoch, 1, [tiny(2)])
    except Fenced:
        last = 1
        assert seals[0] is not None
    disk.on_call = lambda _: None
    assert new.seal().last_seq == last
    assert [r.event.version for r in everything(new)] == [1, 2][:last]
    with pytest.raises(Fenced):
        old.append(epoch, last, [tiny(3)])
