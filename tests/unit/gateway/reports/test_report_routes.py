"""Reports over REST, as CSV and as XLSX: equal figures, own clinics, bounded questions.

One file because each test asks the same small gateway another question.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic
from care.reports.ports import ReportPorts
from gateway.platform.reports.tables import csv_of
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.records.reports.queries import SqlReports
from persistence.records.reports.workbooks import ChildWorkbooks
from persistence.sql.engine import open_engine
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import Api, open_api
from tests.fakes.reports import MemoryReports, MemoryWorkbooks
from tests.fixtures.past_visits import TRACE, import_file, import_rows
from tests.fixtures.read_model import empty_read_model, empty_records

YEAR = {"first": "2016-01-01", "last": "2016-12-31"}
FORMULA = '=HYPERLINK("http://example.org")'
_QUOTED = FORMULA.replace('"', '""')
ROWS = (
    f'v1,2016-03-01 09:30,2016-03-14,,fulfilled,cln_1,"{_QUOTED}",p1,62,1',
    "v2,2016-03-14 09:30,2016-03-14,,noshow,cln_1,Dr B,p1,62,0",
    "v3,2016-02-01 09:30,2016-03-14,,noshow,cln_1,Dr B,p1,62,1",
    "v4,2016-02-01 09:30,2016-03-14,,fulfilled,cln_2,Dr C,p1,62,1",
    "v5,2016-02-01 09:30,2016-02-14,,fulfilled,cln_1,Dr B,p1,62,1",
)


@dataclass
class Clinics:
    api: Api
    writer: AsyncEngine

    async def get(
        self, path: str, auth: dict[str, str] | None = None, **asked: Any
    ) -> Any:
        headers = auth or self.api.clinic_admin()
        return await self.api.client.get(
            f"/v1/{path}", params={**YEAR, **asked}, headers=headers
        )

    async def report(self, **asked: Any) -> dict[str, Any]:
        answer = await self.get("clinics/cln_1/reports", **asked)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def table(self, kind: str, path: str, **asked: Any) -> list[dict[str, Any]]:
        """A file's rows by their headings; what is empty is None."""
        answer = await self.get(f"{path}/file", self.api.admin(), format=kind, **asked)
        assert answer.status_code == 200, answer.text
        if kind == "csv":
            text = answer.content.decode("utf-8-sig")
            rows: list[Any] = list(csv.reader(io.StringIO(text)))
        else:
            book = openpyxl.load_workbook(io.BytesIO(answer.content))
            assert all(
                cell.data_type != "f" for row in book.active.rows for cell in row
            )
            rows = list(book.active.iter_rows(values_only=True))
        return [
            {
                name: None if value in ("", None) else value
                for name, value in zip(rows[0], row, strict=True)
            }
            for row in rows[1:]
        ]


@pytest.fixture
async def clinics(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Clinics]:
    """A gateway with one provider, and a read model with visits of two clinics."""
    url = empty_read_model("sqlite", request, tmp_path)
    writer, engine = open_engine(url, "writer"), open_engine(url, "reports")
    records = Records(empty_records("sqlite", request, tmp_path))
    await SqlDirectory(writer, writer).put_clinics(
        [Clinic(ClinicId(f"cln_{n}"), f"Clinic {n}", "UTC") for n in (1, 2)]
    )
    await import_rows(writer, ROWS, zone="")
    ports = ReportPorts(SqlReports(engine, records), ChildWorkbooks())
    async with open_api(shared={"reports": ports}) as api:
        await api.add_provider()
        await api.project()
        yield Clinics(api, writer)
    await writer.dispose()
    await engine.dispose()
    await records.close()


def figures(rows: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [(row["key"], row["seen"] + row["missed"], row["missed"]) for row in rows]


async def test_a_clinic_reads_its_own_visits(clinics: Clinics) -> None:
    """Those of another clinic are in none of its rows; the platform sees all."""
    found = await clinics.report(measure="no_shows", by="lead")
    assert figures(found["rows"]) == [("0", 1, 1), ("7-30", 2, 0), ("31+", 1, 1)]
    answer = await clinics.get(
        "reports", clinics.api.admin(), measure="visits", by="place"
    )
    assert [(row["label"], row["visits"]) for row in answer.json()["rows"]] == [
        ("Clinic 1", 4),
        ("Clinic 2", 1),
    ]


async def test_files_have_the_figures_of_rest(clinics: Clinics) -> None:
    """Row for row, as CSV and as XLSX; of the published trace too, where it is."""
    if TRACE.is_file():
        await import_file(clinics.writer, TRACE, zone="America/Sao_Paulo")
    for by in ("lead", "lead_fine", "weekday", "reminded", "place"):
        asked = {"measure": "no_shows", "by": by}
        answer = await clinics.get("reports", clinics.api.admin(), **asked)
        rest = answer.json()
        expected = figures([*rest["rows"], {"key": "total", **rest["total"]}])
        for kind in ("csv", "xlsx"):
            rows = await clinics.table(kind, "reports", **asked)
            shown = [
                (str(row[by]).removeprefix("'"), int(row["visits"]), int(row["missed"]))
                for row in rows
                if row[by] != "booked_after_its_day"
            ]
            assert shown == expected, (by, kind)
            left = [row for row in rows if row[by] == "booked_after_its_day"]
            assert [int(row["visits"]) for row in left] == [rest["left_out"]] * len(
                left
            )


async def test_no_text_is_a_formula(clinics: Clinics) -> None:
    """A provider's name that would be one is a text in both files."""
    asked = {"measure": "visits", "by": "provider"}
    as_csv = await clinics.table("csv", "clinics/cln_1/reports", **asked)
    assert f"'{FORMULA}" in [row["name"] for row in as_csv]
    as_xlsx = await clinics.table("xlsx", "clinics/cln_1/reports", **asked)
    assert FORMULA in [row["name"] for row in as_xlsx]


@pytest.mark.parametrize("begin", [*"=+-@\t", *"\uff1d\uff0b\uff0d\uff20", " ="])
def test_however_a_formula_begins_it_is_a_text(begin: str) -> None:
    """Some programs take wide signs for the signs; a number stays a number."""
    assert csv_of([[f"{begin}1"]]).decode("utf-8-sig") == f"'{begin}1\r\n"
    assert csv_of([[-1, None, "a=b"]]).decode("utf-8-sig") == "-1,,a=b\r\n"


async def test_a_share_has_its_lead_mix_beside_it(clinics: Clinics) -> None:
    """In each answer and each file by whatever but leads, and whether it turns."""
    rows = [
        *(f"a{n},2016-05-01,2016-05-01,,fulfilled,cln_1,,p,,0" for n in range(80)),
        *(f"b{n},2016-05-01,2016-05-01,,noshow,cln_1,,p,,0" for n in range(4)),
        *(f"c{n},2016-05-01,2016-05-20,,noshow,cln_1,,p,,0" for n in range(4)),
        *(f"d{n},2016-05-01,2016-05-20,,fulfilled,cln_1,,p,,0" for n in range(6)),
        *(f"e{n},2016-05-01,2016-05-20,,noshow,cln_1,,p,,1" for n in range(20)),
        *(f"f{n},2016-05-01,2016-05-20,,fulfilled,cln_1,,p,,1" for n in range(60)),
    ]
    await import_rows(clinics.writer, rows, source="mix")
    may = {"first": "2016-05-01", "last": "2016-05-31", "measure": "no_shows"}
    found = await clinics.report(**may, by="reminded")
    by_key = {row["key"]: row for row in found["rows"]}
    assert by_key["yes"]["missed_percent"] == 25.0
    assert by_key["no"]["missed_percent"] == 8.5106
    difference = by_key["yes"]["difference"]
    assert difference == {"counted": 16.4894, "same_leads": -15.0, "turns": True}
    mix = {
        one["lead"]: (one["visits"], one["missed"]) for one in by_key["no"]["lead_mix"]
    }
    assert mix == {"0": (84, 4), "1-6": (0, 0), "7-30": (10, 4), "31+": (0, 0)}
    path = "clinics/cln_1/reports"
    for kind in ("csv", "xlsx"):
        table = await clinics.table(kind, path, **may, by="reminded")
        (row,) = [row for row in table if row["reminded"] == "no"]
        assert (int(row["visits_lead_7-30"]), int(row["missed_lead_7-30"])) == (10, 4)
        assert row["turns"] == "yes"


async def test_a_period_is_compared_with_another(clinics: Clinics) -> None:
    """The same number of days before, and the same weekdays a year before."""
    asked = {"first": "2016-03-01", "last": "2016-03-29", "measure": "visits"}
    found = await clinics.report(**asked, compare="previous")
    assert (found["total"]["visits"], found["compared"]["total"]["visits"]) == (3, 1)
    assert (found["compared"]["first"], found["compared"]["last"]) == (
        "2016-02-01",
        "2016-02-29",
    )
    found = await clinics.report(**asked, compare="year")
    assert found["compared"]["first"] == "2015-03-03"


async def test_utilisation_knows_the_minutes_that_were_open(clinics: Clinics) -> None:
    """Hours less leave, of days without visits too."""
    week = {"first": "2026-08-10", "last": "2026-08-16", "measure": "utilisation"}
    found = await clinics.report(**week, by="day")
    assert {row["key"]: row["open_minutes"] for row in found["rows"]} == {
        f"2026-08-{day}": 480 for day in range(10, 17)
    }
    assert found["total"]["used_percent"] == 0
    answer = await clinics.api.ports.calendars.ask(
        make.add_time_off(start=make.at(9), end=make.at(12))
    )
    assert type(answer).__name__ == "TimeOffView", answer
    found = await clinics.report(**week, by="provider")
    assert [(r["key"], r["open_minutes"]) for r in found["rows"]] == [("prv_1", 3_180)]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"first": "2016-05-01", "last": "2016-04-30"}, "last"),
        ({"first": "2012-01-01"}, "last"),
        ({"first": "1970-01-01"}, "first"),
        ({"measure": "waiting", "by": "hour"}, "by"),
        ({"measure": "revenue"}, "measure"),
        ({"weekdays": 8}, "weekdays"),
        ({"clinics": ["x"] * 51}, "clinics"),
        ({"providers": "a b"}, "providers"),
        ({"measure": "waiting", "ages": "65+"}, "ages"),
        ({"measure": "waiting", "reminded": "false"}, "reminded"),
        ({"measure": "response_time", "lead_from": 0}, "lead_from"),
        ({"measure": "utilisation", "reminded": "true"}, "reminded"),
    ],
)
async def test_a_question_is_of_the_vocabulary(
    clinics: Clinics, asked: dict[str, Any], field: str
) -> None:
    """What is wrong is named."""
    answer = await clinics.get(
        "clinics/cln_1/reports", **{"measure": "visits", "by": "day", **asked}
    )
    assert answer.status_code == 422
    assert any(field in one["field"] for one in answer.json()["errors"])


async def test_only_staff_of_the_clinic_read_its_reports(clinics: Clinics) -> None:
    """Patients and other clinics do not, nor does a clinic read the platform's."""
    asked: dict[str, Any] = {"measure": "visits"}
    path = "clinics/cln_1/reports"
    api = clinics.api
    for auth in (api.patient(), api.clinic_admin("cln_2"), api.auth("auditor", "root")):
        assert (await clinics.get(path, auth, **asked)).status_code == 403
        file = await clinics.get(f"{path}/file", auth, format="csv", **asked)
        assert file.status_code == 403
    assert (await clinics.get(path, api.doctor(), **asked)).status_code == 200
    assert (await clinics.get("reports", **asked)).status_code == 403
    missing = await clinics.get("clinics/cln_9/reports", api.admin(), measure="visits")
    assert (missing.status_code, missing.json()["code"]) == (404, "clinic_not_found")


async def test_what_takes_too_long_is_refused_with_advice() -> None:
    """It is no error of the server."""
    reports = MemoryReports()
    reports.is_too_large = True
    ports = ReportPorts(reports, MemoryWorkbooks())
    async with open_api(shared={"reports": ports}) as api:
        answer = await api.client.get(
            "/v1/reports", params={**YEAR, "measure": "visits"}, headers=api.admin()
        )
    assert (answer.status_code, answer.json()["code"]) == (422, "report_too_large")
    assert "shorter" in answer.json()["detail"]
