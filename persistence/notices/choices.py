"""What people chose to hear of, over the records."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import convert, to_builtins
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.notices.kinds import NOTHING, Preferences
from care.notices.ports import PersonErased
from persistence.notices.models import NoticePreferenceRecord
from persistence.sql.records import Records


class WasErased(Protocol):
    """Whether a person, a patient or an account, was erased."""

    def __call__(
        self, session: AsyncSession, person: str, *, lock: bool
    ) -> Awaitable[bool]:
        """``lock``: until the transaction's end, none is erased meanwhile."""
        ...


async def preferences_of(
    session: AsyncSession, people: Sequence[str]
) -> Mapping[str, Preferences]:
    """What these people chose; those who have not are left out."""
    row = NoticePreferenceRecord
    query = select(row.person, row.content).where(row.person.in_(sorted(set(people))))
    found: Any = await session.execute(query)
    return {person: convert(content, Preferences) for person, content in found}


class SqlChoices:
    """Implements Choices over the records."""

    def __init__(self, records: Records, was_erased: WasErased) -> None:
        self._records = records
        self._was_erased = was_erased

    async def find(self, person: str) -> tuple[Preferences, int]:
        """See Choices.find."""
        async with self._records.reading() as session:
            row = await session.get(NoticePreferenceRecord, person)
            if row is None and await self._was_erased(session, person, lock=False):
                return NOTHING, 0
        if row is None:
            return Preferences(), 0
        return convert(row.content, Preferences), row.version

    async def save(
        self, person: str, chosen: Preferences, *, version: int | None, now: Millis
    ) -> int | None:
        """See Choices.save."""
        content = to_builtins(chosen)
        try:
            async with self._records.writing() as session:
                # Before the choices, as erasing locks them.
                if await self._was_erased(session, person, lock=True):
                    raise PersonErased
                row = await session.get(
                    NoticePreferenceRecord, person, with_for_update=True
                )
                known = 0 if row is None else row.version
                if version is not None and version != known:
                    return None
                if row is None:
                    row = NoticePreferenceRecord(person=person)
                    session.add(row)
                row.content, row.version, row.changed_at = content, known + 1, now
        except IntegrityError:
            return None  # the first choices were saved twice at one time
        return known + 1
