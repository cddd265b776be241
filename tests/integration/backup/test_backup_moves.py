"""A backup made while a calendar changes its shard can be restored, or is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.domain.ids import Millis, ShardId
from actors.placement import isolated_shard
from cluster.backup.places import MANIFEST
from cluster.backup.saving import Backup
from cluster.moving.calendar_moves import CalendarMover
from cluster.moving.isolating import isolate
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.calendars import local_links
from tests.factories import NOW, PROVIDER, at, book_slot
from tests.fakes.clocks import SteppedClock
from tests.fixtures.small_site import lived_in, made_site, told, working
from tests.integration.backup.test_backup import backed_up, restored

pytestmark = pytest.mark.timeout(120)
OWN = isolated_shard(PROVIDER)


class Lost(Exception):
    """The operator's process is killed."""


async def moved(site: Site, *, steps: int = 9, later_ms: int = 0) -> None:
    """Isolate the provider; the tool is killed after so many steps."""
    clock = SteppedClock(Millis(NOW + later_ms))

    def stepped(number: int) -> None:
        if number == steps:
            raise Lost

    async with local_links(site, clock) as links:
        home = links.shard_of(PROVIDER)
        links.moved(PROVIDER, OWN)
        mover = CalendarMover(links, clock, stepped=stepped)
        await mover.move(PROVIDER, home, OWN)


async def test_a_calendar_that_is_nowhere_is_not_saved(tmp_path: Path) -> None:
    """Between its shards: the operator is told; the move finished, all comes back."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    with pytest.raises(Lost):
        await moved(site, steps=2)
    with pytest.raises(Obstacle, match=rf"moving to another shard \({PROVIDER}\)"):
        await backed_up(site, str(tmp_path / "first"))
    assert not (tmp_path / "first" / MANIFEST).exists()
    async with local_links(site) as links:
        await isolate(site, PROVIDER, links, lambda _shard: None)
    await backed_up(existing_site(site.folder.path), str(tmp_path / "second"))
    verdict = await restored(str(tmp_path / "second"), tmp_path / "new")
    assert verdict.problems == []
    new = existing_site(tmp_path / "new")
    async with local_links(new) as links:
        assert links.shard_of(PROVIDER) == OWN
        (reply,) = await links.execute(OWN, [book_slot(90, at(10))], 10)
        assert type(reply).__name__ == "Refusal"


def moving_meanwhile(
    monkeypatch: pytest.MonkeyPatch, site: Site, later_ms: int
) -> None:
    """Let it leave after its old shard was saved, and come before its new one is."""
    save = Backup._save_records

    async def meanwhile(self: Backup, journal: object, shard: ShardId) -> object:
        saved = await save(self, journal, shard)  # type: ignore[arg-type]
        if shard == "s0001":  # the last of the shards that were there before
            await moved(site, later_ms=later_ms)
        return saved

    monkeypatch.setattr(Backup, "_save_records", meanwhile)


async def test_a_calendar_that_is_in_two_journals_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came at the very instant up to which journals are saved, by a late clock."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    with pytest.raises(Lost):
        await moved(site, steps=1)  # the new shard is there, and empty
    moving_meanwhile(monkeypatch, site, 0)
    with pytest.raises(Obstacle, match="moving to another shard"):
        await backed_up(site, str(tmp_path / "saved"))


async def test_a_calendar_that_moves_meanwhile_is_saved_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came after the instant up to which journals are saved is not in it."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    with pytest.raises(Lost):
        await moved(site, steps=1)
    moving_meanwhile(monkeypatch, site, 1_000)
    await backed_up(site, str(tmp_path / "saved"))
    verdict = await restored(str(tmp_path / "saved"), tmp_path / "new")
    assert verdict.problems == []
    async with working(existing_site(tmp_path / "new")) as links:
        await told(links, [book_slot(90, at(14))])


async def test_who_works_on_meanwhile_is_in_the_backup_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Booked between reading SQL, snapshots and journal: what comes back agrees."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    save, number = Backup._save_calendars, 0

    async def meanwhile(self: Backup, snapshots: object, shard: ShardId) -> None:
        nonlocal number
        number += 1
        async with working(site) as links:
            await told(links, [book_slot(30 + number, at(13 + number, 30))])
        await save(self, snapshots, shard)  # type: ignore[arg-type]

    monkeypatch.setattr(Backup, "_save_calendars", meanwhile)
    await backed_up(site, str(tmp_path / "saved"))
    verdict = await restored(str(tmp_path / "saved"), tmp_path / "new")
    assert verdict.problems == []
    assert verdict.bookings == 7 + number == 9
