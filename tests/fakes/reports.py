"""Reports that count nothing, and workbooks that are their rows as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from care.reports.answers import ReportAnswer, VisitGroup
from care.reports.ports import ReportTooLarge
from care.reports.questions import ReportQuestion


class MemoryReports:
    """Remembers what it was asked; ``is_too_large``: refuses."""

    def __init__(self) -> None:
        self.asked: list[ReportQuestion] = []
        self.is_too_large = False

    async def answer(self, question: ReportQuestion) -> ReportAnswer:
        self.asked.append(question)
        if self.is_too_large:
            raise ReportTooLarge
        return ReportAnswer(question.measure, question.by, (), VisitGroup())


class MemoryWorkbooks:
    """Rows as lines."""

    async def write(self, name: str, rows: Sequence[Sequence[Any]]) -> bytes:
        return "\n".join(str(list(row)) for row in (name, *rows)).encode()
