"""Ports of reports: SQL in production and in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from care.reports.answers import ReportAnswer
from care.reports.questions import ReportQuestion
from care.reports.visits import ImportCount, ImportedVisit


class ReportTooLarge(Exception):
    """The answer takes too long to count, or has too many groups."""


class Reports(Protocol):
    """Reports on all visits."""

    async def answer(self, question: ReportQuestion) -> ReportAnswer:
        """Count what is asked.

        Raises:
            ReportTooLarge: choose a shorter period, or ask by something else.
            Overloaded: many reports are being made.
            Unavailable: the database does not answer.
        """
        ...


class Workbooks(Protocol):
    """Writes tables as XLSX."""

    async def write(self, name: str, rows: Sequence[Sequence[Any]]) -> bytes:
        """A workbook with one sheet; the first row has the headings.

        Raises Overloaded, Unavailable.
        """
        ...


class ReportPorts(Struct, frozen=True):
    """What reports need."""

    reports: Reports
    workbooks: Workbooks


class ImportedVisits(Protocol):
    """Visits of other systems."""

    async def put(self, visits: Sequence[ImportedVisit]) -> ImportCount:
        """Add visits, or replace those of the same id, in one transaction.

        Raises Unavailable.
        """
        ...
