"""A backup of a site in files comes back on Redis and MariaDB, and the other way."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.backup.opening import opened_place
from cluster.backup.restoring import Restore
from cluster.backup.saving import Backup
from cluster.backup.target import Target
from cluster.checks.verification import Verdict
from cluster.site.settings import Settings, read_settings
from cluster.site.site import Site
from cluster.site.stores import open_journal
from cluster.terminal.obstacle import Obstacle
from tests.factories import at, book_slot
from tests.fixtures.small_site import lived_in, made_site, projected, told, working

if TYPE_CHECKING:
    from tests.fixtures.mariadb import MariaDbServer
    from tests.fixtures.redis_server import RedisServer

pytestmark = pytest.mark.timeout(120)


NUMBERS = itertools.count(1)


def quiet(_text: str) -> None:
    """Pauses take no time."""


async def backed_up(site: Site, where: Path) -> None:
    async with opened_place(str(where)) as place:
        # The layout is compared in a thread by the environment's settings; here the
        # site has settings of its own.
        await Backup(site, place, quiet, layout_now=lambda: site.layout).run(
            with_secrets=False
        )


async def restored(settings: Settings, where: Path, *, again: bool = False) -> Verdict:
    async with opened_place(str(where)) as place:
        return await Restore(settings, place, quiet).run(again=again)


@pytest.fixture
def services(
    redis_server: RedisServer, mariadb_server: MariaDbServer
) -> dict[str, str]:
    """Settings of an empty installation on the two servers."""
    name = f"restored{next(NUMBERS)}"
    return {
        "journal": redis_server.url,
        "site": name,
        "database": mariadb_server.url(mariadb_server.create_database(name)),
    }


async def test_files_to_services_and_back(
    tmp_path: Path, services: dict[str, str]
) -> None:
    """The kind of journal and database may change with a restore; nothing else does."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    await backed_up(site, tmp_path / "one")
    settings = read_settings(data=tmp_path / "node", **services)
    first = await restored(settings, tmp_path / "one")
    assert first.bookings == 7

    moved = Site(settings, Target(settings).folder, site.layout)
    async with working(moved) as links:
        shard = links.shard_of(book_slot(2).provider_id)
        (reply,) = await links.execute(shard, [book_slot(90, at(12))], 10)
        assert type(reply).__name__ == "Refusal"
        await told(links, [book_slot(91, at(14))])
    await projected(moved)

    await refused_over(settings, tmp_path)
    await backed_up(moved, tmp_path / "two")
    back = read_settings(data=tmp_path / "back")
    second = await restored(back, tmp_path / "two")
    assert second.bookings == 8
    assert second.problems == []


async def refused_over(settings: Settings, tmp_path: Path) -> None:
    """A Redis or a database with something in it is left alone."""
    other = settings.model_copy(update={"data": tmp_path / "other"})
    with pytest.raises(Obstacle, match="Redis holds a site"):
        await restored(other, tmp_path / "one")
    elsewhere = other.model_copy(update={"site": "elsewhere"})
    with pytest.raises(Obstacle, match="database has rows"):
        await restored(elsewhere, tmp_path / "one")


async def test_a_broken_restore_on_services_is_cleared_and_done_again(
    tmp_path: Path, services: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a broken-off restore left in Redis and SQL goes with --again."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    await backed_up(site, tmp_path / "one")
    settings = read_settings(data=tmp_path / "node", **services)
    with monkeypatch.context() as patch:
        patch.setattr(
            "cluster.backup.restoring.Restore._verified", broken_off, raising=True
        )
        with pytest.raises(PowerCut):
            await restored(settings, tmp_path / "one")
    with pytest.raises(Obstacle, match="unfinished restore"):
        await restored(settings, tmp_path / "one")
    assert (await restored(settings, tmp_path / "one", again=True)).problems == []
    journal = open_journal(Site(settings, Target(settings).folder, site.layout).stores)
    assert len(await journal.shards()) == 2
    await journal.close()


class PowerCut(Exception):
    """The restore ends here."""


async def broken_off(*_given: object) -> Verdict:
    raise PowerCut
