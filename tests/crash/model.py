"""A log on a simulated disk beside a pure model of what it must hold."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from actors.errors import Fenced, JournalFull, JournalUnavailable, OutcomeUnknown
from actors.ports import Record
from persistence.journal.files.format import segment_name
from persistence.journal.files.tail import read_mark
from persistence.journal.files.wal import Limits, Wal
from tests.fixtures.events import tiny
from tests.simulation.sim_disk import PowerCut, SimDisk

FOLDER = "journal/s0000"
SHARD = "s0000"
SMALL = Limits(segment_bytes=1024, grow_bytes=256, lock_wait_s=0.01)


def new_wal(disk: SimDisk) -> Wal:
    """A log of small segments on the disk."""
    return Wal(disk, FOLDER, SHARD, limits=SMALL)


def everything(wal: Wal) -> list[Record]:
    """All records there are."""
    return wal.read(0, 1_000_000)


def check_cut(disk: SimDisk) -> None:
    """Nothing but zeros follows the last record of a sealed log."""
    mark = read_mark(disk, FOLDER)
    assert mark is not None
    content = disk.content(f"{FOLDER}/{segment_name(mark.base)}")
    assert not any(content[mark.offset :]), "the torn tail is still there"


@dataclass
class Model:
    """What was acknowledged, and what was tried and may have become durable.

    An event's ``version`` is a number never used before, so that a wrong record
    cannot look right.
    """

    acknowledged: list[int] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    trimmed: int = 0
    number: int = 0

    def append(self, wal: Wal, epoch: int, size: int) -> None:
        """Append a batch; remember what came of it."""
        self.tried = list(range(self.number + 1, self.number + size + 1))
        self.number += size
        seq = len(self.acknowledged)
        batch = [tiny(number) for number in self.tried]
        try:
            last = wal.append(epoch, seq, batch)
        except JournalFull:
            self.tried = []
            raise
        assert last == seq + size
        self.acknowledged += self.tried
        self.tried = []

    def check(self, records: list[Record], last_seq: int) -> None:
        """The log holds what was acknowledged, and at most the last try, whole."""
        versions = [record.event.version for record in records]
        seqs = [record.seq for record in records]
        assert seqs == list(range(last_seq - len(seqs) + 1, last_seq + 1))
        assert seqs[:1] <= [self.trimmed + 1]
        held = self.acknowledged[seqs[0] - 1 :] if seqs else []
        assert last_seq >= len(self.acknowledged), "an acknowledged record is lost"
        assert versions in (held, held + self.tried), "a record is wrong"
        self.acknowledged = self.acknowledged[: last_seq - len(versions)] + versions
        self.tried = []


@dataclass
class Run:
    """One seed: random appends, seals, trims, kills, power cuts and failing calls."""

    seed: int
    flips: bool = True
    cuts: int = 0

    def __post_init__(self) -> None:
        """Begin with an empty disk."""
        self.rng = random.Random(self.seed)
        self.disk = SimDisk(self.rng)
        self.disk.flips = self.flips
        self.model = Model()
        self.wal = new_wal(self.disk)
        self.epoch = 0
        self.newest = 0
        self.zombies: list[tuple[Wal, int, int]] = []

    def go(self, steps: int) -> None:
        """Take steps, then a last crash, and check."""
        for _ in range(steps):
            if self.rng.random() < 0.15:
                self.disk.cut_after = self.rng.randrange(12)
            try:
                self._step()
            except PowerCut:
                self._power_comes_back()
            except OutcomeUnknown:
                self._start_again()
            except (JournalFull, JournalUnavailable):
                self.disk.faults.clear()
        self._power_comes_back()
        self._reopen()

    def _step(self) -> None:
        if self.epoch == 0:
            self._reopen()
        choice = self.rng.random()
        if choice < 0.70:
            if choice < 0.10:
                self._plan_fault()
            self.model.append(self.wal, self.epoch, self.rng.choice((1, 1, 2, 9)))
        elif choice < 0.80:
            self._reopen()
        elif choice < 0.90:
            self.wal.trim(self.rng.randrange(len(self.model.acknowledged) + 1))
        elif choice < 0.95 and self.zombies:
            self._wake_a_zombie()
        else:
            self._start_again()

    def _wake_a_zombie(self) -> None:
        """An older activation goes on as if nothing had happened."""
        wal, epoch, seq = self.rng.choice(self.zombies)
        for expected in (seq, len(self.model.acknowledged)):
            with pytest.raises((Fenced, JournalUnavailable)):
                wal.append(epoch, expected, [tiny(-1)])

    def _plan_fault(self) -> None:
        call = self.rng.choice(("write", "sync", "reserve", "sync_folder"))
        error = self.rng.choice((5, 28))  # EIO, ENOSPC
        short = self.rng.randrange(20) if call == "write" and error == 28 else None
        self.disk.fail(call, error, short=short)

    def _power_comes_back(self) -> None:
        self.cuts += 1
        self.disk.faults.clear()
        self.disk.crash()
        self.wal, self.epoch = new_wal(self.disk), 0
        self.zombies.clear()

    def _start_again(self) -> None:
        """The process ends and another one opens the same files."""
        self.disk.faults.clear()
        self.disk.kill()
        self.wal, self.epoch = new_wal(self.disk), 0
        self.zombies.clear()

    def _reopen(self) -> None:
        if self.epoch:
            zombie = (self.wal, self.epoch, len(self.model.acknowledged))
            self.zombies.append(zombie)
        self.wal, self.epoch = new_wal(self.disk), 0
        sealed = self.wal.seal()
        assert sealed.epoch > self.newest, "an epoch was given out twice"
        self.epoch = self.newest = sealed.epoch
        first = self._first_seq()
        records = self.wal.read(first - 1, 1_000_000)
        self.model.trimmed = max(self.model.trimmed, first - 1)
        self.model.check(records, sealed.last_seq)
        check_cut(self.disk)

    def _first_seq(self) -> int:
        bases = [
            int(path.rpartition("/")[2].removesuffix(".wal"))
            for path in self.disk.paths()
            if path.endswith(".wal")
        ]
        return min(bases)
