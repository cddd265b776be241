"""Follows the journal into the audit trail: every change exactly once.

The entries and the new position of each shard are one transaction. Killed between any
two steps it goes on where the records say. The read model can be rebuilt meanwhile:
positions are in the records and are not touched by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from actors.domain.ids import ProviderId, ShardId
from actors.domain.messages.events import ProviderRegistered
from actors.errors import JournalCorrupt, Unavailable
from actors.ports import Clock, Journal, Record
from care.audit.entries import SITE_TENANT, Draft
from care.audit.of_events import draft_of, is_audited
from persistence.audit.chain import (
    ChainKeys,
    SourceMoved,
    append,
    marks_of_sources,
    move_source,
    positions,
)
from persistence.audit.marks import Marks, mark_of, text_of, with_newest
from persistence.journal.recent import RecentRecords
from persistence.journal.scan import ends_of, first_seq
from persistence.keys.ring import KeyRing
from persistence.readmodel.projection.resting import Rest, pause
from persistence.sql.records import Records

log = logging.getLogger(__name__)

BATCH_MAX: Final = 1_000
"""Records in one transaction."""
GATHER_S: Final = 0.5
"""Pause after each round: a transaction for one event costs as much as for fifty."""
NEWS_S: Final = 5.0
"""Longest wait for a wake-up: the trail may be later than the projection if one is
lost, and each look wakes two threads."""
AWAY_S: Final = 2.0
"""Pause after the journal or the records did not answer."""
JOURNAL_SOURCE: Final = "journal "
"""How the names of sources that are journals begin; the shard follows."""
KNOWN_MAX: Final = 50_000
"""Providers whose clinic is remembered."""

ClinicsOf = Callable[[Sequence[ProviderId]], Awaitable[Mapping[ProviderId, str]]]
"""The clinics of those providers that the read model has."""
ProjectedTo = Callable[[], Awaitable[Mapping[ShardId, int]]]
"""How far each shard is projected."""


class _Read(Struct, frozen=True):
    """What a shard's journal has after a position; ``before`` -1: it is new here."""

    shard: ShardId
    before: int
    records: Sequence[Record]
    drafts: Sequence[Draft]
    after: int
    epoch: int
    marks: Marks = ()


class JournalAudit:
    """Follows all shards of one journal."""

    def __init__(
        self,
        journal: Journal,
        records: Records,
        ring: KeyRing,
        clock: Clock,
        *,
        clinics_of: ClinicsOf,
        projected_to: ProjectedTo,
    ) -> None:
        self.recent: RecentRecords | None = None
        """What the projector of this process has just read."""
        self._journal = journal
        self._records = records
        self._ring = ring
        self._clock = clock
        self._clinics_of = clinics_of
        self._projected_to = projected_to
        self._clinics: OrderedDict[str, str] = OrderedDict()
        self._complained: dict[ShardId, str] = {}
        self._positions: dict[ShardId, tuple[int, int]] | None = None
        self._marks: dict[ShardId, Marks] = {}
        self._same: set[ShardId] = set()
        """Shards whose journal was compared with the marks since it was sealed."""

    async def step(self) -> int:
        """One batch over all shards; how many records.

        Raises:
            Unavailable: the journal or the records do not answer; nothing was done.
        """
        keys = ChainKeys(await self._ring.audit_key())
        shards = await self._journal.shards()
        found = await self._gather(shards)
        if not found:
            return 0
        try:
            await self._records.transact(partial(_write, keys=keys, found=found))
        except SourceMoved:
            self._positions = None
            return 0
        assert self._positions is not None
        for one in found:
            self._positions[one.shard] = (one.after, one.epoch)
            self._marks[one.shard] = one.marks
            if one.records:
                self._same.add(one.shard)
            if self.recent is not None:
                self.recent.drop(one.shard, one.after)
        return sum(max(1, len(one.records)) for one in found)

    async def _gather(self, shards: Sequence[ShardId]) -> list[_Read]:
        """What the journals have that is not in the trail, up to ``BATCH_MAX``."""
        known = await self._known(shards)
        ends = await ends_of(self._journal, shards)
        found: list[_Read] = []
        room = BATCH_MAX
        for shard in shards:
            position, last = known.get(shard), ends.get(shard)
            if last is None:
                last = await self._journal.last_seq(shard)
            at_end = last == (position or (0, 0))[0]
            if room <= 0 or (at_end and self._is_compared(shard)):
                continue
            read = await self._read(shard, position, last, room)
            if read is not None:
                found.append(read)
                room -= len(read.records)
        return found

    async def _known(
        self, shards: Sequence[ShardId]
    ) -> Mapping[ShardId, tuple[int, int]]:
        """Positions of the shards; read once, and again after a surprise."""
        if self._positions is None:
            async with self._records.reading() as session:
                sources = [_source(shard) for shard in shards]
                stored = await positions(session, sources)
                marks = await marks_of_sources(session, sources)
            self._marks = {shard: marks.get(_source(shard), ()) for shard in shards}
            self._same.clear()
            self._positions = {
                shard: stored[_source(shard)]
                for shard in shards
                if _source(shard) in stored
            }
        return self._positions

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until ``stop`` is set."""
        rest = Rest(self._journal, NEWS_S)
        while not stop.is_set():
            try:
                done = await self.step()
                if not done:
                    reached = {s: p[0] for s, p in (self._positions or {}).items()}
                    await rest.pause(stop, reached)
                    continue
            except (Unavailable, DBAPIError, OSError) as error:
                self._positions = None  # it may have been committed
                log.warning("the audit trail waits: %s", error)
                await pause(stop, AWAY_S)
                continue
            rest.worked()
            await pause(stop, GATHER_S if done < BATCH_MAX else 0)

    async def reached(self) -> Mapping[ShardId, int]:
        """How far each shard's journal is in the trail. Raises Unavailable."""
        shards = await self._journal.shards()
        known = await self._known(shards)
        return {shard: known[shard][0] if shard in known else 0 for shard in shards}

    async def _read(
        self, shard: ShardId, known: tuple[int, int] | None, last: int, limit: int
    ) -> _Read | None:
        try:
            return await self._new_of(shard, known, last, limit)
        except JournalCorrupt as error:
            if self._complained.get(shard) != str(error):
                log.exception("ALARM: shard %s cannot be audited", shard)
                self._complained[shard] = str(error)
            return None

    async def _new_of(
        self, shard: ShardId, known: tuple[int, int] | None, last: int, limit: int
    ) -> _Read | None:
        position, epoch = known or (0, 0)
        before = -1 if known is None else position
        if last < position or not self._is_compared(shard):
            back = await self._way_back(shard, before, position, last, epoch)
            if back is not None:
                return back
        if last == position:
            return None
        return await self._read_on(shard, before, (position, epoch), last, limit)

    async def _read_on(
        self,
        shard: ShardId,
        before: int,
        known: tuple[int, int],
        last: int,
        limit: int,
    ) -> _Read | None:
        position, epoch = known
        try:
            records = await self._records_of(
                shard, position, min(last, position + limit)
            )
        except JournalCorrupt:
            first = await first_seq(self._journal, shard)
            if first <= position + 1:
                raise
            gap = self._gap(shard, "journal_was_trimmed", position, first - 1)
            return _Read(shard, before, (), (gap,), first - 1, epoch)
        if records and records[0].epoch != epoch:
            # Sealed since: what a restored journal writes has another epoch.
            back = await self._way_back(shard, before, position, last, epoch)
            if back is not None:
                return back
        records, drafts = await self._drafts(shard, records)
        if not records:
            return None
        newest = records[-1]
        marks = with_newest(self._marks.get(shard, ()), records)
        return _Read(shard, before, records, drafts, newest.seq, newest.epoch, marks)

    def _is_compared(self, shard: ShardId) -> bool:
        return shard in self._same or not self._marks.get(shard)

    async def _way_back(
        self, shard: ShardId, before: int, position: int, last: int, epoch: int
    ) -> _Read | None:
        """To where the journal is as it was read, if it is not at the position.

        A backup was restored, and has perhaps grown past the position, or the journal
        lost its tail. What comes after the newest record that is the same is read
        again: some of it may be in the trail twice, none of it is missing.
        """
        kept = await self._kept_marks(shard, last)
        went_back = last < position
        if not went_back and kept == self._marks.get(shard, ()):
            self._same.add(shard)
            return None
        after = last
        if kept:
            after = kept[0][0]
        elif not went_back or self._marks.get(shard):
            after = min(last, await first_seq(self._journal, shard) - 1)
        action = "journal_went_back" if went_back else "journal_was_replaced"
        gap = self._gap(shard, action, after, position)
        return _Read(shard, before, (), (gap,), after, epoch, kept)

    async def _kept_marks(self, shard: ShardId, last: int) -> Marks:
        """The marks up to ``last``, from the newest whose record is still the same.

        A record that was trimmed or is damaged cannot be compared: counts as the same.
        """
        marks = self._marks.get(shard, ())
        for number, (seq, mark) in enumerate(marks):
            if seq > last:
                continue
            try:
                found = await self._journal.read(shard, seq - 1, 1)
            except JournalCorrupt:
                return marks[number:]
            if found and mark_of(found[0]) == mark:
                return marks[number:]
        return ()

    async def _records_of(
        self, shard: ShardId, after: int, last: int
    ) -> Sequence[Record]:
        """Records after a position, up to ``last``; often the projector has them."""
        if self.recent is not None:
            records = self.recent.take(shard, after, last)
            if records:
                return records
        return await self._journal.read(shard, after, last - after)

    def _gap(self, shard: ShardId, action: str, low: int, high: int) -> Draft:
        log.error("ALARM: %s: shard %s between %d and %d", action, shard, low, high)
        body = {"outcome": "gap", "shard": shard, "from": low, "to": high}
        return Draft(SITE_TENANT, self._clock.now(), "slotcast", action, "", body)

    async def _drafts(
        self, shard: ShardId, records: Sequence[Record]
    ) -> tuple[Sequence[Record], Sequence[Draft]]:
        """Entries of the records, up to one whose clinic is not known yet."""
        await self._learn(records)
        drafts: list[Draft] = []
        for number, record in enumerate(records):
            event = record.event
            if isinstance(event, ProviderRegistered):
                self._remember(event.provider_id, event.profile.clinic.clinic_id)
            if not is_audited(event):
                continue
            tenant = self._clinics.get(event.provider_id)
            if tenant is None:
                if (await self._projected_to()).get(shard, 0) < record.seq:
                    return records[:number], drafts
                # The read model has this record and no such provider: it was parked.
                tenant = SITE_TENANT
            drafts.append(draft_of(event, tenant, shard, record.seq))
        return records, drafts

    async def _learn(self, records: Sequence[Record]) -> None:
        unknown = {
            one.event.provider_id
            for one in records
            if one.event.provider_id not in self._clinics
        }
        if unknown:
            for provider, clinic in (await self._clinics_of(sorted(unknown))).items():
                self._remember(provider, clinic)

    def _remember(self, provider: str, clinic: str) -> None:
        self._clinics[provider] = clinic
        self._clinics.move_to_end(provider)
        if len(self._clinics) > KNOWN_MAX:
            self._clinics.popitem(last=False)


def _write(connection: Connection, keys: ChainKeys, found: Sequence[_Read]) -> None:
    for one in found:
        move_source(
            connection,
            _source(one.shard),
            one.before,
            one.after,
            one.epoch,
            text_of(one.marks),
        )
    append(connection, keys, [d for one in found for d in one.drafts])


def _source(shard: ShardId) -> str:
    return JOURNAL_SOURCE + shard
