"""What the audit trail promises, on every database.

One file because all of it runs on the same two databases.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, select, text, update

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages import events as ev
from actors.errors import Unavailable
from actors.ports import Record
from care.audit.entries import FIRST_HASH, SITE_TENANT, Draft, canonical
from care.audit.ports import AuditQuery
from care.audit.verifying import Fault
from care.keys.sealing import KeyEncryptionKeys
from persistence.audit import following
from persistence.audit.anchors import AuditAnchors
from persistence.audit.chain import ChainKeys, SourceMoved, append, move_source
from persistence.audit.following import JournalAudit
from persistence.audit.models import (
    AuditAnchorRecord,
    AuditEntryRecord,
    AuditHeadRecord,
    AuditPendingRecord,
    AuditSourceRecord,
)
from persistence.audit.pending import queue_entries, queue_entry
from persistence.audit.sealing import AuditSealer
from persistence.audit.spool import FileSpool
from persistence.audit.store import SqlAudit
from persistence.files.disk import SystemDisk
from persistence.journal.memory import MemoryJournal
from persistence.journal.recent import RecentRecords
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
SHARD = ShardId("s0000")
CLINIC = "cln_1"


class Site:
    """A site's trail, with an empty chain."""

    def __init__(self, records: Records, folder: Path) -> None:
        self.records = records
        self.folder = folder
        self.clock = SteppedClock(make.NOW)
        self.ring = KeyRing(records, KEKS, self.clock)
        self.sealer = AuditSealer(records, self.ring)
        self.anchors = AuditAnchors(records, self.ring, self.clock, folder / "anchors")
        self.audit = SqlAudit(records, self.ring, self.anchors)
        self.journal = MemoryJournal()
        self.clinics: dict[ProviderId, str] = {}
        self.projected = 1 << 40

    def follower(self) -> JournalAudit:
        async def clinics_of(
            providers: Sequence[ProviderId],
        ) -> Mapping[ProviderId, str]:
            return {p: self.clinics[p] for p in providers if p in self.clinics}

        async def projected_to() -> Mapping[ShardId, int]:
            return {SHARD: self.projected}

        return JournalAudit(
            self.journal,
            self.records,
            self.ring,
            self.clock,
            clinics_of=clinics_of,
            projected_to=projected_to,
        )

    def spool(self, **more: Any) -> FileSpool:
        return FileSpool(self.folder / "spool", self.records, **more)

    async def add(self, count: int, tenant: str = CLINIC) -> None:
        """Sealed entries."""
        async with self.records.writing() as session:
            await queue_entries(
                session, [_draft(n, tenant) for n in range(1, count + 1)]
            )
        while await self.sealer.step():
            pass

    async def entries(self) -> list[AuditEntryRecord]:
        row = AuditEntryRecord
        async with self.records.reading() as session:
            query = select(row).order_by(row.tenant, row.seq)
            return list(await session.scalars(query))

    async def run(self, statement: Any) -> None:
        async with self.records.writing() as session:
            await session.execute(statement)


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """Empty records."""
    opened = Records(empty_records(request.param, request, tmp_path))
    yield Site(opened, tmp_path)
    await opened.close()


def _draft(number: int, tenant: str = CLINIC) -> Draft:
    at = Millis(make.NOW + number)
    body = {"outcome": "done", "booking_id": f"bkg_{number}"}
    return Draft(tenant, at, "acc_1", "book", f"pat_{number}", body)


async def test_a_chain_of_many_verifies_whoever_appended(site: Site) -> None:
    """Two sealers at one time: each entry is chained once, and the chain holds."""
    async with site.records.writing() as session:
        await queue_entries(session, [_draft(n) for n in range(1_200)])
        await queue_entries(session, [_draft(n, "cln_2") for n in range(5)])
    other = AuditSealer(site.records, KeyRing(site.records, KEKS, site.clock))

    async def seal(sealer: AuditSealer) -> None:
        idle = 0
        while idle < 3:
            try:
                idle = 0 if await sealer.step() else idle + 1
            except Unavailable:  # a deadlock is rolled back and tried again
                idle = 0

    await asyncio.gather(seal(site.sealer), seal(other))
    report = await site.audit.verify()
    assert report.ok, report
    assert (report.entries, report.tenants) == (1_205, 2)
    people = [one.person for one in await site.entries() if one.tenant == CLINIC]
    assert people == [f"pat_{n}" for n in range(1_200)]


async def test_what_is_committed_with_its_entry_or_not_at_all(site: Site) -> None:
    """An entry that was queued in a transaction that rolled back does not exist."""

    async def break_off() -> None:
        async with site.records.writing() as session:
            await queue_entry(session, _draft(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await break_off()
    assert await site.sealer.step() == 0
    assert (await site.audit.verify()).entries == 0


MADE = {"at": 1, "actor": "acc_2", "person": "", "action": "book", "body": "{}"}


def _row(seq: int) -> Any:
    row = AuditEntryRecord
    return (row.tenant == CLINIC) & (row.seq == seq)


async def _swap(site: Site) -> None:
    row = AuditEntryRecord
    for old, new in ((4, 99), (5, 4), (99, 5)):
        await site.run(update(row).where(_row(old)).values(seq=new))


async def _change(site: Site) -> None:
    await site.run(update(AuditEntryRecord).where(_row(4)).values(person="pat_9"))


async def _change_body(site: Site) -> None:
    body = canonical({"outcome": "forbidden"}).decode()
    await site.run(update(AuditEntryRecord).where(_row(4)).values(body=body))


async def _remove(site: Site) -> None:
    await site.run(delete(AuditEntryRecord).where(_row(4)))


async def _close_gap(site: Site) -> None:
    row = AuditEntryRecord
    await _remove(site)
    for seq in range(5, 11):
        await site.run(update(row).where(_row(seq)).values(seq=seq - 1))
    await site.run(update(AuditHeadRecord).values(seq=9))


async def _insert(site: Site) -> None:
    await site.run(
        insert(AuditEntryRecord).values(tenant=CLINIC, seq=11, hash="x" * 43, **MADE)
    )


async def _insert_at_start(site: Site) -> None:
    await site.run(
        insert(AuditEntryRecord).values(tenant=CLINIC, seq=0, hash=FIRST_HASH, **MADE)
    )


async def _cut_tail(site: Site) -> None:
    row = AuditEntryRecord
    await site.run(delete(row).where(row.tenant == CLINIC, row.seq > 7))


async def _cut_tail_and_head(site: Site) -> None:
    await _cut_tail(site)
    last = [one for one in await site.entries() if one.tenant == CLINIC][-1]
    await site.run(update(AuditHeadRecord).values(seq=last.seq, hash=last.hash))


async def _cut_all_but_the_file(site: Site) -> None:
    await _cut_tail_and_head(site)
    await site.run(delete(AuditAnchorRecord))


async def _remove_tenant(site: Site) -> None:
    for row in (AuditEntryRecord, AuditHeadRecord, AuditAnchorRecord):
        await site.run(delete(row))


async def _remove_anchors(site: Site) -> None:
    for path in (site.folder / "anchors").iterdir():
        path.unlink()


ATTACKS: dict[str, tuple[Callable[[Site], Any], int, Fault]] = {
    "changed": (_change, 4, Fault.CHANGED),
    "body": (_change_body, 4, Fault.CHANGED),
    "removed": (_remove, 4, Fault.REMOVED),
    "removed_and_renumbered": (_close_gap, 4, Fault.CHANGED),
    "inserted": (_insert, 11, Fault.CHANGED),
    "inserted_at_start": (_insert_at_start, 1, Fault.REMOVED),
    "reordered": (_swap, 4, Fault.CHANGED),
    "tail_cut": (_cut_tail, 8, Fault.CUT),
    "tail_and_head_cut": (_cut_tail_and_head, 8, Fault.ANCHOR),
    "all_cut_but_the_file": (_cut_all_but_the_file, 8, Fault.ANCHOR),
    "tenant_removed": (_remove_tenant, 1, Fault.ANCHOR),
    "anchors_removed": (_remove_anchors, 10, Fault.ANCHOR),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_tampered_trail_is_found(site: Site, name: str) -> None:
    """Attack 59: changed, removed, inserted, reordered, cut: found, with its place."""
    await site.add(10)
    await site.anchors.step()
    assert (await site.audit.verify()).ok
    tamper, seq, fault = ATTACKS[name]
    await tamper(site)
    found = (await site.audit.verify()).first_bad
    assert found is not None
    assert (found.tenant, found.seq, found.fault) == (CLINIC, seq, fault)


async def test_without_an_anchor_a_cut_of_tail_and_head_is_not_found(
    site: Site,
) -> None:
    """The control of attack 59: only the anchor shows it."""
    await site.add(10)
    await _cut_tail_and_head(site)
    assert (await site.audit.verify()).ok


async def test_an_anchor_that_was_made_up_accuses_no_one(site: Site) -> None:
    """A line without the right authentication is no anchor."""
    await site.add(3)
    await site.anchors.step()
    (path,) = (site.folder / "anchors").iterdir()
    line = path.read_text().replace('"seq":3', '"seq":9')
    with path.open("a") as file:
        file.write(line + '{"tenant":"cln')
    assert (await site.audit.verify()).ok


async def test_what_is_sealed_during_a_verification_accuses_no_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries, a new tenant and an anchor, at each step of it: the trail is whole."""
    await site.add(3)
    await site.anchors.step()
    steps = 0
    for name in ("_heads", "_tenants", "_feed"):
        read = getattr(site.audit, name)

        async def busy(*about: Any, read: Callable[..., Any] = read) -> Any:
            nonlocal steps
            found = await read(*about)
            steps += 1
            await site.add(2)
            await site.add(1, f"cln_new{steps}")
            await site.anchors.step()
            return found

        monkeypatch.setattr(site.audit, name, busy)
    report = await site.audit.verify()
    assert report.bad == []
    assert steps > 4


async def test_an_anchor_follows_a_line_that_a_crash_cut_short(site: Site) -> None:
    """It is a line of its own, and counts."""
    await site.add(3)
    await site.anchors.step()
    (path,) = (site.folder / "anchors").iterdir()
    with path.open("a") as file:
        file.write('{"tenant":"cln')
    await site.add(1)
    await site.anchors.step()
    assert [one.seq for one in (await site.anchors.read())[CLINIC]] == [3, 4]
    assert (await site.audit.verify()).ok


async def test_anchors_are_written_only_for_what_has_grown(site: Site) -> None:
    """A head that did not move is not written again."""
    await site.add(3)
    await site.add(2, "cln_2")
    assert await site.anchors.step() == 2
    assert await site.anchors.step() == 0
    await site.add(1, "cln_2")
    assert await site.anchors.step() == 1
    assert len((await site.anchors.read())["cln_2"]) == 2


async def _journal(site: Site, count: int) -> None:
    """One provider's registration and bookings, as the shard writes them."""
    sealed = await site.journal.seal(SHARD)
    profile = make.a_profile(1)
    events: list[ev.Event] = [
        ev.ProviderRegistered(
            provider_id=make.PROVIDER, at=make.NOW, version=1, profile=profile
        )
    ]
    events += [_booked(n) for n in range(1, count + 1)]
    await site.journal.append(SHARD, sealed.epoch, sealed.last_seq, events)


def _booked(number: int) -> ev.SlotBooked:
    start = make.at(9)
    return ev.SlotBooked(
        provider_id=make.PROVIDER,
        at=Millis(make.NOW + number),
        version=number + 1,
        by="acc_7 mem_3",
        booking_id=make.a_booking_id(number),
        patient_id=make.a_patient_id(number),
        visit_type=make.a_visit_type().visit_type,
        start=start,
        end=start,
        busy_start=start,
        busy_end=start,
        location_id=make.a_location().location_id,
        reason="a rash on the left arm",
    )


async def test_changes_come_from_the_journal_exactly_once(site: Site) -> None:
    """However many follow it, and whenever one dies: each event is one entry."""
    await _journal(site, 50)
    first, second = site.follower(), site.follower()
    await asyncio.gather(first.step(), second.step(), return_exceptions=True)
    while await first.step() or await second.step() or await site.follower().step():
        pass
    rows = await site.entries()
    assert [one.action for one in rows] == ["register_provider", *["book"] * 50]
    assert {one.tenant for one in rows} == {make.a_clinic(1).clinic_id}
    assert [one.person for one in rows[1:]] == [f"pat_{n}" for n in range(1, 51)]
    assert {one.actor for one in rows[1:]} == {"acc_7"}
    assert "mem_3" in rows[1].body
    assert not any("rash" in one.body for one in rows)
    assert (await site.audit.verify()).ok


async def test_what_the_projector_has_read_is_not_read_again(site: Site) -> None:
    """The entries are the same, in part from the projector and in part from disk."""
    await _journal(site, 50)
    follower, recent = site.follower(), RecentRecords()
    follower.recent = recent
    reads: list[int] = []
    read = site.journal.read

    async def counted(shard: ShardId, after: int, limit: int) -> Sequence[Record]:
        reads.append(after)
        return await read(shard, after, limit)

    site.journal.read = counted  # type: ignore[method-assign, assignment]
    assert await follower.step() == 51
    assert reads == [0]
    for first in (51, 55):
        await site.journal.append(SHARD, 1, first, [_booked(n) for n in range(4)])
        recent.put(SHARD, await read(SHARD, first, 100))
    assert await follower.step() == 8
    assert reads == [0]
    assert recent.take(SHARD, 51, 99) == ()
    rows = [one.body for one in await site.entries()]
    assert [f"{SHARD}-{n}" in rows[n - 1] for n in range(1, 60)] == [True] * 59
    assert (await site.audit.verify()).ok


async def test_a_follower_that_dies_before_its_commit_has_done_nothing(
    site: Site,
) -> None:
    """Attack 60: entries and position are one transaction, so a restart repeats."""
    await _journal(site, 5)
    keys = ChainKeys(await site.ring.audit_key())

    def die(connection: Connection) -> None:
        move_source(connection, f"journal {SHARD}", -1, 6)
        append(connection, keys, [_draft(1)])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await site.records.transact(die)
    assert await site.follower().step() == 6
    assert len(await site.entries()) == 6
    with pytest.raises(SourceMoved):  # the control: the position is compared
        await site.records.transact(
            lambda connection: move_source(connection, f"journal {SHARD}", 0, 6)
        )


async def test_control_entries_and_position_apart_repeat_or_lose(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 60: a kill between the two, and every change is in the trail twice."""
    await _journal(site, 5)
    with monkeypatch.context() as patched:
        patched.setattr(following, "move_source", lambda *_all: None)
        assert await site.follower().step() == 6
    assert await site.follower().step() == 6
    assert len(await site.entries()) == 12


async def test_a_change_waits_until_its_clinic_is_known(site: Site) -> None:
    """It is in no wrong tenant's chain; that of a parked provider is the site's."""
    sealed = await site.journal.seal(SHARD)
    await site.journal.append(SHARD, sealed.epoch, 0, [_booked(1)])
    site.projected = 0
    follower = site.follower()
    assert await follower.step() == 0
    site.projected = 1
    assert await follower.step() == 1
    await site.journal.append(SHARD, sealed.epoch, 1, [_booked(2)])
    site.clinics[make.PROVIDER] = "cln_8"
    assert await follower.step() == 1
    assert [one.tenant for one in await site.entries()] == ["cln_8", SITE_TENANT]


async def test_a_journal_that_went_back_leaves_an_entry(site: Site) -> None:
    """After the restore of a backup the trail says so, and goes on."""
    await _journal(site, 3)
    await site.follower().step()
    row = AuditSourceRecord
    await site.run(update(row).values(position=100))
    await site.follower().step()
    assert (await site.entries())[-1].action == "journal_went_back"
    assert await site.follower().step() == 0
    assert (await site.audit.verify()).ok


async def _restored(site: Site, kept: int, more: int) -> None:
    """A backup of ``kept`` records is restored and grows by ``more``, unlike before."""
    before = await site.journal.read(SHARD, 0, kept)
    site.journal = MemoryJournal()
    await site.journal.seal(SHARD)
    await site.journal.append(SHARD, 1, 0, [one.event for one in before])
    sealed = await site.journal.seal(SHARD)
    other = [_booked(1_000 + n) for n in range(more)]
    await site.journal.append(SHARD, sealed.epoch, kept, other)


@pytest.mark.parametrize("more", [3, 20, 60])
async def test_a_restored_journal_that_grew_is_not_skipped(
    site: Site, more: int
) -> None:
    """Shorter than, as long as or longer than what was read: all new acts are entries.

    The trail says from where on the journal was replaced, and repeats but a little.
    """
    await _journal(site, 59)
    await site.journal.seal(SHARD)  # the lost journal, too, was sealed a second time
    follower = site.follower()
    for first in range(60, 70):
        await site.journal.append(SHARD, 2, first, [_booked(first)])
        await follower.step()
    while await follower.step():
        pass
    before = await site.entries()
    await _restored(site, 50, more)
    heir = site.follower()
    while await heir.step():
        pass
    said, *new = sorted(
        (await site.entries()), key=lambda one: one.action.startswith("journal_")
    )[::-1]
    assert said.action == ("journal_was_replaced", "journal_went_back")[more < 20]
    assert said.tenant == SITE_TENANT
    people = [one.person for one in new]
    assert {f"pat_{1_000 + n}" for n in range(more)} <= set(people)
    assert len(people) <= len(before) + more + 20
    assert await site.follower().step() == 0
    assert (await site.audit.verify()).ok


async def test_an_honest_journal_is_never_called_replaced(site: Site) -> None:
    """Sealed again, trimmed, followed by a new process: the trail reports no gap."""
    await _journal(site, 30)
    for round_ in range(5):
        assert await site.follower().step() > 0
        sealed = await site.journal.seal(SHARD)
        await site.journal.trim(SHARD, sealed.last_seq)
        more = [_booked(100 + round_)]
        await site.journal.append(SHARD, sealed.epoch, sealed.last_seq, more)
    await site.follower().step()
    assert {one.action for one in await site.entries()} == {"register_provider", "book"}
    assert len(await site.entries()) == 36


async def test_the_spool_is_passed_on_once_and_in_order(site: Site) -> None:
    """What was acknowledged is in the chain, also of a process that was killed."""
    killed = site.spool()
    await asyncio.gather(*(killed.write([_draft(n)]) for n in range(40)))
    await killed.pass_on()
    await killed.write([_draft(40)])
    assert killed._own is not None
    os.close(killed._own.handle)  # as the kernel does for a process that is killed
    with (site.folder / "spool" / killed._own.name).open("ab") as file:
        file.write(b'0badc0de {"tenant":"cut sho')
    heir = site.spool()
    await heir.write([_draft(41)])
    while await heir.pass_on():
        pass
    while await site.sealer.step():
        pass
    people = sorted(
        (one.person for one in await site.entries()), key=lambda one: int(one[4:])
    )
    assert people == [f"pat_{n}" for n in range(42)]
    names = [p.name for p in (site.folder / "spool").iterdir()]
    assert heir._own is not None
    assert names == [heir._own.name]
    await heir.close()
    killed._own = None
    await killed.close()


class _BrokenDisk(SystemDisk):
    """A disk that refuses to write while ``broken``."""

    broken = False

    def write(self, handle: int, data: bytes, offset: int) -> int:
        if self.broken:
            raise OSError(28, "No space left on device")
        return super().write(handle, data, offset)


async def test_a_spool_that_cannot_be_written_says_so(site: Site) -> None:
    """Nothing is acknowledged; once the disk takes bytes again, all is well."""
    disk = _BrokenDisk()
    spool = site.spool(disk=disk)
    disk.broken = True
    with pytest.raises(Unavailable):
        await spool.write([_draft(1)])
    assert not spool.standing().ok
    assert list((site.folder / "spool").iterdir()) == []  # none for each attempt
    disk.broken = False
    await spool.write([_draft(2)])
    assert spool.standing().ok
    await spool.close()
    while await site.sealer.step():
        pass
    assert [one.person for one in await site.entries()] == ["pat_2"]


async def test_a_spool_is_bounded(site: Site) -> None:
    """While the records are away it takes so much and no more."""
    spool = site.spool(bytes_max=1_000)
    for number in range(5):
        await spool.write([_draft(number)])
    many = [_draft(number) for number in range(5)]
    with pytest.raises(Unavailable):
        await spool.write(many)
    await spool.close()


async def test_search_and_accesses(site: Site) -> None:
    """Auditors find by tenant, person, actor, action and time, the newest first."""
    await site.add(5)
    await site.add(2, "cln_2")
    async with site.records.writing() as session:
        seen = Draft(CLINIC, Millis(make.NOW + 50), "acc_9", "read_booking", "pat_2")
        await queue_entry(session, seen)
    await site.sealer.step()
    found, cursor = await site.audit.search(AuditQuery(CLINIC), after="", limit=4)
    assert [one.seq for one in found] == [6, 5, 4, 3]
    assert cursor is not None
    rest, end = await site.audit.search(AuditQuery(CLINIC), after=cursor, limit=4)
    assert ([one.seq for one in rest], end) == ([2, 1], None)
    two = AuditQuery(person="pat_2", first=Millis(make.NOW + 2))
    found, _ = await site.audit.search(two, after="", limit=9)
    assert [(one.tenant, one.action) for one in found] == [
        (CLINIC, "read_booking"),
        ("cln_2", "book"),
        (CLINIC, "book"),
    ]
    mine = {"pat_2": Millis(0), "prv_1": Millis(0)}
    seen_by, _ = await site.audit.accesses(mine, after="", limit=9)
    assert [one.actor for one in seen_by] == ["acc_9"]
    with pytest.raises(ValueError, match="cursor"):
        await site.audit.search(AuditQuery(), after="no", limit=1)


async def test_nothing_is_left_pending(site: Site) -> None:
    """What is sealed is no longer pending."""
    await site.add(3)
    async with site.records.reading() as session:
        count = await session.scalar(
            select(func.count()).select_from(AuditPendingRecord)
        )
        assert count == 0
        assert await session.scalar(text("SELECT COUNT(*) FROM audit_head")) == 1
