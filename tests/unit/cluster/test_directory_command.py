"""``slotcast directory rebuild`` reads all providers and lets gateways do so again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic
from cluster import cli
from persistence.directory.roster_source import SqlRosterSource
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.sql.engine import open_engine
from persistence.sql.records import Records
from tests.fixtures.small_site import made_site


def test_a_rebuild_counts_and_tells_every_gateway(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A gateway that follows the logs is told to read everything, once."""
    site = made_site(data=tmp_path / "data")
    migrate = ["slotcast", "migrate", "--data", str(tmp_path / "data")]
    monkeypatch.setattr("sys.argv", migrate)
    assert cli.main() == 0

    async def followed() -> list[bool]:
        engine = open_engine(site.database_url, "reader")
        writer = open_engine(site.database_url, "writer")
        records = Records(site.records_url)
        try:
            clinic = Clinic(ClinicId("cln_1"), "Practice", "UTC")
            await SqlDirectory(engine, writer).keep_clinic(clinic)
            source = SqlRosterSource(engine, records)
            await source.begin()
            monkeypatch.setattr(
                "sys.argv",
                ["slotcast", "directory", "rebuild", "--data", str(tmp_path / "data")],
            )
            assert await asyncio.to_thread(cli.main) == 0
            return [(await source.changes()).is_lost for _ in range(2)]
        finally:
            await engine.dispose()
            await writer.dispose()
            await records.close()

    assert asyncio.run(followed()) == [True, False]
    assert "0 providers can be found" in capsys.readouterr().out
