"""Asks for reports, and finds what no table has: the minutes that were open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from actors.domain.ids import ClinicId, Millis, ProviderId
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.reads import ReadProvider
from actors.domain.rules import Clinic
from actors.domain.zones import zone_or_utc
from actors.ports import Calendars, Clock
from care.readmodel import Directory, ProviderQuery
from care.reports.answers import ReportAnswer, ReportRow, VisitGroup
from care.reports.keys import row_order
from care.reports.ports import Reports, ReportTooLarge
from care.reports.questions import By, Filters, Measure, ReportQuestion
from gateway.platform.reports.capacity import capacity_of, labels_of
from gateway.platform.reports.schemas import PeriodAnswer, ReportBody, ReportQuery
from gateway.wire.errors import NotFound, ReportRefused
from gateway.wire.formats import millis_text

PROVIDERS_MAX: Final = 300
"""Providers of a clinic whose hours are asked for; of a larger one no capacity is
told."""
ASKED_AT_ONCE: Final = 16
"""Calendars that are asked at one time: bookings go first."""


class ReportService:
    """The reports of one gateway."""

    def __init__(
        self,
        reports: Reports,
        directory: Directory,
        calendars: Calendars,
        clock: Clock,
        cell_minutes: int,
    ) -> None:
        self._reports = reports
        self._directory = directory
        self._calendars = calendars
        self._clock = clock
        self._cell = cell_minutes

    async def report(
        self, clinic_id: ClinicId | None, query: ReportQuery
    ) -> ReportBody:
        """A report of a clinic, or of the platform.

        Raises:
            InvalidRequest, NotFound: the question is not one, or there is no clinic.
            ReportRefused: it takes too long.
            Unavailable: the database does not answer, or many reports are made.
        """
        now = self._clock.now()
        question = query.question(clinic_id, now // 60_000)
        clinic = await self._clinic(clinic_id)
        found = await self._answer(question, clinic)
        other = query.compared(question.period)
        compared = None
        if other is not None:
            before = await self._answer(replace(question, period=other), clinic)
            compared = PeriodAnswer.model_validate(PeriodAnswer.fields(other, before))
        return self._body(question, found, compared, now)

    def _body(
        self,
        question: ReportQuestion,
        found: ReportAnswer,
        compared: PeriodAnswer | None,
        now: Millis,
    ) -> ReportBody:
        return ReportBody.model_validate(
            {
                "measure": question.measure,
                "by": question.by,
                "as_of": millis_text(now),
                "compared": compared,
                **PeriodAnswer.fields(question.period, found),
            }
        )

    async def _clinic(self, clinic_id: ClinicId | None) -> Clinic | None:
        if clinic_id is None:
            return None
        found = await self._directory.clinics([clinic_id])
        if clinic_id not in found:
            raise NotFound(code="clinic_not_found")
        return found[clinic_id]

    async def _answer(
        self, question: ReportQuestion, clinic: Clinic | None
    ) -> ReportAnswer:
        try:
            found = await self._reports.answer(question)
        except ReportTooLarge:
            raise ReportRefused from None
        if question.measure is not Measure.UTILISATION or clinic is None:
            return found
        return await self._with_capacity(question, clinic, found)

    async def _with_capacity(
        self, question: ReportQuestion, clinic: Clinic, found: ReportAnswer
    ) -> ReportAnswer:
        """The same with open minutes, and rows of what was open and not visited."""
        asked = question.filters
        if replace(asked, clinics=(), providers=(), weekdays=()) != Filters():
            return found  # hours are of no visit type, lead, age or reminder
        views = await self._views(clinic.clinic_id, question.filters.providers)
        if views is None:
            return found
        zone = zone_or_utc(clinic.time_zone)
        minutes = await asyncio.to_thread(
            capacity_of, views, zone, question, self._cell
        )
        labels = labels_of(views) if question.by is By.PROVIDER else {}
        rows = {row.key: row for row in found.rows}
        for key in minutes.keys() - rows.keys():
            rows[key] = ReportRow(key, labels.get(ProviderId(key), ""), VisitGroup())
        for key, row in rows.items():
            row.group.capacity = minutes.get(key, 0)
        found.total.capacity = sum(minutes.values())
        ordered = sorted(
            rows.values(),
            key=lambda row: row_order(question.by, row.key, row.group.size),
        )
        return replace(found, rows=tuple(ordered))

    async def _views(
        self, clinic_id: ClinicId, only: Sequence[ProviderId]
    ) -> list[ProviderView] | None:
        """The clinic's providers; None: they are too many."""
        wanted = ProviderQuery(clinic_id=clinic_id)
        ids = await self._directory.ids(wanted, limit=PROVIDERS_MAX + 1)
        if len(ids) > PROVIDERS_MAX:
            return None
        ids = [one for one in ids if not only or one in only]
        found: list[ProviderView] = []
        for start in range(0, len(ids), ASKED_AT_ONCE):
            asked = [
                self._calendars.ask(ReadProvider(one))
                for one in ids[start : start + ASKED_AT_ONCE]
            ]
            replies = await asyncio.gather(*asked)
            found += [one for one in replies if isinstance(one, ProviderView)]
        return found
