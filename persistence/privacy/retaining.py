"""Retention: what is no medical record goes when its time is over."""

from __future__ import annotations

from typing import Any, Final, cast

from sqlalchemy import CursorResult, Select, delete, func, select

from actors.domain.ids import Millis
from care.grants.values import FACTOR_RESET_LIVES_MS
from care.privacy.requests import DAY_MS, Retention
from persistence.accounts.factor_models import FactorResetRecord
from persistence.accounts.models import (
    AuthFlowRecord,
    SessionRecord,
    SignInAttemptRecord,
)
from persistence.notices.models import NoticeRecord, OutgoingMessageRecord
from persistence.privacy.models import PrivacyRequestRecord
from persistence.sql.records import Records

AT_ONCE: Final = 500
"""Rows removed in one transaction."""


class SqlRetention:
    """Removes what is over, in small transactions; again, it finds nothing to do."""

    def __init__(self, records: Records, retention: Retention) -> None:
        self._records = records
        self._days = retention

    async def apply(self, *, now: Millis) -> dict[str, int]:
        """Remove what is over; how many rows, by table. Raises Unavailable."""
        message, attempt = OutgoingMessageRecord, SignInAttemptRecord
        notice, reset = NoticeRecord, FactorResetRecord
        one, flow = SessionRecord, AuthFlowRecord
        days = self._days
        ended = _before(now, days.sessions)
        return {
            "outgoing_message": await self._remove(
                message.message_id,
                select(message.message_id).where(
                    message.created_at < _before(now, days.messages)
                ),
            ),
            "notice": await self._remove(
                notice.notice_id,
                select(notice.notice_id).where(
                    notice.created_at < _before(now, days.messages)
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
                select(flow.flow_hash).where(flow.expires_at < _before(now, 1)),
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
                    attempt.last_at < _before(now, days.attempts)
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


def _before(now: Millis, days: int) -> int:
    return now - days * DAY_MS
