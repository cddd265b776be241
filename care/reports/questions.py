"""What can be asked of reports: a bounded vocabulary, the same for every database."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import ClinicId, ProviderId, VisitTypeId

DAYS_MAX: Final = 3 * 366
"""Days of a period."""
VALUES_MAX: Final = 50
"""Values of one filter."""
ROWS_MAX: Final = 1_100
"""Rows of an answer: a day each for three years. Of more, those with most visits."""


class Measure(StrEnum):
    """What is measured."""

    VISITS = "visits"
    NO_SHOWS = "no_shows"
    LEAD_TIME = "lead_time"
    CANCELLATIONS = "cancellations"
    UTILISATION = "utilisation"
    WAITING = "waiting"
    RESPONSE_TIME = "response_time"


class By(StrEnum):
    """What rows are made of."""

    ALL = "all"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    WEEKDAY = "weekday"
    HOUR = "hour"
    LEAD = "lead"
    LEAD_FINE = "lead_fine"
    PROVIDER = "provider"
    PLACE = "place"
    VISIT_TYPE = "visit_type"
    AGE = "age"
    REMINDED = "reminded"


OF_VISITS: Final = frozenset(
    {Measure.VISITS, Measure.NO_SHOWS, Measure.LEAD_TIME, Measure.CANCELLATIONS}
)
"""Measures that are counted from visits alone, by anything."""

_OF_ANSWERS: Final = ("lead_from", "lead_to", "ages", "reminded")
NO_FILTERS: Final = {
    Measure.WAITING: _OF_ANSWERS,
    Measure.RESPONSE_TIME: _OF_ANSWERS,
    Measure.UTILISATION: ("ages", "reminded"),
}
"""Filters by what is not known of what is measured: imported visits alone have an age
and a reminder, and were in no calendar."""

BY_OF_OTHERS: Final = frozenset(
    {By.ALL, By.DAY, By.WEEK, By.MONTH, By.WEEKDAY, By.PROVIDER, By.PLACE}
)
"""What the other measures can be asked by."""


class AgeGroup(StrEnum):
    """Ages on the day of the visit, as far as they are known: of imported visits."""

    CHILDREN = "0-17"
    YOUNG = "18-39"
    MIDDLE = "40-64"
    OLD = "65+"


AGE_FIRST: Final = {
    AgeGroup.CHILDREN: 0,
    AgeGroup.YOUNG: 18,
    AgeGroup.MIDDLE: 40,
    AgeGroup.OLD: 65,
}
"""The least age of each group, rising."""


class Period(Struct, frozen=True):
    """Days since 1970-01-01, of the zone of each visit's clinic; both belong to it."""

    first: int
    last: int

    @property
    def days(self) -> int:
        """How many."""
        return self.last - self.first + 1

    @property
    def before(self) -> Period:
        """The period of equal length that ends where this one begins."""
        return Period(self.first - self.days, self.first - 1)


class Filters(Struct, frozen=True):
    """Which visits are counted; empty: all."""

    clinics: tuple[ClinicId, ...] = ()
    providers: tuple[ProviderId, ...] = ()
    visit_types: tuple[VisitTypeId, ...] = ()
    weekdays: tuple[int, ...] = ()
    """ISO weekdays: 1 is Monday."""
    lead_from: int | None = None
    lead_to: int | None = None
    ages: tuple[AgeGroup, ...] = ()
    reminded: bool | None = None


class ReportQuestion(Struct, frozen=True):
    """A question; ``clinic`` is the one it is asked of, None: all of the platform."""

    measure: Measure
    by: By
    period: Period
    filters: Filters = Filters()
    clinic: ClinicId | None = None
    now: int = 0
    """The present minute: visits ahead have no outcome."""


def fits(measure: Measure, by: By) -> bool:
    """Whether this measure can be asked by that."""
    return measure in OF_VISITS or by in BY_OF_OTHERS
