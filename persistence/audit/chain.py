"""Appends entries to the chains, exactly once per source.

All of it is one transaction: the source's position moves from where it was read, the
rows of the heads are locked, the entries follow them. Of two sealers at work one waits
for the other or is rolled back, so the lease only saves work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.audit.entries import Draft, Entry, Head, head_of, next_entry, no_head
from care.audit.entries import tenant_key as key_of_tenant
from care.keys.sealing import DataKey
from persistence.audit.marks import Marks, marks_of
from persistence.audit.models import (
    AuditEntryRecord,
    AuditHeadRecord,
    AuditSourceRecord,
)
from persistence.audit.pending import tenants_of
from persistence.sql.statements import many, marks, portions


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


def move_source(
    connection: Connection,
    source: str,
    before: int,
    after: int,
    epoch: int = 0,
    marks: str = "",
) -> None:
    """Compare-and-set a source's position, -1 for a source that is new.

    Raises:
        SourceMoved: it is not at ``before``; roll back.
    """
    style = connection.dialect.paramstyle
    if before < 0:
        try:
            many(connection, _ADD_SOURCE[style], [(source, after, epoch, marks)])
        except IntegrityError:
            raise SourceMoved from None
        return
    row = (after, epoch, marks, source, before)
    moved = many(connection, _MOVE_SOURCE[style], [row])
    if moved != 1:
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


async def marks_of_sources(
    session: AsyncSession, sources: Sequence[str]
) -> Mapping[str, Marks]:
    """The marks of the sources that have some."""
    row, found = AuditSourceRecord, {}
    for part in portions(sources):
        query = select(row.source, row.marks).where(row.source.in_(part))
        for source, text in (await session.execute(query)).all():
            found[source] = marks_of(text)
    return found


def append(connection: Connection, keys: ChainKeys, drafts: Sequence[Draft]) -> None:
    """Append drafts in order, each to its tenant's chain.

    Raises:
        SourceMoved: another process began a tenant's chain at the same time.
    """
    if not drafts:
        return
    tenants = tenants_of(drafts)
    heads = _locked_heads(connection, tenants)
    known = dict(heads)
    rows: list[tuple[Any, ...]] = []
    for draft in drafts:
        before = heads.get(draft.tenant) or no_head(draft.tenant)
        entry = next_entry(keys.of(draft.tenant), before, draft)
        heads[draft.tenant] = head_of(entry)
        rows.append(msgspec.structs.astuple(entry))
    many(connection, _ADD_ENTRY[connection.dialect.paramstyle], rows)
    _move_heads(connection, known, [heads[tenant] for tenant in tenants])


def _locked_heads(connection: Connection, tenants: Sequence[str]) -> dict[str, Head]:
    row, heads = AuditHeadRecord, {}
    for part in portions(tenants):
        query = (
            select(row.tenant, row.seq, row.hash, row.at)
            .where(row.tenant.in_(part))
            .order_by(row.tenant)
        )
        for one in connection.execute(query.with_for_update()):
            heads[one.tenant] = Head(one.tenant, one.seq, one.hash, Millis(one.at))
    return heads


def _move_heads(
    connection: Connection, before: Mapping[str, Head], after: Sequence[Head]
) -> None:
    """Both kinds in the order of ``after``, which is that of the locks."""
    style = connection.dialect.paramstyle
    added = [msgspec.structs.astuple(h) for h in after if h.tenant not in before]
    moved = [
        (h.seq, h.hash, h.at, h.tenant, before[h.tenant].seq)
        for h in after
        if h.tenant in before
    ]
    if added:
        try:
            many(connection, _ADD_HEAD[style], added)
        except IntegrityError:
            raise SourceMoved from None
    if moved and many(connection, _MOVE_HEAD[style], moved) != len(moved):
        raise SourceMoved


_ADD_SOURCE: Final = marks(
    "INSERT INTO audit_source (source, position, epoch, marks) VALUES (?, ?, ?, ?)"
)
_MOVE_SOURCE: Final = marks(
    "UPDATE audit_source SET position = ?, epoch = ?, marks = ? "
    "WHERE source = ? AND position = ?"
)
_ADD_HEAD: Final = marks(
    "INSERT INTO audit_head (tenant, seq, hash, at) VALUES (?, ?, ?, ?)"
)
_MOVE_HEAD: Final = marks(
    "UPDATE audit_head SET seq = ?, hash = ?, at = ? WHERE tenant = ? AND seq = ?"
)
_ADD_ENTRY: Final = marks(
    "INSERT INTO audit_entry (tenant, seq, at, actor, person, action, body, hash) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


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
