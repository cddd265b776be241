"""API clients over the records. Implements ``care.accounts.clients.ApiClients``."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis
from care.accounts.accounts import MINUTE_MS
from care.accounts.clients import CLIENTS_MAX, ApiClient, ClientId
from persistence.accounts.client_models import ApiClientRecord
from persistence.accounts.rows import hashed_secret, lock_account
from persistence.sql.records import Records

USE_NOTED_MS: Final = MINUTE_MS
"""How exactly it is known when a client was used: not each use is a write."""


class SqlApiClients:
    """The API clients of a site."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def add(self, client: ApiClient, secret: str) -> bool:
        """See ApiClients.add."""
        row = ApiClientRecord
        living = (row.clinic_id == client.clinic_id, row.revoked_at.is_(None))
        async with self._records.writing() as session:
            # Of requests at one time each waits for the one before: they lock what the
            # clinic has, or the account that asks. What they then count is all of it.
            await lock_account(session, client.created_by)
            locked = select(row.client_id).where(*living).with_for_update()
            await session.execute(locked)
            number = select(func.count()).where(*living)
            if int(await session.scalar(number) or 0) >= CLIENTS_MAX:
                return False
            session.add(
                ApiClientRecord(
                    client_id=client.client_id,
                    clinic_id=client.clinic_id,
                    name=client.name,
                    secret_hash=hashed_secret(secret),
                    scopes=list(client.scopes),
                    created_by=client.created_by,
                    created_at=client.created_at,
                    expires_at=client.expires_at,
                )
            )
        return True

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[ApiClient]:
        """See ApiClients.of_clinic."""
        row = ApiClientRecord
        query = (
            select(row)
            .where(row.clinic_id == clinic_id, row.revoked_at.is_(None))
            .order_by(row.created_at, row.client_id)
        )
        async with self._records.reading() as session:
            return [_client(one) for one in (await session.scalars(query)).all()]

    async def rotate(
        self,
        clinic_id: ClinicId,
        client_id: ClientId,
        secret: str,
        *,
        old_until: Millis,
        now: Millis,
    ) -> ApiClient | None:
        """See ApiClients.rotate."""
        async with self._records.writing() as session:
            row = await _living(session, clinic_id, client_id)
            if row is None or row.expires_at <= now:
                return None
            row.old_hash, row.old_until = row.secret_hash, old_until
            row.secret_hash = hashed_secret(secret)
        return _client(row)

    async def revoke(
        self, clinic_id: ClinicId, client_id: ClientId, *, now: Millis
    ) -> bool:
        """See ApiClients.revoke."""
        async with self._records.writing() as session:
            row = await _living(session, clinic_id, client_id)
            if row is None:
                return False
            row.revoked_at = now
        return True

    async def proved(
        self, client_id: ClientId, secret: str, *, now: Millis
    ) -> ApiClient | None:
        """See ApiClients.proved."""
        async with self._records.reading() as session:
            row = await session.get(ApiClientRecord, client_id)
        if row is None or not _is_right(row, hashed_secret(secret), now):
            return None
        if row.used_at is None or now - row.used_at >= USE_NOTED_MS:
            await self._note_use(client_id, now)
        return _client(row)

    async def _note_use(self, client_id: ClientId, now: Millis) -> None:
        async with self._records.writing() as session:
            row = await session.get(ApiClientRecord, client_id)
            if row is not None:
                row.used_at = now


async def _living(
    session: AsyncSession, clinic_id: ClinicId, client_id: ClientId
) -> ApiClientRecord | None:
    row = ApiClientRecord
    query = select(row).where(
        row.client_id == client_id,
        row.clinic_id == clinic_id,
        row.revoked_at.is_(None),
    )
    return (await session.scalars(query.with_for_update())).one_or_none()


def _is_right(row: ApiClientRecord, hashed: str, now: Millis) -> bool:
    """Whether a secret opens a client; both are compared, whatever the first says."""
    is_present = hmac.compare_digest(row.secret_hash, hashed)
    is_old = hmac.compare_digest(row.old_hash or "", hashed)
    is_old = is_old and row.old_until is not None and now < row.old_until
    is_alive = row.revoked_at is None and now < row.expires_at
    return is_alive and (is_present or is_old)


def _client(row: ApiClientRecord) -> ApiClient:
    values = {name: getattr(row, name) for name in ApiClient.__struct_fields__}
    return ApiClient(**{**values, "scopes": tuple(row.scopes)})
