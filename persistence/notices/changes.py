"""Whose inboxes changed: the log that gateways follow to show notices at once."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.ids import PatientId
from persistence.notices.models import InboxChangeRecord
from persistence.sql.change_log import ChangeKind, note_changes
from persistence.sql.log_reader import LogReader
from persistence.sql.records import Records


async def note_inboxes(connection: AsyncConnection, patients: Iterable[str]) -> None:
    """Write in this transaction that these patients' inboxes change."""
    log = InboxChangeRecord.__table__
    await connection.run_sync(note_changes, log, ChangeKind.INBOX, patients)


class SqlInboxChanges:
    """Implements InboxChanges."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._log = LogReader(InboxChangeRecord.__table__)

    async def begin(self) -> None:
        """See InboxChanges.begin."""
        await self._records.look(self._log.begin)

    async def read(self) -> frozenset[PatientId] | None:
        """See InboxChanges.read."""
        lines = await self._records.look(self._log.read)
        if lines is None:
            await self.begin()
            return None
        return frozenset(PatientId(line.subject) for line in lines)
