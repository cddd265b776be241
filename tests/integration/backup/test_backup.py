"""A site is copied while it works, and comes back in an empty place, verified."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from actors.domain.ids import ShardId
from actors.ports import Record
from cluster.backup.manifest import RECORDS, Manifest, read_manifest
from cluster.backup.opening import opened_place
from cluster.backup.places import MANIFEST, FolderPlace
from cluster.backup.restoring import Restore
from cluster.backup.saving import Backup
from cluster.checks.verification import Verdict, Verification
from cluster.site.settings import read_settings
from cluster.site.site import Site, documents_of, existing_site
from cluster.site.stores import open_journal, open_snapshots
from cluster.terminal.obstacle import Obstacle
from persistence.files.blobs.folder import UNFINISHED
from persistence.journal.files.restore import FileJournalImport
from persistence.readmodel.queries.progress import SqlProgress
from persistence.sql.engine import open_engine
from tests.architecture.sources import ROOT
from tests.factories import at, book_slot
from tests.fixtures.server import clean_environment, run_command
from tests.fixtures.small_site import (
    files_below,
    lived_in,
    made_site,
    projected,
    told,
    working,
)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but ours."""
    for name in list(os.environ):
        if name.startswith(("SLOTCAST_", "AZURE_STORAGE_")):
            monkeypatch.delenv(name)


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    return await lived_in(made_site(data=tmp_path / "data"))


@pytest.fixture
async def saved(site: Site, tmp_path: Path) -> Path:
    place = tmp_path / "saved"
    await backed_up(site, str(place))
    return place


async def backed_up(site: Site, where: str, *, with_secrets: bool = False) -> Manifest:
    async with opened_place(where) as place:
        return await Backup(site, place, quiet).run(with_secrets=with_secrets)


async def restored(
    where: str, data: Path, *, again: bool = False, **given: object
) -> Verdict:
    settings = read_settings(data=data, **given)
    async with opened_place(where) as place:
        return await Restore(settings, place, quiet).run(again=again)


def quiet(_text: str) -> None:
    """Pauses take no time."""


async def test_a_restored_site_has_all_that_the_backup_saw(
    site: Site, saved: Path, tmp_path: Path
) -> None:
    """Journal, snapshots, SQL and documents come back, and agree with each other."""
    verdict = await restored(str(saved), tmp_path / "new")
    new = existing_site(tmp_path / "new")
    assert verdict.problems == []
    assert verdict.bookings == 7
    assert verdict.snapshots_compared > 0
    assert new.layout == site.layout
    had, has = (files_below(documents_of(i.settings, i.folder)) for i in (site, new))
    assert had == has | {f"{UNFINISHED}/half": b"not whole"}
    assert new.folder.is_seeded(), "or the demo region would be added"


async def test_a_restored_site_goes_on_where_the_old_one_was(
    saved: Path, tmp_path: Path
) -> None:
    """Taken slots are taken, free ones can be booked, under a newer epoch."""
    await restored(str(saved), tmp_path / "new")
    new = existing_site(tmp_path / "new")
    async with working(new) as links:
        shard = links.shard_of(book_slot(2).provider_id)
        (reply,) = await links.execute(shard, [book_slot(90, at(12))], 10)
        assert type(reply).__name__ == "Refusal"
        await told(links, [book_slot(91, at(14))])
        before = (await manifest_of(saved)).shards[shard].epoch
        assert (await links.status(shard)).epoch > before


async def manifest_of(saved: Path) -> Manifest:
    return await read_manifest(FolderPlace(saved))


async def test_the_journal_in_the_backup_reaches_every_position(
    site: Site, saved: Path
) -> None:
    """SQL and snapshots are read first, so the journal covers both."""
    shards = (await manifest_of(saved)).shards
    assert sum(one.last_seq for one in shards.values()) > 10
    assert any(one.projected_seq < one.last_seq for one in shards.values())
    assert any(one.snapshot_position > 0 for one in shards.values())
    for one in shards.values():
        assert one.last_seq >= max(one.snapshot_position, one.projected_seq)


async def test_without_secrets_none_leave_the_site(
    site: Site, saved: Path, tmp_path: Path
) -> None:
    """A stolen plain backup has no key to sign tokens with."""
    key = site.folder.token_key()
    assert not any(key in gzipped(one) for one in files_below(saved).values())
    await restored(str(saved), tmp_path / "new")
    assert existing_site(tmp_path / "new").folder.token_key() != key


def gzipped(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


async def test_with_secrets_tokens_stay_valid(site: Site, tmp_path: Path) -> None:
    """The key comes back as it was, readable by its owner only."""
    place = tmp_path / "secret"
    assert (await backed_up(site, str(place), with_secrets=True)).has_secrets
    kept = [place, *(path for path in place.rglob("*") if path.is_file())]
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    await restored(str(place), tmp_path / "new")
    new = existing_site(tmp_path / "new").folder
    assert new.token_key() == site.folder.token_key()


async def test_a_backup_goes_to_an_empty_place_only(site: Site, saved: Path) -> None:
    """No backup is written over."""
    before = files_below(saved)
    with pytest.raises(Obstacle, match="holds a backup already"):
        await backed_up(site, str(saved))
    assert files_below(saved) == before


async def test_a_backup_that_was_not_finished_is_refused(
    saved: Path, tmp_path: Path
) -> None:
    """The manifest is written last; what has none is no backup."""
    (saved / MANIFEST).unlink()
    await refused(saved, tmp_path / "new", "never finished")


async def refused(saved: Path, data: Path, reason: str) -> None:
    """The restore says why, and has changed nothing."""
    with pytest.raises(Obstacle, match=reason) as caught:
        await restored(str(saved), data)
    assert caught.value.remedy
    assert not files_below(data)


@pytest.mark.parametrize("kind", ["journal", "snapshots", "sql", "documents"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
async def test_a_damaged_part_is_found_before_anything_is_written(
    saved: Path, tmp_path: Path, kind: str, harm: str
) -> None:
    """Each part is under a checksum, and all are read first."""
    part = next(iter(sorted((saved / kind).rglob("*.gz"))))
    content = bytearray(part.read_bytes())
    if harm == "gone":
        part.unlink()
    elif harm == "cut":
        part.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
    await refused(saved, tmp_path / "new", "is missing|has changed")


async def test_a_damaged_manifest_is_refused(saved: Path, tmp_path: Path) -> None:
    """The manifest is under a checksum, too."""
    content = (saved / MANIFEST).read_bytes()
    spoilt = content.replace(b'"last_seq":', b'"last_seq":1', 1)
    assert spoilt != content
    (saved / MANIFEST).write_bytes(spoilt)
    await refused(saved, tmp_path / "new", "manifest .* has changed")
    (saved / MANIFEST).write_bytes(content[:-9])
    await refused(saved, tmp_path / "new", "manifest .* is damaged")


async def test_a_site_is_never_restored_over(
    site: Site, saved: Path, tmp_path: Path
) -> None:
    """What is there stays as it is, be it a site or a stranger's folder."""
    before = files_below(site.folder.journal)
    with pytest.raises(Obstacle, match="is not empty"):
        await restored(str(saved), site.folder.path)
    assert files_below(site.folder.journal) == before
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("mine")
    with pytest.raises(Obstacle, match="is not empty"):
        await restored(str(saved), foreign)
    assert (foreign / "letter.txt").read_text() == "mine"


async def test_a_history_that_does_not_agree_is_not_made_a_site(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history checker has the last word."""
    place = tmp_path / "odd"
    await backed_up(site, str(place))
    monkeypatch.setattr(
        "cluster.backup.restoring.Verification.run", disagreeing, raising=True
    )
    with pytest.raises(Obstacle, match="does not agree: two owners"):
        await restored(str(place), tmp_path / "new")
    with pytest.raises(Obstacle, match="half written"):
        existing_site(tmp_path / "new")


async def disagreeing(*_given: object) -> Verdict:
    return Verdict(problems=["two owners"])


def killed(touches: int, *words: str, data: Path) -> int:
    """Run it until it dies; the exit code."""
    module = "tests.integration.killed_in_the_middle"
    done = subprocess.run(
        [sys.executable, "-m", module, str(touches), *words],
        cwd=ROOT,
        env=clean_environment(SLOTCAST_DATA=str(data)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


async def test_a_backup_killed_in_the_middle_is_no_backup(
    site: Site, tmp_path: Path
) -> None:
    """kill -9 leaves a place that says that it was never finished; the site is well."""
    place = tmp_path / "broken"
    assert killed(6, "backup", str(place), data=site.folder.path) == -9
    assert len(files_below(place)) >= 5
    await refused(place, tmp_path / "new", "never finished")
    with pytest.raises(Obstacle, match="never finished"):
        await backed_up(site, str(place))
    await backed_up(site, str(tmp_path / "whole"))


async def test_a_restore_killed_in_the_middle_is_no_site(
    saved: Path, tmp_path: Path
) -> None:
    """Nothing starts on half a restore; --again clears it and finishes the work."""
    data = tmp_path / "new"
    sections = (await manifest_of(saved)).sections
    parts = sum(len(section.parts) for section in sections)
    touches = 1 + parts + parts // 2  # read once to check, killed while writing
    assert killed(touches, "restore", str(saved), data=data) == -9
    assert (data / "journal").exists()
    started = run_command("verify", SLOTCAST_DATA=str(data))
    assert started.returncode == 2
    assert "half written" in started.stderr
    with pytest.raises(Obstacle, match="unfinished restore"):
        await restored(str(saved), data)
    assert (await restored(str(saved), data, again=True)).problems == []
    assert existing_site(data).folder.is_seeded()


async def test_again_clears_nothing_but_an_unfinished_restore(
    site: Site, saved: Path
) -> None:
    """--again is no way to throw a site away."""
    before = files_below(site.folder.journal)
    with pytest.raises(Obstacle, match="no unfinished restore"):
        await restored(str(saved), site.folder.path, again=True)
    assert files_below(site.folder.journal) == before


async def test_the_commands_say_what_they_did(site: Site, tmp_path: Path) -> None:
    """``slotcast backup`` and ``slotcast restore`` tell an operator how it went."""
    place, data = str(tmp_path / "by-hand"), tmp_path / "new"
    own = {"SLOTCAST_DATA": str(site.folder.path)}
    made = run_command("backup", place, "--with-secrets", **own)
    assert made.returncode == 0, made.stderr
    assert "is whole" in made.stdout
    assert "protect it accordingly" in made.stderr
    back = run_command("restore", place, SLOTCAST_DATA=str(data))
    assert back.returncode == 0, back.stderr
    assert "7 bookings" in back.stdout
    inside = run_command("backup", str(site.folder.path / "copy"), **own)
    assert inside.returncode == 2
    assert "lies in the data folder" in inside.stderr


async def test_records_come_back_at_their_own_places(
    saved: Path, tmp_path: Path
) -> None:
    """Restored and backed up again, the journal is the same, byte for byte."""
    await restored(str(saved), tmp_path / "new")
    second = tmp_path / "second"
    await backed_up(existing_site(tmp_path / "new"), str(second))
    assert (await manifest_of(saved)).of(RECORDS) == (await manifest_of(second)).of(
        RECORDS
    )


async def test_a_trimmed_journal_is_backed_up_from_where_it_begins(
    site: Site, tmp_path: Path
) -> None:
    """Old records may be gone: snapshots and SQL hold what they said."""
    saved = await trimmed_backup(site, tmp_path)
    verdict = await restored(str(saved), tmp_path / "new")
    assert verdict.problems == []
    assert verdict.trimmed_shards == 1
    new = existing_site(tmp_path / "new")
    async with working(new) as links:
        shard = links.shard_of(book_slot(2).provider_id)
        (reply,) = await links.execute(shard, [book_slot(90, at(12))], 10)
        assert type(reply).__name__ == "Refusal"


async def test_a_trimmed_journal_still_knows_how_late_it_is(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its records at rest: old claims that were let go are not missed."""
    shutil.rmtree(site.folder.journal / "s0001")  # else that one knows
    await trimmed_backup(site, tmp_path)
    writer = open_engine(site.database_url, "writer")
    async with writer.begin() as connection:
        other = "provider_id <> 'prv_1'"
        await connection.execute(text(f"DELETE FROM appointment WHERE {other}"))
        await connection.execute(text("DELETE FROM slot_claim"))
    await writer.dispose()
    ten_days = 10 * 24 * 3_600_000
    monkeypatch.setattr(
        "persistence.readmodel.projection.claim_purge.KEEP_MS", -ten_days
    )
    journal, snapshots = open_journal(site.stores), open_snapshots(site.stores)
    reader = open_engine(site.database_url, "reader")
    check = Verification(journal, snapshots, reader, site.settings.policy)
    verdict = await check.run(SqlProgress(reader), None)
    await reader.dispose()
    await snapshots.close()
    await journal.close()
    assert verdict.trimmed_shards == verdict.shards == 1
    assert verdict.problems == []


async def trimmed_backup(site: Site, tmp_path: Path) -> Path:
    """A backup of a site whose first shard's oldest segments are gone."""
    shard = ShardId("s0000")
    await projected(site)
    snapshots, journal = open_snapshots(site.stores), open_journal(site.stores)
    position, end = await snapshots.position(shard), await journal.last_seq(shard)
    epoch = (await journal.read(shard, end - 1, 1))[0].epoch
    await snapshots.close()
    await journal.close()
    records = [
        record
        for record in await all_records(site, shard)
        if record.seq > min(position, end - 1)
    ]
    shutil.rmtree(site.folder.journal / shard)
    writer = FileJournalImport(site.folder.journal)
    await writer.write(shard, records)
    await writer.finish(shard, epoch)
    await writer.close()
    place = tmp_path / "trimmed"
    await backed_up(site, str(place))
    first = (await manifest_of(place)).shards[shard].first_seq
    assert first == records[0].seq > 1
    return place


async def all_records(site: Site, shard: ShardId) -> Sequence[Record]:
    journal = open_journal(site.stores)
    try:
        return await journal.read(shard, 0, 10_000)
    finally:
        await journal.close()
