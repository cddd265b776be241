"""The key ring: a tenant's data keys, made on first use, unwrapped once per process."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.keys.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    REFRESH_MS,
    DataKey,
    KeyEncryptionKeys,
    KeyEncryptionKeyWrong,
    Place,
    Purpose,
    SealBroken,
    blind_index,
    current_key,
    number_of,
    open_sealed,
    person_key,
    seal,
)
from persistence.keys.models import DataKeyRecord
from persistence.sql.records import Records

SITE: Final = "site"
"""The tenant of what belongs to no clinic: accounts and messages to them."""


class TenantKeys:
    """Seals, opens and indexes for one tenant, or for one person of it."""

    def __init__(
        self, sealing: Mapping[int, DataKey], index: DataKey, now: int
    ) -> None:
        self._sealing = sealing
        self._current = current_key(sealing, now)
        self._index = index
        self._now = now

    @property
    def current_number(self) -> int:
        """The number of the key that seals."""
        return self._current.number

    def of_person(self, salt: bytes) -> TenantKeys:
        """The keys of one person; blind indexes stay the tenant's."""
        own = {n: person_key(key, salt) for n, key in self._sealing.items()}
        return TenantKeys(own, self._index, self._now)

    def seal(self, place: Place, text: str) -> bytes:
        """A text sealed for its place."""
        return seal(self._current, place, text, secrets.token_bytes(NONCE_BYTES))

    def open(self, place: Place, sealed: bytes) -> str:
        """The text of a sealed value. Raises SealBroken."""
        key = self._sealing.get(number_of(sealed))
        if key is None:
            raise SealBroken(f"{place.table}.{place.column}: its key is not there")
        return open_sealed(key, place, sealed)

    def index(self, kind: str, text: str) -> str:
        """What a text is found by; ``kind`` keeps equal texts of two kinds apart."""
        return blind_index(self._index, f"{kind}|{text}")


class KeyRing:
    """The keys of all tenants, over the records. One per process."""

    def __init__(
        self, records: Records, wrapping: KeyEncryptionKeys, clock: Clock
    ) -> None:
        self._records = records
        self._wrapping = wrapping
        self._clock = clock
        self._known: dict[str, tuple[Millis, TenantKeys]] = {}
        self._audit: DataKey | None = None

    async def of(self, tenant: str = SITE) -> TenantKeys:
        """A tenant's keys.

        Raises:
            Unavailable: they are not known here yet and the records do not answer.
            KeyEncryptionKeyWrong: they are wrapped with a key that is not configured.
        """
        now = self._clock.now()
        known = self._known.get(tenant)
        if known is not None and 0 <= now - known[0] < REFRESH_MS:
            return known[1]
        try:
            keys = await self._load_or_make(tenant, now)
        except (Unavailable, KeyEncryptionKeyWrong):
            if known is None:
                raise
            # The records are away, or keys were wrapped with a key encryption key that
            # this process has not been started with yet.
            return known[1]
        self._known[tenant] = (now, keys)
        return keys

    async def audit_key(self) -> DataKey:
        """The key of the audit trail; it is never replaced.

        Raises:
            Unavailable, KeyEncryptionKeyWrong: as for ``of``.
        """
        if self._audit is None:
            found = await self._load(SITE)
            if not found.get(Purpose.AUDIT):
                await self._make(SITE, Purpose.AUDIT)
                found = await self._load(SITE)
            self._audit = found[Purpose.AUDIT][1]
        return self._audit

    async def check(self) -> None:
        """Return if every data key can be unwrapped.

        Raises:
            KeyEncryptionKeyWrong: one was wrapped with a key that is not configured.
            Unavailable: the records do not answer.
        """
        async with self._records.reading() as session:
            rows = (await session.scalars(select(DataKeyRecord))).all()
        for row in rows:
            self._wrapping.unwrap(row.wrapped, row.kek_id)

    async def _load_or_make(self, tenant: str, now: Millis) -> TenantKeys:
        found = await self._load(tenant)
        for purpose in (Purpose.SEAL, Purpose.INDEX):
            if found.get(purpose):
                continue
            await self._make(tenant, purpose)
            # Another process may have been quicker: what is stored counts.
            found = await self._load(tenant)
        (index,) = found[Purpose.INDEX].values()
        return TenantKeys(found[Purpose.SEAL], index, now)

    async def _load(self, tenant: str) -> dict[Purpose, dict[int, DataKey]]:
        query = select(DataKeyRecord).where(DataKeyRecord.tenant == tenant)
        async with self._records.reading() as session:
            rows = (await session.scalars(query)).all()
        found: dict[Purpose, dict[int, DataKey]] = {}
        for row in rows:
            secret = self._wrapping.unwrap(row.wrapped, row.kek_id)
            purpose = Purpose(row.purpose)
            key = DataKey(tenant, purpose, row.number, secret, row.created_at)
            found.setdefault(purpose, {})[row.number] = key
        return found

    async def _make(self, tenant: str, purpose: Purpose) -> None:
        try:
            async with self._records.writing() as session:
                self._add(session, tenant, purpose)
        except IntegrityError:
            pass  # made by another process in between

    def _add(self, session: AsyncSession, tenant: str, purpose: Purpose) -> None:
        session.add(
            DataKeyRecord(
                tenant=tenant,
                purpose=purpose.value,
                number=1,
                wrapped=self._wrapping.wrap(secrets.token_bytes(KEY_BYTES)),
                kek_id=self._wrapping.current_id,
                created_at=self._clock.now(),
            )
        )
