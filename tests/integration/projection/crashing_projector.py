"""A projector that kills its own process at a chosen point; see test_sqlite_crash.py.

``python -m tests.integration.projection.crashing_projector sweep FOLDER`` tries every
point of a small story, each from an empty database, and lets a second process finish.
``… run URL EVENTS MOST`` projects a long story and is killed from outside: after MOST
events it waits for that; 0: to the end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sqlite import SqliteProjectionStore
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.migrating import migrate
from tests.benchmarks.bench_projection import visits
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal


def small_story() -> StoryJournal:
    """Every kind of row, a conflict and an orphan too, in a dozen events."""
    story = Story()
    journal = StoryJournal()
    journal.tell(
        SHARD,
        story.registered(),
        story.offers(),
        story.booked(1),
        story.booked(2, NINE + 60),
        story.moved(1, NINE + 120),
        story.cancelled(2),
        story.booked(3, NINE + 125),
        story.arrived(3),
        story.booked(4),
        story.noshow(4),
    )
    return journal


def crash_at(engine: Engine, point: int) -> None:
    """Die by SIGKILL at the ``point``-th step: about each statement and commit."""
    passed = 0

    def step(*_: Any, **__: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", step)
    event.listen(engine, "after_cursor_execute", step)
    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        step()
        commit(connection)
        step()

    setattr(engine.dialect, "do_commit", do_commit)  # noqa: B010


async def project(
    url: str, journal: StoryJournal, batch: int, point: int, most: int = 0
) -> None:
    store = SqliteProjectionStore(url)
    crash_at(store.engine, point)
    projector = Projector(journal, store, FixedClock(), batch_max=batch)
    while await projector.step():
        if 0 < most <= projector.projected:
            signal.pause()
    await store.close()


def in_child(url: str, point: int) -> bool:
    """Project in a process of its own; whether it lived to the end."""
    child = os.fork()
    if child == 0:
        asyncio.run(project(url, small_story(), 4, point))
        os._exit(0)
    _, state = os.waitpid(child, 0)
    if os.WIFSIGNALED(state):
        assert os.WTERMSIG(state) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(state) == 0
    return True


def sweep(folder: Path) -> None:
    empty = folder / "empty.db"
    asyncio.run(migrate(f"sqlite:///{empty}", READ_MODEL))
    point, lived = 0, False
    while not lived:
        point += 1
        path = folder / f"crash_{point:03d}.db"
        shutil.copy(empty, path)
        lived = in_child(f"sqlite:///{path}", point)
        assert in_child(f"sqlite:///{path}", 0)


if __name__ == "__main__":
    if sys.argv[1] == "sweep":
        sweep(Path(sys.argv[2]))
    else:
        url, events, most = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        asyncio.run(project(url, visits(events, 20), 50, 0, most))
