"""Retention: what is kept for a time goes when that is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    delete,
    exists,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import Millis
from care.grants.values import FACTOR_RESET_LIVES_MS
from care.notices.messages import Channel, deliver_kind
from care.notices.visits import MINUTE_MS
from care.patients.documents.values import DocumentState
from care.privacy.requests import DAY_MS, Retention
from persistence.accounts.factor_models import FactorResetRecord
from persistence.accounts.models import (
    AuthFlowRecord,
    PatientRecord,
    SessionRecord,
    SignInAttemptRecord,
)
from persistence.directory.leave.models import LeaveRecord, LeaveVisitRecord
from persistence.jobs.models import JobRecord
from persistence.notices.models import (
    NoticeRecord,
    OutgoingMessageRecord,
    ToldVisitRecord,
)
from persistence.patients.documents.models import DocumentRecord
from persistence.patients.series.models import SeriesRecord, SeriesVisitRecord
from persistence.privacy.models import PrivacyRequestRecord
from persistence.readmodel.tables import outbox
from persistence.sql.engine import reading
from persistence.sql.records import Records

REFUSED_DAYS: Final = 30
"""How long it is shown that a document was refused; its bytes are gone at once."""
AT_ONCE: Final = 500
"""Rows removed in one transaction."""
_DELIVERING: Final = sorted(map(deliver_kind, Channel))


class SqlRetention:
    """Removes what is over, in small transactions; again, it finds nothing to do."""

    def __init__(self, records: Records, retention: Retention) -> None:
        self._records = records
        self._days = retention

    async def apply(self, *, now: Millis) -> dict[str, int]:
        """Remove what is over; how many rows, by table. Raises Unavailable."""
        message, attempt = OutgoingMessageRecord, SignInAttemptRecord
        notice, reset = NoticeRecord, FactorResetRecord
        told = ToldVisitRecord
        affected, leave = LeaveVisitRecord, LeaveRecord
        series, date = SeriesRecord, SeriesVisitRecord
        one, flow = SessionRecord, AuthFlowRecord
        paper, person, days = DocumentRecord, PatientRecord, self._days
        ended = before(now, days.sessions)
        return {
            "outgoing_message": await self._remove(
                message.message_id,
                select(message.message_id).where(
                    message.created_at < before(now, days.messages), ~_is_open()
                ),
            ),
            "told_visit": await self._remove(
                told.booking_id,
                select(told.booking_id).where(
                    told.end_minute < before(now, days.messages) // MINUTE_MS
                ),
            ),
            "leave_visit": await self._remove(
                affected.booking_id,
                # A visit may have been affected again at a later time.
                select(affected.booking_id)
                .group_by(affected.booking_id)
                .having(
                    func.max(affected.end_minute)
                    < before(now, days.messages) // MINUTE_MS
                ),
            ),
            "provider_leave": await self._remove(
                leave.time_off_id,
                select(leave.time_off_id).where(
                    leave.end_minute < before(now, days.messages) // MINUTE_MS
                ),
            ),
            "visit_series_date": await self._remove(
                date.series_id,
                # As long as one of its dates lies ahead, or was lately.
                select(date.series_id)
                .group_by(date.series_id)
                .having(
                    func.max(date.start_minute)
                    < before(now, days.messages) // MINUTE_MS
                ),
            ),
            "visit_series": await self._remove(
                series.series_id,
                select(series.series_id).where(
                    series.created_at < before(now, days.messages),
                    ~exists().where(date.series_id == series.series_id),
                ),
            ),
            "notice": await self._remove(
                notice.notice_id,
                select(notice.notice_id).where(
                    notice.created_at < before(now, days.messages)
                ),
            ),
            "document": await self._remove(
                paper.document_id,
                # Their blobs have no row then, and are swept away.
                select(paper.document_id).where(
                    ~exists().where(
                        person.patient_id == paper.patient_id, person.hold_until > now
                    ),
                    (paper.made_at < before(now, days.documents))
                    | (
                        (paper.state == DocumentState.REFUSED.value)
                        & (paper.changed_at < before(now, REFUSED_DAYS))
                    ),
                ),
            ),
            "session": await self._remove(
                one.session_id,
                select(one.session_id).where(
                    (one.ended_at < ended) | (one.ends_at < ended)
                ),
            ),
            "auth_flow": await self._remove(
                flow.flow_hash,
                select(flow.flow_hash).where(flow.expires_at < before(now, 1)),
            ),
            "factor_reset": await self._remove(
                reset.account_id,
                select(reset.account_id).where(
                    reset.asked_at < now - FACTOR_RESET_LIVES_MS
                ),
            ),
            "sign_in_attempt": await self._remove(
                attempt.email_i,
                select(attempt.email_i).where(
                    attempt.last_at < before(now, days.attempts)
                ),
            ),
        }

    async def overdue(self, *, now: Millis) -> int:
        """How many privacy requests should have been answered by now."""
        row = PrivacyRequestRecord
        query = select(func.count()).where(row.done_at.is_(None), row.due_at < now)
        async with self._records.reading() as session:
            return int(await session.scalar(query) or 0)

    async def _remove(self, key: Any, query: Select[Any]) -> int:
        done = 0
        while True:
            async with self._records.writing() as session:
                found = (await session.scalars(query.limit(AT_ONCE))).all()
                if not found:
                    return done
                gone = await session.execute(delete(key.class_).where(key.in_(found)))
            done += cast("CursorResult[Any]", gone).rowcount


def _is_open() -> ColumnElement[bool]:
    """Whether a message failed and was not sent since; given up, or resent, too."""
    row = JobRecord
    its_job = (row.key == OutgoingMessageRecord.message_id, row.kind.in_(_DELIVERING))
    return exists().where(*its_job, row.done_at.is_(None), row.error.is_not(None))


class SqlKept:
    """Implements RetainedRows over the records and the read model's outbox."""

    def __init__(self, records: Records, read_model: AsyncEngine) -> None:
        self._records = records
        self._read_model = read_model

    async def oldest(self) -> Mapping[str, Millis]:
        """See RetainedRows.oldest."""
        told, sent = ToldVisitRecord.end_minute, outbox.c
        found = {}
        async with self._records.reading() as session:
            for name, query in (
                (
                    "outgoing_message",
                    select(func.min(OutgoingMessageRecord.created_at)),
                ),
                ("notice", select(func.min(NoticeRecord.created_at))),
                # 0: nothing was told of the visit, and its time is not known here.
                ("told_visit", select(func.min(told) * MINUTE_MS).where(told > 0)),
            ):
                found[name] = await session.scalar(query)
        first = select(sent.sent_at).where(sent.sent_at.is_not(None))
        async with reading(self._read_model) as connection:
            found["outbox"] = await connection.scalar(first.order_by(sent.id).limit(1))
        return {name: Millis(at) for name, at in found.items() if at is not None}


def before(now: Millis, days: int) -> Millis:
    """The instant this number of days earlier."""
    return Millis(now - days * DAY_MS)
