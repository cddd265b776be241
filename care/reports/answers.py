"""What is answered: groups of visits, added up over statements and zones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from care.reports.comparing import Comparison, Tally, compared, merged
from care.reports.leads import BEFORE
from care.reports.questions import By, Measure


class LeadFigures(Struct, frozen=True):
    """Lead times in days."""

    median: float
    mean: float
    p90: int
    """Nine of ten were booked this number of days before, or fewer."""
    longest: int


class VisitGroup(Struct):
    """The visits of a row, counted.

    ``visits`` are all but cancelled ones; ``seen`` and ``missed`` have an outcome,
    ``ahead`` are to come, ``open`` are over without an outcome.
    """

    visits: int = 0
    seen: int = 0
    missed: int = 0
    ahead: int = 0
    open: int = 0
    minutes: int = 0
    cancelled: int = 0
    by_patient: int = 0
    by_clinic: int = 0
    late: int = 0
    """Cancelled less than a day before."""
    booked_after: int = 0
    """Booked after its day."""
    mix: dict[str, Tally] = field(default_factory=dict)
    """Fine lead -> visits with an outcome."""
    leads: dict[int, int] = field(default_factory=dict)
    """Lead in days -> visits; only where lead times are measured."""
    capacity: int | None = None
    """Minutes that were open; only where utilisation is measured."""
    offers: dict[str, int] = field(default_factory=dict)
    """Outcome -> offers of the waiting list."""
    waits: list[int] = field(default_factory=list)
    """Minutes until an answer, of each."""
    unanswered: int = 0

    @property
    def ended(self) -> Tally:
        """Visits with an outcome."""
        return Tally(self.seen + self.missed, self.missed)

    @property
    def size(self) -> int:
        """How much it counts, to order rows by."""
        return self.visits + sum(self.offers.values()) + len(self.waits)

    def add(self, other: VisitGroup) -> None:
        """Count another group's visits, too."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.capacity is not None:
            self.capacity = (self.capacity or 0) + other.capacity
        for name, tally in other.mix.items():
            self.mix.setdefault(name, Tally()).add(tally)
        for lead, count in other.leads.items():
            self.leads[lead] = self.leads.get(lead, 0) + count
        for outcome, count in other.offers.items():
            self.offers[outcome] = self.offers.get(outcome, 0) + count
        self.waits.extend(other.waits)


_COUNTS = (
    "visits",
    "seen",
    "missed",
    "ahead",
    "open",
    "minutes",
    "cancelled",
    "by_patient",
    "by_clinic",
    "late",
    "booked_after",
    "unanswered",
)


class ReportRow(Struct, frozen=True):
    """A row: its key, its name for people where it has one, and what it counts."""

    key: str
    label: str
    group: VisitGroup
    comparison: Comparison | None = None
    """Beside all other rows; None where leads are the rows, or nothing is missed."""


class ReportAnswer(Struct, frozen=True):
    """The rows of a question in their order, and all visits together.

    ``left_out``: booked after their day, so of no lead time and in no interval of
    leads. ``cut``: rows beyond the bound.
    """

    measure: Measure
    by: By
    rows: tuple[ReportRow, ...]
    total: VisitGroup
    left_out: int = 0
    cut: int = 0


def lead_figures(leads: Mapping[int, int]) -> LeadFigures | None:
    """Of a table of lead -> visits; None of no visits."""
    count = sum(leads.values())
    if not count:
        return None
    ordered = sorted(leads.items())
    return LeadFigures(
        median=(_at(ordered, (count - 1) // 2) + _at(ordered, count // 2)) / 2,
        mean=sum(lead * visits for lead, visits in ordered) / count,
        p90=_at(ordered, -(-count * 9 // 10) - 1),
        longest=ordered[-1][0],
    )


def _at(ordered: list[tuple[int, int]], place: int) -> int:
    """The lead at a place, from 0, of all visits by their leads."""
    for lead, visits in ordered:
        place -= visits
        if place < 0:
            return lead
    raise AssertionError("the place is beyond the visits")  # pragma: no cover


def median_of(values: Iterable[int]) -> float | None:
    """The middle value; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return (ordered[(len(ordered) - 1) // 2] + ordered[middle]) / 2


def in_leads(groups: Iterable[VisitGroup]) -> dict[str, Tally]:
    """The lead mix of all groups together, but for what was booked after its day."""
    mix = merged(group.mix for group in groups)
    mix.pop(BEFORE, None)
    return mix


def beside(group: VisitGroup, everything: Mapping[str, Tally]) -> Comparison:
    """A row beside all others."""
    return compared(in_leads([group]), everything)
