"""Anchors: heads of the chains, written to files outside of the database.

A chain that is cut together with its head looks whole; a head that was written
elsewhere shows that more was there. Files are appended and synced; one per UTC day.
Only tenants whose chain has grown are written. Each line is authenticated, so that a
made-up anchor cannot accuse a good chain.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import DBAPIError

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.audit.entries import Head, canonical
from persistence.audit.chain import ChainKeys
from persistence.audit.models import AuditAnchorRecord, AuditHeadRecord
from persistence.files.disk import Disk, SystemDisk
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""How often heads are anchored: what can be cut without a trace is at most this."""
_PREFIX: Final = "anchors-"


class _Line(Struct, frozen=True):
    tenant: str
    seq: int
    hash: str
    at: int
    mac: str


class AuditAnchors:
    """Writes and reads the anchors in one folder."""

    def __init__(
        self,
        records: Records,
        ring: KeyRing,
        clock: Clock,
        folder: Path,
        disk: Disk | None = None,
    ) -> None:
        self._records = records
        self._ring = ring
        self._clock = clock
        self._folder = folder
        self._disk = disk or SystemDisk()

    async def run(self, stop: asyncio.Event) -> None:
        """Anchor every minute until ``stop`` is set, and once at the end."""
        while True:
            try:
                await self.step()
            except (Unavailable, DBAPIError, OSError) as error:
                log.warning("the audit trail was not anchored: %s", error)
            if stop.is_set():
                return
            try:
                async with asyncio.timeout(EVERY_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def step(self) -> int:
        """Write the heads that moved since they were last written; how many."""
        keys = ChainKeys(await self._ring.audit_key())
        head, known = AuditHeadRecord, AuditAnchorRecord
        query = (
            select(head)
            .outerjoin(known, known.tenant == head.tenant)
            .where((known.seq.is_(None)) | (known.hash != head.hash))
            .order_by(head.tenant)
        )
        async with self._records.reading() as session:
            rows = (await session.scalars(query)).all()
        heads = [Head(one.tenant, one.seq, one.hash, Millis(one.at)) for one in rows]
        if not heads:
            return 0
        now = self._clock.now()
        day = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
        path = self._folder / f"{_PREFIX}{day}.jsonl"
        data = b"".join(_written(keys, one) for one in heads)
        await asyncio.to_thread(self._append, path, data)
        async with self._records.writing() as session:
            names = [one.tenant for one in heads]
            await session.execute(delete(known).where(known.tenant.in_(names)))
            place = path.name
            values = [{**msgspec.structs.asdict(h), "place": place} for h in heads]
            await session.execute(insert(known), values)
        log.info(
            "audit anchors: %s",
            " ".join(f"{one.tenant}:{one.seq}:{one.hash}" for one in heads[:20]),
        )
        return len(heads)

    async def read(self) -> Mapping[str, Sequence[Head]]:
        """All genuine anchors, by tenant. Raises Unavailable."""
        keys = ChainKeys(await self._ring.audit_key())
        return await asyncio.to_thread(self._read, keys)

    def _append(self, path: Path, data: bytes) -> None:
        self._disk.make_folder(str(path.parent))
        handle = self._disk.open(str(path), create=True)
        try:
            at = self._disk.size(handle)
            if at and self._disk.read(handle, 1, at - 1) != b"\n":
                data = b"\n" + data  # a crash has cut the last line short
            while data:
                count = self._disk.write(handle, data, at)
                data, at = data[count:], at + count
            self._disk.sync(handle)
            self._disk.sync_folder(str(path.parent))
        finally:
            self._disk.close(handle)

    def _read(self, keys: ChainKeys) -> dict[str, list[Head]]:
        found: dict[str, list[Head]] = {}
        decoder = msgspec.json.Decoder(_Line)
        for path in sorted(self._folder.glob(f"{_PREFIX}*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    one = decoder.decode(line)
                except msgspec.DecodeError:
                    continue  # cut short by a crash
                head = Head(one.tenant, one.seq, one.hash, Millis(one.at))
                if hmac.compare_digest(one.mac, _mac(keys, head)):
                    found.setdefault(one.tenant, []).append(head)
        return found


def _mac(keys: ChainKeys, head: Head) -> str:
    return hmac.new(
        keys.of(head.tenant), b"anchor|" + canonical(head), sha256
    ).hexdigest()


def _written(keys: ChainKeys, head: Head) -> bytes:
    line = _Line(head.tenant, head.seq, head.hash, head.at, _mac(keys, head))
    return msgspec.json.encode(line) + b"\n"
