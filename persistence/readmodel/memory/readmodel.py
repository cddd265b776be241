"""The read model in memory: store, directory, history and progress in one.

For tests and the simulation. It executes operations one by one, in order, and rolls
back a batch that does not fit: the reference semantics of the SQL adapter.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from actors.domain.ids import BookingId, ClinicId, ProviderId, ShardId
from actors.domain.messages.answers import BookingView
from actors.domain.rules import VisitType
from persistence.readmodel.memory.directory import (
    ClinicRow,
    MemoryDirectory,
    MemoryHistory,
)
from persistence.readmodel.projection import operations as p
from persistence.readmodel.projection.store import (
    Committed,
    Mismatch,
    Moved,
    Offset,
    Outcome,
    ParkKind,
    ShardAdvance,
    StoreUnavailable,
)


class _Unfit(Exception):
    def __init__(self, kind: ParkKind, reason: str, other: str = "") -> None:
        super().__init__(reason)
        self.refused = Mismatch(kind, reason, other)


class MemoryReadModel(MemoryDirectory, MemoryHistory):
    """All ports of the read model, in memory."""

    def __init__(self) -> None:
        self.clinic_table: dict[ClinicId, ClinicRow] = {}
        self.providers: dict[ProviderId, p.PutProvider] = {}
        self.visit_types: dict[ProviderId, tuple[VisitType, ...]] = {}
        self.appointments: dict[BookingId, p.PutAppointment] = {}
        self.claims: dict[tuple[str, int, int], BookingId] = {}
        self.claims_of: dict[BookingId, tuple[tuple[str, int, int], ...]] = {}
        self.history: dict[tuple[ShardId, int], p.AddHistory] = {}
        self.outbox: dict[tuple[str, str], p.AddOutbox] = {}
        self.conflict_rows: dict[tuple[ShardId, int], p.Park] = {}
        self.available = True
        """False: every call of the store fails, like a database that is down."""
        self._offsets: dict[ShardId, Offset] = {}
        self._told: dict[ShardId, int] = {}
        self._undo: list[Callable[[], None]] = []
        self._moved = asyncio.Event()

    # --- ProjectionStore -------------------------------------------------------

    async def offset(self, shard: ShardId) -> Offset:
        """The offset of the shard's projection."""
        self._reach()
        return self._offsets.get(shard, Offset())

    async def shard_offsets(self) -> Mapping[ShardId, Offset]:
        """The offsets of all projections."""
        self._reach()
        return dict(self._offsets)

    async def apply(
        self,
        shard: ShardId,
        prev_seq: int,
        offset: Offset,
        operations: Sequence[p.Operation],
    ) -> Outcome:
        """Execute operations and move the offset; see the port."""
        self._reach()
        self._undo = []
        batch = ShardAdvance(shard, prev_seq, offset, operations)
        outcome = self._carry_out(batch)
        if isinstance(outcome, Committed):
            self._commit([batch])
        return outcome

    async def apply_together(self, batches: Sequence[ShardAdvance]) -> bool:
        """Apply all batches or none; see the port."""
        self._reach()
        self._undo = []
        for batch in batches:
            if not isinstance(self._carry_out(batch), Committed):
                self._undo_all()
                return False
        self._commit(batches)
        return True

    def _carry_out(self, batch: ShardAdvance) -> Outcome:
        here = self._offsets.get(batch.shard, Offset())
        if here.seq != batch.prev_seq:
            return Moved(here)
        try:
            for operation in batch.operations:
                _APPLIERS[type(operation)](self, batch.shard, operation)
        except _Unfit as unfit:
            self._undo_all()
            return unfit.refused
        return Committed(batch.offset)

    def _undo_all(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo = []

    def _commit(self, batches: Sequence[ShardAdvance]) -> None:
        for batch in batches:
            shard, seq = batch.shard, batch.offset.seq
            if any(isinstance(one, p.AddOutbox) for one in batch.operations):
                self._told[shard] = max(self._told.get(shard, 0), seq)
            self._offsets[shard] = batch.offset
        self._moved.set()
        self._moved = asyncio.Event()

    async def parked(self) -> Mapping[ParkKind, int]:
        """Number of parked events, by reason."""
        return Counter(ParkKind(park.kind) for park in self.conflict_rows.values())

    def reset(self) -> None:
        """Delete projected rows, as before a rebuild; imported clinics stay."""
        self.clinic_table = {
            k: row for k, row in self.clinic_table.items() if row.imported
        }
        tables: tuple[dict[Any, Any], ...] = (
            self.providers,
            self.visit_types,
            self.appointments,
            self.claims,
            self.claims_of,
            self.history,
            self.conflict_rows,
            self._offsets,
        )
        for table in tables:
            table.clear()

    def _reach(self) -> None:
        if not self.available:
            raise StoreUnavailable("the store is down")

    # --- ProjectionProgress ----------------------------------------------------

    async def offsets(self) -> Mapping[ShardId, int]:
        """The last projected seq of every shard that has one."""
        return {shard: offset.seq for shard, offset in self._offsets.items()}

    async def reached(self, shard: ShardId, seq: int, *, timeout_s: float) -> bool:
        """Wait until the projection of ``shard`` has reached ``seq``; False if not."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._offsets.get(shard, Offset()).seq < seq:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def conflicts(self) -> int:
        """Number of events parked because a claim was already taken."""
        return (await self.parked()).get(ParkKind.CLAIM, 0)

    # --- operations ------------------------------------------------------------

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        if key in table:
            before = table[key]
            self._undo.append(lambda: table.__setitem__(key, before))
        else:
            self._undo.append(lambda: table.pop(key))
        table[key] = value

    def _drop(self, table: dict[Any, Any], key: Any) -> None:
        if key in table:
            before = table.pop(key)
            self._undo.append(lambda: table.__setitem__(key, before))

    def _clinic(self, shard: ShardId, put: p.PutClinic) -> None:
        row = self.clinic_table.get(put.clinic.clinic_id)
        if row is None or (not row.imported and p.newer(put, row.at, row.by)):
            new = ClinicRow(put.clinic, imported=False, at=put.at, by=put.provider_id)
            self._put(self.clinic_table, put.clinic.clinic_id, new)

    def _provider(self, shard: ShardId, put: p.PutProvider) -> None:
        self._put(self.providers, put.provider_id, put)

    def _types(self, shard: ShardId, put: p.PutVisitTypes) -> None:
        self._put(self.visit_types, put.provider_id, put.visit_types)

    def _appointment(self, shard: ShardId, put: p.PutAppointment) -> None:
        if put.booking_id in self.appointments:
            raise _Unfit(ParkKind.POISON, f"{put.booking_id} is booked twice")
        self._put(self.appointments, put.booking_id, put)

    def _change(self, shard: ShardId, change: p.ChangeAppointment) -> None:
        row = self.appointments.get(change.booking_id)
        if row is None:
            raise _Unfit(ParkKind.ORPHAN, "1 booking(s) to change are not there")
        self._put(self.appointments, change.booking_id, p.changed(row, change))

    def _add_claims(self, shard: ShardId, add: p.AddClaims) -> None:
        keys = [(add.provider_id, c, add.lane) for c in range(add.first, add.last)]
        for key in keys:
            holder = self.claims.get(key)
            if holder is not None:
                reason = f"its time is claimed by {holder}"
                raise _Unfit(ParkKind.CLAIM, reason, holder)
            self._put(self.claims, key, add.booking_id)
        mine = (*self.claims_of.get(add.booking_id, ()), *keys)
        self._put(self.claims_of, add.booking_id, mine)

    def _drop_claims(self, shard: ShardId, drop: p.DropClaims) -> None:
        for key in self.claims_of.get(drop.booking_id, ()):
            self._drop(self.claims, key)
        self._drop(self.claims_of, drop.booking_id)

    def _take(self, shard: ShardId, take: p.TakeBookings) -> None:
        known = set() if take.replaces else set(self.appointments)
        for put in take.bookings:
            if put.booking_id not in known:
                self._drop_claims(shard, p.DropClaims(take.provider_id, put.booking_id))
                self._put(self.appointments, put.booking_id, put)
        for add in take.claims:
            if add.booking_id not in known:
                self._add_claims(shard, add)

    def _history(self, shard: ShardId, add: p.AddHistory) -> None:
        self._put(self.history, (shard, add.seq), add)

    def _outbox(self, shard: ShardId, add: p.AddOutbox) -> None:
        if add.seq <= self._told.get(shard, 0):
            return
        if (add.event_id, add.kind) in self.outbox:
            raise _Unfit(ParkKind.POISON, f"{add.event_id} was told before")
        self._put(self.outbox, (add.event_id, add.kind), add)

    def _park(self, shard: ShardId, park: p.Park) -> None:
        self._put(self.conflict_rows, (shard, park.seq), park)

    # --- for MemoryHistory -----------------------------------------------------

    def _views(self) -> list[BookingView]:
        return [
            BookingView(**{f: getattr(row, f) for f in _VIEW_FIELDS})
            for row in self.appointments.values()
        ]

    def _clinic_of_provider(self, provider_id: ProviderId) -> ClinicId | None:
        found = self.providers.get(provider_id)
        return None if found is None else found.profile.clinic.clinic_id


_VIEW_FIELDS: Final = [
    name
    for name in BookingView.__struct_fields__
    if name in p.PutAppointment.__struct_fields__
]
"""What of a visit is projected; the rest only calendars know."""
_APPLIERS: dict[type, Callable[[MemoryReadModel, ShardId, Any], None]] = {
    p.PutClinic: MemoryReadModel._clinic,
    p.PutProvider: MemoryReadModel._provider,
    p.PutVisitTypes: MemoryReadModel._types,
    p.PutAppointment: MemoryReadModel._appointment,
    p.ChangeAppointment: MemoryReadModel._change,
    p.AddClaims: MemoryReadModel._add_claims,
    p.DropClaims: MemoryReadModel._drop_claims,
    p.TakeBookings: MemoryReadModel._take,
    p.AddHistory: MemoryReadModel._history,
    p.AddOutbox: MemoryReadModel._outbox,
    p.Park: MemoryReadModel._park,
}
