"""Browsers that show notices, over the records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import json
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.keys.sealing import Place
from care.notices.push import SUBSCRIPTIONS_MAX, PushSubscription
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.models import PushSubscriptionRecord
from persistence.sql.records import Records

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
        # From the endpoint alone: an id once used is never another browser's.
        index = keys.index("push", subscription.endpoint)
        subscription_id = f"psh_{index}"
        content = json.encode(subscription).decode()
        async with self._records.writing() as session:
            mine = row.account_id == account_id
            query = select(row.subscription_id).where(mine)
            query = query.order_by(row.created_at.desc(), row.subscription_id)
            known = list(await session.scalars(query.with_for_update()))
            others = [one for one in known if one != subscription_id]
            gone = [subscription_id, *others[SUBSCRIPTIONS_MAX - 1 :]]
            await session.execute(delete(row).where(row.subscription_id.in_(gone)))
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
        one = f"psh_{keys.index('push', endpoint)}"
        await self._delete(row.subscription_id == one, row.account_id == account_id)

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


def _opened(keys: TenantKeys, name: str, content: bytes) -> PushSubscription:
    return json.decode(keys.open(_place(name), content), type=PushSubscription)


def _place(subscription_id: str) -> Place:
    return Place("push_subscription", "content", subscription_id)
