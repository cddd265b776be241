"""Notices as their patients read them, over the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import json
from sqlalchemy import ColumnElement, and_, func, or_, select

from actors.domain.ids import Millis, PatientId
from care.notices.kinds import NoticeKind
from care.notices.ports import Notice, NoticeStores
from care.notices.wording import VisitFacts
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.changes import SqlInboxChanges, note_inboxes
from persistence.notices.choices import SqlChoices, WasErased
from persistence.notices.composing import notice_place
from persistence.notices.links import SealedStops
from persistence.notices.models import NoticeRecord
from persistence.sql.records import Records


class SqlInbox:
    """Implements Inbox."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def page(
        self,
        patient_id: PatientId,
        *,
        after: tuple[int, str] | None,
        limit: int,
        proxy: bool,
    ) -> Sequence[Notice]:
        """See Inbox.page."""
        keys, row = await self._ring.of(), NoticeRecord
        wanted = _mine(patient_id, proxy=proxy)
        if after is not None:
            at, notice_id = after
            later = and_(row.created_at == at, row.notice_id > notice_id)
            wanted.append(or_(row.created_at < at, later))
        query = (
            select(row)
            .where(*wanted)
            .order_by(row.created_at.desc(), row.notice_id)
            .limit(limit)
        )
        async with self._records.reading() as session:
            found = (await session.scalars(query)).all()
        return [_notice(keys, one) for one in found]

    async def unread(self, patient_id: PatientId, *, proxy: bool) -> int:
        """See Inbox.unread."""
        unread = NoticeRecord.read_at.is_(None)
        query = select(func.count()).where(*_mine(patient_id, proxy=proxy), unread)
        async with self._records.reading() as session:
            return int(await session.scalar(query) or 0)

    async def mark_read(
        self, patient_id: PatientId, notice_id: str, *, proxy: bool, now: Millis
    ) -> Notice | None:
        """See Inbox.mark_read."""
        keys, row = await self._ring.of(), NoticeRecord
        mine = _mine(patient_id, proxy=proxy)
        query = select(row).where(*mine, row.notice_id == notice_id).with_for_update()
        async with self._records.writing() as session:
            found = (await session.scalars(query)).one_or_none()
            if found is None:
                return None
            if found.read_at is None:
                found.read_at = now
                await note_inboxes(await session.connection(), [patient_id])
        return _notice(keys, found)


def notice_stores(
    records: Records, ring: KeyRing, was_erased: WasErased
) -> NoticeStores:
    """What the routes of notices need, over the records."""
    return NoticeStores(
        SqlInbox(records, ring),
        SqlChoices(records, was_erased),
        SealedStops(ring),
        SqlInboxChanges(records),
    )


def _mine(patient_id: PatientId, *, proxy: bool) -> list[ColumnElement[bool]]:
    row = NoticeRecord
    wanted: list[ColumnElement[bool]] = [row.patient_id == patient_id]
    if proxy:
        wanted.append(row.confidential.is_(False))
    return wanted


def _notice(keys: TenantKeys, row: Any) -> Notice:
    text = keys.open(notice_place(row.notice_id), row.content)
    return Notice(
        row.notice_id,
        PatientId(row.patient_id),
        NoticeKind(row.kind),
        json.decode(text, type=VisitFacts),
        Millis(row.created_at),
        None if row.read_at is None else Millis(row.read_at),
    )
