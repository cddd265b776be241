"""The command line: exit codes, JSON, and sentences instead of traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import cli
from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "data"
    monkeypatch.setenv("SLOTCAST_DATA", str(data))
    folder = DataFolder(data)
    with folder.locked():
        folder.make(read_settings(data=data), "2026-12-01")
    return data


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["slotcast", *words])
    return cli.main()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("version",), 0),
        (("token", "--role", "patient", "--subject", "pat_1"), 0),
        (("token", "--role", "admin", "--subject", "me", "--ttl", "15m"), 0),
        (("token", "--role", "patient", "--subject", "prv_1"), 2),
        (("token", "--role", "patient"), 2),
        (("token", "--role", "nurse", "--subject", "x"), 2),
        (("token", "--role", "admin", "--subject", "me", "--ttl", "25h"), 2),
        (("token", "--role", "admin", "--subject", "me", "--ttl", "soon"), 2),
        (("import", "practices", "/no/such/file.csv"), 2),
        (("status",), 1),
        (("nonsense",), 2),
    ],
)
def test_exit_codes(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
) -> None:
    """0 is well, 1 found a problem, 2 is usage or environment; never a trace."""
    assert run(monkeypatch, *words) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert said.out + said.err


def test_a_missing_site_is_told_with_the_way_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tools do not make a data folder by accident."""
    monkeypatch.setenv("SLOTCAST_DATA", str(tmp_path / "none"))
    assert run(monkeypatch, "journal", "verify") == 2
    assert "slotcast serve" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_many_tokens_come_one_per_line(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For load tests: as many lines as subjects, in their order."""
    subjects = site.with_name("subjects")
    subjects.write_text("pat_1\n\npat_2\n")
    words = ("token", "--role", "patient", "--subjects-from", str(subjects))
    assert run(monkeypatch, *words) == 0
    lines = capsys.readouterr().out.split()
    assert len(lines) == 2
    assert all(line.count(".") == 2 for line in lines)


def test_status_is_json_for_programs(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document, parseable, also when nothing runs."""
    assert run(monkeypatch, "status", "--json") == 1
    assert json.loads(capsys.readouterr().out)["running"] is False
