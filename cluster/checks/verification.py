"""``slotcast verify``: journal, calendars and SQL must agree.

The journal is read from its first retained record. An audit independent of the
calendars follows which patient had which time; the real calendars are replayed beside
it and compared, byte for byte, with their snapshots; a calendar that moved between
shards is followed from one journal to the next, and must come as it left; visits that
take rooms are compared with what the rooms' calendars say; then the read model's
bookings and claims, and, where a server runs, the versions its shards have in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from time import monotonic
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from actors.audit.audit import PROBLEMS_MAX, Audit, AuditedBooking
from actors.audit.groups import AuditedGroups
from actors.domain.calendar.at_rest import pack, unpack
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import decode, encode, encode_for_new_shard
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import BookingId, Millis, ProviderId, ShardId
from actors.domain.messages.answers import BookingStatus, PositionsView
from actors.domain.messages.events import CalendarMovedIn, CalendarMovedOut
from actors.domain.messages.reads import ReadPositions
from actors.domain.rules import Policy
from actors.errors import JournalCorrupt, Unavailable
from actors.ports import Journal, Record, ShardLinks, SnapshotStore, StoredCalendar
from care.readmodel import ProjectionProgress
from persistence.readmodel.projection.claim_purge import oldest_kept
from persistence.readmodel.projection.operations_of import claimed_lane
from persistence.readmodel.queries.readback import projected_bookings, projected_claims

READ_BATCH = 5_000
"""Records read at a time: a few megabytes."""
PROJECTION_WAIT_S = 30.0
"""How long the projection may take to reach the journal's end."""
POSITIONS_BATCH = 200
_GROUPS = "groups: "
_Departure = tuple[ProviderId, ShardId, int]
"""A calendar that left a shard, with the seq of its last record there."""


class Seedbed(SnapshotStore, Protocol):
    """Snapshots that can also say whose they are."""

    async def providers(self, shard: ShardId) -> Sequence[ProviderId]:
        """Whose calendars are stored."""
        ...


@dataclass(slots=True)
class Verdict:
    """The result. No problem means that everything agrees."""

    problems: list[str] = field(default_factory=list)
    shards: int = 0
    trimmed_shards: int = 0
    """Shards audited from their snapshots on, since their first records are trimmed."""
    events: int = 0
    calendars: int = 0
    bookings: int = 0
    claims: int = 0
    snapshots_compared: int = 0
    positions_compared: int = 0

    def note(self, problem: str) -> None:
        """Add a problem; the list is bounded."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


class Verification:
    """One verification of one site."""

    def __init__(
        self,
        journal: Journal,
        snapshots: Seedbed,
        engine: AsyncEngine,
        policy: Policy,
        told: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """``told`` is called with the number of events read and the total."""
        self._told = told
        self._journal = journal
        self._snapshots = snapshots
        self._engine = engine
        self._policy = policy
        self._audit = Audit()
        self._groups = AuditedGroups()
        self._left: dict[_Departure, bytes] = {}
        self._came: dict[_Departure, bytes] = {}
        self._shard = ShardId("")
        self._opened = (0, Millis(0))
        """The shard's last epoch, and the instant of its first record in it."""
        self._calendars: dict[ProviderId, CalendarState] = {}
        self._ends: dict[ShardId, int] = {}
        self._begun: dict[ProviderId, int] = {}
        self._newest_at = 0
        self._read = self._total = 0
        self._bookings: Mapping[BookingId, AuditedBooking] = {}
        self._versions: Mapping[ProviderId, int] = {}
        self.verdict = Verdict()

    async def run(
        self, progress: ProjectionProgress, links: ShardLinks | None
    ) -> Verdict:
        """All comparisons, in order. ``links`` only where a server runs."""
        shards = await self._journal.shards()
        self._total = sum([await self._journal.last_seq(shard) for shard in shards])
        for shard in shards:
            await self._replay(shard)
        verdict, audit = self.verdict, self._audit
        audit.close()
        self._bookings, self._versions = audit.bookings, audit.versions
        verdict.events, verdict.calendars = audit.events, len(self._versions)
        verdict.bookings = len(self._bookings)
        for problem in audit.problems:
            verdict.note(f"journal: {problem}")
        self._compare_moved()
        for problem in self._groups.problems(Millis(self._newest_at)):
            verdict.note(f"{_GROUPS}{problem}")
        until = monotonic() + PROJECTION_WAIT_S  # for all shards together
        for shard, seq in self._ends.items():
            left_s = max(0.1, until - monotonic())
            if not await progress.reached(shard, seq, timeout_s=left_s):
                verdict.note(f"projection of {shard} has not reached seq {seq}")
        self._compare_bookings(await projected_bookings(self._engine))
        self._compare_claims(await projected_claims(self._engine))
        if conflicts := await progress.conflicts():
            verdict.note(f"projection: {conflicts} events are parked as conflicts")
        if links is not None:
            await self._compare_memory(links)
        return verdict

    async def _replay(self, shard: ShardId) -> None:
        """Replay one shard up to its present end."""
        self._shard = shard
        self.verdict.shards += 1
        end = await self._journal.last_seq(shard)
        self._ends[shard] = end
        await self._look_at_last(shard, end)
        stored: dict[ProviderId, StoredCalendar] = {}
        seen: set[ProviderId] = set()
        self._calendars, self._begun, self._opened = {}, {}, (0, Millis(0))
        seq = await self._first(shard)
        while seq < end:
            records = await self._journal.read(shard, seq, min(READ_BATCH, end - seq))
            if not records:
                self.verdict.note(f"journal: {shard} ends at {seq}, not at {end}")
                return
            fresh = {record.event.provider_id for record in records} - seen
            stored.update(await self._snapshots.load(shard, sorted(fresh)))
            seen |= fresh
            for record in records:
                self._step(record, stored)
            seq = records[-1].seq
            self._read += len(records)
            self._told(self._read, max(self._total, self._read))
        for provider, snapshot in stored.items():
            if (
                snapshot.seq <= end
            ):  # a newer snapshot was stored while this one was read
                self._compare_snapshot(provider, snapshot)
        for calendar in self._calendars.values():
            if calendar.left is None:
                self._groups.add(calendar, self._opened[1])

    async def _look_at_last(self, shard: ShardId, end: int) -> None:
        """The current instant; a trimmed journal may replay no record."""
        for record in await self._journal.read(shard, max(0, end - 1), 1):
            self._newest_at = max(self._newest_at, record.event.at)

    async def _first(self, shard: ShardId) -> int:
        """Where to begin: 0, or the snapshots' position if records were trimmed."""
        try:
            await self._journal.read(shard, 0, 1)
        except JournalCorrupt:
            self.verdict.trimmed_shards += 1
        else:
            self._audit.new_shard(0, shard)
            return 0
        position = await self._snapshots.position(shard)
        self._audit.new_shard(position, shard)
        kept = await self._journal.read(shard, position, 1)
        begun = Millis(kept[0].event.at if kept else self._newest_at)
        for provider in await self._snapshots.providers(shard):
            (at_rest,) = (await self._snapshots.load(shard, [provider])).values()
            calendar = decode(at_rest.blob, self._policy)
            self._calendars[provider] = calendar
            self._begun[provider] = at_rest.seq
            self._audit.begin(calendar, at_rest.seq)
            self._groups.begin(calendar, begun)
        return position

    def _step(self, record: Record, stored: dict[ProviderId, StoredCalendar]) -> None:
        """Take in one record; a snapshot is compared before the first one after it."""
        provider = record.event.provider_id
        if record.epoch != self._opened[0]:
            self._opened = record.epoch, record.event.at
        self._audit.feed(record)
        calendar = self._calendars.get(provider)
        if calendar is None:
            calendar = self._calendars[provider] = CalendarState(provider, self._policy)
        snapshot = stored.get(provider)
        if snapshot is not None and record.seq > snapshot.seq:
            self._compare_snapshot(provider, stored.pop(provider))
        if record.seq > self._begun.get(provider, 0):
            apply(calendar, record.event, record.epoch)
            self._groups.follow(record.event, calendar)
            if isinstance(record.event, CalendarMovedIn):
                event = record.event
                place = provider, event.from_shard, event.from_seq
                # Packed again, as this version of the program does it.
                self._came[place] = _digest(pack(unpack(event.state)[0]))
            elif isinstance(record.event, CalendarMovedOut):
                place = provider, self._shard, record.seq
                self._left[place] = _digest(encode_for_new_shard(calendar))

    def _compare_moved(self) -> None:
        """Groups, offers, lanes and remembered answers travel with a calendar."""
        for place, digest in self._came.items():
            if self._left.get(place, digest) != digest:
                provider, shard, _ = place
                self.verdict.note(
                    f"journal: {provider} did not come as it left {shard}"
                )

    def _compare_snapshot(self, provider: ProviderId, snapshot: StoredCalendar) -> None:
        self.verdict.snapshots_compared += 1
        calendar = self._calendars[provider]
        # The stored calendar carries its owner's epoch, which may be later than that of
        # its last event.
        at_rest = decode(snapshot.blob, self._policy)
        calendar.epoch = max(calendar.epoch, at_rest.epoch)
        if encode(calendar) != snapshot.blob:
            self.verdict.note(
                f"snapshot of {provider} at seq {snapshot.seq} is not its replay"
            )

    def _compare_bookings(self, rows: Mapping[BookingId, AuditedBooking]) -> None:
        mine = self._bookings
        for booking in mine.keys() - rows.keys():
            self.verdict.note(f"SQL: {booking} is missing")
        extra = set() if not self._audit.is_whole else rows.keys() - mine.keys()
        for booking in extra:  # a trimmed journal has forgotten old visits
            self.verdict.note(f"SQL: {booking} is not in the journal")
        for booking in mine.keys() & rows.keys():
            if mine[booking] != rows[booking]:
                self.verdict.note(f"SQL: {booking} differs from the journal")

    def _compare_claims(
        self, rows: Mapping[tuple[ProviderId, int, int], BookingId]
    ) -> None:
        """Claims must be exactly the cells of the bookings that are not cancelled.

        Those of visits long past may be gone; see
        persistence/readmodel/projection/claim_purge.py.
        """
        cell_minutes = self._policy.cell_minutes
        expected: dict[tuple[ProviderId, int, int], BookingId] = {}
        for booking, told in self._bookings.items():
            if told.status is BookingStatus.CANCELLED:
                continue
            first, last = told.busy_start // cell_minutes, told.busy_end // cell_minutes
            for cell in range(first, last):
                lane = claimed_lane(told.lane)
                expected[told.provider_id, cell, lane] = booking
        self.verdict.claims = len(rows)
        known = self._bookings
        whole = self._audit.is_whole
        wrong = sum(
            expected.get(key) != booking and (whole or booking in known)
            for key, booking in rows.items()
        )
        kept = oldest_kept(self._newest_at, cell_minutes)
        missing = sum(cell >= kept for _, cell, _ in expected.keys() - rows.keys())
        if wrong or missing:
            self.verdict.note(f"SQL: {missing} claims missing, {wrong} wrong")

    async def _compare_memory(self, links: ShardLinks) -> None:
        by_shard: dict[ShardId, list[ProviderId]] = {}
        for provider in self._versions:
            by_shard.setdefault(links.shard_of(provider), []).append(provider)
        for shard, providers in by_shard.items():
            for first in range(0, len(providers), POSITIONS_BATCH):
                chunk = providers[first : first + POSITIONS_BATCH]
                await self._compare_positions(links, shard, chunk)

    async def _compare_positions(
        self, links: ShardLinks, shard: ShardId, providers: Sequence[ProviderId]
    ) -> None:
        """Memory may be ahead of what was read, as the server runs; never behind."""
        try:
            (view,) = await links.execute(shard, [ReadPositions(tuple(providers))], 10)
        except Unavailable as error:
            self.verdict.note(f"memory: {shard} does not answer ({error})")
            return
        if not isinstance(view, PositionsView):
            self.verdict.note(f"memory: {shard} cannot tell its positions")
            return
        for provider in providers:
            read = self._versions[provider]
            has = view.versions.get(provider, -1)
            self.verdict.positions_compared += 1
            if read > 0 and has < read:
                self.verdict.note(f"memory: {provider} is at {has}, journal at {read}")


def is_of_groups(problem: str) -> bool:
    """Whether a problem is that a visit and the rooms it takes do not agree."""
    return problem.startswith(_GROUPS)


def _digest(blob: bytes) -> bytes:
    return blake2b(blob, digest_size=16).digest()
