"""Asks the statements of a question, bounded in number and time, and adds them up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from sqlalchemy import Row, Select, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.messages.answers import BookingStatus
from actors.domain.zones import zone_or_utc
from actors.errors import Overloaded, Unavailable
from care.reports.answers import (
    ReportAnswer,
    ReportRow,
    VisitGroup,
    beside,
    in_leads,
)
from care.reports.comparing import Tally
from care.reports.keys import BY_LEAD, key_text, row_order
from care.reports.leads import BEFORE, FINE
from care.reports.ports import ReportTooLarge
from care.reports.questions import (
    OF_VISITS,
    ROWS_MAX,
    By,
    Measure,
    ReportQuestion,
)
from persistence.readmodel import tables as t
from persistence.records.reports.answered import answered_offers, answered_waits
from persistence.records.reports.compiling import GROUPS_MAX, Span, statements
from persistence.records.reports.days import DAY_MS
from persistence.sql.engine import REPORT_S, is_out_of_time, reading
from persistence.sql.records import Records
from persistence.sql.statements import portions

REPORTS_AT_ONCE: Final = 2
"""Reports that ask the database at one time, in this process."""
REPORTS_WAITING: Final = 16
"""Reports that wait for it; the next is told to come back."""
ZONES_MAX: Final = 64
"""Zones of one answer: each is asked by itself."""
_SEEN: Final = (BookingStatus.ARRIVED.value, BookingStatus.FULFILLED.value)
_INTERRUPT_AGAIN_S: Final = 0.05


class SqlReports:
    """Implements Reports. ``engine`` has the role "reports"."""

    def __init__(
        self, engine: AsyncEngine, records: Records, limit_s: float = REPORT_S
    ) -> None:
        self._engine = engine
        self._records = records
        self._limit_s = limit_s
        self._room = asyncio.Semaphore(REPORTS_AT_ONCE)
        self._waiting = 0

    async def answer(self, question: ReportQuestion) -> ReportAnswer:
        """See Reports.answer."""
        if self._waiting >= REPORTS_WAITING:
            raise Overloaded("many reports are being made; try again in a moment")
        self._waiting += 1
        try:
            async with self._room:
                return await self._answer(question)
        finally:
            self._waiting -= 1

    async def _answer(self, question: ReportQuestion) -> ReportAnswer:
        groups: dict[str, VisitGroup] = {}
        clock = asyncio.get_running_loop().time
        until = clock() + self._limit_s  # each statement has its own limit beside
        async with self._asking() as connection:
            for span in await _spans(connection, question):
                if clock() > until:
                    raise ReportTooLarge
                await self._add(connection, question, span, groups)
            keyed, cut = _largest(groups, question)
            labels = await _labels(connection, question.by, [key for key, _ in keyed])
        return _put_together(question, keyed, labels, (*_summed(groups), cut))

    async def _add(
        self,
        connection: AsyncConnection,
        question: ReportQuestion,
        span: Span,
        groups: dict[str, VisitGroup],
    ) -> None:
        """Add one zone's visits to the groups."""
        if question.measure in OF_VISITS or question.measure is Measure.UTILISATION:
            for statement in statements(question, span):
                rows = await _rows(connection, statement)
                # In a thread: of 150,000 rows it is most of a second.
                await asyncio.to_thread(_count_all, groups, question, rows)
            return
        providers = await _providers(connection, question, span)
        ask = answered_offers if question.measure is Measure.WAITING else answered_waits
        for key, group in await ask(self._records, question, span, providers):
            groups.setdefault(key_text(question.by, key), VisitGroup()).add(group)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements end when the time is over.

        Raises:
            ReportTooLarge: it was over.
            Unavailable: the read model does not answer.
        """
        try:
            async with reading(self._engine) as connection:
                is_sqlite = connection.dialect.name == "sqlite"
                stopping = self._stopped if is_sqlite else _unstopped
                async with stopping(connection):
                    yield connection
        except Unavailable as error:
            if isinstance(error.__cause__, DBAPIError) and is_out_of_time(
                error.__cause__
            ):
                raise ReportTooLarge from error
            raise

    @asynccontextmanager
    async def _stopped(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """SQLite has no clock: a task interrupts what takes too long."""
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None, "it is connected"

        async def stop() -> None:
            await asyncio.sleep(self._limit_s)
            while True:  # the next statement, too
                await raw.interrupt()
                await asyncio.sleep(_INTERRUPT_AGAIN_S)

        stopping = asyncio.ensure_future(stop())
        try:
            yield
        except asyncio.CancelledError:
            await raw.interrupt()  # its reader has left, and its thread goes on
            raise
        finally:
            stopping.cancel()
            with suppress(asyncio.CancelledError):
                await stopping


@asynccontextmanager
async def _unstopped(_connection: AsyncConnection) -> AsyncIterator[None]:
    """A server ends statements by itself (engine.py)."""
    yield


async def _rows(
    connection: AsyncConnection, statement: Select[Any]
) -> Sequence[Row[Any]]:
    """Raises ReportTooLarge: more groups than are added up."""
    rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    if len(rows) > GROUPS_MAX:
        raise ReportTooLarge
    return rows


async def _spans(connection: AsyncConnection, question: ReportQuestion) -> list[Span]:
    """The zones of the clinics that are asked about."""
    clinic = t.clinic.c
    query = select(clinic.time_zone).distinct().limit(ZONES_MAX + 1)
    if question.clinic is not None:
        query = query.where(clinic.clinic_id == question.clinic)
    elif question.filters.clinics:
        query = query.where(clinic.clinic_id.in_(question.filters.clinics))
    names = sorted((await connection.scalars(query)).all())
    if len(names) > ZONES_MAX:
        raise ReportTooLarge
    return [Span.of(question, name, zone_or_utc(name)) for name in names]


async def _providers(
    connection: AsyncConnection, question: ReportQuestion, span: Span
) -> Mapping[str, str]:
    """Provider -> clinic, of those whose visits are asked about."""
    provider, clinic = t.provider.c, t.clinic.c
    query = (
        select(provider.provider_id, provider.clinic_id)
        .join(t.clinic, clinic.clinic_id == provider.clinic_id)
        .where(clinic.time_zone == span.name, provider.resource_kind == "")
        .limit(GROUPS_MAX + 1)
    )
    if question.clinic is not None:
        query = query.where(provider.clinic_id == question.clinic)
    if question.filters.clinics:
        query = query.where(provider.clinic_id.in_(question.filters.clinics))
    if question.filters.providers:
        query = query.where(provider.provider_id.in_(question.filters.providers))
    return _pairs(await _rows(connection, query))


def _count_all(
    groups: dict[str, VisitGroup], question: ReportQuestion, rows: Sequence[Row[Any]]
) -> None:
    for row in rows:
        _count(groups, question, row)


def _count(
    groups: dict[str, VisitGroup], question: ReportQuestion, row: Row[Any]
) -> None:
    """Add a group of the database to the row that it belongs to."""
    is_measured = question.measure is Measure.LEAD_TIME
    days = int(row.lead) // DAY_MS if is_measured else None
    fine = _fine_of(days) if days is not None else _fine_named(int(row.lead))
    group = groups.setdefault(key_text(question.by, row.key, fine), VisitGroup())
    count = int(row.visits)
    if row.status == BookingStatus.CANCELLED.value:
        group.cancelled += count
        group.late += count if row.late else 0
        if row.by_patient is not None:
            group.by_patient += count if row.by_patient else 0
            group.by_clinic += 0 if row.by_patient else count
        return
    if fine == BEFORE:
        group.booked_after += count
        if is_measured:
            return  # of no lead time
    group.visits += count
    group.minutes += int(row.minutes or 0)
    if days is not None:
        group.leads[days] = group.leads.get(days, 0) + count
    is_missed = row.status == BookingStatus.NOSHOW.value
    if is_missed or row.status in _SEEN:
        group.missed += count if is_missed else 0
        group.seen += 0 if is_missed else count
        ended = Tally(count, count if is_missed else 0)
        group.mix.setdefault(fine, Tally()).add(ended)
    elif row.ahead:
        group.ahead += count
    else:
        group.open += count


def _fine_named(number: int) -> str:
    return BEFORE if number < 0 else FINE[number].name


def _fine_of(days: int) -> str:
    if days < 0:
        return BEFORE
    return next(one.name for one in reversed(FINE) if days >= one.first)


_Keyed = list[tuple[str, VisitGroup]]


def _largest(
    groups: Mapping[str, VisitGroup], question: ReportQuestion
) -> tuple[_Keyed, int]:
    """The rows that are shown, in order, and how many are not."""
    found = [(key, group) for key, group in groups.items() if key != BEFORE]
    found.sort(key=lambda one: row_order(question.by, one[0], one[1].size))
    return found[:ROWS_MAX], max(0, len(found) - ROWS_MAX)


async def _labels(
    connection: AsyncConnection, by: By, keys: Sequence[str]
) -> Mapping[str, str]:
    """Names of providers and clinics."""
    found: dict[str, str] = {}
    if by is By.PLACE:
        clinic = t.clinic.c
        for part in portions(keys):
            query = select(clinic.clinic_id, clinic.name)
            query = query.where(clinic.clinic_id.in_(part))
            found.update(_pairs(await connection.execute(query)))
    if by is By.PROVIDER:
        provider, visit, beside_it = t.provider.c, t.appointment.c, t.imported_visit.c
        for part in portions(keys):
            query = select(provider.provider_id, provider.name)
            query = query.where(provider.provider_id.in_(part))
            found.update(_pairs(await connection.execute(query)))
        for part in portions([key for key in keys if key not in found]):
            named = (
                select(visit.provider_id, func.max(beside_it.provider_name))
                .join(t.imported_visit, beside_it.booking_id == visit.booking_id)
                .where(visit.provider_id.in_(part))
                .group_by(visit.provider_id)
            )
            found.update(_pairs(await connection.execute(named)))
    return found


def _pairs(rows: Iterable[Any]) -> dict[str, str]:
    return {row[0]: row[1] for row in rows}


def _put_together(
    question: ReportQuestion,
    keyed: _Keyed,
    labels: Mapping[str, str],
    left: tuple[VisitGroup, VisitGroup, int],
) -> ReportAnswer:
    """``left``: all groups together, those booked after their day, rows not shown."""
    total, after, cut = left
    is_compared = (
        question.measure is Measure.NO_SHOWS
        and question.by not in BY_LEAD
        and len(keyed) > 1
    )
    everything = in_leads([total])
    return ReportAnswer(
        measure=question.measure,
        by=question.by,
        rows=tuple(
            ReportRow(
                key=key,
                label=labels.get(key, ""),
                group=group,
                comparison=beside(group, everything) if is_compared else None,
            )
            for key, group in keyed
        ),
        total=total,
        left_out=_left_out(question, total, after),
        cut=cut,
    )


def _left_out(question: ReportQuestion, total: VisitGroup, after: VisitGroup) -> int:
    """Visits of the period that are in no row, since no lead time is theirs."""
    match question.measure:
        case Measure.LEAD_TIME:
            return total.booked_after + after.booked_after
        case Measure.CANCELLATIONS:
            return after.visits + after.cancelled
        case _:
            return after.visits


def _summed(groups: Mapping[str, VisitGroup]) -> tuple[VisitGroup, VisitGroup]:
    """All that is in rows together, and what was booked after its day."""
    total = VisitGroup()
    for key, group in groups.items():
        if key != BEFORE:
            total.add(group)
    return total, groups.get(BEFORE, VisitGroup())
