"""Entries of the directory over the records.

Implements ``care.directory.ports.DirectoryEntries``. What is written and its line in
the log of changes are one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, TypeVar

from msgspec import json
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, ProviderId
from care.directory.entries import (
    ClinicEntry,
    KeptClinicEntry,
    KeptProviderEntry,
    ProviderEntry,
    Rating,
)
from care.directory.ports import EntryChanged
from care.directory.specialties import Specialty
from persistence.directory.models import (
    ClinicEntryRecord,
    DirectoryChangeRecord,
    DirectoryPhotoRecord,
    ProviderEntryRecord,
    ProviderRatingRecord,
    SpecialtyRecord,
)
from persistence.sql.change_log import ChangeKind, note_changes
from persistence.sql.records import Records
from persistence.sql.statements import portions

_INSERT_TRIES: Final = 2
"""Two writers may insert the first entry at once; the second one then updates."""
T = TypeVar("T", ProviderEntryRecord, ClinicEntryRecord)

read_provider_entry: Final = json.Decoder(ProviderEntry).decode
read_clinic_entry: Final = json.Decoder(ClinicEntry).decode
read_specialty: Final = json.Decoder(Specialty).decode


async def tell_of_everything(records: Records) -> None:
    """Let every gateway read all providers again."""
    log = DirectoryChangeRecord.__table__
    await records.transact(
        lambda connection: note_changes(connection, log, ChangeKind.EVERYTHING, [""])
    )


class SqlDirectoryEntries:
    """The entries of a site."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def provider(self, provider_id: ProviderId) -> KeptProviderEntry:
        """See DirectoryEntries.provider."""
        async with self._records.reading() as session:
            row = await session.get(ProviderEntryRecord, provider_id)
            rated = await session.get(ProviderRatingRecord, provider_id)
            pictured = await session.get(DirectoryPhotoRecord, provider_id)
        rating = None if rated is None else Rating(rated.total, rated.count)
        photo = "" if pictured is None else pictured.photo
        if row is None:
            return KeptProviderEntry(provider_id, rating=rating, photo=photo)
        entry = read_provider_entry(row.content)
        return KeptProviderEntry(provider_id, entry, row.version, rating, photo)

    async def put_provider(
        self, provider_id: ProviderId, entry: ProviderEntry, known: int | None
    ) -> KeptProviderEntry:
        """See DirectoryEntries.put_provider."""
        fresh = ProviderEntryRecord(provider_id=provider_id, version=0)
        await self._put(fresh, provider_id, json.encode(entry).decode(), known)
        return await self.provider(provider_id)

    async def put_rating(self, provider_id: ProviderId, rating: Rating) -> None:
        """See DirectoryEntries.put_rating."""
        row = ProviderRatingRecord(
            provider_id=provider_id, total=rating.total, count=rating.count
        )
        async with self._records.writing() as session:
            await session.merge(row)
            await note(session, ChangeKind.PROVIDER, provider_id)

    async def clinic(self, clinic_id: ClinicId) -> KeptClinicEntry:
        """See DirectoryEntries.clinic."""
        async with self._records.reading() as session:
            row = await session.get(ClinicEntryRecord, clinic_id)
            pictured = await session.get(DirectoryPhotoRecord, clinic_id)
        photo = "" if pictured is None else pictured.photo
        if row is None:
            return KeptClinicEntry(clinic_id, photo=photo)
        entry = read_clinic_entry(row.content)
        return KeptClinicEntry(clinic_id, entry, row.version, photo)

    async def put_clinic(
        self, clinic_id: ClinicId, entry: ClinicEntry, known: int | None
    ) -> KeptClinicEntry:
        """See DirectoryEntries.put_clinic."""
        fresh = ClinicEntryRecord(clinic_id=clinic_id, version=0)
        await self._put(fresh, clinic_id, json.encode(entry).decode(), known)
        return await self.clinic(clinic_id)

    async def retired_clinics(
        self, clinic_ids: Collection[ClinicId]
    ) -> Collection[ClinicId]:
        """See DirectoryEntries.retired_clinics."""
        found: set[ClinicId] = set()
        async with self._records.reading() as session:
            for some in portions(sorted(clinic_ids)):
                mine = ClinicEntryRecord.clinic_id.in_(some)
                rows = await session.scalars(select(ClinicEntryRecord).where(mine))
                found.update(
                    ClinicId(row.clinic_id)
                    for row in rows
                    if read_clinic_entry(row.content).retired
                )
        return found

    async def specialties(self) -> Sequence[Specialty]:
        """See DirectoryEntries.specialties."""
        query = select(SpecialtyRecord).order_by(SpecialtyRecord.specialty_id)
        async with self._records.reading() as session:
            rows = (await session.scalars(query)).all()
        return [read_specialty(row.content) for row in rows]

    async def put_specialty(self, specialty: Specialty) -> None:
        """See DirectoryEntries.put_specialty."""
        row = SpecialtyRecord(
            specialty_id=specialty.specialty_id,
            content=json.encode(specialty).decode(),
        )
        async with self._records.writing() as session:
            await session.merge(row)
            await note(session, ChangeKind.SPECIALTY, specialty.specialty_id)

    async def drop_specialty(self, specialty_id: str) -> bool:
        """See DirectoryEntries.drop_specialty."""
        row = SpecialtyRecord
        async with self._records.writing() as session:
            if await session.get(row, specialty_id, with_for_update=True) is None:
                return False
            await session.execute(delete(row).where(row.specialty_id == specialty_id))
            await note(session, ChangeKind.SPECIALTY, specialty_id)
        return True

    async def _put(
        self, fresh: T, subject: str, content: str, known: int | None
    ) -> None:
        """Write an entry's content over the version that is ``known``."""
        model = type(fresh)
        is_provider = model is ProviderEntryRecord
        kind = ChangeKind.PROVIDER if is_provider else ChangeKind.CLINIC
        for attempt in range(1, _INSERT_TRIES + 1):
            try:
                async with self._records.writing() as session:
                    row = await session.get(model, subject, with_for_update=True)
                    if known is not None and known != (row.version if row else 0):
                        raise EntryChanged
                    if row is None:
                        row = model(**_columns(fresh))
                        session.add(row)
                    row.version, row.content = row.version + 1, content
                    await session.flush()
                    await note(session, kind, subject)
            except IntegrityError:
                if attempt == _INSERT_TRIES:
                    raise
            else:
                return


async def note(session: AsyncSession, kind: ChangeKind, subject: str) -> None:
    """Write the line of a change into the log of the records."""
    await session.flush()
    connection = await session.connection()
    log = DirectoryChangeRecord.__table__
    await connection.run_sync(note_changes, log, kind, [subject])


def _columns(row: T) -> dict[str, object]:
    names = [column.name for column in row.__table__.columns]
    return {name: getattr(row, name) for name in names if name != "content"}
