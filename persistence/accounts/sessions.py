"""Sessions over the records. Implements ``care.accounts.ports.Sessions``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, update
from sqlalchemy.orm import Session as OrmSession

from actors.domain.ids import Millis
from care.accounts.accounts import (
    ACCESS_MS,
    AccountStatus,
    Delivery,
    EndedWhy,
    Session,
)
from care.accounts.ids import AccountId, SessionId
from care.accounts.passwords import stamp_of
from care.notices.messages import Message
from persistence.accounts.models import (
    AccountRecord,
    PasswordRecord,
    SessionRecord,
)
from persistence.accounts.rotations import Rotation, Rotations
from persistence.accounts.rows import new_message_id, rows_changed
from persistence.keys.ring import KeyRing
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

SESSIONS_MAX: Final = 100
"""Open sessions of one account; one more ends the oldest."""
_SHUT: Final = frozenset({AccountStatus.DISABLED.value, AccountStatus.ERASED.value})


class SqlSessions:
    """The sessions of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring
        self._rotations = Rotations(records)

    async def open_session(
        self, session: Session, *, password: str = ""
    ) -> Sequence[SessionId] | None:
        """See Sessions.open_session."""
        opened = partial(_opened, session=session, password=password)
        return await self._records.change(opened)

    async def session(self, session_id: SessionId) -> Session | None:
        """See Sessions.session."""
        return await self._records.look(partial(_found, session_id=session_id))

    async def sessions(self, account_id: AccountId) -> Sequence[Session]:
        """See Sessions.sessions."""
        row = SessionRecord
        query = (
            select(row)
            .where(row.account_id == account_id, row.ended_at.is_(None))
            .order_by(row.created_at.desc(), row.session_id)
        )
        async with self._records.reading() as session:
            return [_session(one) for one in (await session.scalars(query)).all()]

    async def rotate(self, session: Session, *, active: bool, now: Millis) -> bool:
        """See Sessions.rotate."""
        wanted = Rotation(session.session_id, session.generation, active, now)
        return await self._rotations.rotate(wanted)

    async def note_seen(self, seen: Mapping[SessionId, int]) -> None:
        """See Sessions.note_seen."""
        row = SessionRecord
        async with self._records.writing() as session:
            for session_id, generation in sorted(seen.items()):
                await session.execute(
                    update(row)
                    .where(
                        row.session_id == session_id, row.seen_generation < generation
                    )
                    .values(seen_generation=generation)
                )

    async def prove(
        self,
        session_id: SessionId,
        *,
        level: int,
        methods: Sequence[str],
        now: Millis,
    ) -> None:
        """See Sessions.prove."""
        row = SessionRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(row.session_id == session_id)
                .values(authenticated_at=now, level=level, methods=" ".join(methods))
            )

    async def end_session(
        self,
        session_id: SessionId,
        why: EndedWhy,
        *,
        notice: Message | None = None,
        now: Millis,
    ) -> None:
        """See Sessions.end_session."""
        keys, row = await self._ring.of(), SessionRecord
        async with self._records.writing() as session:
            ended = await session.execute(
                _ending(now, why).where(row.session_id == session_id)
            )
            if notice is not None and rows_changed(ended):
                await queue_message(
                    session, keys, new_message_id(), notice, now, is_notice=True
                )

    async def end_sessions(
        self,
        account_id: AccountId,
        why: EndedWhy,
        *,
        spare: SessionId | None = None,
        now: Millis,
    ) -> Sequence[SessionId]:
        """See Sessions.end_sessions."""
        row = SessionRecord
        mine = (
            row.account_id == account_id,
            row.session_id != (spare or ""),
        )
        # One whose revocation failed must be named again when the end is repeated.
        recent = (row.ended_at.is_(None)) | (row.ended_at > now - ACCESS_MS)
        async with self._records.writing() as session:
            found = await session.scalars(
                select(row.session_id).where(*mine, recent).with_for_update()
            )
            ended = [SessionId(one) for one in found]
            await session.execute(_ending(now, why).where(*mine))
        return ended


def _opened(
    database: OrmSession, session: Session, password: str
) -> list[SessionId] | None:
    row, now = SessionRecord, session.created_at
    mine = row.account_id == session.account_id
    others = (
        select(row.session_id)
        .where(mine, row.ended_at.is_(None))
        .order_by(row.active_at.desc(), row.created_at.desc(), row.session_id)
        .offset(SESSIONS_MAX - 1)
        .limit(SESSIONS_MAX)
    )
    # One whose revocation failed must be named again, as in ``end_sessions``.
    recent = (
        select(row.session_id)
        .where(
            mine, row.ended_why == EndedWhy.OVER.value, row.ended_at > now - ACCESS_MS
        )
        .limit(SESSIONS_MAX)
    )
    account = database.get(AccountRecord, session.account_id, with_for_update=True)
    if account is None or account.status in _SHUT:
        return None
    if password:
        # Its hash was compared before; those that replace it lock the account.
        stored = database.get(PasswordRecord, session.account_id)
        if stored is None or stamp_of(stored.hash) != password:
            return None
    ended = list(database.scalars(others))
    if ended:
        over = _ending(now, EndedWhy.OVER).where(row.session_id.in_(ended))
        database.execute(over)
    named = set(database.scalars(recent)).union(ended)
    database.add(_session_row(session))
    return [SessionId(one) for one in sorted(named)]


def _ending(now: Millis, why: EndedWhy) -> Any:
    row = SessionRecord
    return (
        update(row)
        .where(row.ended_at.is_(None))
        .values(ended_at=now, ended_why=why.value)
    )


def _session_row(session: Session) -> SessionRecord:
    values = {name: getattr(session, name) for name in session.__struct_fields__}
    values["delivery"] = session.delivery.value
    values["methods"] = " ".join(session.methods)
    return SessionRecord(**values)


_FIND: Final = select(SessionRecord.__table__).where(
    SessionRecord.session_id == bindparam("session_id")
)


def _found(connection: Connection, session_id: SessionId) -> Session | None:
    row = connection.execute(_FIND, {"session_id": session_id}).one_or_none()
    return None if row is None else _session(row)


def _session(row: SessionRecord | Row[Any]) -> Session:
    values = {name: getattr(row, name) for name in Session.__struct_fields__}
    values["delivery"] = Delivery(row.delivery)
    values["methods"] = tuple(row.methods.split())
    values["ended_why"] = None if row.ended_why is None else EndedWhy(row.ended_why)
    return Session(**values)
