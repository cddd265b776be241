"""``slotcast verify`` finds what disagrees, and nothing where all agree."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import text

from actors.domain.calendar.snapshot import decode, encode
from actors.domain.ids import ShardId, VisitTypeId
from actors.domain.messages.commands import Command
from actors.domain.rules import Policy
from actors.hosting.local import LocalLinks
from actors.hosting.mailbox import Mailbox
from actors.placement import Placement, placing
from actors.ports import StoredCalendar
from actors.shard.limits import ShardLimits
from cluster.checks.verification import Verdict, Verification
from cluster.site.stores import StoresConfig
from cluster.wiring.shard import ShardConfig, ShardStores
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.queries.progress import SqlProgress
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.factories import (
    NOW,
    a_visit_type,
    an_availability,
    at,
    book_slot,
    cancel_booking,
    check_in,
    confirm_hold,
    place_hold,
    register,
    set_availability,
)
from tests.fakes.clocks import SteppedClock

SHARD = ShardId("s0000")


@dataclass
class Site:
    """A small site with a finished day on it, at rest."""

    folder: Path
    url: str

    async def verify(self, links: LocalLinks | None = None) -> Verdict:
        stores = ShardStores(the_config(self.folder))
        engine = open_engine(self.url, role="reader")
        verification = Verification(stores.journal, stores.snapshots, engine, Policy())
        try:
            return await verification.run(SqlProgress(engine), links)
        finally:
            await engine.dispose()
            await stores.close()

    async def spoil(self, statement: str) -> None:
        """Change the read model without the projector."""
        engine = open_engine(self.url, role="writer")
        async with engine.begin() as connection:
            done = await connection.execute(text(statement))
            assert done.rowcount >= 1
        await engine.dispose()


def the_config(folder: Path) -> ShardConfig:
    return ShardConfig(
        stores=StoresConfig(str(folder / "journal"), str(folder / "snapshots")),
        policy=Policy(),
        limits=ShardLimits(),
    )


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[LocalLinks, ShardStores]]:
    stores = ShardStores(the_config(folder))

    def a_mailbox(shard: ShardId) -> Mailbox:
        journal, snapshots = stores.journal, stores.snapshots
        clock = SteppedClock(NOW)
        return Mailbox(shard, journal, snapshots, clock, Policy(), ShardLimits())

    links = LocalLinks(placing(Placement.SHARD, 1), [SHARD], a_mailbox)
    await links.open()
    yield links, stores
    await links.close()
    await stores.close()


def a_day() -> list[Command]:
    return [
        register(1),
        set_availability(),
        place_hold(1, at(9)),
        confirm_hold(1),
        book_slot(2, at(10)),
        book_slot(3, at(11)),
        cancel_booking(2),
        book_slot(4, at(10)),
        check_in(3),
        place_hold(5, at(15)),
    ]


def a_crowded_day() -> list[Command]:
    """Two seats of a class, of which one goes, and a visit overbooked over another."""
    kinds = a_visit_type(), a_visit_type("class", capacity=3)
    rules = structs.replace(an_availability(*kinds), lanes=2)
    seat = {"visit_type": VisitTypeId("class")}
    more = {"overbook": True, "by_staff": True, "reason": "acute"}
    return [
        register(1),
        set_availability(rules),
        place_hold(1, at(9), **seat),
        book_slot(2, at(9), **seat),
        confirm_hold(1),
        book_slot(3, at(9), **seat),
        cancel_booking(1),
        book_slot(4, at(10)),
        book_slot(5, at(10), **more),
    ]


async def a_site(tmp_path: Path, commands: list[Command]) -> Site:
    url = f"sqlite:///{tmp_path / 'read.db'}"
    await migrate(url, READ_MODEL)
    async with opened(tmp_path) as (links, stores):
        replies = await links.execute(SHARD, commands, 10)
        assert not [r for r in replies if type(r).__name__ in ("Refusal", "Trouble")]
        engine = open_engine(url, role="projector")
        store = SqlProjectionStore(engine)
        projector = Projector(stores.journal, store, SteppedClock(NOW))
        while await projector.step():
            pass
        await engine.dispose()
    return Site(tmp_path, url)


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    return await a_site(tmp_path, a_day())


async def test_seats_and_lanes_agree(tmp_path: Path) -> None:
    """Visits that share their time are compared lane by lane; a wrong one is named."""
    site = await a_site(tmp_path, a_crowded_day())
    verdict = await site.verify()
    assert verdict.problems == []
    assert (verdict.bookings, verdict.claims) == (5, 4 * 6)
    await site.spoil("UPDATE slot_claim SET lane = 4 WHERE lane = 1")
    assert any(
        "claims missing" in problem for problem in (await site.verify()).problems
    )


async def test_a_site_at_rest_agrees(site: Site) -> None:
    """Journal, snapshots and SQL of an ordinary day tell one story."""
    verdict = await site.verify()
    assert verdict.problems == []
    assert (verdict.bookings, verdict.snapshots_compared) == (4, 1)
    assert verdict.claims > 0


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE appointment SET status = 'booked'", "differs from the journal"),
        ("DELETE FROM appointment WHERE status = 'arrived'", "is missing"),
        ("UPDATE appointment SET start_minute = start_minute + 5", "differs"),
        ("DELETE FROM slot_claim WHERE cell % 2 = 0", "claims missing"),
        ("UPDATE projection_offset SET seq = 3", "has not reached"),
    ],
)
async def test_a_spoiled_read_model_is_named(
    site: Site, statement: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were changed, lost or never written are each found."""
    monkeypatch.setattr("cluster.checks.verification.PROJECTION_WAIT_S", 0.05)
    await site.spoil(statement)
    assert any(says in problem for problem in (await site.verify()).problems)


async def test_claims_of_visits_long_past_are_not_missed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the purge of old claims lets go is no difference; all else still is one."""
    ten_days = 10 * 24 * 3_600_000
    monkeypatch.setattr(
        "persistence.readmodel.projection.claim_purge.KEEP_MS", -ten_days
    )
    await site.spoil("DELETE FROM slot_claim")
    assert (await site.verify()).problems == []
    monkeypatch.setattr(
        "persistence.readmodel.projection.claim_purge.KEEP_MS", ten_days
    )
    (problem,) = (await site.verify()).problems
    assert "claims missing" in problem


async def test_a_snapshot_that_is_not_its_replay_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calendar at rest that differs from its events is found."""
    monkeypatch.setattr(
        "cluster.checks.verification.encode", lambda _calendar: b"other"
    )
    problems = (await site.verify()).problems
    assert problems
    assert all("is not its replay" in problem for problem in problems)


async def test_a_memory_that_is_behind_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running shard must know at least what the journal holds."""
    monkeypatch.setattr("cluster.checks.verification.PROJECTION_WAIT_S", 0.05)
    async with opened(site.folder) as (links, _):
        assert (await site.verify(links)).problems == []
        ahead = property(lambda audit: dict.fromkeys(audit._at_home, 99))
        monkeypatch.setattr("actors.audit.audit.Audit.versions", ahead)
        problems = (await site.verify(links)).problems
    assert any(problem.startswith("memory: ") for problem in problems)


async def test_snapshot_taken_under_a_later_epoch_is_no_difference(site: Site) -> None:
    """After a crash calendars come back under a new epoch, and are stored with it."""
    stores = ShardStores(the_config(site.folder))
    (provider,) = await stores.snapshots.providers(SHARD)
    stored = (await stores.snapshots.load(SHARD, [provider]))[provider]
    calendar = decode(stored.blob, Policy())
    calendar.epoch += 1
    later = {provider: StoredCalendar(stored.seq, encode(calendar))}
    await stores.snapshots.save(SHARD, calendar.epoch, later)
    await stores.close()
    assert (await site.verify()).problems == []


async def test_snapshot_taken_under_an_earlier_epoch_is_one(site: Site) -> None:
    """A stored calendar's epoch is never before that of its last event."""
    stores = ShardStores(the_config(site.folder))
    (provider,) = await stores.snapshots.providers(SHARD)
    stored = (await stores.snapshots.load(SHARD, [provider]))[provider]
    calendar = decode(stored.blob, Policy())
    calendar.epoch -= 1
    earlier = {provider: StoredCalendar(stored.seq, encode(calendar))}
    await stores.snapshots.save(SHARD, calendar.epoch + 1, earlier)
    await stores.close()
    assert len((await site.verify()).problems) == 1
