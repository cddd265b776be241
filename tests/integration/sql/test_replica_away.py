"""Readers of a replica that is away or frozen are answered by the primary."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Unavailable
from persistence.sql import replica as server_fallback
from persistence.sql.engine import open_engine, reading
from tests.fixtures.mariadb import MariaDbServer


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[MariaDbServer]:
    server = MariaDbServer(tmp_path / "replica")
    server.start()
    yield server
    server.thaw()
    server.stop()


def named(server: MariaDbServer, name: str) -> None:
    """A database that says whose it is."""
    server.create_database("whose")
    server.execute(
        "CREATE OR REPLACE TABLE whose.it (name VARCHAR(10))",
        f"INSERT INTO whose.it VALUES ('{name}')",
    )


async def who_answers(engine: AsyncEngine, *, tries: int = 3) -> str:
    """A question that was under way when the server went is lost: asked again."""
    for _ in range(tries):
        try:
            async with reading(engine) as connection:
                return str(await connection.scalar(text("SELECT name FROM it")))
        except Unavailable:
            continue
    return "no answer"


async def until_back(engine: AsyncEngine) -> None:
    while await who_answers(engine) != "replica":
        continue


@pytest.mark.parametrize("driver", ["asyncmy", "aiomysql"])
async def test_a_dead_replica(
    driver: Literal["asyncmy", "aiomysql"],
    replica: MariaDbServer,
    mariadb_server: MariaDbServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed: the primary answers, and may not be written either; then it is back."""
    monkeypatch.setattr(server_fallback, "LEFT_ALONE_S", 0.2)
    monkeypatch.setattr("persistence.sql.engine.RECYCLE_S", 0)
    named(replica, "replica")
    named(mariadb_server, "primary")
    primary = mariadb_server.url(
        "whose"
    )  # the driver is the replica's, whatever it says
    engine = open_engine(replica.url("whose", driver), "reader", fallback=primary)
    assert await who_answers(engine) == "replica"
    replica.kill()
    assert await who_answers(engine) == "primary"
    with pytest.raises(Unavailable):
        async with reading(engine) as connection:
            await connection.execute(text("DELETE FROM it"))
    replica.start()
    async with asyncio.timeout(60):
        await until_back(engine)
    await engine.dispose()


async def test_a_frozen_replica_holds_up_one_at_most(
    replica: MariaDbServer,
    mariadb_server: MariaDbServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After the first reader has waited in vain, the replica is not tried again: each
    try that fails is a line in the log, and twenty more readers add none."""
    caplog.set_level(logging.WARNING, logger=server_fallback.__name__)
    monkeypatch.setattr(server_fallback, "LEFT_ALONE_S", 3_600.0)
    # Bounds of the primary, too: long enough for it on a busy machine.
    monkeypatch.setattr("persistence.sql.engine.ANSWER_S", {"reader": 3.0})
    monkeypatch.setattr("persistence.sql.drivers.CONNECT_S", 3.0)
    named(replica, "replica")
    named(mariadb_server, "primary")
    primary = mariadb_server.url("whose")
    engine = open_engine(replica.url("whose"), "reader", fallback=primary)
    assert await who_answers(engine) == "replica"
    replica.freeze()
    assert await who_answers(engine) == "primary"
    assert {await who_answers(engine) for _ in range(20)} == {"primary"}
    failed_tries = [one for one in caplog.records if "the replica" in one.message]
    assert len(failed_tries) == 1
    await engine.dispose()


async def test_without_a_fallback_nobody_answers(replica: MariaDbServer) -> None:
    """The control: it is the fallback that answers."""
    named(replica, "replica")
    engine = open_engine(replica.url("whose"), "reader")
    assert await who_answers(engine) == "replica"
    replica.kill()
    assert await who_answers(engine) == "no answer"
    await engine.dispose()
