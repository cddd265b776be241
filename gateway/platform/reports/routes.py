"""``/v1/clinics/{clinic_id}/reports`` and ``/v1/reports``: what visits add up to."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from starlette.responses import Response

from actors.domain.ids import ClinicId
from care.reports.ports import Workbooks
from gateway.access.rights import Action
from gateway.config import GatewayPorts
from gateway.directory.entry_routes import ClinicParam
from gateway.http.features import FeatureRouter
from gateway.platform.reports.schemas import (
    FileFormat,
    ReportBody,
    ReportFileQuery,
    ReportQuery,
)
from gateway.platform.reports.service import ReportService
from gateway.platform.reports.tables import csv_of, table_of

router = FeatureRouter(prefix="/v1", tags=["reports"])

XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV_TYPE: Final = "text/csv; charset=utf-8"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {XLSX_TYPE: _BINARY, CSV_TYPE: {"schema": {"type": "string"}}},
    }
}
_REFUSED: Final = ("report_too_large", "invalid_request")


async def reports_of(request: Request) -> ReportService:
    """This gateway's reports."""
    found: ReportService = request.app.state.reports
    return found


async def workbooks_of(request: Request) -> Workbooks:
    """What writes workbooks."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.reports is not None, "mounted only where there are reports"
    return ports.reports.workbooks


ReportsDep = Annotated[ReportService, Depends(reports_of)]
WorkbooksDep = Annotated[Workbooks, Depends(workbooks_of)]
Asked = Annotated[ReportQuery, Query()]
AskedFile = Annotated[ReportFileQuery, Query()]


@router.get(
    "/clinics/{clinic_id}/reports",
    right=Action.READ_REPORTS,
    refusals=["clinic_not_found", *_REFUSED],
)
async def clinic_report(
    clinic_id: ClinicParam, query: Asked, reports: ReportsDep
) -> ReportBody:
    """A report on a clinic's visits."""
    return await reports.report(ClinicId(clinic_id), query)


@router.get(
    "/clinics/{clinic_id}/reports/file",
    right=Action.READ_REPORTS,
    refusals=["clinic_not_found", *_REFUSED],
    response_class=Response,
    responses=_FILE,
)
async def clinic_report_file(
    clinic_id: ClinicParam,
    query: AskedFile,
    reports: ReportsDep,
    workbooks: WorkbooksDep,
) -> Response:
    """The same as a table."""
    report = await reports.report(ClinicId(clinic_id), query)
    return await _file(report, query.format, workbooks)


@router.get("/reports", right=Action.READ_PLATFORM_REPORTS, refusals=list(_REFUSED))
async def platform_report(query: Asked, reports: ReportsDep) -> ReportBody:
    """A report on the visits of all clinics."""
    return await reports.report(None, query)


@router.get(
    "/reports/file",
    right=Action.READ_PLATFORM_REPORTS,
    refusals=list(_REFUSED),
    response_class=Response,
    responses=_FILE,
)
async def platform_report_file(
    query: AskedFile, reports: ReportsDep, workbooks: WorkbooksDep
) -> Response:
    """The same as a table."""
    report = await reports.report(None, query)
    return await _file(report, query.format, workbooks)


async def _file(report: ReportBody, kind: FileFormat, workbooks: Workbooks) -> Response:
    table = table_of(report)
    name = f"{report.measure}-by-{report.by}-{report.first}-{report.last}.{kind}"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    if kind is FileFormat.CSV:
        content = await asyncio.to_thread(csv_of, table)
        return Response(content, media_type=CSV_TYPE, headers=headers)
    content = await workbooks.write(report.measure.value, table)
    return Response(content, media_type=XLSX_TYPE, headers=headers)
