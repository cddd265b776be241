"""What is asked of reports, and what is answered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from actors.domain.ids import ClinicId, ProviderId, VisitTypeId
from actors.domain.zones import date_text, day_named
from care.reports.answers import (
    ReportAnswer,
    ReportRow,
    VisitGroup,
    in_leads,
    lead_figures,
    median_of,
)
from care.reports.comparing import Comparison, Tally
from care.reports.leads import COARSE, COARSE_OF
from care.reports.questions import (
    DAYS_MAX,
    NO_FILTERS,
    VALUES_MAX,
    AgeGroup,
    By,
    Filters,
    Measure,
    Period,
    ReportQuestion,
    fits,
)
from gateway.http.features import Answer
from gateway.wire.errors import FieldError, InvalidRequest

YEAR_DAYS = 364
"""A year before, on the same weekdays."""
_Date = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"),
    Field(examples=["2026-11-01"]),
]
_Named = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,100}$")]
_Values = Annotated[list[_Named], Field(max_length=VALUES_MAX)]


class ComparedWith(StrEnum):
    """Which period a report is compared with."""

    NOTHING = "nothing"
    PREVIOUS = "previous"
    """The same number of days before."""
    YEAR = "year"
    """The same days 52 weeks before."""


class FileFormat(StrEnum):
    """How a report is written as a file."""

    CSV = "csv"
    XLSX = "xlsx"


class ReportQuery(BaseModel):
    """A question. Dates are days of each visit's clinic; the last one is included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: Measure
    by: By = By.ALL
    first: _Date
    last: _Date
    compare: ComparedWith = ComparedWith.NOTHING
    clinics: _Values = Field(default_factory=list)
    providers: _Values = Field(default_factory=list)
    visit_types: _Values = Field(default_factory=list)
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default_factory=list, max_length=7, description="ISO weekdays: 1 is Monday."
    )
    lead_from: int | None = Field(None, ge=0, le=DAYS_MAX, description="Days.")
    lead_to: int | None = Field(None, ge=0, le=DAYS_MAX, description="Days.")
    ages: list[AgeGroup] = Field(default_factory=list, max_length=4)
    reminded: bool | None = None

    def question(self, clinic: ClinicId | None, now: int) -> ReportQuestion:
        """The question; ``now`` in minutes. Raises InvalidRequest."""
        first, last = day_named(self.first), day_named(self.last)
        errors = []
        if first is None or first < YEAR_DAYS + DAYS_MAX:
            errors.append(FieldError("first", "must be a date after 1973"))
        if last is None or (first is not None and last < first):
            errors.append(FieldError("last", "must be a date, and not before first"))
        elif first is not None and last - first >= DAYS_MAX:
            errors.append(FieldError("last", f"must be within {DAYS_MAX} days"))
        if not fits(self.measure, self.by):
            errors.append(FieldError("by", f"is not known of {self.measure}"))
        errors += [
            FieldError(name, f"is not known of {self.measure}")
            for name in NO_FILTERS.get(self.measure, ())
            if getattr(self, name) not in (None, [])
        ]
        if errors or first is None or last is None:
            raise InvalidRequest("", *errors)
        return ReportQuestion(
            measure=self.measure,
            by=self.by,
            period=Period(first, last),
            filters=Filters(
                clinics=tuple(ClinicId(one) for one in self.clinics),
                providers=tuple(ProviderId(one) for one in self.providers),
                visit_types=tuple(VisitTypeId(one) for one in self.visit_types),
                weekdays=tuple(self.weekdays),
                lead_from=self.lead_from,
                lead_to=self.lead_to,
                ages=tuple(self.ages),
                reminded=self.reminded,
            ),
            clinic=clinic,
            now=now,
        )

    def compared(self, period: Period) -> Period | None:
        """The period that this one is compared with."""
        if self.compare is ComparedWith.PREVIOUS:
            return period.before
        if self.compare is ComparedWith.YEAR:
            return Period(period.first - YEAR_DAYS, period.last - YEAR_DAYS)
        return None


class ReportFileQuery(ReportQuery):
    """The same, as a file."""

    format: FileFormat


def percent(tally: Tally) -> float | None:
    """A share in percent, with four digits."""
    return None if tally.share is None else round(tally.share * 100, 4)


class MixAnswer(Answer):
    """Visits with an outcome, of one interval of leads."""

    lead: str
    visits: int
    missed: int
    missed_percent: float | None


class DifferenceAnswer(Answer):
    """A row's share beside that of all others, in percentage points."""

    counted: float | None
    same_leads: float | None = Field(
        description="The difference that is left, lead by lead."
    )
    turns: bool = Field(
        description="Whether it is none, or the other way, lead by lead: "
        "the share says more about leads than about the row."
    )

    @classmethod
    def of(cls, found: Comparison) -> Self:
        """In points."""
        return cls(
            counted=_points(found.counted),
            same_leads=_points(found.alike),
            turns=found.turns,
        )


def _points(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 4)


class LeadAnswer(Answer):
    """Days between booking and visit; nine of ten were within ``p90``."""

    median: float
    mean: float
    p90: int
    longest: int


class OfferCounts(Answer):
    """Offers of the waiting list, by what became of them."""

    made: int
    accepted: int
    declined: int
    over: int = Field(description="Not answered in time.")
    outstanding: int


class GroupAnswer(Answer):
    """What a row counts. ``visits`` are all but cancelled ones."""

    visits: int
    seen: int
    missed: int
    missed_percent: float | None = Field(description="Of visits with an outcome.")
    without_outcome: int = Field(description="Over, and nothing was said of them.")
    ahead: int
    minutes: int
    cancelled: int
    cancelled_percent: float | None
    cancelled_by_patient: int
    cancelled_by_clinic: int
    cancelled_late: int = Field(description="Within the last 24 hours.")
    lead_mix: list[MixAnswer] = Field(
        description="Beside each share of missed visits; empty else."
    )
    difference: DifferenceAnswer | None
    leads: LeadAnswer | None
    open_minutes: int | None
    used_percent: float | None
    offers: OfferCounts | None
    answered: int
    unanswered: int
    median_answer_minutes: float | None

    @classmethod
    def fields_of(
        cls, measure: Measure, group: VisitGroup, comparison: Comparison | None
    ) -> dict[str, object]:
        """The fields of a group."""
        every = group.visits + group.cancelled
        leads = lead_figures(group.leads)
        used = Tally(group.capacity or 0, group.minutes)
        return {
            "visits": group.visits,
            "seen": group.seen,
            "missed": group.missed,
            "missed_percent": percent(group.ended),
            "without_outcome": group.open,
            "ahead": group.ahead,
            "minutes": group.minutes,
            "cancelled": group.cancelled,
            "cancelled_percent": percent(Tally(every, group.cancelled)),
            "cancelled_by_patient": group.by_patient,
            "cancelled_by_clinic": group.by_clinic,
            "cancelled_late": group.late,
            "lead_mix": mix_of(group) if measure is Measure.NO_SHOWS else [],
            "difference": comparison and DifferenceAnswer.of(comparison),
            "leads": leads
            and LeadAnswer(
                median=leads.median,
                mean=round(leads.mean, 4),
                p90=leads.p90,
                longest=leads.longest,
            ),
            "open_minutes": group.capacity,
            "used_percent": percent(used) if group.capacity is not None else None,
            "offers": _offers(group) if measure is Measure.WAITING else None,
            "answered": len(group.waits),
            "unanswered": group.unanswered,
            "median_answer_minutes": median_of(group.waits),
        }


def mix_of(group: VisitGroup) -> list[MixAnswer]:
    """The four intervals of leads that people read."""
    found = {one.name: Tally() for one in COARSE}
    for fine, tally in in_leads([group]).items():
        found[COARSE_OF[fine]].add(tally)
    return [
        MixAnswer(
            lead=name,
            visits=tally.visits,
            missed=tally.missed,
            missed_percent=percent(tally),
        )
        for name, tally in found.items()
    ]


def _offers(group: VisitGroup) -> OfferCounts:
    of = group.offers
    return OfferCounts(
        made=sum(of.values()),
        accepted=of.get("accepted", 0),
        declined=of.get("declined", 0),
        over=of.get("over", 0),
        outstanding=of.get("asked", 0) + of.get("offered", 0),
    )


class RowAnswer(GroupAnswer):
    """A row. ``label`` is a provider's or a clinic's name, where rows are such."""

    key: str
    label: str

    @classmethod
    def of(cls, measure: Measure, row: ReportRow) -> Self:
        """The answer's row."""
        fields = cls.fields_of(measure, row.group, row.comparison)
        return cls.model_validate({"key": row.key, "label": row.label, **fields})


class PeriodAnswer(Answer):
    """The rows of a period, and all of them together."""

    first: str
    last: str
    rows: list[RowAnswer]
    total: GroupAnswer
    left_out: int = Field(
        description="Booked after their day: of no lead time, in no row of leads."
    )
    cut: int = Field(description="Rows that are not shown.")

    @classmethod
    def fields(cls, period: Period, found: ReportAnswer) -> dict[str, object]:
        """The fields of a period."""
        total = GroupAnswer.fields_of(found.measure, found.total, None)
        return {
            "first": date_text(period.first),
            "last": date_text(period.last),
            "rows": [RowAnswer.of(found.measure, row) for row in found.rows],
            "total": GroupAnswer.model_validate(total),
            "left_out": found.left_out,
            "cut": found.cut,
        }


class ReportBody(PeriodAnswer):
    """A report. ``compared`` is the same question of the other period."""

    measure: Measure
    by: By
    as_of: str = Field(description="When it was counted.")
    compared: PeriodAnswer | None
