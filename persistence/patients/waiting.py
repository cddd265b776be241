"""The waiting list in SQL: entries, changes of their order, and offers.

One file because each step of an offer changes its entry in the same transaction.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

from msgspec import json
from sqlalchemy import CursorResult, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from care.accounts.accounts import AccountStatus
from care.keys.sealing import Place
from care.waiting.entries import (
    DECLINES_MAX,
    ENTRIES_MAX,
    OUTSTANDING,
    REMOVED,
    OfferStatus,
    SlotOffer,
    WaitingEntry,
    WaitingMove,
    WaitingScope,
)
from care.waiting.ports import REFRESH, SETTLE, VACATE, WaitingLimit
from persistence.accounts.models import AccountRecord, PatientRecord
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing
from persistence.patients.recipients import erased_of
from persistence.patients.waiting_models import (
    SlotOfferRecord,
    WaitingEntryRecord,
    WaitingMoveRecord,
)
from persistence.sql.records import Records
from persistence.sql.statements import portions

COVERING_MAX: Final = 2_000
"""Entries that are looked at for one slot: those that wait longest."""
VACATE_AFTER_MS: Final = 2_000
"""When it is first looked whether an offer that is being accepted was booked."""


class SqlWaitingList:
    """Implements WaitingList."""

    def __init__(self, records: Records, ring: KeyRing | None = None) -> None:
        """``ring`` seals the reasons of staff."""
        self._records = records
        self._ring = ring

    async def join(self, entry: WaitingEntry) -> None:
        """See WaitingList.join."""
        row = WaitingEntryRecord
        async with self._records.writing() as session:
            patient = PatientRecord
            # Locked, so that two requests cannot both be the last that fits.
            mine = select(patient.erased_at).where(
                patient.patient_id == entry.patient_id
            )
            if await session.scalar(mine.with_for_update()) is not None:
                return  # erased a moment ago: nothing is kept of them
            count = select(func.count()).where(row.patient_id == entry.patient_id)
            if int(await session.scalar(count) or 0) >= ENTRIES_MAX:
                raise WaitingLimit
            session.add(
                row(
                    entry_id=entry.entry_id,
                    patient_id=entry.patient_id,
                    scope=entry.scope.value,
                    subject=entry.subject,
                    since=entry.since,
                    visit_type=entry.visit_type,
                    days="".join(map(str, entry.days)),
                    opens=entry.opens,
                    closes=entry.closes,
                    last_day=entry.last_day,
                    notice=entry.notice,
                    booking_id=entry.booking_id,
                    priority=entry.priority,
                    paused=entry.paused,
                    declines=entry.declines,
                )
            )
            _add_refresh(session, entry.scope.value, entry.subject, entry.since)

    async def entry(self, entry_id: str) -> WaitingEntry | None:
        """See WaitingList.entry."""
        async with self._records.reading() as session:
            found = await session.get(WaitingEntryRecord, entry_id)
            return None if found is None else _entry_of(found)

    async def of_patient(self, patient_id: PatientId) -> Sequence[WaitingEntry]:
        """See WaitingList.of_patient."""
        row = WaitingEntryRecord
        query = select(row).where(row.patient_id == patient_id)
        return await self._entries(query.order_by(row.since, row.entry_id))

    async def covering(
        self, provider_id: ProviderId, clinic_id: ClinicId, specialty: str
    ) -> Sequence[WaitingEntry]:
        """See WaitingList.covering."""
        row = WaitingEntryRecord
        scopes = (
            (WaitingScope.PROVIDER, provider_id),
            (WaitingScope.CLINIC, clinic_id),
            (WaitingScope.SPECIALTY, specialty),
        )
        which = or_(
            *(
                and_(row.scope == scope.value, row.subject == subject)
                for scope, subject in scopes
                if subject
            )
        )
        order = row.priority.desc(), row.since, row.entry_id
        return await self._entries(
            select(row).where(which).order_by(*order).limit(COVERING_MAX)
        )

    async def _entries(self, query: Any) -> list[WaitingEntry]:
        async with self._records.reading() as session:
            return [_entry_of(one) for one in await session.scalars(query)]

    async def pause(self, entry_id: str, *, paused: bool, now: Millis) -> bool:
        """See WaitingList.pause."""
        async with self._records.writing() as session:
            found = await session.get(
                WaitingEntryRecord, entry_id, with_for_update=True
            )
            if found is None:
                return False
            found.paused = paused
            if not paused:
                found.declines = 0
            _add_refresh(session, found.scope, found.subject, now)
            return True

    async def change(self, entry: WaitingEntry, *, now: Millis) -> bool:
        """See WaitingList.change."""
        async with self._records.writing() as session:
            found = await session.get(
                WaitingEntryRecord, entry.entry_id, with_for_update=True
            )
            if found is None:
                return False
            found.visit_type = entry.visit_type
            found.days = "".join(map(str, entry.days))
            found.opens, found.closes = entry.opens, entry.closes
            found.last_day, found.notice = entry.last_day, entry.notice
            _add_refresh(session, found.scope, found.subject, now)
            return True

    async def leave(self, entry_id: str, *, now: Millis) -> bool:
        """See WaitingList.leave."""
        async with self._records.writing() as session:
            return await _remove(session, entry_id, now)

    async def prioritise(self, move: WaitingMove) -> bool:
        """See WaitingList.prioritise."""
        assert self._ring is not None, "reasons are sealed"
        keys = await self._ring.of()
        move_id = f"wtm_{secrets.token_urlsafe(15)}"
        reason = keys.seal(Place("waiting_move", "reason", move_id), move.reason)
        async with self._records.writing() as session:
            found = await session.get(
                WaitingEntryRecord, move.entry_id, with_for_update=True
            )
            if found is None:
                return False
            session.add(
                WaitingMoveRecord(
                    move_id=move_id,
                    entry_id=move.entry_id,
                    patient_id=found.patient_id,
                    moved_by=move.by,
                    at=move.at,
                    prior=found.priority,
                    priority=move.after,
                    reason=reason,
                )
            )
            if move.after == REMOVED:
                return await _remove(session, move.entry_id, move.at)
            found.priority = move.after
            return True

    async def moves(self, entry_ids: Collection[str]) -> Sequence[WaitingMove]:
        """See WaitingList.moves."""
        assert self._ring is not None, "reasons are sealed"
        keys = await self._ring.of()
        row, found = WaitingMoveRecord, []
        async with self._records.reading() as session:
            for part in portions(sorted(entry_ids)):
                query = select(row).where(row.entry_id.in_(part))
                found += list(await session.scalars(query))
        return [
            WaitingMove(
                one.entry_id,
                one.moved_by,
                Millis(one.at),
                one.prior,
                one.priority,
                keys.open(Place("waiting_move", "reason", one.move_id), one.reason),
            )
            for one in sorted(found, key=lambda one: (one.at, one.move_id))
        ]

    async def begin_offers(self, offers: Sequence[SlotOffer]) -> Collection[str]:
        """See WaitingList.begin_offers."""
        if not offers:
            return set()
        written = await self._written(offers)
        if written is None and len(offers) > 1:
            alone = [await self._written([one]) for one in offers]
            return {name for names in alone for name in names or ()}
        return written or set()

    async def _written(self, offers: Sequence[SlotOffer]) -> Collection[str] | None:
        """Write all whose entries wait; None: another worker was at one of them."""
        row, waits = WaitingEntryRecord, set[str]()
        try:
            async with self._records.writing() as session:
                erased = await erased_of(session, {one.patient_id for one in offers})
                for part in portions(sorted({one.entry_id for one in offers})):
                    # Locked: since the list was read its patient may have accepted
                    # another offer, or left.
                    query = select(row.entry_id).where(
                        row.entry_id.in_(part), row.paused.is_(False)
                    )
                    waits |= set(await session.scalars(query.with_for_update()))
                made = [
                    one
                    for one in offers
                    if one.entry_id in waits and one.patient_id not in erased
                ]
                session.add_all(map(_row_of, made))
                await session.flush()
        except IntegrityError:
            return None
        return {one.offer_id for one in made}

    async def offers_of(self, hold_id: HoldId) -> Sequence[SlotOffer]:
        """See WaitingList.offers_of."""
        row = SlotOfferRecord
        query = select(row).where(row.hold_id == hold_id).order_by(row.turn)
        return await self._offers(query)

    async def outstanding(self, patient_id: PatientId) -> Sequence[SlotOffer]:
        """See WaitingList.outstanding."""
        row = SlotOfferRecord
        return await self._offers(select(row).where(row.outstanding == patient_id))

    async def overdue(self, *, before: Millis, limit: int) -> Sequence[SlotOffer]:
        """See WaitingList.overdue."""
        row = SlotOfferRecord
        late = row.outstanding.is_not(None), row.until < before
        return await self._offers(select(row).where(*late).limit(limit))

    async def _offers(self, query: Any) -> list[SlotOffer]:
        async with self._records.reading() as session:
            found = await session.scalars(query)
            return [_offer_of(one) for one in found]

    async def unavailable(
        self, patients: Collection[PatientId]
    ) -> Mapping[PatientId, str]:
        """See WaitingList.unavailable."""
        offer, person, account = SlotOfferRecord, PatientRecord, AccountRecord
        found: dict[PatientId, str] = {}
        async with self._records.reading() as session:
            for part in portions(sorted(patients)):
                busy = select(offer.outstanding).where(offer.outstanding.in_(part))
                for one in await session.scalars(busy):
                    found[PatientId(cast(str, one))] = "other_offer"
                unused = or_(
                    person.restricted_at.is_not(None),
                    person.erased_at.is_not(None),
                    # One who cannot sign in cannot answer.
                    account.status == AccountStatus.DISABLED.value,
                )
                query = select(person.patient_id).outerjoin(
                    account, account.account_id == person.account_id
                )
                query = query.where(person.patient_id.in_(part), unused)
                for one in await session.scalars(query):
                    found[PatientId(one)] = "restricted"
        return found

    async def settle(
        self, offer: SlotOffer, status: OfferStatus, *, now: Millis
    ) -> bool:
        """See WaitingList.settle."""
        row = SlotOfferRecord
        was = OfferStatus.ASKED if status is OfferStatus.OFFERED else None
        before = [was] if was else list(OUTSTANDING)
        is_over = status is not OfferStatus.OFFERED
        changed = {"status": status.value} | ({"outstanding": None} if is_over else {})
        async with self._records.writing() as session:
            done: Any = await session.execute(
                update(row)
                .where(
                    row.hold_id == offer.hold_id,
                    row.turn == offer.turn,
                    row.status.in_([one.value for one in before]),
                )
                .values(changed)
            )
            if not cast("CursorResult[Any]", done).rowcount:
                return False
            if not is_over:
                _add_job(session, SETTLE, offer.offer_id, _named(offer), offer.until)
            elif status is OfferStatus.ACCEPTED:
                await _remove(session, offer.entry_id, now)
            elif status is OfferStatus.DECLINED:
                await _count_decline(session, offer.entry_id, now)
            return True

    async def withdraw(self, offer: SlotOffer) -> None:
        """See WaitingList.withdraw."""
        row = SlotOfferRecord
        mine = (row.hold_id == offer.hold_id, row.turn == offer.turn)
        gone = delete(row).where(*mine, row.status == OfferStatus.ASKED.value)
        async with self._records.writing() as session:
            await session.execute(gone)

    async def offers_to(
        self, entry_ids: Collection[str]
    ) -> Mapping[str, Sequence[SlotOffer]]:
        """See WaitingList.offers_to."""
        row, found = SlotOfferRecord, defaultdict[str, list[SlotOffer]](list)
        for part in portions(sorted(entry_ids)):
            query = select(row).where(row.entry_id.in_(part))
            for one in await self._offers(query.order_by(row.made_at, row.hold_id)):
                found[one.entry_id].append(one)
        return found

    async def begin_accepting(self, offer: SlotOffer, *, now: Millis) -> None:
        """See WaitingList.begin_accepting."""
        row, key = JobRecord, offer.offer_id
        known = select(row.id).where(row.kind == VACATE, row.key == key)
        try:
            async with self._records.writing() as session:
                if await session.scalar(known) is None:
                    due = Millis(now + VACATE_AFTER_MS)
                    _add_job(session, VACATE, key, _named(offer), due)
                    await session.flush()
        except IntegrityError:
            return  # another request has just noted it

    async def with_visits(self, *, after: str, limit: int) -> Sequence[WaitingEntry]:
        """See WaitingList.with_visits."""
        row = WaitingEntryRecord
        query = select(row).where(row.booking_id.is_not(None), row.entry_id > after)
        return await self._entries(query.order_by(row.entry_id).limit(limit))

    async def expire(self, *, before: str, now: Millis, limit: int) -> int:
        """See WaitingList.expire."""
        row = WaitingEntryRecord
        over = select(row.entry_id).where(row.last_day != "", row.last_day < before)
        async with self._records.writing() as session:
            ids = (await session.scalars(over.limit(limit))).all()
            for entry_id in ids:
                await _remove(session, entry_id, now)
            return len(ids)

    async def forget(self, *, before: Millis, limit: int) -> int:
        """See WaitingList.forget."""
        offer, move, entry = SlotOfferRecord, WaitingMoveRecord, WaitingEntryRecord
        old = select(offer.hold_id, offer.turn).where(
            offer.made_at < before, offer.outstanding.is_(None)
        )
        left = select(move.move_id).where(
            move.at < before, move.entry_id.not_in(select(entry.entry_id))
        )
        async with self._records.writing() as session:
            offers = (await session.execute(old.limit(limit))).all()
            for hold_id, turn in offers:
                which = offer.hold_id == hold_id, offer.turn == turn
                await session.execute(delete(offer).where(*which))
            moves = (await session.scalars(left.limit(limit))).all()
            if moves:
                await session.execute(delete(move).where(move.move_id.in_(moves)))
            return len(offers) + len(moves)


async def _remove(session: AsyncSession, entry_id: str, now: Millis) -> bool:
    found = await session.get(WaitingEntryRecord, entry_id, with_for_update=True)
    if found is None:
        return False
    _add_refresh(session, found.scope, found.subject, now)
    await session.delete(found)
    return True


async def _count_decline(session: AsyncSession, entry_id: str, now: Millis) -> None:
    found = await session.get(WaitingEntryRecord, entry_id, with_for_update=True)
    if found is None:
        return
    found.declines += 1
    if found.declines >= DECLINES_MAX:
        found.paused = True
        _add_refresh(session, found.scope, found.subject, now)


def _add_refresh(session: AsyncSession, scope: str, subject: str, now: Millis) -> None:
    """Add the job that tells calendars; each change has one of its own."""
    named = {"scope": scope, "subject": subject}
    _add_job(session, REFRESH, secrets.token_urlsafe(18), named, now)


def _add_job(
    session: AsyncSession, kind: str, key: str, payload: dict[str, Any], due: Millis
) -> None:
    session.add(
        JobRecord(kind=kind, key=key, payload=payload, created_at=due, due_at=due)
    )


def _named(offer: SlotOffer) -> dict[str, Any]:
    return {"hold_id": offer.hold_id, "turn": offer.turn}


def _entry_of(row: WaitingEntryRecord) -> WaitingEntry:
    return WaitingEntry(
        entry_id=row.entry_id,
        patient_id=PatientId(row.patient_id),
        scope=WaitingScope(row.scope),
        subject=row.subject,
        since=Millis(row.since),
        visit_type=VisitTypeId(row.visit_type),
        days=tuple(map(int, row.days)),
        opens=row.opens,
        closes=row.closes,
        last_day=row.last_day,
        notice=row.notice,
        booking_id=BookingId(row.booking_id) if row.booking_id else None,
        priority=row.priority,
        paused=row.paused,
        declines=row.declines,
    )


def _row_of(offer: SlotOffer) -> SlotOfferRecord:
    return SlotOfferRecord(
        hold_id=offer.hold_id,
        turn=offer.turn,
        provider_id=offer.provider_id,
        patient_id=offer.patient_id,
        entry_id=offer.entry_id,
        place=offer.rank,
        ahead=json.encode(dict(offer.ahead)).decode(),
        visit_type=offer.visit_type,
        start_minute=offer.start,
        end_minute=offer.end,
        until=offer.until,
        made_at=offer.made_at,
        booking_id=offer.booking_id,
        status=OfferStatus.ASKED.value,
        outstanding=offer.patient_id,
    )


def _offer_of(row: SlotOfferRecord) -> SlotOffer:
    return SlotOffer(
        hold_id=HoldId(row.hold_id),
        turn=row.turn,
        provider_id=ProviderId(row.provider_id),
        patient_id=PatientId(row.patient_id),
        entry_id=row.entry_id,
        rank=row.place,
        ahead=json.decode(row.ahead, type=dict[str, int]),
        visit_type=VisitTypeId(row.visit_type),
        start=Minute(row.start_minute),
        end=Minute(row.end_minute),
        until=Millis(row.until),
        made_at=Millis(row.made_at),
        booking_id=BookingId(row.booking_id) if row.booking_id else None,
        status=OfferStatus(row.status),
    )
