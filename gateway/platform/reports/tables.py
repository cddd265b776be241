"""A report as a table for files: headings, and a row for each row and for all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from care.reports.keys import BY_LEAD
from care.reports.questions import Measure
from gateway.platform.reports.schemas import GroupAnswer, ReportBody, RowAnswer

Cell = str | int | float | None
Row = list[Cell]
_Column = tuple[str, Callable[[GroupAnswer], Cell]]

FORMULA: Final = (*"=+-@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""How a text begins that a program for tables would take for a formula; the last four
are the wide forms of the first."""

_COUNTS: Final[dict[Measure, tuple[_Column, ...]]] = {
    Measure.VISITS: (
        ("visits", lambda g: g.visits),
        ("seen", lambda g: g.seen),
        ("missed", lambda g: g.missed),
        ("without_outcome", lambda g: g.without_outcome),
        ("ahead", lambda g: g.ahead),
        ("cancelled", lambda g: g.cancelled),
        ("minutes", lambda g: g.minutes),
    ),
    Measure.NO_SHOWS: (
        ("visits", lambda g: g.seen + g.missed),
        ("missed", lambda g: g.missed),
        ("missed_percent", lambda g: g.missed_percent),
    ),
    Measure.LEAD_TIME: (
        ("visits", lambda g: g.visits),
        ("median_days", lambda g: g.leads.median if g.leads else None),
        ("mean_days", lambda g: g.leads.mean if g.leads else None),
        ("p90_days", lambda g: g.leads.p90 if g.leads else None),
        ("longest_days", lambda g: g.leads.longest if g.leads else None),
    ),
    Measure.CANCELLATIONS: (
        ("booked", lambda g: g.visits + g.cancelled),
        ("cancelled", lambda g: g.cancelled),
        ("cancelled_percent", lambda g: g.cancelled_percent),
        ("by_patient", lambda g: g.cancelled_by_patient),
        ("by_clinic", lambda g: g.cancelled_by_clinic),
        ("late", lambda g: g.cancelled_late),
    ),
    Measure.UTILISATION: (
        ("visits", lambda g: g.visits),
        ("minutes", lambda g: g.minutes),
        ("open_minutes", lambda g: g.open_minutes),
        ("used_percent", lambda g: g.used_percent),
    ),
    Measure.WAITING: (
        ("offers", lambda g: g.offers.made if g.offers else None),
        ("accepted", lambda g: g.offers.accepted if g.offers else None),
        ("declined", lambda g: g.offers.declined if g.offers else None),
        ("over", lambda g: g.offers.over if g.offers else None),
        ("outstanding", lambda g: g.offers.outstanding if g.offers else None),
    ),
    Measure.RESPONSE_TIME: (
        ("answered", lambda g: g.answered),
        ("unanswered", lambda g: g.unanswered),
        ("median_minutes", lambda g: g.median_answer_minutes),
    ),
}


def table_of(report: ReportBody) -> list[Row]:
    """All rows, the headings first. A compared period follows in the same columns."""
    has_mix = report.measure is Measure.NO_SHOWS and report.by not in BY_LEAD
    columns = _COUNTS[report.measure]
    heads = ["first", "last", report.by.value, "name", *(name for name, _ in columns)]
    if has_mix:
        for one in report.total.lead_mix:
            heads += [f"visits_lead_{one.lead}", f"missed_lead_{one.lead}"]
        heads += ["difference_points", "difference_same_leads_points", "turns"]
    table: list[Row] = [list(heads)]
    for period in (report, report.compared):
        if period is None:
            continue
        days: Row = [period.first, period.last]
        for row in period.rows:
            table.append([*days, *_named(row), *_cells(row, columns, has_mix=has_mix)])
        whole = _cells(period.total, columns, has_mix=has_mix)
        table.append([*days, "total", "", *whole])
        if period.left_out:
            rest: Row = [None] * (len(columns) - 1)
            table.append([*days, "booked_after_its_day", "", period.left_out, *rest])
    return table


def _named(row: RowAnswer) -> Row:
    return [row.key, row.label]


def _cells(group: GroupAnswer, columns: Iterable[_Column], *, has_mix: bool) -> Row:
    found: Row = [read(group) for _, read in columns]
    if has_mix:
        for one in group.lead_mix:
            found += [one.visits, one.missed]
        difference = group.difference
        if difference is None:
            found += [None, None, None]
        else:
            turns = "yes" if difference.turns else "no"
            found += [difference.counted, difference.same_leads, turns]
    return found


def csv_of(table: Sequence[Row]) -> bytes:
    """The table as CSV in UTF-8, marked as such for programs that guess otherwise.

    A text that would be a formula gets an apostrophe; numbers stay numbers.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([_plain(cell) for cell in row] for row in table)
    return text.getvalue().encode("utf-8-sig")


def _plain(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    is_formula = isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA)
    return f"'{cell}" if is_formula else cell
