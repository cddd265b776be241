"""Entries that are committed together with what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from care.audit.entries import Draft, canonical
from persistence.audit.models import AuditPendingRecord


async def queue_entry(session: AsyncSession, draft: Draft) -> None:
    """Add an entry in this transaction; the sealer puts it into the chain."""
    await queue_entries(session, [draft])


async def queue_entries(session: AsyncSession, drafts: Iterable[Draft]) -> None:
    """Add entries in this transaction, in order."""
    rows = [row_of(draft) for draft in drafts]
    if rows:
        await session.execute(insert(AuditPendingRecord), rows)


def row_of(draft: Draft) -> dict[str, object]:
    """A draft as a row."""
    return {
        "tenant": draft.tenant,
        "at": draft.at,
        "actor": draft.actor,
        "person": draft.person,
        "action": draft.action,
        "body": canonical(draft.body).decode(),
    }


def tenants_of(drafts: Sequence[Draft]) -> list[str]:
    """The tenants of some drafts, sorted: locks are always taken in this order."""
    return sorted({draft.tenant for draft in drafts})
