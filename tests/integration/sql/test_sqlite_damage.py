"""A damaged SQLite file is put aside and rebuilt from the journal automatically."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from actors.errors import Unavailable
from care.readmodel import ProviderQuery
from cluster.commands.projections import _rebuild
from cluster.server import projector as projecting
from cluster.server.projector import project_until
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed
from cluster.wiring.calendars import open_calendars
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.queries.progress import SqlProgress
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.damage import KEPT, is_damaged
from persistence.sql.engine import open_engine, sqlite_file
from persistence.sql.migrating import migrate
from tests.fixtures.rows import all_rows
from tests.unit.actors import practice as p


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    """A site with two providers and some bookings, not yet projected."""
    settings = read_settings(data=tmp_path / "data", seed="none", shards=2)
    made = site_made_if_needed(settings, date(2026, 9, 1))
    async with open_calendars(made, "a test") as calendars:
        for command in (*p.opened(p.ANA), *p.opened(p.BEN)):
            await calendars.ask(command)
    return made


@asynccontextmanager
async def projector(site: Site) -> AsyncIterator[None]:
    """The projector's process, for as long as the block."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(project_until(site, stop))
    try:
        yield
    finally:
        stop.set()
        await running


def spoil(path: Path, where: str) -> None:
    """Damage the file: its first page, or the pages behind it."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        first = 0 if where == "head" else 4096 * 2
        file.seek(first)
        file.write(b"\xa5" * (4096 if where == "head" else size - first))


async def caught_up(site: Site) -> bool:
    file = sqlite_file(site.database_url)
    if file is None or file.is_marked or file.is_to_be_made_anew:
        return False
    engine = open_engine(site.database_url, "reader")
    try:
        query = ProviderQuery()
        return len(await SqlDirectory(engine, engine).ids(query, limit=9)) == 2
    except Unavailable:
        return False
    finally:
        await engine.dispose()


async def rows(site: Site) -> object:
    """All rows, but for how far notices count as sent: a rebuild sends none."""
    engine = open_engine(site.database_url, "upkeep")
    try:
        found = await all_rows(engine)
        found["projection_offset"] = [row[:3] for row in found["projection_offset"]]
        return found
    finally:
        await engine.dispose()


def place(site: Site) -> Path:
    file = sqlite_file(site.database_url)
    assert file is not None
    return file.path


@pytest.mark.parametrize("where", ["head", "middle"])
async def test_a_file_damaged_while_nobody_ran_is_made_anew(
    site: Site, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projector starts, puts the file aside, and fills a new one: the same rows."""
    monkeypatch.setattr(projecting, "LOOK_FOR_DAMAGE_S", 0.05)
    monkeypatch.setattr(projecting, "DAMAGED_AGAIN_S", 0.05)
    async with projector(site):
        await until(lambda: caught_up(site), "the projection")
    before = await rows(site)
    for suffix in ("-wal", "-shm"):
        place(site).with_name(place(site).name + suffix).unlink(missing_ok=True)
    spoil(place(site), where)
    async with projector(site):
        await until(lambda: caught_up(site), "the read model rebuilt")
    assert await rows(site) == before
    assert list(place(site).parent.glob("*.aside-*"))
    assert not list(place(site).parent.glob("*.anew"))
    file = sqlite_file(site.database_url)
    assert file is not None
    assert not file.is_marked


async def test_readers_follow_to_the_new_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that met the damage says so; its connections go on by themselves."""
    monkeypatch.setattr(projecting, "LOOK_FOR_DAMAGE_S", 0.05)
    monkeypatch.setattr(projecting, "DAMAGED_AGAIN_S", 0.05)
    engine = open_engine(site.database_url, "reader")
    idle = open_engine(site.database_url, "reader")
    progress = SqlProgress(engine)
    async with projector(site):
        await until(lambda: caught_up(site), "the projection")
        offsets = await progress.offsets()
        assert await SqlProgress(idle).offsets() == offsets
        file = sqlite_file(site.database_url)
        assert file is not None
        file.mark_damaged()
        aside = place(site).parent
        await until(lambda: _there(aside), "the file put aside")
        await until(lambda: caught_up(site), "the read model rebuilt")
        assert await SqlProgress(idle).offsets() == offsets
        inode = place(site).stat().st_ino
        held = idle.sync_engine.pool.connect()
        assert held.info["inode"] == inode
        held.close()
    await engine.dispose()
    await idle.dispose()


async def _there(folder: Path) -> bool:
    names = os.listdir(folder)
    is_aside = any(".aside-" in name for name in names)
    return is_aside and not any(name.endswith(".anew") for name in names)


async def until(found: Callable[[], Awaitable[bool]], what: str) -> None:
    """Look until it is there, for a bounded time."""
    async with asyncio.timeout(60):
        while not await found():  # noqa: ASYNC110 - another task's work is looked at
            await asyncio.sleep(0.02)
    assert what


async def test_damage_is_told_from_other_trouble(site: Site) -> None:
    """Only SQLite's own word for it counts, and it leaves a mark."""
    await migrate(site.database_url, READ_MODEL)
    spoil(place(site), "head")
    with pytest.raises(DBAPIError) as found:
        await migrate(site.database_url, READ_MODEL)
    assert is_damaged(found.value)
    file = sqlite_file(site.database_url)
    assert file is not None
    assert file.is_marked
    engine = open_engine(site.database_url, "reader")
    with pytest.raises(Unavailable, match="damaged"):
        await SqlProgress(engine).offsets()
    await engine.dispose()
    assert not is_damaged(OSError("gone"))


async def test_the_command_makes_it_anew_without_a_server(site: Site) -> None:
    """``slotcast projection rebuild`` on a damaged file puts it aside first."""
    await migrate(site.database_url, READ_MODEL)
    spoil(place(site), "head")
    await _rebuild(site, lambda *_: None)
    assert await caught_up(site)


def test_files_put_aside_are_bounded(tmp_path: Path) -> None:
    """A disk that damages every file does not fill up with them."""
    file = sqlite_file(f"sqlite:///{tmp_path}/m.db")
    assert file is not None
    for number in range(1_000, 1_010):
        file.path.write_bytes(b"x")
        file.put_aside(number)  # type: ignore[arg-type]
    assert len(list(tmp_path.glob("m.db.aside-*"))) == KEPT
