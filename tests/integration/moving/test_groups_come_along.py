"""Groups, offers, lanes, seats and series in another place: all of it, and agreeing."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.domain.ids import GroupId, Millis, ShardId
from actors.domain.messages.events import SlotBooked
from cluster.backup.saving import Backup
from cluster.site.site import Site, existing_site
from tests.factories import NOW, at
from tests.fixtures.group_site import (
    PAIR,
    Pair,
    journal_of,
    kept,
    lived_fully,
    whole,
)
from tests.fixtures.small_site import made_site, told, working
from tests.integration.backup.test_backup import backed_up, restored
from tests.integration.moving.test_resharding import resharded, verified

pytestmark = pytest.mark.timeout(120)
MEANWHILE = GroupId("meanwhile")


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    return await lived_fully(made_site(data=tmp_path / "data"))


async def test_a_restored_site_knows_all_of_it(site: Site, tmp_path: Path) -> None:
    """Calendars of the backup are those of the site, what is owed and offered included,
    and verification finds nothing."""
    before = await kept(site)
    await backed_up(site, str(tmp_path / "saved"))
    verdict = await restored(str(tmp_path / "saved"), tmp_path / "new")
    assert verdict.problems == []
    assert await kept(existing_site(tmp_path / "new")) == before


@pytest.mark.parametrize("shards", [1, 3])
async def test_other_journals_know_all_of_it(site: Site, shards: int) -> None:
    """Calendars of the next generation are those of the one before."""
    before = await kept(site)
    after = await resharded(site, shards)
    assert await kept(after) == before
    assert (await verified(after)).problems == []


@pytest.mark.parametrize("pair", [PAIR, PAIR[::-1]])
async def test_a_visit_of_two_journals_is_saved_whole_or_not_at_all(
    site: Site, tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Booked and carried out after the first journal was saved, and before the second:
    a backup with one of the two would be a visit without its room, or the reverse."""
    save, saved = Backup._save_records, list[ShardId]()

    async def meanwhile(self: Backup, journal: object, shard: ShardId) -> object:
        if saved:
            async with working(site, now=Millis(NOW + 1_000)) as links:
                await told(links, whole(MEANWHILE, at(16, 30), pair))
        saved.append(shard)
        return await save(self, journal, shard)  # type: ignore[arg-type]

    monkeypatch.setattr(Backup, "_save_records", meanwhile)
    await backed_up(site, str(tmp_path / "saved"))
    assert len(saved) == 2
    assert await visits(site) == {PAIR[0], PAIR[1]}
    verdict = await restored(str(tmp_path / "saved"), tmp_path / "new")
    assert verdict.problems == []
    assert await visits(existing_site(tmp_path / "new")) == set()


async def visits(site: Site) -> set[str]:
    """The calendars that booked it."""
    found = set[str]()
    async with journal_of(site) as journal:
        for shard in await journal.shards():
            for record in await journal.read(shard, 0, 1_000):
                event = record.event
                group = event.group if isinstance(event, SlotBooked) else None
                if group is not None and group.group_id == MEANWHILE:
                    found.add(event.provider_id)
    return found
