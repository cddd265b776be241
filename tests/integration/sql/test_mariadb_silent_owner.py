"""A session that falls silent within a transaction keeps others out, briefly."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text

from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import Committed, Offset, StoreUnavailable
from persistence.sql import drivers as server_drivers
from persistence.sql import engine as engines
from persistence.sql.engine import open_engine
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.read_model import ON_SERVER, empty_database
from tests.fixtures.story import SHARD

DEADLINE_S = 30.0


@pytest.mark.parametrize("driver", ON_SERVER)
async def test_a_frozen_projector_does_not_hold_its_locks_for_ever(
    driver: str, mariadb_server: MariaDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction whose owner says nothing, and another goes on.

    A projector that is stopped, or whose node vanished without a word, would otherwise
    hold its rows for eight hours.
    """
    monkeypatch.setattr(server_drivers, "IDLE_LEAST_S", 1)
    monkeypatch.setattr(server_drivers, "LOCK_WAIT_S", 1)
    monkeypatch.setitem(engines.ANSWER_S, "projector", 1.0)
    url = empty_database(mariadb_server, "silent", driver)
    frozen, living = open_engine(url, "projector"), open_engine(url, "projector")
    store = SqlProjectionStore(living)
    try:
        assert isinstance(await store.apply(SHARD, 0, Offset(1, 1), []), Committed)
        silent = await frozen.connect()
        await silent.execute(text("UPDATE projection_offset SET epoch = 9"))
        outcome: object = None
        async with asyncio.timeout(DEADLINE_S):
            while not isinstance(outcome, Committed):
                with suppress(StoreUnavailable):
                    outcome = await store.apply(SHARD, 1, Offset(2, 1), [])
        assert (await store.offset(SHARD)).epoch == 1  # nothing of it was kept
        await silent.invalidate()
        await silent.close()
    finally:
        await frozen.dispose()
        await living.dispose()
