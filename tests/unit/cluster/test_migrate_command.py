"""``slotcast migrate`` makes the tables of both schemas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cluster import cli
from tests.fixtures.small_site import made_site


def tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master")
        }


def test_migrate_makes_the_tables_of_read_model_and_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bookings in the one file, jobs in the other; a second time nothing changes."""
    site = made_site(data=tmp_path / "data")
    for _ in range(2):
        monkeypatch.setattr(
            "sys.argv", ["slotcast", "migrate", "--data", str(tmp_path / "data")]
        )
        assert cli.main() == 0
    read_model = site.folder.read_model / "slotcast.sqlite3"
    assert "appointment" in tables(read_model)
    assert "job" in tables(site.folder.records_file)
    assert "job" not in tables(read_model)
