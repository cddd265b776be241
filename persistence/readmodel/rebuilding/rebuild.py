"""Deletes the projected rows and rebuilds them from the journal.

Safe at any time, also while a projector runs: the reset is one transaction that sets
the offsets back, so a running projector gets "moved" and takes part in the rebuild.
After an interruption it is started again, or the projector finishes it.

Kept: imported clinics and visits, and the outbox. Notices are not written again up to
where they were written before; if the read model has no data of a shard (the database
was lost), no notice is sent again for events already in the journal.

Trimmed records are replaced by the stored calendars. Rows that are neither in the
journal nor in a calendar are kept, since there is no other copy. So are those of an
older generation of journals (see ``slotcast reshard``) that no moved calendar contains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt
from actors.placement import generation_of, is_isolated
from actors.ports import Clock, Journal, Record
from care.readmodel import ShardLag
from persistence.readmodel import tables as t
from persistence.readmodel.projection.lags import lag
from persistence.readmodel.projection.operations_of import CELL_MINUTES
from persistence.readmodel.projection.projector import BATCH_MAX, Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import Committed, Offset
from persistence.readmodel.rebuilding.from_calendars import (
    RebuildImpossible,
    Seed,
    Seeds,
    sown,
)
from persistence.sql.change_log import ChangeKind, note_changes

OnProgress = Callable[[int, int], None]
"""Called with (records done, total records)."""


async def status(journal: Journal, engine: AsyncEngine) -> list[ShardLag]:
    """The lag of every shard's projection. Raises StoreUnavailable."""
    return await lag(journal, SqlProjectionStore(engine))


async def rebuild(
    journal: Journal,
    engine: AsyncEngine,
    clock: Clock,
    on_progress: OnProgress = lambda _done, _total: None,
    *,
    seeds: Seeds | None = None,
    cell_minutes: int = CELL_MINUTES,
) -> None:
    """Rebuild the read model up to the journal's present end.

    ``engine`` has the role "upkeep": deleting whole tables takes long.
    ``cell_minutes`` are the site's: claims are numbered by them.

    Raises:
        RebuildImpossible: records were trimmed, and ``seeds`` does not replace them;
        nothing was deleted. StoreUnavailable: start it again when the database answers.
    """
    ends = {shard: await journal.last_seq(shard) for shard in await journal.shards()}
    trimmed = await _trimmed(journal, ends, seeds)
    async with engine.begin() as connection:
        await _reset(connection, ends, trimmed)
    store = SqlProjectionStore(engine)
    # A moved calendar's rows are newer than those from its old shard.
    late = {shard for shard in trimmed if is_isolated(shard)}
    projector = Projector(
        journal,
        store,
        clock,
        batch_max=BATCH_MAX,
        cell_minutes=cell_minutes,
        lanes=store.lanes,
    )
    for shard in [one for one in trimmed if one not in late]:
        await _seed(journal, store, shard, trimmed[shard], cell_minutes)
    if late:
        first = {shard: end for shard, end in ends.items() if shard not in late}
        await _project(projector, store, first, on_progress)
    for shard in late:
        await _seed(journal, store, shard, trimmed[shard], cell_minutes)
    await _project(projector, store, ends, on_progress)


Trimmed = dict[ShardId, tuple[int, list[Seed]]]
"""Trimmed shards: the position of, and the stored calendars."""


async def _trimmed(
    journal: Journal, ends: dict[ShardId, int], seeds: Seeds | None
) -> Trimmed:
    found: Trimmed = {}
    for shard in ends:
        try:
            await journal.read(shard, 0, 1)
        except JournalCorrupt as error:
            if seeds is None:
                raise RebuildImpossible(f"{error}; snapshots are needed") from error
            position = await seeds.position(shard)
            calendars = [seed async for seed in seeds.calendars(shard)]
            await journal.read(shard, position, 1)  # trimmed further: JournalCorrupt
            found[shard] = (position, calendars)
    return found


async def _reset(
    connection: AsyncConnection, ends: dict[ShardId, int], trimmed: Trimmed
) -> None:
    offsets = t.projection_offset
    known = set((await connection.scalars(select(offsets.c.shard))).all())
    await connection.execute(update(offsets).values(seq=0, epoch=0))
    unknown = [
        {"shard": shard, "seq": 0, "epoch": 0, "outbox_seq": end}
        for shard, end in ends.items()
        if shard not in known
    ]
    if unknown:
        await connection.execute(insert(offsets), unknown)
    for table in (t.provider, t.provider_word, t.visit_type):
        await connection.execute(delete(table))
    await connection.run_sync(
        note_changes, t.directory_change, ChangeKind.EVERYTHING, [""]
    )
    await _forget_clinics(connection)
    generation = max((generation_of(shard) for shard in ends), default=1)
    await _forget_bookings(connection, trimmed, generation)


async def _forget_clinics(connection: AsyncConnection) -> None:
    registered = select(t.clinic.c.clinic_id).where(t.clinic.c.imported.is_(False))
    words = t.clinic_word
    await connection.execute(delete(words).where(words.c.clinic_id.in_(registered)))
    await connection.execute(delete(t.clinic).where(t.clinic.c.imported.is_(False)))


async def _forget_bookings(
    connection: AsyncConnection, trimmed: Trimmed, generation: int
) -> None:
    """Delete bookings and dependent rows, except those without another copy."""
    for table in (t.appointment, t.appointment_history, t.projection_conflict):
        told = set((await connection.scalars(select(table.c.shard).distinct())).all())
        older = [shard for shard in told if generation_of(shard) < generation]
        shards = table.c.shard.not_in([t.IMPORTED_SHARD, *trimmed, *older])
        await connection.execute(delete(table).where(shards))
        for shard, (position, _) in trimmed.items():
            later = (table.c.shard == shard, table.c.seq > position)
            await connection.execute(delete(table).where(*later))
    remembered = [
        {"of_booking": booking_id}
        for _, calendars in trimmed.values()
        for seed in calendars
        for booking_id in seed.calendar.occupancy.bookings
    ]
    if remembered:
        one = t.appointment.c.booking_id == bindparam("of_booking")
        await connection.execute(delete(t.appointment).where(one), remembered)
    kept = select(t.appointment.c.booking_id)
    await connection.execute(
        delete(t.slot_claim).where(t.slot_claim.c.booking_id.not_in(kept))
    )


async def _seed(
    journal: Journal,
    store: SqlProjectionStore,
    shard: ShardId,
    at_rest: tuple[int, Sequence[Seed]],
    cell_minutes: int,
) -> None:
    """Write all stored calendars, and records up to the newest, in one transaction."""
    position, calendars = at_rest
    top = max((seed.seq for seed in calendars), default=position)
    records = await _read(journal, shard, position, max(top, position))
    operations = await sown(shard, calendars, records, cell_minutes)
    epochs = [record.epoch for record in records]
    epochs += [seed.calendar.epoch for seed in calendars]
    reached = Offset(max(top, position), max(epochs, default=0))
    done = await store.apply(shard, 0, reached, operations)
    if not isinstance(done, Committed):
        raise RebuildImpossible(f"{shard} could not be seeded: {done}; start again")


async def _read(
    journal: Journal, shard: ShardId, after: int, upto: int
) -> list[Record]:
    records: list[Record] = []
    while after < upto:
        some = await journal.read(shard, after, min(BATCH_MAX, upto - after))
        if not some:
            raise RebuildImpossible(f"{shard}'s snapshots are newer than its journal")
        records.extend(some)
        after = some[-1].seq
    return records


async def _project(
    projector: Projector,
    store: SqlProjectionStore,
    ends: dict[ShardId, int],
    on_progress: OnProgress,
) -> None:
    total = sum(ends.values())
    while True:
        did = await projector.step()
        offsets = await store.shard_offsets()
        at = {shard: offsets.get(shard, Offset()).seq for shard in ends}
        on_progress(sum(min(at[s], end) for s, end in ends.items()), total)
        if all(at[shard] >= end for shard, end in ends.items()):
            return
        refused = [why for shard, why in projector.refused.items() if shard in ends]
        if not did and refused:
            raise RebuildImpossible("; ".join(refused))
