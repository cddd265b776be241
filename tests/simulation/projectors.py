"""Projectors of the simulation: the real one, stopped and started between any steps.

Two of them may follow the same journals. The store is the memory twin; it can be away,
and it can commit without saying so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.domain.ids import Millis, ShardId
from actors.errors import Unavailable
from actors.ports import Record
from persistence.journal.files.reader import WalReader
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.store import (
    Offset,
    Outcome,
    ShardAdvance,
    StoreUnavailable,
)
from tests.simulation.kernel import Kernel, Violation
from tests.simulation.machine import ProcessDisk, Thread, Turn
from tests.simulation.sim_disk import PowerCut


class TailedJournal:
    """The read half of the journal port, over the real reader."""

    def __init__(self, disk: Any, folders: Mapping[ShardId, str]) -> None:
        self._readers = {
            shard: WalReader(disk, folder, shard) for shard, folder in folders.items()
        }

    async def shards(self) -> Sequence[ShardId]:
        return list(self._readers)

    async def last_seq(self, shard: ShardId) -> int:
        await Turn()
        return self._readers[shard].last_seq()

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        await Turn()
        return self._readers[shard].read(after_seq, limit)


class ShakyStore:
    """The read model over a bad line: away, or committed but never said so."""

    def __init__(self, model: MemoryReadModel, kernel: Kernel, trouble: float) -> None:
        self.model = model
        self._kernel = kernel
        self.trouble = trouble

    async def offset(self, shard: ShardId) -> Offset:
        await Turn()
        self._line()
        return await self.model.offset(shard)

    async def shard_offsets(self) -> Mapping[ShardId, Offset]:
        return await self.model.shard_offsets()

    async def apply(
        self, shard: ShardId, prev_seq: int, offset: Offset, operations: Sequence[Any]
    ) -> Outcome:
        await Turn()
        self._line()
        outcome = await self.model.apply(shard, prev_seq, offset, operations)
        await Turn()
        self._line()
        return outcome

    async def apply_together(self, batches: Sequence[ShardAdvance]) -> bool:
        await Turn()
        self._line()
        done = await self.model.apply_together(batches)
        await Turn()
        self._line()
        return done

    async def parked(self) -> Mapping[Any, int]:
        return await self.model.parked()

    def _line(self) -> None:
        if self._kernel.chance(self.trouble):
            raise StoreUnavailable("the line broke")


class SimProjector:
    """One projector process: rounds, pauses, crashes."""

    def __init__(self, name: str, kernel: Kernel, world: Any) -> None:
        self.name = name
        self._kernel = kernel
        self._world = world
        self._thread: Thread | None = None
        self._birth = 0
        self.start()

    def start(self) -> None:
        """A new process: no memory of any offset."""
        self._birth += 1
        self._disk = ProcessDisk(self._world.disk, self._kernel)
        journal: Any = TailedJournal(self._disk, self._world.folders)
        store: Any = self._world.store
        self._projector = Projector(journal, store, self, batch_max=7)
        self._running = False
        self._again = False
        self.kick()

    def now(self) -> Millis:
        """The clock port."""
        return Millis(self._kernel.now)

    def kick(self) -> None:
        """Something was journaled: look soon. (The real one looks again and again.)"""
        if self._running:
            self._again = True
        else:
            self._running = True
            pause = self._kernel.rng.choice((10, 60, 400))
            self._kernel.after(pause, self._round, self._birth)

    def crash(self) -> None:
        """Killed, wherever it is; started again."""
        self._kernel.note(self.name, "crashes")
        self.stop()
        self.start()

    def stop(self) -> None:
        """Killed for good."""
        if self._thread is not None:
            self._thread.drop()
        self._disk.kill()
        self._birth += 1

    def _round(self, birth: int) -> None:
        if birth == self._birth:
            self._again = False
            self._thread = Thread(
                self._kernel,
                self._projector.step(),
                lambda done, error: self._ended(birth, done, error),
            )

    def _ended(self, birth: int, done: int, error: BaseException | None) -> None:
        if birth != self._birth:
            return
        if isinstance(error, PowerCut):
            self._world.power_cut()
            return
        if error is not None and not isinstance(error, StoreUnavailable | Unavailable):
            raise Violation(f"{self.name} fails: {error!r}") from error
        self._running = False
        if done or error is not None or self._again:
            self.kick()
