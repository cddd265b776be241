"""Appends entries to the chains, exactly once per source.

All of it is one transaction: the source's position moves from where it was read, the
rows of the heads are locked, the entries follow them. Of two sealers at work one waits
for the other or is rolled back, so the lease only saves work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import CursorResult, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from care.audit.entries import Draft, Entry, Head, head_of, next_entry, no_head
from care.audit.entries import tenant_key as key_of_tenant
from care.keys.sealing import DataKey
from persistence.audit.models import (
    AuditEntryRecord,
    AuditHeadRecord,
    AuditSourceRecord,
)
from persistence.audit.pending import tenants_of
from persistence.sql.statements import portions


class SourceMoved(Exception):
    """A source is not where the caller read it: another process appended."""


class ChainKeys:
    """The keys of the chains of all tenants."""

    def __init__(self, site: DataKey) -> None:
        self._site = site.secret
        self._known: dict[str, bytes] = {}

    def of(self, tenant: str) -> bytes:
        """The key of a tenant's chain."""
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = key_of_tenant(self._site, tenant)
        return known


async def move_source(
    session: AsyncSession, source: str, before: int, after: int, epoch: int = 0
) -> None:
    """Compare-and-set a source's position, -1 for a source that is new.

    Raises:
        SourceMoved: it is not at ``before``; roll back.
    """
    row = AuditSourceRecord
    if before < 0:
        try:
            await session.execute(
                insert(row).values(source=source, position=after, epoch=epoch)
            )
        except IntegrityError:
            raise SourceMoved from None
        return
    moved = await session.execute(
        update(row)
        .where(row.source == source, row.position == before)
        .values(position=after, epoch=epoch)
    )
    if cast("CursorResult[Any]", moved).rowcount != 1:
        raise SourceMoved


async def positions(
    session: AsyncSession, sources: Sequence[str]
) -> Mapping[str, tuple[int, int]]:
    """Position and epoch of the sources that are known."""
    row, found = AuditSourceRecord, {}
    for part in portions(sources):
        query = select(row.source, row.position, row.epoch).where(row.source.in_(part))
        for source, position, epoch in (await session.execute(query)).all():
            found[source] = (position, epoch)
    return found


async def append(
    session: AsyncSession, keys: ChainKeys, drafts: Sequence[Draft]
) -> None:
    """Append drafts in order, each to its tenant's chain.

    Raises:
        SourceMoved: another process began a tenant's chain at the same time.
    """
    if not drafts:
        return
    tenants = tenants_of(drafts)
    heads = await _locked_heads(session, tenants)
    known = dict(heads)
    rows: list[dict[str, Any]] = []
    for draft in drafts:
        before = heads.get(draft.tenant) or no_head(draft.tenant)
        entry = next_entry(keys.of(draft.tenant), before, draft)
        heads[draft.tenant] = head_of(entry)
        rows.append(msgspec.structs.asdict(entry))
    await session.execute(insert(AuditEntryRecord), rows)
    for tenant in tenants:
        await _move_head(session, known.get(tenant), heads[tenant])


async def _locked_heads(
    session: AsyncSession, tenants: Sequence[str]
) -> dict[str, Head]:
    row, heads = AuditHeadRecord, {}
    for part in portions(tenants):
        query = select(row).where(row.tenant.in_(part)).order_by(row.tenant)
        for one in await session.scalars(query.with_for_update()):
            heads[one.tenant] = Head(one.tenant, one.seq, one.hash, one.at)  # type: ignore[arg-type]
    return heads


async def _move_head(session: AsyncSession, before: Head | None, after: Head) -> None:
    row = AuditHeadRecord
    if before is None:
        try:
            await session.execute(insert(row), [msgspec.structs.asdict(after)])
        except IntegrityError:
            raise SourceMoved from None
        return
    moved = await session.execute(
        update(row)
        .where(row.tenant == after.tenant, row.seq == before.seq)
        .values(seq=after.seq, hash=after.hash, at=after.at)
    )
    if cast("CursorResult[Any]", moved).rowcount != 1:
        raise SourceMoved


def entry_of(row: AuditEntryRecord) -> Entry:
    """A row as an entry."""
    return Entry(
        row.tenant,
        row.seq,
        row.at,  # type: ignore[arg-type]
        row.actor,
        row.person,
        row.action,
        row.body,
        row.hash,
    )
