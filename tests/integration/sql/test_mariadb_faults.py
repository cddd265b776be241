"""MariaDB killed, frozen and cut off under a projector: each event once, none lost.

The oracle is a quiet projection of the same journal into SQLite.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ShardId
from persistence.readmodel.projection import projector as projecting
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import Committed, Offset, StoreUnavailable
from persistence.sql import engine as engines
from persistence.sql.engine import Role, open_engine
from tests.benchmarks.bench_projection import project, visits
from tests.faults.proxy import Proxy
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.read_model import ON_SERVER, empty_database, empty_read_model
from tests.fixtures.rows import Rows, all_rows
from tests.fixtures.story import SHARD, FixedClock, Story, StoryJournal, a_clinic

EVENTS = 6_000
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    """A server of this module's own, since it is hurt here."""
    with MariaDbServer(tmp_path_factory.mktemp("hurt") / "m") as started:
        yield started


@pytest.fixture(scope="module")
def journal() -> StoryJournal:
    return visits(EVENTS, 40)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a frozen server after a second, and come back after a blink."""
    monkeypatch.setattr(projecting, "BACK_OFF_MOST_S", 0.2)
    monkeypatch.setitem(engines.ANSWER_S, "projector", 1.0)


_oracle: dict[int, Rows] = {}


async def expected(
    journal: StoryJournal, request: pytest.FixtureRequest, folder: Path
) -> Rows:
    """What a quiet run into SQLite makes of it."""
    if id(journal) not in _oracle:
        url = empty_read_model("sqlite", request, folder)
        await project(url, journal)
        _oracle[id(journal)] = await rows_of(url)
    return _oracle[id(journal)]


async def rows_of(url: str) -> Rows:
    async with opened(url, "reader") as engine:
        return await all_rows(engine)


class Following:
    """A projector that follows its journal beside the test."""

    def __init__(self, projector: Projector, engine: AsyncEngine) -> None:
        self.projector = projector
        self.engine = engine

    async def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not done():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.002)


@asynccontextmanager
async def following(
    url: str, journal: Any, batch: int = 100
) -> AsyncIterator[Following]:
    async with opened(url) as engine:
        store = SqlProjectionStore(engine)
        projector = Projector(
            journal, store, FixedClock(), batch_max=batch, lanes=store.lanes
        )
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(projector.run(stop))
            try:
                yield Following(projector, engine)
            finally:
                stop.set()
        assert not projector.parked
        assert not projector.refused


async def all_projected(url: str, journal: StoryJournal) -> None:
    """Wait until nothing is left to project."""
    ends = {shard: len(records) for shard, records in journal.records.items()}
    async with opened(url, "reader") as engine:
        store = SqlProjectionStore(engine)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            offsets = await store.shard_offsets()
            if {shard: one.seq for shard, one in offsets.items()} == ends:
                break
            assert time.monotonic() < deadline, offsets
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("driver", ON_SERVER)
async def test_a_killed_server_costs_nothing(
    server: MariaDbServer,
    journal: StoryJournal,
    driver: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """kill -9 of the server in the middle of batches, three times: each event once."""
    url = empty_database(server, f"killed_{driver}", driver)
    async with following(url, journal) as run:
        for third in (1, 2, 3):
            await run.until(lambda: run.projector.projected >= third * EVENTS // 5)  # noqa: B023
            server.kill()
            server.start()
        await all_projected(url, journal)
    assert await rows_of(url) == await expected(journal, request, tmp_path)


@pytest.mark.parametrize("driver", ON_SERVER)
async def test_a_frozen_server_holds_nobody_up(
    server: MariaDbServer,
    journal: StoryJournal,
    driver: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SIGSTOP in the middle of batches: given up in time, done once after SIGCONT."""
    url = empty_database(server, f"frozen_{driver}", driver)
    async with following(url, journal) as run:
        await run.until(lambda: run.projector.projected >= EVENTS // 4)
        server.freeze()
        try:
            await run.until(lambda: "projection waits" in caplog.text)
        finally:
            server.thaw()
        await all_projected(url, journal)
    assert await rows_of(url) == await expected(journal, request, tmp_path)


async def test_two_projectors_at_once(
    server: MariaDbServer,
    journal: StoryJournal,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """Two projectors side by side, each with its lanes: each event once."""
    url = empty_database(server, "two")
    async with following(url, journal), following(url, journal, 70):
        await all_projected(url, journal)
    assert await rows_of(url) == await expected(journal, request, tmp_path)


@pytest.mark.parametrize("shards", [1, 2], ids=["alone", "together"])
@pytest.mark.parametrize("driver", ON_SERVER)
async def test_a_commit_without_an_answer_is_looked_up(
    server: MariaDbServer, driver: str, shards: int
) -> None:
    """The answer to COMMIT is lost: unknown at first, and after a look done once.

    So with one shard in the transaction, and with several.
    """
    url = empty_database(server, f"cut_{driver}_{shards}", driver)
    stories = {
        ShardId(f"s{place:04}"): Story(100 * place, a_clinic(place))
        for place in range(1, shards + 1)
    }
    journal = StoryJournal()
    for shard, story in stories.items():
        journal.tell(shard, story.registered(), story.offers(), story.booked(1))
    async with Proxy("127.0.0.1", server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with opened(through) as engine:
            cut_the_answer_to_a_write(proxy, engine)
            projector = Projector(journal, SqlProjectionStore(engine), FixedClock())
            with pytest.raises(StoreUnavailable):
                await projector.step()
            assert proxy.cuts == 1
            proxy.heal()
            await wait_for_offsets(dict.fromkeys(stories, Offset(3, 1)), engine)
            assert await projector.step() == 0
            for shard, story in stories.items():
                journal.tell(shard, story.cancelled(1))
            assert await projector.step() == shards
    assert not projector.parked
    assert len((await rows_of(url))["appointment_history"]) == 2 * shards


def cut_the_answer_to_a_write(proxy: Proxy, engine: AsyncEngine) -> None:
    """Cut the line at the answer to the first COMMIT of a transaction that wrote.

    The transactions that read the offsets end with a COMMIT, too.
    """
    wrote: list[str] = []

    def executed(_1: Any, _2: Any, statement: str, _3: Any, _4: Any, _5: Any) -> None:
        if not statement.startswith("SELECT"):
            wrote.append(statement)

    def commit(_: object) -> None:
        if wrote and not proxy.cuts:
            proxy.set(cut_after=0)  # the server's next word, to this COMMIT

    event.listen(engine.sync_engine, "after_cursor_execute", executed)
    event.listen(engine.sync_engine, "commit", commit)


async def wait_for_offsets(offsets: dict[ShardId, Offset], engine: AsyncEngine) -> None:
    """The server may still be at that commit when the line is already cut."""
    deadline = time.monotonic() + DEADLINE_S
    store = SqlProjectionStore(engine)
    while (found := await store.shard_offsets()) != offsets:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.005)


async def test_a_server_that_becomes_read_only_is_left(server: MariaDbServer) -> None:
    """Error 1290 after a failover: unavailable, and pooled connections are dropped."""
    url = empty_database(server, "failover")
    server.execute(
        "CREATE OR REPLACE USER plain@'127.0.0.1' IDENTIFIED BY 'plain'",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON failover.* TO plain@'127.0.0.1'",
    )
    plain = url.replace("slotcast:only-for-tests", "plain:plain")
    async with opened(plain) as engine:
        store = SqlProjectionStore(engine)
        assert await store.apply(SHARD, 0, Offset(1, 1), []) == Committed(Offset(1, 1))
        before = await connection_id(engine)
        server.execute("SET GLOBAL read_only = ON")
        try:
            with pytest.raises(StoreUnavailable, match="1290"):
                await store.apply(SHARD, 1, Offset(2, 1), [])
        finally:
            server.execute("SET GLOBAL read_only = OFF")
        assert await connection_id(engine) != before
        assert await store.apply(SHARD, 1, Offset(2, 1), []) == Committed(Offset(2, 1))


@asynccontextmanager
async def opened(url: str, role: Role = "projector") -> AsyncIterator[AsyncEngine]:
    """An engine, closed whatever happens: a control makes tests fail."""
    engine = open_engine(url, role)
    try:
        yield engine
    finally:
        await engine.dispose()


async def connection_id(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text("SELECT CONNECTION_ID()")) or 0)


@pytest.mark.parametrize("driver", ON_SERVER)
async def test_a_batch_is_few_statements(
    mariadb_server: MariaDbServer, driver: str
) -> None:
    """A thousand events are some dozens of statements, not one for each row."""
    url = empty_database(mariadb_server, "counted", driver)
    journal = visits(2_000, 40)

    def asked() -> int:
        query = "SHOW GLOBAL STATUS LIKE 'Questions'"
        return int(str(mariadb_server.execute(query)[0][1]))

    async with opened(url) as engine:
        projector = Projector(journal, SqlProjectionStore(engine), FixedClock())
        before = asked()
        assert await projector.step() == 2_000
        assert asked() - before < 4 * 60


@pytest.mark.parametrize("turn", range(3))
async def test_shards_that_share_a_clinic_at_the_same_time(
    mariadb_server: MariaDbServer, turn: int
) -> None:
    """Shards that register the same clinics at once: none parked, the newest wins."""
    url = empty_database(mariadb_server, "shared")
    journal = StoryJournal()
    for number in range(24):
        name = f"Name {(number * 7 + turn) % 24:02}"
        for place in (1, 2):
            story = Story(100 * place + number, a_clinic(place, name=name))
            event = story.registered(at=(number * 7 + turn) % 24)
            journal.tell(ShardId(f"s{number:04}"), event)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(project_side_by_side(url, journal))
    rows = await rows_of(url)
    assert [row[1] for row in rows["clinic"]] == ["Name 23", "Name 23"]
    assert rows["projection_conflict"] == []
    assert len(rows["provider"]) == 48


async def project_side_by_side(url: str, journal: StoryJournal) -> None:
    async with opened(url) as engine:
        store = SqlProjectionStore(engine)
        projector = Projector(journal, store, FixedClock(), lanes=store.lanes)
        quiet = 0
        while quiet < 2:
            try:
                quiet = 0 if await projector.step() else quiet + 1
            except StoreUnavailable:  # a deadlock: the server has chosen one of two
                quiet = 0
