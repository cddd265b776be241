"""The queue of visits that leaves affect, over the records.

A choice is claimed with the rows of the visit locked: of two at one time the second
finds what the first chose. Everything that follows names the choice's token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from sqlalchemy import Table, case, func, or_, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from actors.domain.ids import BookingId, Millis, ProviderId, TimeOffId
from care.jobs.jobs import NewJob
from care.leave.ports import REMIND_TO_CHOOSE, ToldOf
from care.leave.visits import (
    Choice,
    Chooser,
    Equivalent,
    LeaveProgress,
    LeaveVisit,
    Resolution,
    RowState,
    TakenLeave,
    VisitOutcome,
    remind_at,
)
from care.notices.kinds import NoticeKind
from care.notices.messages import DeliveryStatus
from persistence.directory.leave.models import LeaveRecord, LeaveVisitRecord
from persistence.jobs.models import JobRecord
from persistence.notices.models import OutgoingMessageRecord, ToldVisitRecord
from persistence.sql.base import RecordBase
from persistence.sql.records import Records
from persistence.sql.statements import portions

OPEN, CHOSEN = RowState.OPEN.value, RowState.CHOSEN.value
RESOLVED = RowState.RESOLVED.value
_TELLING: Final = (NoticeKind.STRANDED.value, NoticeKind.UNRESOLVED.value)
"""Kinds of messages that tell of the loss of a visit."""
ErasedOf = Callable[[AsyncSession, Iterable[str]], Awaitable[frozenset[str]]]
"""Which patients were erased; of the others none is until the transaction's end."""


class SqlLeaveQueue:
    """Implements LeaveQueue."""

    def __init__(self, records: Records, erased_of: ErasedOf) -> None:
        self._records = records
        self._erased_of = erased_of

    # --- rows come -----------------------------------------------------------------

    async def open(
        self, leave: TakenLeave, visits: Sequence[LeaveVisit], *, now: Millis
    ) -> None:
        """See LeaveQueue.open."""
        async with self._records.writing() as session:
            patients = sorted({one.patient_id for one in visits})
            erased = await self._erased_of(session, patients)
            kept = [one for one in visits if one.patient_id not in erased]
            jobs = [job for one in kept if (job := _reminder(one, now)) is not None]
            connection = await session.connection()
            await _insert(connection, LeaveRecord, [_leave_row(leave)])
            await _insert(connection, LeaveVisitRecord, [_row(one) for one in kept])
            await _insert(connection, JobRecord, jobs)

    # --- reading -------------------------------------------------------------------

    async def leave(self, time_off_id: TimeOffId) -> TakenLeave | None:
        """See LeaveQueue.leave."""
        async with self._records.reading() as session:
            found = await session.get(LeaveRecord, time_off_id)
        return None if found is None else _leave(found)

    async def leaves(
        self, provider_id: ProviderId, *, now: Millis, limit: int
    ) -> Sequence[LeaveProgress]:
        """See LeaveQueue.leaves."""
        one, row = LeaveRecord, LeaveVisitRecord
        newest = (
            select(one)
            .where(one.provider_id == provider_id)
            .order_by(one.added_at.desc(), one.time_off_id)
            .limit(limit)
        )
        late = (row.state == OPEN) & (row.answer_by <= now)
        async with self._records.reading() as session:
            found = (await session.scalars(newest)).all()
            counted = await session.execute(
                select(
                    row.time_off_id,
                    func.count(),
                    func.count(case((row.state == RESOLVED, 1))),
                    func.count(case((late, 1))),
                )
                .where(row.time_off_id.in_([each.time_off_id for each in found]))
                .group_by(row.time_off_id)
            )
            numbers = {name: tuple(rest) for name, *rest in counted}
        return [
            LeaveProgress(_leave(each), *numbers.get(each.time_off_id, (0, 0, 0)))
            for each in found
        ]

    async def visits(self, time_off_id: TimeOffId) -> Sequence[LeaveVisit]:
        """See LeaveQueue.visits."""
        row = LeaveVisitRecord
        query = select(row).where(row.time_off_id == time_off_id)
        query = query.order_by(row.start_minute, row.booking_id)
        async with self._records.reading() as session:
            return [_visit(one) for one in await session.scalars(query)]

    async def of_booking(self, booking_id: BookingId) -> LeaveVisit | None:
        """See LeaveQueue.of_booking."""
        async with self._records.reading() as session:
            return await _newest(session, booking_id)

    async def unresolved(self, bookings: Collection[str]) -> Sequence[LeaveVisit]:
        """See LeaveQueue.unresolved."""
        row, found = LeaveVisitRecord, []
        async with self._records.reading() as session:
            for part in portions(sorted(bookings)):
                query = select(row).where(
                    row.booking_id.in_(part), row.state != RESOLVED
                )
                found += [_visit(one) for one in await session.scalars(query)]
        return found

    async def told(self, bookings: Collection[str]) -> Mapping[str, ToldOf]:
        """See LeaveQueue.told."""
        row, visit = OutgoingMessageRecord, ToldVisitRecord
        found = dict[str, ToldOf]()
        async with self._records.reading() as session:
            for part in portions(sorted(bookings)):
                tried = select(visit.booking_id).where(
                    visit.booking_id.in_(part), visit.is_stranded.is_(True)
                )
                for who in await session.scalars(tried):
                    found[str(who)] = ToldOf(None, Millis(0))
                query = select(
                    *(row.booking_id, row.status, row.sent_at, row.created_at)
                ).where(row.booking_id.in_(part), row.kind.in_(_TELLING))
                for name, status, sent, made in await session.execute(query):
                    booking = str(name)
                    one = ToldOf(DeliveryStatus(status), Millis(sent or made))
                    best = found.get(booking)
                    if best is None or _reach(one) > _reach(best):
                        found[booking] = one
        return found

    # --- choosing ------------------------------------------------------------------

    async def propose(self, proposed: Mapping[BookingId, Sequence[Equivalent]]) -> None:
        """See LeaveQueue.propose."""
        row = LeaveVisitRecord
        async with self._records.writing() as session:
            for booking_id, times in sorted(proposed.items()):
                change = update(row).where(
                    row.booking_id == booking_id, row.state == OPEN
                )
                await session.execute(
                    change.values(proposed=msgspec.to_builtins(tuple(times)))
                )

    async def choose(
        self, booking_id: BookingId, choice: Choice, *, now: Millis
    ) -> LeaveVisit | None:
        """See LeaveQueue.choose."""
        async with self._records.writing() as session:
            rows = await _locked(session, booking_id)
            if rows and all(one.state == OPEN for one in rows):
                for one in rows:
                    one.state = CHOSEN
                    one.choice = msgspec.to_builtins(choice)
                    one.changed_at = now
                await session.flush()
            return await _newest(session, booking_id)

    async def put_choice(
        self, booking_id: BookingId, choice: Choice, *, now: Millis
    ) -> None:
        """See LeaveQueue.put_choice."""
        async with self._records.writing() as session:
            for one in await _locked(session, booking_id, choice.token):
                one.choice = msgspec.to_builtins(choice)
                one.changed_at = now

    async def reopen(self, booking_id: BookingId, token: str, *, now: Millis) -> None:
        """See LeaveQueue.reopen."""
        async with self._records.writing() as session:
            for one in await _locked(session, booking_id, token):
                chosen = (one.choice or {}).get("to")
                one.proposed = [each for each in one.proposed if each != chosen]
                one.state, one.choice, one.changed_at = OPEN, None, now

    async def resolve(
        self,
        booking_id: BookingId,
        how: Resolution,
        *,
        now: Millis,
        token: str | None = None,
    ) -> bool:
        """See LeaveQueue.resolve."""
        async with self._records.writing() as session:
            rows = [
                one
                for one in await _locked(session, booking_id, token or "")
                if token or one.state == OPEN
            ]
            for one in rows:
                _resolve(one, how, now)
            return bool(rows)

    async def withdraw(self, time_off_id: TimeOffId, *, now: Millis) -> None:
        """See LeaveQueue.withdraw."""
        row, one = LeaveVisitRecord, LeaveRecord
        mine = select(row).where(row.time_off_id == time_off_id, row.state == OPEN)
        how = Resolution(VisitOutcome.WITHDRAWN, Chooser.ELSEWHERE)
        async with self._records.writing() as session:
            query = mine.order_by(row.booking_id).with_for_update()
            for each in (await session.scalars(query)).all():
                _resolve(each, how, now)
            left = (one.time_off_id == time_off_id, one.withdrawn_at.is_(None))
            await session.execute(update(one).where(*left).values(withdrawn_at=now))

    # --- what is to be gone on with --------------------------------------------------

    async def due(
        self, *, chosen_before: Millis, seen_before: Millis, limit: int
    ) -> Sequence[LeaveVisit]:
        """See LeaveQueue.due."""
        row = LeaveVisitRecord
        waits = or_(
            (row.state == CHOSEN) & (row.changed_at < chosen_before),
            (row.state == OPEN) & (row.changed_at < seen_before),
        )
        # By state first: what was chosen is gone on with before what is looked at.
        query = select(row).where(waits).order_by(row.state, row.changed_at)
        async with self._records.reading() as session:
            return [_visit(one) for one in await session.scalars(query.limit(limit))]

    async def seen(self, rows: Sequence[LeaveVisit], *, now: Millis) -> None:
        """See LeaveQueue.seen."""
        row = LeaveVisitRecord
        async with self._records.writing() as session:
            for part in portions(sorted({one.booking_id for one in rows})):
                change = update(row).where(row.booking_id.in_(part), row.state == OPEN)
                await session.execute(change.values(changed_at=now))


def _resolve(row: LeaveVisitRecord, how: Resolution, now: Millis) -> None:
    row.state = RESOLVED
    row.outcome, row.chooser = how.outcome.value, how.chooser.value
    row.moved_to = msgspec.to_builtins(how.moved_to)
    row.resolved_at = row.changed_at = now
    row.choice, row.proposed = None, []  # nothing of who asked stays


async def _locked(
    session: AsyncSession, booking_id: BookingId, token: str = ""
) -> Sequence[LeaveVisitRecord]:
    """The unresolved rows of a visit, until the transaction's end.

    ``token``: those only of which the choice with this token is being carried out.
    """
    row = LeaveVisitRecord
    query = (
        select(row)
        .where(row.booking_id == booking_id, row.state != RESOLVED)
        .order_by(row.time_off_id)
        .with_for_update()
    )
    found = (await session.scalars(query)).all()
    if not token:
        return found
    return [one for one in found if (one.choice or {}).get("token") == token]


async def _newest(session: AsyncSession, booking_id: BookingId) -> LeaveVisit | None:
    row = LeaveVisitRecord
    is_over = case((row.state == RESOLVED, 1), else_=0)
    query = (
        select(row)
        .where(row.booking_id == booking_id)
        .order_by(is_over, row.opened_at.desc(), row.time_off_id)
        .limit(1)
    )
    found = (await session.scalars(query)).one_or_none()
    return None if found is None else _visit(found)


async def _insert(
    connection: AsyncConnection, model: type[RecordBase], rows: list[dict[str, Any]]
) -> None:
    """Add rows; those whose key exists are left as they are."""
    if not rows:
        return
    table = cast(Table, model.__table__)
    statement: Any = (
        sqlite_insert(table).on_conflict_do_nothing()
        if connection.dialect.name == "sqlite"
        else mysql_insert(table).prefix_with("IGNORE")
    )
    await connection.execute(statement, rows)


def _reach(told: ToldOf) -> tuple[bool, int]:
    """Orders messages: one that left comes before one that failed, or waits."""
    if told.status is None:
        return False, -1
    is_there = told.status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)
    return is_there, told.status.rank


def _reminder(row: LeaveVisit, now: Millis) -> dict[str, Any] | None:
    due = remind_at(row)
    if due is None:
        return None
    job = NewJob(
        REMIND_TO_CHOOSE,
        f"{row.booking_id}.{row.opened_at}",
        due,
        {
            "provider_id": row.provider_id,
            "booking_id": row.booking_id,
            "start": row.start,
        },
    )
    fields = msgspec.structs.asdict(job)
    return {**fields, "created_at": now, "attempts": 0}


def _leave_row(one: TakenLeave) -> dict[str, Any]:
    return {
        "time_off_id": one.time_off_id,
        "provider_id": one.provider_id,
        "start_minute": one.start,
        "end_minute": one.end,
        "added_at": one.added_at,
        "withdrawn_at": one.withdrawn_at,
    }


def _leave(row: LeaveRecord) -> TakenLeave:
    return msgspec.convert(
        {
            "time_off_id": row.time_off_id,
            "provider_id": row.provider_id,
            "start": row.start_minute,
            "end": row.end_minute,
            "added_at": row.added_at,
            "withdrawn_at": row.withdrawn_at,
        },
        TakenLeave,
    )


def _row(one: LeaveVisit) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(one)
    fields["start_minute"] = fields.pop("start")
    fields["end_minute"] = fields.pop("end")
    return fields


def _visit(row: LeaveVisitRecord) -> LeaveVisit:
    names = LeaveVisit.__struct_fields__
    fields = {name: getattr(row, name) for name in names if hasattr(row, name)}
    fields |= {"start": row.start_minute, "end": row.end_minute}
    return msgspec.convert(fields, LeaveVisit)
