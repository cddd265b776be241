"""The projector: follows every shard's journal and writes the read model behind it.

Exactly once: the rows of a batch and the new offset are one transaction, and the
offset moves only from where this projector read it. Killed between any two steps it
starts again at the stored offset. An event that does not fit is parked with an alarm,
and the events after it are projected; no event is skipped silently.

One file because all steps share the rules for moving offsets.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt, Unavailable
from actors.ports import Clock, Journal, Record
from care.sharing import OUTBOX, Wakeups
from persistence.journal.recent import RecentRecords
from persistence.journal.scan import ends_of
from persistence.readmodel.projection import operations_of as projection
from persistence.readmodel.projection.operations import AddOutbox, Operation, Poison
from persistence.readmodel.projection.operations_of import CELL_MINUTES, parked
from persistence.readmodel.projection.resting import Rest, pause
from persistence.readmodel.projection.sql_transfers import origins, portion
from persistence.readmodel.projection.store import (
    Committed,
    Mismatch,
    Moved,
    Offset,
    Outcome,
    ParkKind,
    ProjectionStore,
    ShardAdvance,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

BATCH_MAX = 1_000
"""Records in one transaction: few enough that tables are locked only briefly."""
MOVES_MAX = 3
"""Attempts in one step while other projectors move the offset."""
GATHER_LEAST_S, GATHER_MOST_S = 0.03, 0.1
"""Pause after a round that found little, doubled while rounds find something: a
transaction for one event costs as much as one for fifty, and takes the processor from
the gateways. The first event after a rest does not wait."""
BACK_OFF_LEAST_S, BACK_OFF_MOST_S = 0.1, 5.0
"""Pause in seconds after the store or the journal did not answer; doubles."""
JITTER = 0.5
"""Random part of that pause, so that projectors do not return to a server at the same
time."""
STATUS_EVERY_MS = 60_000
"""Seconds between two log lines about the same refused shard."""


Chance = Callable[[], float]
"""A random number from 0 to 1 (excluded)."""


def _chance() -> float:
    return secrets.randbelow(1 << 20) / (1 << 20)


class Projector:
    """Projects all shards of one journal into one store.

    One transaction takes the records of as many shards as ``batch_max`` allows, since
    most of a transaction's cost is its begin and commit. ``lanes`` is the number of
    concurrent transactions, each with shards of its own. Memory is bounded by ``lanes``
    times twice ``batch_max`` records; the rest waits in the journal.
    """

    def __init__(
        self,
        journal: Journal,
        store: ProjectionStore,
        clock: Clock,
        *,
        batch_max: int = BATCH_MAX,
        cell_minutes: int = CELL_MINUTES,
        lanes: int = 1,
    ) -> None:
        self._journal = journal
        self.wakeups: Wakeups | None = None
        """Notified after notices were written; None: their sender polls."""
        self.recent: RecentRecords | None = None
        """Given what is read here, for another reader of the journal."""
        self._store = store
        self._clock = clock
        self._batch_max = batch_max
        self._cell_minutes = cell_minutes
        self._lanes = lanes
        self._offsets: dict[ShardId, Offset] = {}
        self._ends: dict[ShardId, int] = {}
        """Ends of the journals when this round began; later records wait a round."""
        self._complained: dict[ShardId, tuple[str, int]] = {}
        self.refused: dict[ShardId, str] = {}
        """Shards that cannot be projected, with the reason; the others continue."""
        self.parked: Counter[ParkKind] = Counter()
        """Events that this projector parked since it started."""
        self.projected = 0
        """Records projected since it started, those without rows included."""

    async def step(self) -> int:
        """Project one batch of every shard; the number of records.

        Raises:
            StoreUnavailable: retry later; offsets are then read again.
            Unavailable: the journal does not answer; retry later.
        """
        waiting = deque(await self._journal.shards())
        self._ends = await ends_of(self._journal, waiting)
        gathering = asyncio.Lock()
        if self._lanes == 1:
            done = await self._lane(waiting, gathering)
        else:
            done = await self._side_by_side(waiting, gathering)
        self.projected += done
        return done

    async def _side_by_side(
        self, waiting: deque[ShardId], gathering: asyncio.Lock
    ) -> int:
        count = min(self._lanes, len(waiting))
        lanes = (self._lane(waiting, gathering) for _ in range(count))
        # Wait for all lanes, also when one fails: none may continue in the background.
        ends = await asyncio.gather(*lanes, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                self._offsets.clear()  # another lane may have read some since
                raise end
        return sum(end for end in ends if isinstance(end, int))

    async def _lane(self, waiting: deque[ShardId], gathering: asyncio.Lock) -> int:
        """One batch of each waiting shard, several in one transaction."""
        done = 0
        try:
            while waiting:
                # One lane gathers at a time, so that few records become one
                # transaction, not as many as there are lanes.
                async with gathering:
                    group = await self._gather(waiting)
                done += await self._write(group)
        except StoreUnavailable:
            # The store may have committed, failed over or been restored: read it again.
            self._offsets.clear()
            waiting.clear()
            raise
        return done

    async def _gather(self, waiting: deque[ShardId]) -> list[_Ready]:
        """The pending records of the next shards, up to about ``batch_max``."""
        group: list[_Ready] = []
        room = self._batch_max
        while waiting and room > 0:
            shard = waiting.popleft()
            try:
                offset, records = await self._waiting(shard)
            except JournalCorrupt as error:
                self._refuse(shard, str(error))
                continue
            if records:
                group.append(_Ready(shard, offset, records))
                room -= len(records)
        return group

    async def _write(self, group: list[_Ready]) -> int:
        """Project these shards together if they fit, else one by one."""
        if len(group) > 1:
            done = await self._together(group)
            if done:
                return done
        done = 0
        for one in group:
            try:
                done += await self._step(one)
            except JournalCorrupt as error:
                self._refuse(one.shard, str(error))
        return done

    async def _together(self, group: list[_Ready]) -> int:
        """Project these shards in one transaction; 0: nothing was done."""
        batches: list[ShardAdvance] = []
        for one in group:
            operations = self._all_operations(one.shard, one.records)
            if operations is None:
                return 0
            reached = _reached(one.records)
            batches.append(ShardAdvance(one.shard, one.offset.seq, reached, operations))
        if not await self._store.apply_together(batches):
            return 0
        for batch in batches:
            self._offsets[batch.shard] = batch.offset
        self._notify(operation for one in batches for operation in one.operations)
        return sum(len(one.records) for one in group)

    async def run(self, stop: asyncio.Event, chance: Chance = _chance) -> None:
        """Follow the journal until ``stop`` is set."""
        rest, back_off = Rest(self._journal), BACK_OFF_LEAST_S
        gather = GATHER_LEAST_S
        while not stop.is_set():
            try:
                done = await self.step()
                if not done:
                    gather = GATHER_LEAST_S
                    await rest.pause(stop, self._reached())
            except (StoreUnavailable, Unavailable) as error:
                seconds = back_off * (1 - JITTER * chance())
                log.warning("projection waits %.1f s: %s", seconds, error)
                await pause(stop, seconds)
                back_off = min(back_off * 2, BACK_OFF_MOST_S)
                continue
            back_off = BACK_OFF_LEAST_S
            if done:
                rest.worked()
                await pause(stop, gather if done < self._batch_max else 0)
                gather = min(gather * 2, GATHER_MOST_S)

    def _reached(self) -> dict[ShardId, int]:
        """Offsets of the shards whose journal can be followed."""
        return {
            shard: offset.seq
            for shard, offset in self._offsets.items()
            if shard not in self.refused
        }

    async def _step(self, ready: _Ready) -> int:
        shard, offset, records = ready.shard, ready.offset, ready.records
        for _ in range(MOVES_MAX):
            if not records:
                return 0
            done = await self._project(shard, offset, records)
            if done:
                return done
            offset, records = await self._waiting(shard)
        return 0

    async def _waiting(self, shard: ShardId) -> tuple[Offset, Sequence[Record]]:
        """The records to project next, and the offset that they follow.

        None if there are none or they cannot be projected. The offset is returned
        because it cannot be looked up later: another lane that fails clears all
        offsets.
        """
        offset = self._offsets.get(shard)
        if offset is None:
            offset = self._offsets[shard] = await self._store.offset(shard)
        last = self._ends.get(shard)
        if last is None or last < offset.seq:  # the offset may be newer than ``last``
            last = await self._journal.last_seq(shard)
        if last < offset.seq:
            # The offset may be out of date: another projector or a rebuild moved it.
            offset = self._offsets[shard] = await self._store.offset(shard)
        if not self._follows(shard, offset, last) or last == offset.seq:
            return offset, ()
        records = await self._journal.read(shard, offset.seq, self._batch_max)
        if self.recent is not None:
            self.recent.put(shard, records)
        if not records or not self._continues(shard, offset, records[0]):
            return offset, ()
        records = portion(records)
        there = await self._have_left(origins(records))
        return offset, records if there else ()

    async def _have_left(self, needed: dict[ShardId, int]) -> bool:
        """Whether arriving calendars are projected up to their departure."""
        if not needed:
            return True
        here = set(await self._journal.shards())
        offsets = await self._store.shard_offsets()
        return all(
            shard not in here or offsets.get(shard, Offset()).seq >= seq
            for shard, seq in needed.items()
        )

    def _follows(self, shard: ShardId, offset: Offset, last: int) -> bool:
        if last >= offset.seq:
            self.refused.pop(shard, None)
            return True
        self._refuse(
            shard,
            f"the read model is at seq {offset.seq}, but the journal ends at {last}: "
            "the journal was restored or lost its tail. Find out which bookings are "
            "gone, then run `slotcast projection rebuild`",
        )
        return False

    def _continues(self, shard: ShardId, offset: Offset, record: Record) -> bool:
        if record.seq == offset.seq + 1 and record.epoch >= offset.epoch:
            return True
        self._refuse(
            shard,
            f"record {record.seq} of epoch {record.epoch} cannot follow seq "
            f"{offset.seq} of epoch {offset.epoch}: this is another journal than the "
            "one the read model was made from. Run `slotcast projection rebuild`",
        )
        return False

    def _refuse(self, shard: ShardId, message: str) -> None:
        self.refused[shard] = message
        now = self._clock.now()
        text, since = self._complained.get(shard, ("", 0))
        if text != message or now - since >= STATUS_EVERY_MS:
            log.error("shard %s is not projected: %s", shard, message)
            self._complained[shard] = (message, now)

    async def _project(
        self, shard: ShardId, offset: Offset, records: Sequence[Record]
    ) -> int:
        operations = self._all_operations(shard, records)
        if operations is None:
            return await self._one_by_one(shard, offset, records)
        done = await self._apply(shard, offset.seq, _reached(records), operations)
        if isinstance(done, Mismatch):
            return await self._one_by_one(shard, offset, records)
        return self._note(shard, done, len(records))

    async def _apply(
        self,
        shard: ShardId,
        prev_seq: int,
        reached: Offset,
        operations: Sequence[Operation],
    ) -> Outcome:
        outcome = await self._store.apply(shard, prev_seq, reached, operations)
        if isinstance(outcome, Committed):
            self._notify(operations)
        return outcome

    def _notify(self, operations: Iterable[Operation]) -> None:
        if self.wakeups is None:
            return
        if any(isinstance(one, AddOutbox) for one in operations):
            self.wakeups.notify(OUTBOX)

    def _all_operations(
        self, shard: ShardId, records: Sequence[Record]
    ) -> list[Operation] | None:
        """The operations of these records; None if one of them has to be parked."""
        operations: list[Operation] = []
        for record in records:
            outcome = self._operations(shard, record)
            if isinstance(outcome, Mismatch):
                return None
            operations.extend(outcome)
        return operations

    def _operations(
        self, shard: ShardId, record: Record
    ) -> Sequence[Operation] | Mismatch:
        try:
            return projection.project(shard, record, cell_minutes=self._cell_minutes)
        except Poison as error:
            return Mismatch(ParkKind.POISON, str(error))
        except Exception as error:
            # Whatever the defect, one event must not stop the projection of all others.
            log.exception("projecting record %s of %s failed", record.seq, shard)
            return Mismatch(ParkKind.POISON, f"{type(error).__name__}: {error}")

    def _note(self, shard: ShardId, outcome: Committed | Moved, records: int) -> int:
        self._offsets[shard] = outcome.offset
        if isinstance(outcome, Moved):
            log.info("another projector moved %s to %s", shard, outcome.offset.seq)
            return 0
        return records

    async def _one_by_one(
        self, shard: ShardId, offset: Offset, records: Sequence[Record]
    ) -> int:
        """Project each record by itself; those that do not fit are parked."""
        done = 0
        for record in records:
            prev = self._offsets.get(shard, offset)
            outcome = await self._one(shard, prev, record)
            count = self._note(shard, outcome, 1)
            if not count:
                break
            done += count
        return done

    async def _one(
        self, shard: ShardId, prev: Offset, record: Record
    ) -> Committed | Moved:
        reached = Offset(record.seq, record.epoch)
        outcome = self._operations(shard, record)
        if not isinstance(outcome, Mismatch):
            applied = await self._apply(shard, prev.seq, reached, outcome)
            if not isinstance(applied, Mismatch):
                return applied
            outcome = applied
        park = parked(record, outcome.kind, outcome.reason, outcome.other_booking_id)
        stored = await self._store.apply(shard, prev.seq, reached, [park])
        if isinstance(stored, Mismatch):
            # Continuing would lose the event: stop here with an error.
            raise StoreUnavailable(f"cannot park seq {record.seq}: {stored.reason}")
        if isinstance(stored, Committed):
            self._alarm(shard, record, outcome)
        return stored

    def _alarm(self, shard: ShardId, record: Record, refused: Mismatch) -> None:
        self.parked[refused.kind] += 1
        log.error(
            "ALARM: record %s of shard %s (%s, provider %s) is parked as %s: %s",
            record.seq,
            shard,
            type(record.event).__name__,
            record.event.provider_id,
            refused.kind.value,
            refused.reason,
        )


class _Ready(Struct, frozen=True):
    """A shard's records to project, and the offset that they follow."""

    shard: ShardId
    offset: Offset
    records: Sequence[Record]


def _reached(records: Sequence[Record]) -> Offset:
    return Offset(records[-1].seq, records[-1].epoch)
