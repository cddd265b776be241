"""Why providers are suspended, over the records."""

from __future__ import annotations

from sqlalchemy import Select, delete, select
from sqlalchemy.exc import IntegrityError

from actors.domain.ids import ClinicId, Millis, ProviderId
from care.grants.values import Suspension
from care.keys.sealing import Place
from persistence.accounts.models import MembershipRecord
from persistence.grants.models import SuspensionRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.records import Records


class SqlSuspensions:
    """Implements ``care.grants.ports.Suspensions``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def put(self, one: Suspension, *, goes_on: bool = False) -> Millis:
        """See Suspensions.put."""
        keys = await self._ring.of()
        row = SuspensionRecord(
            provider_id=one.provider_id,
            clinic_id=one.clinic_id,
            reason=keys.seal(_place(one.provider_id), one.reason),
            since=one.since,
            suspended_by=one.suspended_by,
        )
        try:
            return await self._merge(row, goes_on=goes_on)
        except IntegrityError:  # another request was quicker: this one replaces it
            return await self._merge(row, goes_on=goes_on)

    async def _merge(self, row: SuspensionRecord, *, goes_on: bool) -> Millis:
        place = row.provider_id
        async with self._records.writing() as session:
            earlier = await session.get(SuspensionRecord, place, with_for_update=True)
            if earlier is not None and goes_on:
                row.since = earlier.since
            await session.merge(row)
        return Millis(row.since)

    async def find(self, provider_id: ProviderId) -> Suspension | None:
        """See Suspensions.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(SuspensionRecord, provider_id)
        return None if row is None else suspension_of(keys, row)

    async def remove(self, provider_id: ProviderId) -> None:
        """See Suspensions.remove."""
        row = SuspensionRecord
        async with self._records.writing() as session:
            await session.execute(delete(row).where(row.provider_id == provider_id))


def suspension_of(keys: TenantKeys, row: SuspensionRecord) -> Suspension:
    """The value of a row."""
    return Suspension(
        provider_id=ProviderId(row.provider_id),
        clinic_id=ClinicId(row.clinic_id),
        reason=keys.open(_place(row.provider_id), row.reason),
        since=Millis(row.since),
        suspended_by=row.suspended_by,
    )


def suspended(account_id: str) -> Select[SuspensionRecord]:
    """Suspensions of an account's calendars, those that began while they were its."""
    row, member = SuspensionRecord, MembershipRecord
    calendars = select(member.membership_id).where(
        member.account_id == account_id,
        member.provider_id == row.provider_id,
        member.since <= row.since,
        member.ended_at.is_(None) | (member.ended_at >= row.since),
    )
    return select(row).where(calendars.exists()).order_by(row.since, row.provider_id)


def _place(provider_id: str) -> Place:
    return Place("suspension", "reason", provider_id)
