"""A clinic reads its reports: a question, its chart and table, a warning, a file."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import expect

from tests.fixtures.past_visits import HEADER
from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing
from tests.web.test_access import LOOKS, faults_of_looks

GROUPS = (
    ("2016-05-01", "fulfilled", 0, 80),
    ("2016-05-01", "noshow", 0, 4),
    ("2016-05-20", "noshow", 0, 4),
    ("2016-05-20", "fulfilled", 0, 6),
    ("2016-05-20", "noshow", 1, 20),
    ("2016-05-20", "fulfilled", 1, 60),
    ("2016-04-20", "fulfilled", 1, 5),
)
"""Day of the visit, outcome, whether reminded, how many: all booked on the first of
their month. Reminders went to visits that were booked long before."""
ASKED = "/clinic/reports?measure=no_shows&by=reminded&first=2016-05-01&last=2016-05-31"


def imported(site: ServerProcess, file: Path) -> None:
    rows = [HEADER]
    for day, status, reminded, count in GROUPS:
        booked = f"{day[:8]}01"
        for _ in range(count):
            number = len(rows)
            rows.append(
                f"r{number},{booked},{day},,{status},cln_1,Dr R,p{number},,{reminded}"
            )
    file.write_text("\n".join(rows), encoding="utf-8")
    done = site.run("import", "visits", str(file), "--source", "browser")
    assert done.returncode == 0, done.stderr


def test_a_clinic_asks_looks_and_saves(
    browsing: Browsing, site: ServerProcess, tmp_path: Path
) -> None:
    """The share that turns is told with its leads; a changed question is in the
    address; the file has the figures of the page; in the dark and as on a phone."""
    imported(site, tmp_path / "visits.csv")
    page = browsing.open(ASKED, "clinic", **LOOKS["latin"])
    row = page.locator('tr[data-key="no"]')
    expect(row).to_contain_text("8.5%")
    expect(row).to_have_attribute("data-turns", "true")
    expect(page.locator("[data-turned]")).to_contain_text("15 points fewer")
    expect(page.locator(".columns .now")).to_have_count(2)
    assert faults_of_looks(page, "latin") == {}

    page.locator("#by").select_option("lead")
    expect(page.locator('tr[data-key="7-30"]')).to_contain_text("26.7%")
    expect(page.locator("[data-turned]")).to_have_count(0)
    page.locator("#compare").select_option("previous")
    expect(page.get_by_role("table")).to_have_count(2)
    assert "by=lead" in page.url
    assert "compare=previous" in page.url
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as CSV").click()
    saved = Path(saving.value.path())
    with saved.open(encoding="utf-8-sig", newline="") as lines:
        table = [one for one in csv.DictReader(lines) if one["first"] == "2016-05-01"]
    assert [(one["lead"], one["visits"], one["missed"]) for one in table] == [
        ("0", "84", "4"),
        ("7-30", "90", "24"),
        ("total", "174", "28"),
    ]
    page.get_by_text("Only some visits").click()
    page.get_by_label("Tuesday").check()
    expect(page.get_by_text("Nothing was counted in this period.")).to_be_visible()
