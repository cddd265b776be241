"""A question as statements: one for projected visits and one for imported ones.

Each zone is asked by itself, since the dates of a zone are written into its statement.
Whatever is asked by becomes a key that the database groups by; weeks, months and
weekdays are made of days afterwards.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    func,
    literal,
    null,
    select,
    true,
)

from actors.domain.messages.answers import BookingStatus
from actors.domain.zones import Zone
from care.reports.leads import FINE
from care.reports.questions import AGE_FIRST, AgeGroup, By, Measure, ReportQuestion
from persistence.readmodel import tables as t
from persistence.records.reports.days import (
    BOOKED_BEFORE_DAYS,
    DAY_MINUTES,
    DAY_MS,
    WEEK_MINUTES,
    local_millis,
    local_minutes,
)

GROUPS_MAX: Final = 150_000
"""Groups that a statement may answer."""
LATE_MINUTES: Final = 1_440
"""A visit that is cancelled less than so long before is cancelled late."""
_BEFORE_LEAD: Final = -1
"""The number of the interval of what was booked after its day."""
_THURSDAY: Final = 4
"""The ISO weekday of 1970-01-01."""


class Span(Struct, frozen=True):
    """The instants (minutes, half-open) of a period in a zone."""

    name: str
    """As clinics have it; ``zone`` is UTC if tzdata has lost it."""
    zone: Zone
    first: int
    last: int

    @classmethod
    def of(cls, question: ReportQuestion, name: str, zone: Zone) -> Span:
        """Of a question's period."""
        first, last = question.period.first, question.period.last
        return cls(name, zone, zone.midnight(first), zone.midnight(last + 1))


def statements(question: ReportQuestion, span: Span) -> list[Select[Any]]:
    """The statements whose groups, together, are the visits of one zone.

    Rows: ``key``, ``lead``, ``status``, ``ahead``, ``by_patient``, ``late``, ``visits``
    and ``minutes``.
    """
    asked = question.filters
    found: list[Select[Any]] = []
    if not asked.ages and asked.reminded is None:  # known of imported visits alone
        found.append(_projected(question, span))
    if question.measure is not Measure.UTILISATION:  # they were in no calendar
        found.append(_imported(question, span))
    return [_grouped(one) for one in found]


def _grouped(inner: Select[Any]) -> Select[Any]:
    # The keys are columns of a subquery, so that each expression is written once.
    row = inner.subquery("visit").c
    keys = (row.key, row.lead, row.status, row.ahead, row.by_patient, row.late)
    counted = (func.count().label("visits"), func.sum(row.minutes).label("minutes"))
    return select(*keys, *counted).group_by(*keys).limit(GROUPS_MAX + 1)


def _projected(question: ReportQuestion, span: Span) -> Select[Any]:
    visit, provider, clinic = t.appointment.c, t.provider.c, t.clinic.c
    source = t.appointment.join(
        t.provider, provider.provider_id == visit.provider_id
    ).join(t.clinic, clinic.clinic_id == provider.clinic_id)
    cancelled_at: Any = null()
    by_patient: Any = null()
    if question.measure is Measure.CANCELLATIONS:
        history = t.appointment_history.c
        source = source.outerjoin(
            t.appointment_history,
            and_(
                history.booking_id == visit.booking_id,
                history.kind == BookingStatus.CANCELLED.value,
            ),
        )
        cancelled_at, by_patient = history.at, history.by_patient
    where = [
        visit.shard != t.IMPORTED_SHARD,
        provider.resource_kind == "",
        visit.start_minute >= span.first,
        visit.start_minute < span.last,
        *_scope(question, span, provider.clinic_id),
    ]
    facts = _Facts(
        provider.clinic_id, null(), null(), literal(0), cancelled_at, by_patient
    )
    return _visits(question, span, facts).select_from(source).where(*where)


def _imported(question: ReportQuestion, span: Span) -> Select[Any]:
    visit, beside, clinic = t.appointment.c, t.imported_visit.c, t.clinic.c
    source = t.imported_visit.join(
        t.appointment, visit.booking_id == beside.booking_id
    ).join(t.clinic, clinic.clinic_id == beside.clinic_id)
    where = [
        visit.shard == t.IMPORTED_SHARD,
        beside.start_minute >= span.first,
        beside.start_minute < span.last,
        *_scope(question, span, beside.clinic_id),
    ]
    asked = question.filters
    if asked.reminded is not None:
        where.append(beside.reminded.is_(asked.reminded))
    if asked.ages:
        where.append(
            _age(beside.age).in_([list(AgeGroup).index(a) for a in asked.ages])
        )
    if question.by is By.HOUR:
        where.append(beside.day_only.is_(False))
    facts = _Facts(
        beside.clinic_id,
        beside.age,
        beside.reminded,
        beside.day_only,
        beside.cancelled_at,
        beside.by_patient,
    )
    return _visits(question, span, facts).select_from(source).where(*where)


class _Facts(Struct):
    """What the two kinds of visits have in different columns."""

    clinic_id: Any
    age: Any
    reminded: Any
    day_only: Any
    cancelled_at: Any
    by_patient: Any


def _scope(
    question: ReportQuestion, span: Span, clinic_id: Any
) -> list[ColumnElement[bool]]:
    """Whose visits: of a clinic, or of all clinics in this zone."""
    if question.clinic is not None:
        return [clinic_id == question.clinic]
    found: list[ColumnElement[bool]] = [t.clinic.c.time_zone == span.name]
    if question.filters.clinics:
        found.append(clinic_id.in_(question.filters.clinics))
    return found


def _visits(question: ReportQuestion, span: Span, facts: _Facts) -> Select[Any]:
    """A row for each visit, filtered by what both kinds have."""
    visit, asked = t.appointment.c, question.filters
    wall = local_minutes(visit.start_minute, span.zone, span.first, span.last)
    day = wall - wall % DAY_MINUTES
    lead_ms = _lead_ms(span, day)
    is_cancelled = question.measure is Measure.CANCELLATIONS
    late = case(
        (
            facts.cancelled_at > (visit.start_minute - LATE_MINUTES) * 60_000,
            literal(1),
        ),
        else_=literal(0),
    )
    lead = lead_ms if question.measure is Measure.LEAD_TIME else _interval(lead_ms)
    found = select(
        _key(question.by, day, wall, facts).label("key"),
        lead.label("lead"),
        visit.status.label("status"),
        case((visit.start_minute > question.now, literal(1)), else_=literal(0)).label(
            "ahead"
        ),
        (facts.by_patient if is_cancelled else null()).label("by_patient"),
        (late if is_cancelled else literal(0)).label("late"),
        _minutes(question).label("minutes"),
    )
    where: list[ColumnElement[bool]] = [true()]
    if asked.providers:
        where.append(visit.provider_id.in_(asked.providers))
    if asked.visit_types:
        where.append(visit.visit_type.in_(asked.visit_types))
    if asked.weekdays:
        days = [(one - _THURSDAY) % 7 * DAY_MINUTES for one in asked.weekdays]
        where.append((day % WEEK_MINUTES).in_(days))
    if asked.lead_from is not None:
        where.append(lead_ms >= asked.lead_from * DAY_MS)
    if asked.lead_to is not None:
        where.append(and_(lead_ms >= 0, lead_ms <= asked.lead_to * DAY_MS))
    return found.where(*where)


def _minutes(question: ReportQuestion) -> ColumnElement[int]:
    """A visit's minutes; of use, those of a session with several patients count once.

    They are those of the seat with the greatest lane that is not cancelled.
    """
    visit, other = t.appointment.c, t.appointment.alias("other")
    minutes = visit.end_minute - visit.start_minute
    if question.measure is not Measure.UTILISATION:
        return minutes
    another = select(other.c.booking_id).where(
        other.c.provider_id == visit.provider_id,
        other.c.start_minute == visit.start_minute,
        other.c.visit_type == visit.visit_type,
        other.c.lane < 0,
        other.c.lane > visit.lane,
        other.c.status != BookingStatus.CANCELLED.value,
    )
    is_another_seat = and_(visit.lane < 0, another.correlate(t.appointment).exists())
    return case((is_another_seat, literal(0)), else_=minutes)


def _lead_ms(span: Span, day: ColumnElement[int]) -> ColumnElement[int]:
    """From midnight of the date of booking to midnight of the visit's."""
    first = span.first - BOOKED_BEFORE_DAYS * DAY_MINUTES
    booked = local_millis(t.appointment.c.booked_at, span.zone, first, span.last)
    return day * 60_000 - (booked - booked % DAY_MS)


def _interval(lead_ms: ColumnElement[int]) -> ColumnElement[int]:
    """The number of a lead's fine interval."""
    steps: list[Any] = [(lead_ms < 0, literal(_BEFORE_LEAD))]
    for number, lead in enumerate(FINE):
        if lead.last is not None:
            steps.append((lead_ms <= lead.last * DAY_MS, literal(number)))
    return case(*steps, else_=literal(len(FINE) - 1))


def _age(age: Any) -> ColumnElement[int]:
    """The number of an age's group; NULL of an unknown age."""
    falling = sorted(AGE_FIRST.items(), key=lambda one: -one[1])
    groups = list(AgeGroup)
    return case(*((age >= least, groups.index(group)) for group, least in falling))


def _key(
    by: By, day: ColumnElement[int], wall: ColumnElement[int], facts: _Facts
) -> ColumnElement[Any]:
    keys: dict[By, Any] = {
        **dict.fromkeys((By.DAY, By.WEEK, By.MONTH, By.WEEKDAY), day),
        By.HOUR: wall % DAY_MINUTES - wall % 60,
        By.PROVIDER: t.appointment.c.provider_id,
        By.PLACE: facts.clinic_id,
        By.VISIT_TYPE: t.appointment.c.visit_type,
        By.AGE: facts.age if _is_null(facts.age) else _age(facts.age),
        By.REMINDED: facts.reminded,
    }
    found: ColumnElement[Any] = keys.get(by, literal(0))
    return found


def _is_null(value: Any) -> bool:
    return isinstance(value, type(null()))
