"""``slotcast import visits`` loads a table once, and says what it did not take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import cli
from tests.fixtures.past_visits import HEADER
from tests.fixtures.small_site import made_site

NUMBER = "943-476-5919"
"""A patient's, in the other system."""


def test_a_table_is_imported_once_and_its_bad_rows_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second run changes nothing; a bad row is an exit code of 1, not the end;
    a place is a clinic of the zone that was named, or bad."""
    made_site(data=tmp_path / "data")
    table = tmp_path / "visits.csv"
    rows = (
        f"v1,2016-03-01 09:30,2016-03-14 10:00,20,fulfilled,Harbour,Dr A,{NUMBER},62,1",
        f"v2,2016-03-01 09:30,soon,20,fulfilled,Harbour,Dr A,{NUMBER},62,1",
        f"v3,2016-03-01 09:30,2016-03-15,,noshow,Harbour,Dr A,{NUMBER},62,1",
    )
    table.write_text("\n".join((HEADER, *rows)), encoding="utf-8")

    def run(*more: str) -> tuple[int, dict[str, object], str]:
        words = ["slotcast", "import", "visits", str(table), "--json", *more]
        words += ["--data", str(tmp_path / "data")]
        monkeypatch.setattr("sys.argv", words)
        code = cli.main()
        shown = capsys.readouterr()
        return code, json.loads(shown.out or "{}"), shown.out + shown.err

    code, without, _ = run()
    assert (code, without["new"], without["bad"]) == (1, 0, 3)
    code, first, shown = run("--time-zone", "Europe/Berlin")
    assert code == 1
    assert (first["read"], first["new"], first["places"]) == (3, 2, 1)
    assert first["bad_rows"] == [
        {
            "line": 3,
            "reason": "start is not a time as 2016-04-29 18:38:08 or 2016-04-29",
        }
    ]
    assert NUMBER not in shown
    _, second, _ = run("--time-zone", "Europe/Berlin")
    assert (second["new"], second["changed"], second["same"]) == (0, 0, 2)
    code, _, shown = run("--time-zone", "Middle/Earth")
    assert code == 2
    assert "no time zone" in shown
