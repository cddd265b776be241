"""Queues of the records' threads on SQLite: bounded, and what is beyond is told so."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from actors.errors import Overloaded
from persistence.sql import records as records_module
from persistence.sql.records import Records

MAX = 3


class Held:
    """Work that holds its thread until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.done: list[int] = []

    def work(self, number: int) -> Any:
        def run(connection: Connection) -> int:
            self.go.wait()
            self.done.append(number)
            return int(connection.scalar(text(f"SELECT {number}")) or 0)

        return run


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.setattr(records_module, "TRANSACTIONS_MAX", MAX)
    monkeypatch.setattr(records_module, "QUESTIONS_MAX", MAX)
    return Records(f"sqlite:///{tmp_path}/records.db")


async def _begin(ask: Any, held: Held, numbers: range) -> list[asyncio.Task[int]]:
    tasks = [asyncio.ensure_future(ask(held.work(number))) for number in numbers]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("way", ["transact", "look"])
async def test_what_is_beyond_the_bound_is_refused_at_once(
    records: Records, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While the thread is held; those in the queue are done. It is logged once of each
    throng, and what comes afterwards is done again."""
    await records.transact(lambda connection: connection.scalar(text("SELECT 1")))
    ask = getattr(records, way)
    for throng in (1, 2):
        held = Held()
        tasks = await _begin(ask, held, range(MAX))
        for _ in range(2):
            with pytest.raises(Overloaded):
                await ask(held.work(9))
        held.go.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        assert held.done == [0, 1, 2]
        said = [one for one in caplog.records if "more are refused" in one.message]
        assert len(said) == throng
    await records.close()


async def test_transactions_and_questions_have_queues_of_their_own(
    records: Records,
) -> None:
    """A throng of one does not turn the other away."""
    await records.transact(lambda connection: connection.scalar(text("SELECT 1")))
    held = Held()
    tasks = await _begin(records.transact, held, range(MAX))
    answer = await records.look(lambda connection: connection.scalar(text("SELECT 7")))
    assert answer == 7
    held.go.set()
    await asyncio.gather(*tasks)
    await records.close()


async def test_what_was_given_up_keeps_its_place_until_it_is_reached(
    records: Records,
) -> None:
    """It is not done then; without its place, the queue would grow by requests that
    come and go."""
    held = Held()
    tasks = await _begin(records.transact, held, range(MAX))
    tasks[2].cancel()
    await asyncio.wait([tasks[2]])
    with pytest.raises(Overloaded):
        await records.transact(held.work(9))
    held.go.set()
    await asyncio.gather(*tasks[:2])
    assert await records.transact(held.work(3)) == 3
    assert held.done == [0, 1, 3]
    await records.close()
