"""Series of visits over the records.

Every change locks the series' row first, so that a request that cancels and a worker
that books see one another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import json
from sqlalchemy import delete as delete_of
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis, Minute, PatientId, ProviderId, VisitTypeId
from care.jobs.jobs import NewJob
from care.series.ids import SeriesId
from care.series.ports import (
    OF_ONE_MAX,
    PLACE,
    PLACED_MAX,
    PLACED_MS,
    TELL,
    TRYING_MS,
    Series,
    SeriesLimit,
    SeriesMove,
    SeriesState,
    SeriesVisit,
    SeriesVisitState,
    Settled,
)
from care.series.rules import SeriesRule
from persistence.accounts.models import PatientRecord
from persistence.jobs.models import JobRecord
from persistence.patients.series.models import SeriesRecord, SeriesVisitRecord
from persistence.sql.records import Records

_WAITING: Final = SeriesVisitState.WAITING.value
_OPEN: Final = (_WAITING, SeriesVisitState.FAILED.value)
_PERIOD_MS: Final = 60_000
"""A job that failed is made again after so long."""
_RULE: Final = json.Decoder(SeriesRule)
_MOVE: Final = json.Decoder(SeriesMove)


class SqlSeries:
    """Implements SeriesStore."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def begin(self, series: Series, *, now: Millis) -> Series:
        """See SeriesStore.begin."""
        try:
            return await self._begin(series, now)
        except IntegrityError:  # another request made the rows: they are continued
            return await self._begin(series, now)

    async def _begin(self, series: Series, now: Millis) -> Series:
        async with self._records.writing() as session:
            known = await _locked(session, series.series_id)
            if known is None:
                if not series.by_staff:
                    await _check_limit(session, series, now)
                session.add(_record(series))
                session.add_all(_visit_record(series, one) for one in series.visits)
                return series
            rows = await _visits(session, series.series_id)
            for row in rows:
                if row.state == _WAITING and row.tried_at is not None:
                    row.tried_at = now
            return _series(known, rows)

    async def find(self, series_id: SeriesId) -> Series | None:
        """See SeriesStore.find."""
        async with self._records.reading() as session:
            row = await session.get(SeriesRecord, series_id)
            if row is None:
                return None
            return _series(row, await _visits(session, series_id))

    async def of_patient(self, patient_id: PatientId) -> Sequence[Series]:
        """See SeriesStore.of_patient."""
        row = SeriesRecord
        query = select(row).where(row.patient_id == patient_id)
        async with self._records.reading() as session:
            return await _listed(session, query)

    async def unplaced(self, provider_id: ProviderId) -> Sequence[Series]:
        """See SeriesStore.unplaced."""
        row, visit = SeriesRecord, SeriesVisitRecord
        failed = select(visit.series_id).where(
            visit.state == SeriesVisitState.FAILED.value
        )
        query = select(row).where(
            row.provider_id == provider_id, row.series_id.in_(failed)
        )
        async with self._records.reading() as session:
            return await _listed(session, query)

    async def claim(
        self, series_id: SeriesId, numbers: Sequence[int], *, now: Millis
    ) -> Sequence[int]:
        """See SeriesStore.claim."""
        async with self._records.writing() as session:
            rows = await _open_rows(session, series_id, numbers, now)
            mine = [row for row in rows if row.state == _WAITING]
            for row in mine:
                row.tried_at = now
            return [row.number for row in mine]

    async def settle(
        self,
        series_id: SeriesId,
        outcomes: Mapping[int, Settled],
        *,
        now: Millis,
        tells: bool = False,
    ) -> Sequence[int]:
        """See SeriesStore.settle."""
        settled: list[int] = []
        async with self._records.writing() as session:
            series = await _locked(session, series_id)
            if series is None:
                return []
            series.state = SeriesState.ACTIVE.value
            for row in await _visits(session, series_id):
                found = outcomes.get(row.number)
                if found is not None and row.state == _WAITING:
                    row.state, row.code, row.tried_at = found.state, found.code, None
                    if found.state is SeriesVisitState.PLACED:
                        row.reason = ""  # its calendar has it
                    settled.append(row.number)
                    if tells and found.state is SeriesVisitState.FAILED:
                        session.add(_telling(row, now))
        return settled

    async def drop(
        self, series_id: SeriesId, numbers: Sequence[int], *, now: Millis
    ) -> Sequence[int]:
        """See SeriesStore.drop."""
        async with self._records.writing() as session:
            rows = await _open_rows(session, series_id, numbers, now)
            for row in rows:
                row.state, row.reason = SeriesVisitState.DROPPED.value, ""
            return [row.number for row in rows]

    async def replan(
        self, series_id: SeriesId, visits: Sequence[SeriesVisit], *, now: Millis
    ) -> Sequence[int]:
        """See SeriesStore.replan."""
        wanted = {one.number: one for one in visits}
        async with self._records.writing() as session:
            rows = await _open_rows(session, series_id, wanted, now)
            for row in rows:
                one = wanted[row.number]
                row.start_minute, row.due_at = one.start, one.due_at
                row.state, row.code, row.tried_at = _WAITING, "", None
            return [row.number for row in rows]

    async def begin_move(self, series_id: SeriesId, move: SeriesMove) -> SeriesMove:
        """See SeriesStore.begin_move."""
        async with self._records.writing() as session:
            row = await _locked(session, series_id)
            if row is None:
                return move
            if row.moving is not None:
                known = _MOVE.decode(row.moving)
                if known.key == move.key:
                    return known
            row.moving = json.encode(move).decode()
            return move

    async def discard(self, series: Series) -> bool:
        """See SeriesStore.discard."""
        seen = {one.number: one.tried_at for one in series.visits}
        async with self._records.writing() as session:
            row = await _locked(session, series.series_id)
            if row is None:
                return True
            rows = await _visits(session, series.series_id)
            if row.state != SeriesState.PLACING.value or any(
                one.tried_at != seen.get(one.number) for one in rows
            ):
                return False
            visit = SeriesVisitRecord
            mine = visit.series_id == series.series_id
            await session.execute(delete_of(visit).where(mine))
            await session.delete(row)
        return True

    async def due(self, *, now: Millis, limit: int) -> Sequence[NewJob]:
        """See SeriesStore.due."""
        row, series, person = SeriesVisitRecord, SeriesRecord, PatientRecord
        is_free = or_(row.tried_at.is_(None), row.tried_at <= now - TRYING_MS)
        # Staff book for none who restricted the use of their data since.
        is_allowed = or_(series.by_staff.is_(False), person.restricted_at.is_(None))
        query = (
            select(row.series_id)
            .join(series, series.series_id == row.series_id)
            .outerjoin(person, person.patient_id == row.patient_id)
            .where(row.state == _WAITING, row.due_at <= now, is_free, is_allowed)
            .distinct()
            .order_by(row.series_id)
            .limit(limit)
        )
        async with self._records.reading() as session:
            found = (await session.scalars(query)).all()
        period = now // _PERIOD_MS
        return [
            NewJob(PLACE, f"{one}@{period}", now, {"series_id": one}) for one in found
        ]


async def _check_limit(session: AsyncSession, series: Series, now: Millis) -> None:
    """Raises SeriesLimit."""
    row = SeriesRecord
    mine = row.patient_id == series.patient_id, row.by_staff.is_(False)
    lately = select(func.count()).where(*mine, row.created_at > now - PLACED_MS)
    if int(await session.scalar(lately) or 0) >= PLACED_MAX:
        raise SeriesLimit


def _telling(row: SeriesVisitRecord, now: Millis) -> JobRecord:
    start = row.start_minute
    return JobRecord(
        kind=TELL,
        key=f"{row.series_id}@{row.number}.{now}",
        payload={"series_id": row.series_id, "number": row.number, "start": start},
        created_at=now,
        due_at=now,
    )


async def _locked(session: AsyncSession, series_id: SeriesId) -> SeriesRecord | None:
    return await session.get(SeriesRecord, series_id, with_for_update=True)


async def _visits(
    session: AsyncSession, series_id: SeriesId
) -> Sequence[SeriesVisitRecord]:
    row = SeriesVisitRecord
    query = select(row).where(row.series_id == series_id).order_by(row.number)
    return (await session.scalars(query)).all()


async def _open_rows(
    session: AsyncSession, series_id: SeriesId, numbers: Collection[int], now: Millis
) -> list[SeriesVisitRecord]:
    """Of these the visits that wait or failed, and that are not just being booked."""
    if await _locked(session, series_id) is None:
        return []
    return [
        row
        for row in await _visits(session, series_id)
        if row.number in numbers
        and row.state in _OPEN
        and (row.tried_at is None or row.tried_at <= now - TRYING_MS)
    ]


async def _listed(session: AsyncSession, query: object) -> list[Series]:
    row, visit = SeriesRecord, SeriesVisitRecord
    newest = query.order_by(row.created_at.desc(), row.series_id)  # type: ignore[attr-defined]
    found = (await session.scalars(newest.limit(OF_ONE_MAX))).all()
    names = [one.series_id for one in found]
    theirs: dict[str, list[SeriesVisitRecord]] = {name: [] for name in names}
    dates = select(visit).where(visit.series_id.in_(names))
    for one in await session.scalars(dates.order_by(visit.series_id, visit.number)):
        theirs[one.series_id].append(one)
    return [_series(one, theirs[one.series_id]) for one in found]


def _record(series: Series) -> SeriesRecord:
    rule = "" if series.rule is None else json.encode(series.rule).decode()
    return SeriesRecord(
        series_id=series.series_id,
        provider_id=series.provider_id,
        patient_id=series.patient_id,
        visit_type=series.visit_type,
        rule=rule,
        state=series.state.value,
        created_at=series.created_at,
        command_key=series.key,
        fingerprint=series.fingerprint,
        placed_by=series.by,
        by_staff=series.by_staff,
        proxy=series.proxy,
        confidential=series.confidential,
    )


def _visit_record(series: Series, visit: SeriesVisit) -> SeriesVisitRecord:
    return SeriesVisitRecord(
        series_id=series.series_id,
        number=visit.number,
        patient_id=series.patient_id,
        start_minute=visit.start,
        state=visit.state.value,
        due_at=visit.due_at,
        tried_at=visit.tried_at,
        code=visit.code,
        reason=visit.reason,
    )


def _series(row: SeriesRecord, visits: Sequence[SeriesVisitRecord]) -> Series:
    return Series(
        series_id=SeriesId(row.series_id),
        provider_id=ProviderId(row.provider_id),
        patient_id=PatientId(row.patient_id),
        visit_type=VisitTypeId(row.visit_type),
        visits=tuple(map(_visit, visits)),
        created_at=Millis(row.created_at),
        key=row.command_key,
        fingerprint=row.fingerprint,
        rule=_RULE.decode(row.rule) if row.rule else None,
        by=row.placed_by,
        by_staff=row.by_staff,
        proxy=row.proxy,
        confidential=row.confidential,
        state=SeriesState(row.state),
    )


def _visit(row: SeriesVisitRecord) -> SeriesVisit:
    return SeriesVisit(
        number=row.number,
        start=Minute(row.start_minute),
        state=SeriesVisitState(row.state),
        due_at=Millis(row.due_at),
        tried_at=None if row.tried_at is None else Millis(row.tried_at),
        code=row.code,
        reason=row.reason,
    )
