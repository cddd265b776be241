"""The audit trail's work beside the projector: one process of a site does it.

It has the projector's lease. That only saves work: appending to a chain is safe when
two processes do it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ProviderId, ShardId
from actors.ports import Journal
from care.keys.sealing import KeyEncryptionKeyWrong
from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.wiring.background import migrated
from persistence.audit.anchors import AuditAnchors
from persistence.audit.following import JournalAudit
from persistence.audit.sealing import AuditSealer
from persistence.journal.recent import RecentRecords
from persistence.keys.ring import KeyRing
from persistence.readmodel.projection.store import ProjectionStore, StoreUnavailable
from persistence.readmodel.queries.clinics import clinics_of
from persistence.records.models import RECORDS
from persistence.sql.records import Records

log = logging.getLogger(__name__)

Reached = Callable[[], Awaitable[Mapping[ShardId, int]]]
"""How far each shard's journal is in the trail."""


class Auditing:
    """Follows the journal, seals what is pending, and anchors heads."""

    def __init__(
        self,
        site: Site,
        journal: Journal,
        store: ProjectionStore,
        engine: AsyncEngine,
        recent: RecentRecords,
    ) -> None:
        self._site = site
        self._store = store
        self._engine = engine
        clock = SystemClock()
        self._records = Records(site.records_url)
        ring = KeyRing(self._records, site.key_encryption_keys(), clock)
        self._following = JournalAudit(
            journal,
            self._records,
            ring,
            clock,
            clinics_of=self._clinics_of,
            projected_to=self._projected_to,
        )
        self._following.recent = recent
        self._sealer = AuditSealer(self._records, ring)
        self._anchors = AuditAnchors(self._records, ring, clock, site.audit_anchors)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""
        try:
            if not await migrated(self._site.records_url, RECORDS, stop):
                return
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._following.run(stop))
                tasks.create_task(self._sealer.run(stop))
                tasks.create_task(self._anchors.run(stop))
        except* KeyEncryptionKeyWrong:
            # The read model must not wait for it. The start checks it (`keys check`).
            log.exception("ALARM: nothing is audited")
            await stop.wait()
        finally:
            await self._records.close()

    async def reached(self) -> Mapping[ShardId, int]:
        """How far each shard's journal is in the trail. Raises Unavailable."""
        return await self._following.reached()

    async def _clinics_of(
        self, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, str]:
        return await clinics_of(self._engine, providers)

    async def _projected_to(self) -> Mapping[ShardId, int]:
        try:
            offsets = await self._store.shard_offsets()
        except StoreUnavailable:
            return {}
        return {shard: offset.seq for shard, offset in offsets.items()}
