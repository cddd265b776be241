"""The projector killed with SIGKILL: each event has its effect once."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.benchmarks.bench_projection import project, visits
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.rows import Rows, all_rows

MODULE = "tests.integration.projection.crashing_projector"


async def read_rows(path: Path) -> Rows:
    engine = open_engine(f"sqlite:///{path}", "reader")
    try:
        return await all_rows(engine)
    finally:
        await engine.dispose()


def rows_of(path: Path) -> Rows:
    return asyncio.run(read_rows(path))


def test_a_kill_at_any_step_changes_nothing(tmp_path: Path) -> None:
    """Killed before and after each statement and commit, then run again: same rows."""
    subprocess.run([sys.executable, "-m", MODULE, "sweep", str(tmp_path)], check=True)
    crashed = sorted(tmp_path.glob("crash_???.db"))
    assert len(crashed) > 60
    expected = rows_of(crashed[-1])
    assert len(expected["appointment"]) == 3
    assert len(expected["projection_conflict"]) == 2
    for path in crashed:
        assert rows_of(path) == expected, path.name


def offset_sum(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        query = "SELECT coalesce(sum(seq), 0) FROM projection_offset"
        return int(connection.execute(query).fetchone()[0])


def test_a_kill_from_outside_changes_nothing(tmp_path: Path) -> None:
    """Killed six times in full run, the read model is that of a quiet run.

    A runner that is so fast that it is not killed in time waits for it.
    """
    events = 12_000
    path, quiet = tmp_path / "killed.db", tmp_path / "quiet.db"
    url = f"sqlite:///{path}"
    asyncio.run(migrate(url, READ_MODEL))
    for kill in range(1, 7):
        most = str(kill * 1_000 + 900 - offset_sum(path))
        runner = subprocess.Popen(
            [sys.executable, "-m", MODULE, "run", url, str(events), most]
        )
        until = time.monotonic() + PATIENCE_S
        while offset_sum(path) < kill * 1_000 and time.monotonic() < until:
            time.sleep(0.002)
        runner.kill()
        assert runner.wait() == -9
    assert 6_000 <= offset_sum(path) < events
    words = (sys.executable, "-m", MODULE, "run", url, str(events), "0")
    subprocess.run(words, check=True)
    asyncio.run(migrate(f"sqlite:///{quiet}", READ_MODEL))
    asyncio.run(project(f"sqlite:///{quiet}", visits(events, 20)))
    assert rows_of(path) == rows_of(quiet)
