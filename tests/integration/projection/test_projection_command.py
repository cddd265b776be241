"""``slotcast projection``, on MariaDB: there, with parked events, and away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import cli
from cluster.site.site import Site
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.read_model import empty_database
from tests.fixtures.reserved import free_port
from tests.fixtures.small_site import lived_in, made_site

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def slotcast(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["slotcast", *words])
        code = cli.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return slotcast


@pytest.fixture
def site(
    tmp_path: Path, mariadb_server: MariaDbServer, monkeypatch: pytest.MonkeyPatch
) -> Site:
    """A finished day, of which MariaDB shows all but the last two bookings."""
    monkeypatch.setenv("SLOTCAST_DATABASE", empty_database(mariadb_server, "commands"))
    monkeypatch.setenv("SLOTCAST_DATA", str(tmp_path / "data"))
    return asyncio.run(lived_in(made_site(data=tmp_path / "data")))


def test_on_mariadb(site: Site, run: Run, mariadb_server: MariaDbServer) -> None:
    """The lag, then parked events by reason; a rebuild makes both vanish."""
    code, out, _ = run("projection", "status", "--json")
    lags = {row["shard"]: row for row in json.loads(out)}
    assert code == 0
    assert lags["s0000"]["lag_events"] == 2
    assert lags["s0000"]["lag_seconds"] > 0
    assert lags["s0001"]["lag_events"] == 0
    assert run("projection", "conflicts")[:2] == (0, "No event is parked.\n")

    columns = "shard, seq, provider_id, kind, reason, event, at, booking_id"
    values = "'s0000', 3, 'prv_1', 'claim', 'taken', '{}', 1, ''"
    mariadb_server.execute(
        f"INSERT INTO commands.projection_conflict ({columns}, other_booking_id) "
        f"VALUES ({values}, '')"
    )
    code, out, _ = run("projection", "conflicts", "--json")
    assert (code, json.loads(out)) == (1, {"claim": 1})

    assert run("projection", "rebuild")[0] == 0
    code, out, _ = run("projection", "status", "--json")
    assert {row["lag_events"] for row in json.loads(out)} == {0}
    assert run("projection", "conflicts")[0] == 0


def test_with_the_database_away(
    site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal's ends are shown all the same; every command says what to do."""
    away = f"mariadb://slotcast:secret@127.0.0.1:{free_port()}/commands"
    monkeypatch.setenv("SLOTCAST_DATABASE", away)
    code, out, _ = run("projection", "status", "--json")
    rows = {row["shard"]: row for row in json.loads(out[: out.rindex("]") + 1])}
    assert code == 1
    assert rows["s0000"]["journal"] > 2
    assert rows["s0000"]["lag_events"] is None
    for words in (("conflicts",), ("conflicts", "--json"), ("rebuild",)):
        code, _, err = run("projection", *words)
        assert code == 1
        assert "SLOTCAST_DATABASE" in err
        assert "defect" not in err
        assert "secret" not in err
    assert "SLOTCAST_DATABASE" in run("migrate")[2]
