"""What the stores of the directory promise, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from actors.domain.ids import ClinicId, ProviderId, VisitTypeId
from actors.domain.messages.events import Event
from actors.domain.rules import VisitType
from care.directory.entries import (
    ClinicEntry,
    ProviderEntry,
    Rating,
    Service,
    StepFree,
)
from care.directory.ports import EntryChanged, RosterChanges, RosterRow
from care.directory.specialties import Specialty, SpecialtyNames
from persistence.directory.entries import SqlDirectoryEntries
from persistence.directory.models import DirectoryChangeRecord
from persistence.directory.photos import SqlDirectoryPhotos
from persistence.directory.roster_source import SqlRosterSource
from persistence.readmodel import tables as t
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.rebuilding.rebuild import rebuild
from persistence.sql import change_log
from persistence.sql import log_reader as following
from persistence.sql.engine import open_engine
from persistence.sql.records import Records
from tests.fixtures.read_model import empty_read_model, empty_records
from tests.fixtures.story import SHARD, FixedClock, Story, StoryJournal, a_clinic

ENTRY = ProviderEntry(
    accepts_new=False,
    insurances=("AOK", "Bupa"),
    services=(Service(VisitTypeId("consult"), 6500, "EUR", remote=True),),
)
PLACE = ClinicEntry(StepFree.PARTLY, "Ring.\nTwice.", "https://a.example", ("TK",))
ONE, CLINIC = ProviderId("prv_1"), ClinicId("cln_1")
CONSULT = VisitType(VisitTypeId("consult"), "Consultation", 30)
LEEDS = a_clinic(1, name="Leeds Practice", city="Leeds", latitude=53.8, longitude=-1.5)
YORK = a_clinic(2, name="York Surgery", city="York")


class Site:
    """Read model and records of one site, and the search's source."""

    def __init__(self, records: Records, url: str) -> None:
        self.records, self.url = records, url
        self.readers = open_engine(url, "reader")
        self.writer = open_engine(url, "writer")
        self.projector = open_engine(url, "projector")
        self.entries = SqlDirectoryEntries(records)
        self.directory = SqlDirectory(self.readers, self.writer)
        self.store = SqlProjectionStore(self.projector)
        self.journal = StoryJournal()
        self.now = 0.0
        self.source = SqlRosterSource(self.readers, records, lambda: self.now)

    async def tell(self, *events: Event) -> None:
        self.journal.tell(SHARD, *events)
        await Projector(self.journal, self.store, FixedClock()).step()

    async def all(self) -> dict[str, RosterRow]:
        return {
            row.provider_id: row async for part in self.source.all() for row in part
        }

    async def close(self) -> None:
        for engine in (self.readers, self.writer, self.projector):
            await engine.dispose()


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    records = Records(empty_records(request.param, request, tmp_path))
    opened = Site(records, empty_read_model(request.param, request, tmp_path))
    yield opened
    await opened.close()
    await records.close()


async def test_an_entry_is_kept_as_it_was_put(site: Site) -> None:
    """All of it is read back; each change has the next version."""
    entries = site.entries
    assert (await entries.provider(ONE)).version == 0
    made = await entries.put_provider(ONE, ENTRY, None)
    assert (made.entry, made.version) == (ENTRY, 1)
    assert await entries.provider(ONE) == made
    kept = await entries.put_clinic(CLINIC, PLACE, 0)
    assert (kept.entry, kept.version) == (PLACE, 1)
    assert await entries.clinic(CLINIC) == kept
    await entries.put_rating(ONE, Rating(9, 2))
    await entries.put_rating(ONE, Rating(14, 3))
    assert (await entries.provider(ONE)).rating == Rating(14, 3)


async def test_only_the_version_that_was_read_is_replaced(site: Site) -> None:
    """Of several who replace the same version one does, and what it put stays."""
    entries = site.entries
    wanted = [ProviderEntry(insurances=(str(n),)) for n in range(4)]
    done = await asyncio.gather(
        *(entries.put_provider(ONE, one, 0) for one in wanted), return_exceptions=True
    )
    won = [one for one in done if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert all(isinstance(one, EntryChanged) for one in done if one is not won[0])
    assert await entries.provider(ONE) == won[0]
    with pytest.raises(EntryChanged):
        await entries.put_clinic(CLINIC, PLACE, 3)


async def test_retired_clinics_are_told_from_others(site: Site) -> None:
    """By id; their doctors are in no search until they are reactivated."""
    await site.tell(Story(1, LEEDS).registered("Ada Ng", "Dermatology"))
    entries = site.entries
    along = (ProviderId("prv_1"),)
    mark = ClinicEntry(insurances=("AOK",), retired=True, retired_with=along)
    await entries.put_clinic(LEEDS.clinic_id, mark, None)
    assert (await entries.clinic(LEEDS.clinic_id)).entry == mark
    asked = [LEEDS.clinic_id, YORK.clinic_id]
    assert set(await entries.retired_clinics(asked)) == {LEEDS.clinic_id}
    assert await entries.retired_clinics([]) == set()
    assert await site.all() == {}
    await entries.put_clinic(LEEDS.clinic_id, PLACE, None)
    assert await entries.retired_clinics(asked) == set()
    assert list(await site.all()) == ["prv_1"]


async def test_a_site_keeps_its_specialties(site: Site) -> None:
    """Put, replaced, dropped."""
    reiki = Specialty("reiki", {"en": SpecialtyNames("Reiki", ("hands",))})
    await site.entries.put_specialty(Specialty("reiki", {"de": SpecialtyNames("R")}))
    await site.entries.put_specialty(reiki)
    assert await site.entries.specialties() == [reiki]
    assert await site.source.specialties() == [reiki]
    assert await site.entries.drop_specialty("reiki")
    assert not await site.entries.drop_specialty("reiki")


async def test_a_subject_has_the_photo_that_was_put_last(site: Site) -> None:
    """A provider or a clinic; told of like an edit, and none of its version."""
    photos = SqlDirectoryPhotos(site.records)
    await site.source.begin()
    await asyncio.gather(*(photos.put_photo(ONE, f"a{n}") for n in range(4)))
    await photos.put_photo(ONE, "b1")
    await photos.put_photo(CLINIC, "c1")
    assert [await photos.photo(one) for one in (ONE, CLINIC, "prv_2")] == [
        "b1",
        "c1",
        "",
    ]
    assert set(await photos.used(["a1", "b1", "c1", "d1"])) == {"b1", "c1"}
    assert await photos.used([]) == set()
    changes = await site.source.changes()
    assert changes.provider_ids == {ONE}
    assert changes.clinic_ids == {CLINIC}
    provider, clinic = (
        await site.entries.provider(ONE),
        await site.entries.clinic(CLINIC),
    )
    assert (provider.photo, provider.version) == ("b1", 0)
    assert (clinic.photo, clinic.version) == ("c1", 0)
    assert (await site.entries.put_provider(ONE, ENTRY, 0)).photo == "b1"
    assert (await site.entries.put_clinic(CLINIC, PLACE, 0)).photo == "c1"
    assert await photos.drop_photo(ONE)
    assert not await photos.drop_photo(ONE)
    assert (await site.entries.provider(ONE)).photo == ""
    assert (await site.source.changes()).provider_ids == {ONE}


async def test_a_search_gets_rows_joined_from_both(site: Site) -> None:
    """Profile, clinic, visit types and entries."""
    story, other = Story(1, LEEDS), Story(2, YORK)
    await site.tell(story.registered("Ada Ng", "Dermatology"), story.offers(CONSULT))
    await site.tell(other.registered("Bo Ng", "Cardiology"))
    await site.entries.put_provider(ONE, ENTRY, None)
    await site.entries.put_clinic(CLINIC, PLACE, None)
    await site.entries.put_rating(ONE, Rating(9, 2))
    photos = SqlDirectoryPhotos(site.records)
    await photos.put_photo(ONE, "b1")
    await photos.put_photo(CLINIC, "c1")
    found = await site.all()
    ada = found["prv_1"]
    assert (ada.name, ada.specialty, ada.clinic) == ("Ada Ng", "Dermatology", LEEDS)
    assert (ada.entry, ada.clinic_insurances) == (ENTRY, ("TK",))
    assert ada.rating == Rating(9, 2)
    assert (ada.photo, ada.clinic_photo) == ("b1", "c1")
    assert (found["prv_2"].photo, found["prv_2"].clinic_photo) == ("", "")
    assert [kind.visit_type for kind in ada.visit_types] == ["consult"]
    assert (found["prv_2"].entry, found["prv_2"].visit_types) == (ProviderEntry(), ())
    assert await site.source.count() == 2
    assert await site.source.rows([ONE], []) == {ONE: ada}
    assert set(await site.source.rows([], [ClinicId("cln_2")])) == {"prv_2"}
    gone = ProviderId("prv_9")
    assert await site.source.rows([gone], []) == {gone: None}


async def test_every_write_is_told_of_once(site: Site) -> None:
    """Registrations, rules, clinics, entries, ratings, specialties; then nothing."""
    story = Story(1, LEEDS)
    await site.tell(story.registered("Ada Ng", "Dermatology"))
    await site.source.begin()
    assert await site.source.changes() == RosterChanges()
    writes: dict[str, Callable[[], Awaitable[object]]] = {
        "rules": lambda: site.tell(story.offers(CONSULT)),
        "entry": lambda: site.entries.put_provider(ONE, ENTRY, None),
        "rating": lambda: site.entries.put_rating(ONE, Rating(5, 1)),
    }
    for name, write in writes.items():
        await write()
        told = await site.source.changes()
        assert told.provider_ids == {ONE}, name
        assert not (await site.source.changes()).provider_ids, name
    await site.directory.put_clinics([YORK])
    await site.entries.put_clinic(CLINIC, PLACE, None)
    assert (await site.source.changes()).clinic_ids == {"cln_1", "cln_2"}
    await site.entries.put_specialty(Specialty("r", {"en": SpecialtyNames("R")}))
    assert (await site.source.changes()).specialties


async def _insert(site: Site, numbers: Sequence[int]) -> None:
    """Lines with numbers of their own, as if their transactions were slow."""
    async with site.writer.begin() as connection:
        for number in numbers:
            line = {"change_id": number, "kind": "provider", "subject": f"prv_{number}"}
            await connection.execute(insert(t.directory_change), line)


async def test_a_number_that_becomes_visible_late_is_told_of(site: Site) -> None:
    """A slow transaction's lower number, within a minute; nothing is told of twice."""
    await _insert(site, [10])
    await site.source.begin()
    await _insert(site, [13])
    assert (await site.source.changes()).provider_ids == {"prv_13"}
    await _insert(site, [11])
    site.now += following.UNSETTLED_S - 1
    assert (await site.source.changes()).provider_ids == {"prv_11"}
    await _insert(site, [12, 9])
    site.now += 0.5
    assert (await site.source.changes()).provider_ids == {"prv_12", "prv_9"}
    site.now += 3 * following.UNSETTLED_S
    for _ in range(3):
        assert not (await site.source.changes()).provider_ids


async def test_lost_lines_are_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who is behind the trimmed log, or whose log was rebuilt, reads all."""
    monkeypatch.setattr(change_log, "KEPT", 5)
    monkeypatch.setattr(change_log, "_TRIMMED_EACH", 1)
    for number in range(3):
        await site.entries.put_rating(ONE, Rating(number, number))
    await site.source.begin()
    await site.entries.put_rating(ONE, Rating(4, 4))
    assert not (await site.source.changes()).is_lost
    for number in range(9):
        await site.entries.put_rating(ONE, Rating(number, number))
    async with site.records.reading() as session:
        query = select(func.count()).select_from(DirectoryChangeRecord)
        assert await session.scalar(query) == 5
    assert (await site.source.changes()).is_lost
    await site.source.begin()
    assert not (await site.source.changes()).is_lost


async def test_a_rebuild_makes_searches_read_everything(site: Site) -> None:
    """Its deletions name no provider, so a line stands for all of them."""
    await site.tell(Story(1, LEEDS).registered("Ada Ng", "Dermatology"))
    await site.source.begin()
    engine = open_engine(site.url, "upkeep")
    await rebuild(site.journal, engine, FixedClock())
    await engine.dispose()
    assert (await site.source.changes()).is_lost
    assert set(await site.all()) == {"prv_1"}
