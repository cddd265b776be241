"""The audit trail as auditors read it. Implements ``care.audit.ports.AuditStore``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, and_, or_, select

from actors.domain.ids import Millis
from care.audit.entries import Entry, Head
from care.audit.ports import AuditQuery
from care.audit.verifying import AuditReport, ChainCheck, Fault, FirstBad
from persistence.audit.anchors import AuditAnchors
from persistence.audit.chain import ChainKeys, entry_of
from persistence.audit.models import (
    AuditAnchorRecord,
    AuditEntryRecord,
    AuditHeadRecord,
)
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records

VERIFY_AT_ONCE: Final = 2_000
"""Entries read and checked at a time."""
_READS: Final = ("read_%", "watch_%", "list_%", "find_%", "export_%")


class SqlAudit:
    """Search and verification over the records."""

    def __init__(self, records: Records, ring: KeyRing, anchors: AuditAnchors) -> None:
        self._records = records
        self._ring = ring
        self._anchors = anchors

    async def search(
        self, wanted: AuditQuery, *, after: str, limit: int
    ) -> tuple[Sequence[Entry], str | None]:
        """See AuditStore.search."""
        row = AuditEntryRecord
        query = select(row)
        for column, value in (
            (row.tenant, wanted.tenant),
            (row.person, wanted.person),
            (row.actor, wanted.actor),
            (row.action, wanted.action),
        ):
            if value:
                query = query.where(column == value)
        if wanted.first is not None:
            query = query.where(row.at >= wanted.first)
        if wanted.last is not None:
            query = query.where(row.at < wanted.last)
        return await self._page(query, after, limit)

    async def accesses(
        self, about: Mapping[str, Millis], *, after: str, limit: int
    ) -> tuple[Sequence[Entry], str | None]:
        """See AuditStore.accesses."""
        row = AuditEntryRecord
        reads = or_(*(row.action.like(one) for one in _READS))
        wanted = or_(
            *(and_(row.person == one, row.at >= at) for one, at in about.items())
        )
        query = select(row).where(wanted, reads)
        return await self._page(query, after, limit)

    async def verify(self, tenant: str = "") -> AuditReport:
        """See AuditStore.verify."""
        keys = ChainKeys(await self._ring.audit_key())
        # Entries are sealed meanwhile. In this order all that is named is there: an
        # anchor is written before it is noted, and entries with their head.
        noted = await self._heads(AuditAnchorRecord, tenant)
        anchors = await self._anchors.read()
        heads = await self._heads(AuditHeadRecord, tenant)
        entries = await self._tenants(tenant)
        written = {one for one in anchors if tenant in ("", one)}
        tenants = sorted({*heads, *noted, *entries, *written})
        found: list[FirstBad] = []
        count = compared = 0
        for one in tenants:
            outside = anchors.get(one, ())
            known = [noted[one]] if one in noted else []
            check = ChainCheck(one, keys.of(one), heads.get(one), [*outside, *known])
            await self._feed(check)
            count += check.entries
            compared += len(outside)
            bad = check.finish((await self._heads(AuditHeadRecord, one)).get(one))
            if bad is None and known and known[0] not in outside:
                # The database says that it was anchored, and the files do not.
                bad = FirstBad(one, known[0].seq, Fault.ANCHOR)
            if bad is not None:
                found.append(bad)
        first = found[0] if found else None
        return AuditReport(not found, count, len(tenants), compared, first, found)

    async def _feed(self, check: ChainCheck) -> None:
        row, seq = AuditEntryRecord, -(1 << 62)
        while True:
            query = (
                select(row)
                .where(row.tenant == check.tenant, row.seq > seq)
                .order_by(row.seq)
                .limit(VERIFY_AT_ONCE)
            )
            async with self._records.reading() as session:
                rows = [entry_of(one) for one in await session.scalars(query)]
            for one in rows:
                check.feed(one)
            if len(rows) < VERIFY_AT_ONCE:
                return
            seq = rows[-1].seq
            await asyncio.sleep(0)

    async def _heads(
        self, table: type[AuditHeadRecord | AuditAnchorRecord], tenant: str
    ) -> Mapping[str, Head]:
        row: Any = table  # both have the columns of a head
        query = select(row) if not tenant else select(row).where(row.tenant == tenant)
        async with self._records.reading() as session:
            rows = (await session.scalars(query)).all()
        return {
            one.tenant: Head(one.tenant, one.seq, one.hash, Millis(one.at))
            for one in rows
        }

    async def _tenants(self, tenant: str) -> Sequence[str]:
        row = AuditEntryRecord
        query = select(row.tenant).distinct()
        if tenant:
            query = query.where(row.tenant == tenant)
        async with self._records.reading() as session:
            return (await session.scalars(query)).all()

    async def _page(
        self, query: Select[Any], after: str, limit: int
    ) -> tuple[Sequence[Entry], str | None]:
        row = AuditEntryRecord
        if after:
            at, tenant, seq = _read_cursor(after)
            query = query.where(
                or_(
                    row.at < at,
                    and_(row.at == at, row.tenant < tenant),
                    and_(row.at == at, row.tenant == tenant, row.seq < seq),
                )
            )
        ordered = query.order_by(row.at.desc(), row.tenant.desc(), row.seq.desc())
        async with self._records.reading() as session:
            rows = [entry_of(o) for o in await session.scalars(ordered.limit(limit))]
        if len(rows) < limit:
            return rows, None
        last = rows[-1]
        return rows, f"{last.at}.{last.seq}.{last.tenant}"


def _read_cursor(cursor: str) -> tuple[int, str, int]:
    at, _, rest = cursor.partition(".")
    seq, dot, tenant = rest.partition(".")
    if not dot or not (
        at.isascii() and at.isdigit() and seq.isascii() and seq.isdigit()
    ):
        raise ValueError("not a cursor of the audit trail")
    return int(at), tenant, int(seq)
