"""What was answered, and how soon: offers of the waiting list, visits hit by leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, Select, func, select

from care.reports.answers import VisitGroup
from care.reports.ports import ReportTooLarge
from care.reports.questions import By, ReportQuestion
from persistence.directory.leave.models import LeaveVisitRecord
from persistence.patients.waiting_models import SlotOfferRecord
from persistence.records.reports.compiling import Span
from persistence.records.reports.days import (
    DAY_MINUTES,
    DAY_MS,
    WEEK_MINUTES,
    local_millis,
)
from persistence.sql.records import Records

ROWS_READ_MAX: Final = 100_000
"""Offers, or affected visits, that one answer reads."""
PROVIDERS_NAMED_MAX: Final = 500
"""Providers that a statement names; of more, the answer is searched for them."""
_WEEKDAY_OF_FIRST: Final = 4
Groups = Iterable[tuple[Any, VisitGroup]]
"""Keys as those of statements on visits, and what they count."""
Answered = Callable[
    [Records, ReportQuestion, Span, Mapping[str, str]], Awaitable[Groups]
]


async def answered_offers(
    records: Records, question: ReportQuestion, span: Span, providers: Mapping[str, str]
) -> Groups:
    """Offers that were made in the period, by what became of them."""
    offer = SlotOfferRecord
    day = _day(offer.made_at, span)
    inner = select(
        offer.provider_id.label("provider_id"),
        offer.status.label("status"),
        day.label("day"),
    ).where(
        *_within(offer.made_at, span),
        *_weekdays(question, day),
        *_of_few(offer.provider_id, providers),
    )
    if question.filters.visit_types:
        inner = inner.where(offer.visit_type.in_(question.filters.visit_types))
    row = inner.subquery("offer").c
    keys = (row.provider_id, row.status, row.day)
    statement = select(*keys, func.count().label("offers")).group_by(*keys)
    found = []
    for one in await _read(records, statement):
        if one.provider_id in providers:
            group = VisitGroup(offers={str(one.status): int(one.offers)})
            found.append((_key(question.by, one, providers), group))
    return found


async def answered_waits(
    records: Records, question: ReportQuestion, span: Span, providers: Mapping[str, str]
) -> Groups:
    """Visits that a leave hit in the period: minutes until each was resolved."""
    visit = LeaveVisitRecord
    day = _day(visit.opened_at, span)
    statement = select(
        visit.provider_id, visit.opened_at, visit.resolved_at, day.label("day")
    ).where(
        *_within(visit.opened_at, span),
        *_weekdays(question, day),
        *_of_few(visit.provider_id, providers),
    )
    if question.filters.visit_types:
        statement = statement.where(visit.visit_type.in_(question.filters.visit_types))
    found = []
    for one in await _read(records, statement):
        if one.provider_id not in providers:
            continue
        group = VisitGroup(unanswered=1)
        if one.resolved_at is not None:
            waited = max(0, one.resolved_at - one.opened_at) // 60_000
            group = VisitGroup(waits=[waited])
        found.append((_key(question.by, one, providers), group))
    return found


async def _read(records: Records, statement: Select[Any]) -> Iterable[Any]:
    async with records.reading() as session:
        asked = statement.limit(ROWS_READ_MAX + 1)
        rows: Sequence[Row[Any]] = (await session.execute(asked)).all()
    if len(rows) > ROWS_READ_MAX:
        raise ReportTooLarge
    return rows


def _of_few(provider: Any, providers: Mapping[str, str]) -> list[Any]:
    """So that the bound on rows counts a clinic's own, and not all of the platform."""
    is_few = len(providers) <= PROVIDERS_NAMED_MAX
    return [provider.in_(sorted(providers))] if is_few else []


def _within(instant: Any, span: Span) -> list[Any]:
    return [instant >= span.first * 60_000, instant < span.last * 60_000]


def _day(instant: Any, span: Span) -> Any:
    """Local midnight in minutes, as the key of visits."""
    wall = local_millis(instant, span.zone, span.first, span.last)
    return wall - wall % DAY_MS


def _weekdays(question: ReportQuestion, day: Any) -> list[Any]:
    asked = question.filters.weekdays
    wanted = [(one - _WEEKDAY_OF_FIRST) % 7 * DAY_MINUTES * 60_000 for one in asked]
    return [(day % (WEEK_MINUTES * 60_000)).in_(wanted)] if wanted else []


def _key(by: By, row: Any, providers: Mapping[str, str]) -> Any:
    match by:
        case By.PROVIDER:
            return row.provider_id
        case By.PLACE:
            return providers[row.provider_id]
        case By.ALL:
            return 0
        case _:
            return int(row.day) // 60_000
