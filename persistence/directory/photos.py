"""Photos of providers and clinics over the records.

Implements ``care.directory.ports.DirectoryPhotos``. What is written and its line in the
log of changes are one transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from actors.domain.ids import is_id
from persistence.directory.entries import note
from persistence.directory.models import DirectoryPhotoRecord
from persistence.sql.change_log import ChangeKind
from persistence.sql.records import Records
from persistence.sql.statements import portions

_TRIES: Final = 2
"""Two writers may insert the first photo at once; the second one then updates."""


class SqlDirectoryPhotos:
    """Which photo each subject has."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def photo(self, subject: str) -> str:
        """See DirectoryPhotos.photo."""
        async with self._records.reading() as session:
            row = await session.get(DirectoryPhotoRecord, subject)
        return "" if row is None else row.photo

    async def put_photo(self, subject: str, photo: str) -> None:
        """See DirectoryPhotos.put_photo."""
        row = DirectoryPhotoRecord
        for attempt in range(1, _TRIES + 1):
            try:
                async with self._records.writing() as session:
                    change = update(row).where(row.subject == subject)
                    done = await session.execute(change.values(photo=photo))
                    if not done.rowcount:  # type: ignore[attr-defined]
                        session.add(row(subject=subject, photo=photo))
                    await note(session, _kind(subject), subject)
            except IntegrityError:
                if attempt == _TRIES:
                    raise
            else:
                return

    async def drop_photo(self, subject: str) -> bool:
        """See DirectoryPhotos.drop_photo."""
        row = DirectoryPhotoRecord
        async with self._records.writing() as session:
            done = await session.execute(delete(row).where(row.subject == subject))
            if not done.rowcount:  # type: ignore[attr-defined]
                return False
            await note(session, _kind(subject), subject)
        return True

    async def used(self, photos: Collection[str]) -> Collection[str]:
        """See DirectoryPhotos.used."""
        mine = DirectoryPhotoRecord.photo
        found: set[str] = set()
        async with self._records.reading() as session:
            for some in portions(sorted(photos)):
                query = select(mine).where(mine.in_(some))
                found.update((await session.scalars(query)).all())
        return found


def _kind(subject: str) -> ChangeKind:
    return ChangeKind.CLINIC if is_id(subject, "cln") else ChangeKind.PROVIDER
