"""Browsers that show notices, over the records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import json
from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.keys.sealing import Place
from care.notices.push import SUBSCRIPTIONS_MAX, PushSubscription
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.models import PushSubscriptionRecord
from persistence.sql.records import Records

WHOSE_CHARACTERS: Final = 12
"""Of an account's index, in the id of its subscription."""
SignedIn = Callable[[AsyncSession, str], Awaitable[bool]]
"""Whether a session goes on, as the store of sessions says."""


class SqlPushSubscriptions:
    """Implements PushSubscriptions."""

    def __init__(self, records: Records, ring: KeyRing, is_signed_in: SignedIn) -> None:
        self._records = records
        self._ring = ring
        self._is_signed_in = is_signed_in

    async def add(
        self,
        account_id: str,
        session_id: str,
        subscription: PushSubscription,
        *,
        now: Millis,
    ) -> None:
        """See PushSubscriptions.add."""
        keys, row = await self._ring.of(), PushSubscriptionRecord
        # An id once used is never another browser's, nor another account's: what waits
        # for the one who used this browser before is not for the next.
        browser = _browser_id(keys, subscription.endpoint)
        whose = keys.index("push account", account_id)[:WHOSE_CHARACTERS]
        subscription_id = f"{browser}.{whose}"
        content = json.encode(subscription).decode()
        async with self._records.writing() as session:
            mine = row.account_id == account_id
            query = select(row.subscription_id).where(mine)
            query = query.order_by(row.created_at.desc(), row.subscription_id)
            known = list(await session.scalars(query.with_for_update()))
            others = [one for one in known if one.partition(".")[0] != browser]
            gone = others[SUBSCRIPTIONS_MAX - 1 :]
            is_gone = or_(_is_of(browser), row.subscription_id.in_(gone))
            await session.execute(delete(row).where(is_gone))
            session.add(
                row(
                    subscription_id=subscription_id,
                    account_id=account_id,
                    session_id=session_id,
                    content=keys.seal(_place(subscription_id), content),
                    created_at=now,
                )
            )

    async def remove(self, account_id: str, endpoint: str) -> None:
        """See PushSubscriptions.remove."""
        keys, row = await self._ring.of(), PushSubscriptionRecord
        browser = _browser_id(keys, endpoint)
        await self._delete(_is_of(browser), row.account_id == account_id)

    async def find(self, subscription_id: str) -> PushSubscription | None:
        """See PushSubscriptions.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(PushSubscriptionRecord, subscription_id)
            if row is None or not await self._is_signed_in(session, row.session_id):
                return None
        return _opened(keys, subscription_id, row.content)

    async def drop(self, subscription_id: str) -> None:
        """See PushSubscriptions.drop."""
        await self._delete(PushSubscriptionRecord.subscription_id == subscription_id)

    async def _delete(self, *which: ColumnElement[bool]) -> None:
        async with self._records.writing() as session:
            await session.execute(delete(PushSubscriptionRecord).where(*which))


def _browser_id(keys: TenantKeys, endpoint: str) -> str:
    """What the ids of a browser's subscriptions begin with."""
    return f"psh_{keys.index('push', endpoint)}"


def _is_of(browser: str) -> ColumnElement[bool]:
    """Whether a subscription is this browser's, of whichever account."""
    row = PushSubscriptionRecord.subscription_id
    return and_(row >= browser, row < f"{browser}/")  # which comes after the dot


def _opened(keys: TenantKeys, name: str, content: bytes) -> PushSubscription:
    return json.decode(keys.open(_place(name), content), type=PushSubscription)


def _place(subscription_id: str) -> Place:
    return Place("push_subscription", "content", subscription_id)
