"""The rows of a search, joined from the read model and the records.

Implements ``care.directory.ports.RosterSource``. Names, clinics and visit types are in
the read model, entries in the records; both have a log of changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.sql.elements import SQLCoreOperations

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Clinic, VisitType
from care.directory.entries import ClinicEntry, ProviderEntry, Rating
from care.directory.ports import RosterChanges, RosterRow
from care.directory.specialties import Specialty
from persistence.directory.entries import (
    read_clinic_entry,
    read_provider_entry,
    read_specialty,
)
from persistence.directory.models import (
    ClinicEntryRecord,
    DirectoryChangeRecord,
    DirectoryPhotoRecord,
    ProviderEntryRecord,
    ProviderRatingRecord,
    SpecialtyRecord,
)
from persistence.readmodel import tables as t
from persistence.readmodel.projection.sql_profiles import clinic_of
from persistence.readmodel.queries.directory import visit_types_where
from persistence.sql.change_log import ChangeKind
from persistence.sql.engine import reading
from persistence.sql.log_reader import LogReader
from persistence.sql.records import Records
from persistence.sql.statements import portions

PORTION: Final = 2_000
"""Providers read at once: bounds the memory of a build."""


_IS_A_PERSON: Final = t.provider.c.resource_kind == ""
_Found = tuple[Any, tuple[VisitType, ...]]
"""A row of the table of providers, and the active visit types."""


class _Some(Struct):
    """Some providers, by id in order; ``is_span``: all from the first to the last."""

    ids: Sequence[str]
    is_span: bool = False

    def conditions(
        self, column: SQLCoreOperations[str]
    ) -> Iterator[ColumnElement[bool]]:
        """Of one query each; a span is one, and cheaper than a list of its ids."""
        if self.is_span:
            yield column.between(self.ids[0], self.ids[-1])
            return
        for some in portions(self.ids):
            yield column.in_(some)


class _Entries(Struct):
    """What the records say of some providers and clinics."""

    providers: dict[str, ProviderEntry]
    ratings: dict[str, Rating]
    clinics: dict[str, ClinicEntry]
    photos: dict[str, str]


class SqlRosterSource:
    """The providers of a site, for one gateway: it knows what it told of."""

    def __init__(
        self,
        readers: AsyncEngine,
        records: Records,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._readers = readers
        self._records = records
        self._profiles = LogReader(t.directory_change, now)
        self._entries = LogReader(DirectoryChangeRecord.__table__, now)

    async def begin(self) -> None:
        """See RosterSource.begin."""
        async with reading(self._readers) as connection:
            await connection.run_sync(self._profiles.begin)
        async with self._record_lines() as connection:
            await connection.run_sync(self._entries.begin)

    async def count(self) -> int:
        """See RosterSource.count."""
        async with reading(self._readers) as connection:
            query = select(func.count()).where(_IS_A_PERSON)
            return int(await connection.scalar(query) or 0)

    async def all(self) -> AsyncIterator[Sequence[RosterRow]]:
        """See RosterSource.all."""
        last = ""
        clinics: dict[str, Clinic] = {}
        known = _Entries({}, {}, {}, {})
        while True:
            async with reading(self._readers) as connection:
                mine = t.provider.c
                query = select(mine.provider_id).where(mine.provider_id > last)
                query = query.order_by(mine.provider_id).limit(PORTION)
                ids = list((await connection.scalars(query)).all())
                if not ids:
                    return
                some = _Some(ids, is_span=True)
                found = await self._profiles_of(connection, some, clinics)
            entries = await self._entries_of(some, _clinics_in(found), known)
            rows = (_row(row, kinds, clinics, entries) for row, kinds in found)
            yield [row for row in rows if row is not None]
            last = ids[-1]

    async def rows(
        self, provider_ids: Collection[ProviderId], clinic_ids: Collection[ClinicId]
    ) -> Mapping[ProviderId, RosterRow | None]:
        """See RosterSource.rows."""
        wanted = set(provider_ids)
        clinics: dict[str, Clinic] = {}
        made: dict[ProviderId, RosterRow | None] = {}
        async with reading(self._readers) as connection:
            for part in portions(sorted(clinic_ids)):
                mine = t.provider.c
                query = select(mine.provider_id).where(mine.clinic_id.in_(part))
                wanted.update(map(ProviderId, (await connection.scalars(query)).all()))
            made.update(dict.fromkeys(wanted))
            some = _Some(sorted(wanted))
            found = await self._profiles_of(connection, some, clinics)
        known = _Entries({}, {}, {}, {})
        entries = await self._entries_of(some, _clinics_in(found), known)
        for row, kinds in found:
            made[ProviderId(row.provider_id)] = _row(row, kinds, clinics, entries)
        return made

    async def changes(self) -> RosterChanges:
        """See RosterSource.changes."""
        async with reading(self._readers) as connection:
            profiles = await connection.run_sync(self._profiles.read)
        async with self._record_lines() as connection:
            entries = await connection.run_sync(self._entries.read)
        if profiles is None or entries is None:
            return RosterChanges(is_lost=True)
        subjects: dict[str, set[str]] = defaultdict(set)
        for line in (*profiles, *entries):
            subjects[line.kind].add(line.subject)
        return RosterChanges(
            provider_ids=frozenset(map(ProviderId, subjects[ChangeKind.PROVIDER])),
            clinic_ids=frozenset(map(ClinicId, subjects[ChangeKind.CLINIC])),
            specialties=bool(subjects[ChangeKind.SPECIALTY]),
            is_lost=bool(subjects[ChangeKind.EVERYTHING]),
        )

    async def specialties(self) -> Sequence[Specialty]:
        """See RosterSource.specialties."""
        async with self._records.reading() as session:
            rows = (await session.scalars(select(SpecialtyRecord))).all()
        return [read_specialty(row.content) for row in rows]

    @asynccontextmanager
    async def _record_lines(self) -> AsyncIterator[AsyncConnection]:
        async with self._records.reading() as session:
            yield await session.connection()

    async def _profiles_of(
        self,
        connection: AsyncConnection,
        wanted: _Some,
        clinics: dict[str, Clinic],
    ) -> list[_Found]:
        """Rows of providers with their visit types; reads clinics not yet known."""
        made: list[_Found] = []
        mine = t.provider.c
        columns = (
            mine.provider_id,
            mine.name,
            mine.specialty,
            mine.languages,
            mine.clinic_id,
        )
        kinds: dict[ProviderId, list[VisitType]] = {}
        for some in wanted.conditions(t.visit_type.c.provider_id):
            kinds |= await visit_types_where(connection, some)
        for some in wanted.conditions(mine.provider_id):
            query = select(*columns).where(some, _IS_A_PERSON, mine.retired.is_(False))
            rows = (await connection.execute(query)).all()
            missing = sorted({row.clinic_id for row in rows} - clinics.keys())
            for part in portions(missing):
                of = select(t.clinic).where(t.clinic.c.clinic_id.in_(part))
                for row in (await connection.execute(of)).mappings():
                    clinics[row["clinic_id"]] = clinic_of(row)
            made += [
                (row, tuple(kinds.get(ProviderId(row.provider_id), ()))) for row in rows
            ]
        return made

    async def _entries_of(
        self, wanted: _Some, clinic_ids: Collection[str], known: _Entries
    ) -> _Entries:
        """With those of clinics that are ``known``, to which it adds new ones."""
        entry, rating = ProviderEntryRecord, ProviderRatingRecord
        photo = DirectoryPhotoRecord
        clinics = sorted(set(clinic_ids) - known.clinics.keys())
        async with self._records.reading() as session:
            await _read_clinics(session, clinics, known)
            found = _Entries({}, {}, known.clinics, dict(known.photos))
            for some in wanted.conditions(entry.provider_id):
                entries = select(entry.provider_id, entry.content).where(some)
                for provider_id, content in await session.execute(entries):
                    found.providers[provider_id] = read_provider_entry(content)
            its = rating.provider_id
            for some in wanted.conditions(its):
                ratings = select(its, rating.total, rating.count).where(some)
                for provider_id, total, count in await session.execute(ratings):
                    found.ratings[provider_id] = Rating(total, count)
            for some in wanted.conditions(photo.subject):
                photos = select(photo.subject, photo.photo).where(some)
                for subject, name in await session.execute(photos):
                    found.photos[subject] = name
        return found


async def _read_clinics(
    session: AsyncSession, clinic_ids: Sequence[str], known: _Entries
) -> None:
    """Entries and photos of clinics."""
    clinic, photo = ClinicEntryRecord, DirectoryPhotoRecord
    known.clinics.update(dict.fromkeys(clinic_ids, ClinicEntry()))
    for some in portions(clinic_ids):
        place = clinic.clinic_id
        clinics = select(place, clinic.content).where(place.in_(some))
        for clinic_id, content in await session.execute(clinics):
            known.clinics[clinic_id] = read_clinic_entry(content)
        photos = select(photo.subject, photo.photo)
        for subject, name in await session.execute(
            photos.where(photo.subject.in_(some))
        ):
            known.photos[subject] = name


def _clinics_in(found: Iterable[_Found]) -> set[str]:
    return {row.clinic_id for row, _ in found}


def _row(
    row: Any,
    kinds: tuple[VisitType, ...],
    clinics: Mapping[str, Clinic],
    entries: _Entries,
) -> RosterRow | None:
    """A provider's row; None if its clinic is missing, or retired."""
    clinic = clinics.get(row.clinic_id)
    of_clinic = entries.clinics.get(row.clinic_id, ClinicEntry())
    if clinic is None or of_clinic.retired:
        return None
    return RosterRow(
        provider_id=ProviderId(row.provider_id),
        name=row.name,
        specialty=row.specialty,
        languages=tuple(row.languages),
        clinic=clinic,
        visit_types=kinds,
        entry=entries.providers.get(row.provider_id, ProviderEntry()),
        clinic_insurances=of_clinic.insurances,
        rating=entries.ratings.get(row.provider_id),
        photo=entries.photos.get(row.provider_id, ""),
        clinic_photo=entries.photos.get(row.clinic_id, ""),
    )
