"""Another number of shards: the same calendars, in other journals; all or nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.domain.ids import Millis, ProviderId
from actors.domain.messages.answers import ProviderView, ScheduleView
from actors.domain.messages.reads import ReadProvider, ReadSchedule
from actors.placement import generation_of, isolated_shard
from cluster.checks.verification import Verdict, Verification
from cluster.clock import SystemClock
from cluster.moving import resharding
from cluster.moving.isolating import isolate
from cluster.moving.resharding import as_wanted, reshard
from cluster.moving.resharding_after import (
    catch_up,
    forget_old_offsets,
    forget_other_generations,
)
from cluster.site.site import Site, existing_site
from cluster.site.stores import open_journal, open_snapshots
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.calendars import (
    fixed_shards,
    local_calendars,
    local_links,
    site_placing,
)
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import StoreUnavailable
from persistence.readmodel.queries.progress import SqlProgress
from persistence.readmodel.rebuilding.from_calendars import SnapshotSeeds
from persistence.readmodel.rebuilding.rebuild import rebuild
from persistence.shared.presence import STALE_MS, GatewayLine, RedisPresence
from persistence.sql.engine import open_engine
from tests.factories import PROVIDER, a_provider_id
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import new_site
from tests.fixtures.small_site import lived_in, made_site

CLOCK = SystemClock()
OTHER = a_provider_id(4)


def quiet(_what: str, _done: int, _total: int) -> None:
    """Prints nothing."""


async def made(folder: Path, **given: object) -> Site:
    site = await asyncio.to_thread(made_site, data=folder, **given)
    return await lived_in(site)


async def found_again(site: Site) -> Site:
    """The site as a new process finds it."""
    return await asyncio.to_thread(existing_site, site.folder.path)


async def resharded(site: Site, shards: int, placement: str | None = None) -> Site:
    """What the command does."""
    await catch_up(site, CLOCK, quiet)
    after, _ = await reshard(
        site, as_wanted(site.layout, shards, placement), CLOCK, quiet
    )
    await forget_old_offsets(after)
    await catch_up(after, CLOCK, quiet)
    return after


async def verified(site: Site) -> Verdict:
    journal, snapshots = open_journal(site.stores), open_snapshots(site.stores)
    engine = open_engine(site.database_url, role="reader")
    check = Verification(journal, snapshots, engine, site.settings.policy)
    try:
        async with local_links(site) as links:
            return await check.run(SqlProgress(engine), links)
    finally:
        await engine.dispose()
        await snapshots.close()
        await journal.close()


async def shown(site: Site) -> list[object]:
    """What the two providers' calendars say of themselves, positions aside."""
    async with local_calendars(site) as calendars:
        said: list[object] = []
        for provider in (PROVIDER, OTHER):
            schedule = await calendars.ask(
                ReadSchedule(provider, "2026-08-10", "2026-08-12")
            )
            assert isinstance(schedule, ScheduleView)
            said += [replace(one, epoch=0, version=0) for one in schedule.bookings]
            account = await calendars.ask(ReadProvider(provider))
            assert isinstance(account, ProviderView)
            said += [account.profile, account.availability, account.time_off]
        return said


@pytest.mark.parametrize(
    ("shards", "placement"), [(5, None), (1, None), (2, "provider")]
)
async def test_the_same_calendars_in_other_journals(
    tmp_path: Path, shards: int, placement: str | None
) -> None:
    """Bookings, rules and versions are those of before; SQL and all journals agree."""
    site = await made(tmp_path)
    before = await shown(site)
    after = await resharded(site, shards, placement)
    assert after.layout == (await found_again(site)).layout
    assert after.layout.generation == 2
    assert await shown(after) == before
    assert (await verified(after)).problems == []
    engine = open_engine(after.database_url, role="reader")
    offsets = await SqlProgress(engine).offsets()
    await engine.dispose()
    assert {generation_of(shard) for shard in offsets} == {2}


async def test_twice_and_back(tmp_path: Path) -> None:
    """Two reshardings later, and with the old journals gone, nothing is missing."""
    site = await made(tmp_path)
    before = await shown(site)
    again = await resharded(await resharded(site, 5), 2)
    assert again.layout.generation == 3
    assert await forget_other_generations(again) > 0
    found = await found_again(site)
    assert await shown(found) == before
    assert (await verified(found)).problems == []


async def test_the_read_model_is_made_anew_from_the_new_journals(
    tmp_path: Path,
) -> None:
    """A rebuild after a resharding finds every booking; nothing is parked."""
    after = await resharded(await made(tmp_path), 3)
    journal, snapshots = open_journal(after.stores), open_snapshots(after.stores)
    engine = open_engine(after.database_url, role="projector")
    policy = after.settings.policy
    await rebuild(journal, engine, CLOCK, seeds=SnapshotSeeds(snapshots, policy))
    assert await SqlProjectionStore(engine).parked() == {}
    await engine.dispose()
    await snapshots.close()
    await journal.close()
    assert (await verified(after)).problems == []


@pytest.mark.parametrize("step", ["write_next", "check_untouched", "switch"])
async def test_broken_off_nothing_has_changed(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the switch the old generation is in force, and the next try works."""
    site = await made(tmp_path)
    before = await shown(site)

    class Lost(Exception):
        pass

    def broken(*_given: object) -> None:
        raise Lost

    with monkeypatch.context() as patched:
        patched.setattr(resharding, step, broken)
        with pytest.raises(Lost):
            await resharded(site, 5)
    found = await found_again(site)
    assert found.layout == site.layout
    assert await shown(found) == before
    after = await resharded(found, 5)
    assert after.layout.shards == 5
    assert await shown(after) == before
    assert (await verified(after)).problems == []


async def test_somebody_who_works_meanwhile_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard that was opened while we wrote stops the resharding."""
    site = await made(tmp_path)
    check = resharding.check_untouched

    async def opened_meanwhile(*given: object) -> None:
        async with local_links(site):
            pass
        await check(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(resharding, "check_untouched", opened_meanwhile)
    with pytest.raises(Obstacle, match="s0000 was opened meanwhile"):
        await resharded(site, 5)
    assert (await found_again(site)).layout == site.layout


async def test_who_forgets_journals_meanwhile_is_noticed(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another node, while we write: nothing of which half is gone is put in force.

    Without the check every calendar would be lost with its journal.
    """
    monkeypatch.setenv("SLOTCAST_JOURNAL", redis_server.url)
    monkeypatch.setenv("SLOTCAST_SITE", new_site())
    site = await made(tmp_path)
    before = await shown(site)
    write = resharding.write_next

    async def forgotten_meanwhile(*given: object) -> object:
        written = await write(*given)  # type: ignore[arg-type]
        assert await forget_other_generations(site) > 0
        return written

    with monkeypatch.context() as patched:
        patched.setattr(resharding, "write_next", forgotten_meanwhile)
        with pytest.raises(Obstacle, match="another reshard"):
            await resharded(site, 5)
    assert (await found_again(site)).layout == site.layout
    assert await shown(site) == before
    assert await shown(await resharded(site, 3)) == before


async def test_two_reshardings_at_once_do_not_share_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found the same generation unused: the second one to write is stopped."""
    site = await made(tmp_path)
    await resharded_as_far_as_written(site)

    async def the_same(_site: Site, generation: int) -> int:
        return generation + 1

    monkeypatch.setattr(resharding, "_unused", the_same)
    with pytest.raises(Obstacle, match="another reshard"):
        await resharded(site, 3)
    assert (await found_again(site)).layout == site.layout


async def resharded_as_far_as_written(site: Site) -> None:
    await catch_up(site, CLOCK, quiet)
    await resharding.flush(site, quiet)
    await resharding.write_next(site, as_wanted(site.layout, 3, None), CLOCK, quiet)


async def test_an_isolated_provider_stays_so(tmp_path: Path) -> None:
    """Isolated first, resharded then: it has a shard of its own all the time."""
    site = await made(tmp_path)
    before = await shown(site)
    async with local_links(site) as links:
        moved = await isolate(site, PROVIDER, links, lambda _shard: None)
    assert moved.to_shard == isolated_shard(PROVIDER)
    isolated = await found_again(site)
    assert isolated.layout.isolated == {PROVIDER: moved.to_shard}
    assert moved.to_shard in fixed_shards(isolated)
    assert await shown(isolated) == before
    await catch_up(isolated, CLOCK, quiet)
    assert (await verified(isolated)).problems == []
    after = await resharded(isolated, 3)
    own = isolated_shard(PROVIDER, 2)
    assert site_placing(after)(PROVIDER) == own
    assert await shown(after) == before
    assert (await verified(after)).problems == []


async def test_isolated_and_made_anew(tmp_path: Path) -> None:
    """A rebuild from journals between which a calendar moved finds every row."""
    site = await made(tmp_path)
    async with local_links(site) as links:
        await isolate(site, PROVIDER, links, lambda _shard: None)
    after = await found_again(site)
    journal, snapshots = open_journal(after.stores), open_snapshots(after.stores)
    engine = open_engine(after.database_url, role="projector")
    seeds = SnapshotSeeds(snapshots, after.settings.policy)
    await rebuild(journal, engine, CLOCK, seeds=seeds)
    assert await SqlProjectionStore(engine).parked() == {}
    await engine.dispose()
    await snapshots.close()
    await journal.close()
    assert (await verified(after)).problems == []


async def test_who_cannot_be_isolated_is_told(tmp_path: Path) -> None:
    """An unknown id, a malformed id, and a site with a shard a provider already."""
    site = await made(tmp_path)
    async with local_links(site) as links:
        for provider in ("prv_nobody", "nonsense"):
            with pytest.raises(Obstacle):
                await isolate(site, ProviderId(provider), links, lambda _shard: None)
    alone = await resharded(site, 2, "provider")
    async with local_links(alone) as links:
        with pytest.raises(Obstacle, match="already"):
            await isolate(alone, PROVIDER, links, lambda _shard: None)


async def test_a_stranger_leaves_no_shard_behind(tmp_path: Path) -> None:
    """A mistyped id starts no process and no journal."""
    site = await made(tmp_path)
    begun: list[str] = []
    async with local_links(site) as links:
        with pytest.raises(Obstacle, match="no provider prv_nobody"):
            await isolate(site, ProviderId("prv_nobody"), links, begun.append)
    assert begun == []
    own = isolated_shard(ProviderId("prv_nobody"))
    assert not (site.folder.journal / own).exists()


async def test_twice_at_the_same_time(tmp_path: Path) -> None:
    """Two operators isolate one calendar, and a third one another: all are told so."""
    site = await made(tmp_path)
    before = await shown(site)
    async with local_links(site) as links:
        moves = await asyncio.gather(
            *(
                isolate(site, provider, links, lambda _shard: None)
                for provider in (PROVIDER, PROVIDER, OTHER)
            )
        )
    assert [one.to_shard for one in moves] == [
        isolated_shard(one) for one in (PROVIDER, PROVIDER, OTHER)
    ]
    after = await found_again(site)
    assert after.layout.isolated.keys() == {PROVIDER, OTHER}
    assert await shown(after) == before
    await catch_up(after, CLOCK, quiet)
    assert (await verified(after)).problems == []


async def test_who_isolates_in_journals_of_before_changes_nothing(
    tmp_path: Path,
) -> None:
    """The site was resharded since the operator looked: the layout stays as it is."""
    site = await made(tmp_path)
    after = await resharded(site, 5)
    async with local_links(site) as links:
        with pytest.raises(Obstacle, match="resharded meanwhile"):
            await isolate(site, PROVIDER, links, lambda _shard: None)
    assert (await found_again(site)).layout == after.layout
    assert (await verified(after)).problems == []


async def test_a_projector_of_before_does_not_begin_the_past_anew(
    tmp_path: Path,
) -> None:
    """Its shards' offsets are forgotten: it stops, and says what it needs."""
    site = await made(tmp_path)
    after = await resharded(site, 3)
    journal = open_journal(site.stores)
    engine = open_engine(site.database_url, role="projector")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="generation 2"):
            await Projector(journal, SqlProjectionStore(engine), CLOCK).step()
    assert await SqlProjectionStore(engine).parked() == {}
    await engine.dispose()
    await journal.close()
    assert (await verified(after)).problems == []


async def test_with_the_journal_in_redis(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """The same there: isolated, resharded, the old generation forgotten, all agree."""
    given = {"journal": redis_server.url, "site": new_site()}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in given.items():
            patched.setenv(f"SLOTCAST_{name.upper()}", value)
        site = await made(tmp_path)
        before = await shown(site)
        async with local_links(site) as links:
            await isolate(site, PROVIDER, links, lambda _shard: None)
        after = await resharded(await found_again(site), 3)
        assert await forget_other_generations(after) > 0
        found = await found_again(after)
        assert found.layout == after.layout
        assert found.layout.isolated == {PROVIDER: isolated_shard(PROVIDER, 2)}
        assert await shown(found) == before
        assert (await verified(found)).problems == []


async def test_not_while_a_gateway_of_another_node_serves(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node has a folder of its own; still none can reshard while others run."""
    monkeypatch.setenv("SLOTCAST_JOURNAL", redis_server.url)
    monkeypatch.setenv("SLOTCAST_SITE", new_site())
    site = await made(tmp_path)
    presence = RedisPresence(redis_server.url, site.settings.site)
    now = SystemClock().now()
    line = GatewayLine("n1", 0, 1, "http://127.0.0.3:8000", 0, now)
    await presence.tell(line)
    with pytest.raises(Obstacle, match=r"n1 at http://127\.0\.0\.3:8000"):
        await resharded(site, 3)
    assert (await found_again(site)).layout == site.layout
    await presence.tell(replace(line, at=Millis(now - STALE_MS)))
    await presence.close()
    assert (await resharded(site, 3)).layout.shards == 3
