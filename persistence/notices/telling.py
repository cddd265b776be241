"""Tells: notices, the messages that carry them and their jobs, in one transaction.

What was told last of a visit is read before and, with its row locked, once more in the
transaction that tells: if another worker told meanwhile, all begins again. So an event
is told once by however many workers, killed whenever. Ids are made from what is told,
so that nothing can lie there twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from msgspec.structs import asdict
from sqlalchemy import CursorResult, Table, bindparam, insert, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from actors.domain.ids import BookingId, LocationId, Millis, Minute, PatientId
from actors.domain.messages.answers import BookingStatus, BookingView, HoldView
from actors.errors import Unavailable
from care.notices.kinds import NoticeKind, due_at, notice_id
from care.notices.messages import Channel
from care.notices.people import Recipient
from care.notices.ports import OutboxEvent, Reminding, VisitHistory
from care.notices.visits import OUTBOX_KINDS, Telling, Told, VisitEvent, decide
from care.waiting.entries import OpenSlot
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.changes import note_inboxes
from persistence.notices.composing import Composer, Rows, SiteVoice
from persistence.notices.models import (
    NoticeRecord,
    OutgoingMessageRecord,
    ToldVisitRecord,
)
from persistence.notices.writing import NoticeWriter
from persistence.readmodel.queries.told import (
    confidential_among,
    places_of,
    visits_told_of,
)
from persistence.sql.records import Records
from persistence.sql.statements import portions

TRIES: Final = 5
"""Another worker may tell of one of many visits between our reading and our writing."""

RecipientsOf = Callable[
    [AsyncSession, TenantKeys, Iterable[str], Millis],
    Awaitable[Mapping[str, Sequence[Recipient]]],
]
"""Whom to tell of each patient's visits."""
ErasedOf = Callable[[AsyncSession, Iterable[str]], Awaitable[frozenset[str]]]
"""Which patients were erased; of the others none is until the transaction's end."""


class SqlTeller:
    """Implements Teller and OfferTeller of care.notices.ports."""

    def __init__(
        self,
        records: Records,
        read_model: AsyncEngine,
        ring: KeyRing,
        recipients_of: RecipientsOf,
        erased_of: ErasedOf,
        voice: SiteVoice,
    ) -> None:
        self._records = records
        self._read_model = read_model
        self._ring = ring
        self._recipients_of = recipients_of
        self._erased_of = erased_of
        self._voice = voice
        self._writer = NoticeWriter()

    async def tell(self, events: Sequence[OutboxEvent], *, now: Millis) -> None:
        """See Teller.tell."""
        heard = sorted(map(_event_of, events), key=lambda one: one.version)
        for _ in range(TRIES):
            if await self._told_of(heard, now):
                return
        raise Unavailable("other workers tell of the same visits; they are told again")

    async def veil(self, bookings: Sequence[BookingId]) -> None:
        """See Teller.veil."""
        ids = sorted(set(bookings))
        for _ in range(TRIES):
            try:
                await self._veil(ids)
            except IntegrityError:
                continue  # another worker has just told of one for the first time
            return
        raise Unavailable(
            "other workers tell of the same visits; they are veiled again"
        )

    async def _veil(self, ids: Sequence[str]) -> None:
        """Raises IntegrityError: another worker was at the same visits."""
        row = NoticeRecord
        known, _ = await visits_told_of(self._read_model, ids, ())
        patients = {one.view.patient_id for one in known.values()}
        async with self._records.writing() as session:
            erased = await self._erased_of(session, patients)
            # Locked first, so that the visits are no older than another worker's. A
            # row is made where there is none: a worker that tells now begins again.
            told = await _told(session, ids, locked=True)
            visits, _ = await visits_told_of(self._read_model, ids, ())
            views = [
                one.view
                for one in visits.values()
                if one.view.patient_id in patients - erased
            ]
            made = [
                Told(view.booking_id, view.patient_id, 0, 0, view.start, view.end)
                for view in views
                if view.booking_id not in told
            ]
            await _put_told(session, made, {})
            changed = set()
            for view in views:
                stale = (
                    row.booking_id == view.booking_id,
                    row.patient_id == view.patient_id,
                    row.confidential != view.confidential,
                )
                change = update(row).where(*stale)
                change = change.values(confidential=view.confidential)
                done = await session.execute(change)
                if cast("CursorResult[Any]", done).rowcount:
                    changed.add(view.patient_id)
            await note_inboxes(await session.connection(), changed)

    async def remind(self, due: Sequence[Reminding], *, now: Millis) -> None:
        """See Teller.remind."""
        providers = [one.view.provider_id for one in due]
        places = await places_of(self._read_model, providers)
        composer, people = await self._begin({one.view.patient_id for one in due}, now)
        for one in due:
            view = one.view
            if view.provider_id not in places:
                continue
            composer.add(
                Telling(one.kind, view, view.version, 0),
                places[view.provider_id],
                people.get(view.patient_id, ()),
                notice_id(one.kind.value, view.booking_id, view.start, one.step),
            )
        ids = [one.view.booking_id for one in due]
        asked = {one.view.booking_id for one in due if one.view.confidential}
        patients = {one.view.patient_id for one in due}
        async with self._records.writing() as session:
            erased = await self._erased_of(session, patients)
            await _told(session, ids, locked=True)  # as veiling does
            if await confidential_among(self._read_model, ids) - asked:
                raise Unavailable("a visit became confidential; it is asked again")
            await _insert(session, composer.rows.without(erased))

    async def reached_at(
        self, patient_id: PatientId, time_zone: str, *, now: Millis, start: Millis
    ) -> Millis:
        """See OfferTeller.reached_at."""
        _, people = await self._begin([patient_id], now)
        told = people.get(patient_id, ())
        times = [
            due_at(
                *(one.preferences, Channel.PUSH, time_zone),
                now=now,
                start=start,
                kind=NoticeKind.OFFER,
            )
            for one in told
        ]
        return min(times, default=now)

    async def offer(self, hold: HoldView, turn: int, *, now: Millis) -> None:
        """See OfferTeller.offer."""
        view = _as_visit(
            hold, BookingId(hold.hold_id), hold.patient_id, epoch=hold.epoch
        )
        named = notice_id("offer", hold.hold_id, turn)
        await self._tell_of_slot(NoticeKind.OFFER, view, named, now)

    async def first_come(
        self, slot: OpenSlot, patient_id: PatientId, *, now: Millis
    ) -> None:
        """See OfferTeller.first_come."""
        named = notice_id(
            *("first_come", slot.provider_id, slot.version, slot.start, patient_id)
        )
        # Of no visit and no hold: the notice has a name of its own in their place.
        view = _as_visit(slot, BookingId(named.replace("ntc", "slt", 1)), patient_id)
        await self._tell_of_slot(NoticeKind.FIRST_COME, view, named, now)

    async def _tell_of_slot(
        self, kind: NoticeKind, view: BookingView, named: str, now: Millis
    ) -> None:
        patient_id = view.patient_id
        places = await places_of(self._read_model, [view.provider_id])
        composer, people = await self._begin([patient_id], now)
        if view.provider_id not in places:
            return
        composer.add(
            Telling(kind, view, view.version, 0),
            places[view.provider_id],
            people.get(patient_id, ()),
            named,
        )
        async with self._records.writing() as session:
            erased = await self._erased_of(session, [patient_id])
            await _insert(session, composer.rows.without(erased))

    async def _told_of(self, heard: Sequence[VisitEvent], now: Millis) -> bool:
        """Tell; False if another worker was at the same visits."""
        ids = sorted({one.booking_id for one in heard})
        moved = sorted(
            {one.booking_id for one in heard if one.kind is NoticeKind.RESCHEDULED}
        )
        visits, places = await visits_told_of(self._read_model, ids, moved)
        heard = [one for one in heard if one.booking_id in visits]
        patients = {one.view.patient_id for one in visits.values()}
        composer, people = await self._begin(patients, now)
        async with self._records.reading() as session:
            before = await _told(session, ids)
        told = dict(before)
        for one in _decide_all(heard, visits, told, now):
            view = one.view
            if view.provider_id in places:
                place = places[view.provider_id]
                composer.add(one, place, people.get(view.patient_id, ()))
        changed = [one for key, one in told.items() if before.get(key) != one]
        try:
            async with self._records.writing() as session:
                # Patients first, as erasing locks them.
                erased = await self._erased_of(session, patients)
                if await _told(session, ids, locked=True) != before:
                    return False
                hidden = {key for key, one in visits.items() if one.view.confidential}
                if await confidential_among(self._read_model, ids) != hidden:
                    return False
                kept = [one for one in changed if one.patient_id not in erased]
                await _put_told(session, kept, before)
                await _insert(session, composer.rows.without(erased))
        except IntegrityError:
            return False
        return True

    async def _begin(
        self, patients: Iterable[str], now: Millis
    ) -> tuple[Composer, Mapping[str, Sequence[Recipient]]]:
        keys = await self._ring.of()
        async with self._records.reading() as session:
            people = await self._recipients_of(session, keys, patients, now)
        return Composer(self._voice, self._writer, keys, now), people


def _as_visit(
    slot: HoldView | OpenSlot,
    named: BookingId,
    patient_id: PatientId,
    *,
    epoch: int = 0,
) -> BookingView:
    """A slot that a patient is told of, as notices know visits."""
    return BookingView(
        slot.provider_id,
        epoch,
        slot.version,
        named,
        BookingStatus.BOOKED,
        patient_id,
        slot.visit_type,
        slot.start,
        slot.end,
        slot.location_id,
        Millis(0),
    )


def _decide_all(
    heard: Sequence[VisitEvent],
    visits: Mapping[str, VisitHistory],
    told: dict[str, Told],
    now: Millis,
) -> list[Telling]:
    """What is to be told; ``told`` becomes what will have been told then."""
    found = []
    for event in heard:
        visit = visits[event.booking_id]
        told[event.booking_id], telling = decide(
            event,
            visit.view,
            told.get(event.booking_id),
            visit.start_before(event.version),
            now,
        )
        if telling is not None:
            found.append(telling)
    return found


def _event_of(event: OutboxEvent) -> VisitEvent:
    payload = event.payload
    return VisitEvent(
        OUTBOX_KINDS[event.kind],
        BookingId(payload["booking_id"]),
        int(payload["version"]),
        event.at,
    )


async def _told(
    session: AsyncSession, ids: Sequence[str], *, locked: bool = False
) -> dict[str, Told]:
    """What was told of these visits; ``locked``: until the transaction's end."""
    row, found = ToldVisitRecord, {}
    for part in portions(ids):
        query = select(row).where(row.booking_id.in_(part)).order_by(row.booking_id)
        if locked:
            query = query.with_for_update()
        for one in await session.scalars(query):
            found[one.booking_id] = Told(
                BookingId(one.booking_id),
                PatientId(one.patient_id),
                one.version,
                one.sequence,
                Minute(one.start_minute),
                Minute(one.end_minute),
                LocationId(one.location_id),
                one.is_told,
                one.is_over,
                one.is_stranded,
            )
    return found


async def _put_told(
    session: AsyncSession, told: Sequence[Told], before: Mapping[str, Told]
) -> None:
    """Write what was told; the rows of ``before`` are locked.

    Raises:
        IntegrityError: another worker has just told of a visit for the first time.
    """
    table = cast(Table, ToldVisitRecord.__table__)
    added, changed = [], []
    for one in sorted(told, key=lambda one: one.booking_id):
        fields = asdict(one)
        fields["start_minute"] = fields.pop("start")
        fields["end_minute"] = fields.pop("end")
        if one.booking_id in before:
            changed.append({**fields, "of_booking": fields.pop("booking_id")})
        else:
            added.append(fields)
    connection = await session.connection()
    if added:
        await connection.execute(insert(table), added)
    if changed:
        row = update(table).where(table.c.booking_id == bindparam("of_booking"))
        names = changed[0].keys() - {"of_booking", "booking_id"}
        values: dict[str, Any] = {name: bindparam(name) for name in sorted(names)}
        await connection.execute(row.values(values), changed)


async def _insert(session: AsyncSession, made: Rows) -> None:
    connection = await session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    for model, rows in (
        (NoticeRecord, made.notices),
        (OutgoingMessageRecord, made.messages),
        (JobRecord, made.jobs),
    ):
        if not rows:
            continue
        table = cast(Table, model.__table__)
        statement: Any = (
            sqlite_insert(table).on_conflict_do_nothing()
            if is_sqlite
            else mysql_insert(table).prefix_with("IGNORE")
        )
        await connection.execute(statement, rows)
    await note_inboxes(connection, [one["patient_id"] for one in made.notices])
