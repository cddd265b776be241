"""What clients send and receive about series of visits."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from actors.domain.ids import PROVIDER_PATTERN, Minute
from actors.domain.messages.answers import BookingStatus
from actors.domain.zones import date_text, day_named
from care.series.ports import SeriesVisitState
from care.series.preview import AssessedDate, DateState
from care.series.rules import DATES_MAX, SeriesRule, SeriesUnit, rule_problem
from gateway.http.features import Answer, Body
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.fields import REASON_CHARACTERS_MAX
from gateway.wire.formats import minute_text

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_RULE_EXAMPLE: Final[dict[str, Any]] = {
    "unit": "week",
    "first": "2026-12-01",
    "time": "09:00",
    "count": 6,
}
Provider = Annotated[str, StringConstraints(pattern=PROVIDER_PATTERN)]
Patient = Annotated[str, StringConstraints(pattern=r"^pat_[A-Za-z0-9_.\-]{1,96}$")]
VisitTypeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
InstantText = Annotated[
    str,
    Field(
        max_length=64,
        description="An RFC 3339 instant; any offset is accepted, UTC is answered.",
        json_schema_extra={"format": "date-time"},
    ),
]


class SeriesScope(StrEnum):
    """Which visits of a series are meant."""

    THIS = "this"
    FOLLOWING = "following"
    """The named one and all after it."""


class SeriesRuleBody(Body):
    """Every few days or weeks, at a time of day on the clinic's clock."""

    unit: SeriesUnit
    first: str = Field(max_length=10, description="The first date that may be one.")
    time: str = Field(max_length=5, description="Local time of day, as 09:00.")
    every: int = Field(1, description="Days or weeks from one date to the next.")
    weekdays: list[int] = Field(
        default=[],
        max_length=7,
        description="For weeks: 0 (Monday) to 6; without any that of the first date.",
    )
    count: int | None = Field(None, description=f"How many dates, {DATES_MAX} at most.")
    until: str | None = Field(None, max_length=10, description="The last date it may.")

    def rule(self) -> SeriesRule:
        """The rule. Raises InvalidRequest."""
        clock = _CLOCK.fullmatch(self.time)
        if clock is None:
            raise InvalidRequest("", FieldError("time", "must be a time, as 09:00"))
        rule = SeriesRule(
            unit=self.unit,
            first=_day("first", self.first),
            at=int(clock[1]) * 60 + int(clock[2]),
            every=self.every,
            weekdays=tuple(self.weekdays),
            count=self.count,
            until=None if self.until is None else _day("until", self.until),
        )
        if problem := rule_problem(rule):
            raise InvalidRequest("", FieldError(*problem))
        return rule

    @classmethod
    def of(cls, rule: SeriesRule) -> SeriesRuleBody:
        """A stored rule, as it was sent."""
        return cls(
            unit=rule.unit,
            first=date_text(rule.first),
            time=f"{rule.at // 60:02}:{rule.at % 60:02}",
            every=rule.every,
            weekdays=list(rule.weekdays),
            count=rule.count,
            until=None if rule.until is None else date_text(rule.until),
        )


class SeriesPreviewBody(Body):
    """A rule whose dates are to be looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "provider_id": "prv_1",
                "visit_type": "consult",
                "rule": _RULE_EXAMPLE,
            }
        }
    )

    provider_id: Provider
    visit_type: VisitTypeName
    rule: SeriesRuleBody


class SeriesDateAnswer(Answer):
    """A date of a rule."""

    number: int
    start: str
    state: DateState
    alternatives: list[str] = Field(
        description="Free starts near it, if it is taken or closed."
    )


class SeriesPreviewAnswer(Answer):
    """The dates of a rule, in order; nothing is kept or held."""

    time_zone: str
    dates: list[SeriesDateAnswer]


class SeriesBody(Body):
    """A series to be placed: the dates of ``rule``, or exactly ``starts``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "provider_id": "prv_1",
                "visit_type": "consult",
                "rule": _RULE_EXAMPLE,
            }
        }
    )

    provider_id: Provider
    visit_type: VisitTypeName
    rule: SeriesRuleBody | None = None
    starts: list[InstantText] | None = Field(
        None,
        min_length=1,
        max_length=DATES_MAX,
        description="The chosen starts, ascending; the rule is then only remembered.",
    )
    all_or_nothing: bool = Field(
        default=True,
        description="Book all that the horizon reaches, or none. Else each by itself.",
    )
    patient_id: Patient | None = Field(None, description="For staff.")
    reason: str = Field("", max_length=REASON_CHARACTERS_MAX)
    confidential: bool = False
    allow_overlap: bool = False


class SeriesVisitAnswer(Answer):
    """A visit of a series."""

    number: int
    start: str
    state: SeriesVisitState
    booking_id: str | None = Field(description="Once it is booked.")
    status: BookingStatus | None = Field(description="Of its booking.")
    code: str = Field(description="Why it could not be booked.")
    alternatives: list[str] = Field(description="Free starts, if it failed.")


class SeriesAnswer(Answer):
    """A series, and what became of each of its visits."""

    series_id: str
    provider_id: str
    patient_id: str
    visit_type: str
    time_zone: str
    created_at: str
    rule: SeriesRuleBody | None
    visits: list[SeriesVisitAnswer]


class SeriesListAnswer(Answer):
    """Series, the newest first."""

    items: list[SeriesAnswer]


class SeriesCancelBody(Body):
    """Cancel one visit of a series, or it and all after it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"number": 3, "scope": "following"}}
    )

    number: int = Field(ge=1, le=DATES_MAX)
    scope: SeriesScope
    reason: str = Field("", max_length=REASON_CHARACTERS_MAX)


class SeriesMoveBody(Body):
    """Move one visit of a series to ``start``, or all after it along with it.

    These move by as many days, and to the same time of day.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "number": 3,
                "scope": "following",
                "start": "2026-12-16T10:00:00Z",
            }
        }
    )

    number: int = Field(ge=1, le=DATES_MAX)
    scope: SeriesScope
    start: InstantText
    allow_overlap: bool = False


class SeriesResultAnswer(Answer):
    """What became of one visit; ``code`` and ``detail`` say why it is not done."""

    number: int
    done: bool
    code: str
    detail: str


class SeriesChangeAnswer(Answer):
    """What became of each visit that was meant, and the series as it is now."""

    results: list[SeriesResultAnswer]
    series: SeriesAnswer


def preview_answer(zone: str, dates: list[AssessedDate]) -> SeriesPreviewAnswer:
    """The answer of a preview."""
    return SeriesPreviewAnswer(
        time_zone=zone,
        dates=[
            SeriesDateAnswer(
                number=number,
                start=minute_text(one.planned.start),
                state=one.state,
                alternatives=starts_text(one.alternatives),
            )
            for number, one in enumerate(dates, 1)
        ],
    )


def starts_text(starts: Any) -> list[str]:
    """Starts as they are answered."""
    return [minute_text(Minute(one)) for one in starts]


def _day(field: str, text: str) -> int:
    day = day_named(text)
    if day is None:
        raise InvalidRequest("", FieldError(field, "must be a date, as 2026-12-01"))
    return day
