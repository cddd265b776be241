"""Snapshots in Redis: one hash per shard beside its journal, each under a checksum.

They are as durable as the journal, because the journal is trimmed after them; replicas
take both from one stream of changes, in order. They are stored when memory is short,
too: only what they have can be trimmed from the journal.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from crc32c import crc32c

from actors.domain.ids import ProviderId, ShardId
from actors.errors import JournalUnavailable
from actors.ports import StoredCalendar
from persistence.redis.client import LostReply, RedisStore, TooFewCopies
from persistence.redis.keys import SiteKeys
from persistence.snapshots.files import SnapshotCorrupt, checksum

_HEAD = struct.Struct("<IQ")
PROVIDERS_AT_ONCE = 128


class RedisSnapshots:
    """``actors.ports.SnapshotStore`` over the Redis that has the journal."""

    def __init__(
        self, url: str, site: str, *, generation: int = 1, replicas: int = 0
    ) -> None:
        """``replicas`` as for the journal."""
        self._keys = SiteKeys(site, generation)
        self._store = RedisStore(url, replicas=replicas, name="slotcast-snapshots")

    async def position(self, shard: ShardId) -> int:
        """See the port. Raises SnapshotCorrupt, JournalUnavailable."""
        reply = await self._store.ask("HGET", self._keys.of(shard).shelf, "position")
        if reply is None:
            return 0
        position, _, crc = reply.partition(b" ")
        if crc != b"%d" % crc32c(position):
            raise _corrupt(shard, "the shard's position has changed")
        return int(position)

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        """See the port. Raises SnapshotCorrupt, JournalUnavailable."""
        found: dict[ProviderId, StoredCalendar] = {}
        calendars = self._keys.of(shard).calendars
        for start in range(0, len(providers), PROVIDERS_AT_ONCE):
            some = providers[start : start + PROVIDERS_AT_ONCE]
            values = await self._store.ask("HMGET", calendars, *some)
            for provider, value in zip(some, values, strict=True):
                if value is not None:
                    found[provider] = _unpacked(shard, provider, value)
        return found

    async def providers(self, shard: ShardId) -> Sequence[ProviderId]:
        """Whose calendars are stored, by id; for a rebuild of the read model."""
        names = await self._store.ask("HKEYS", self._keys.of(shard).calendars)
        return sorted(ProviderId(name.decode()) for name in names)

    async def save(
        self, shard: ShardId, epoch: int, calendars: Mapping[ProviderId, StoredCalendar]
    ) -> None:
        """See the port. Raises Fenced, JournalUnavailable."""
        words: list[bytes | str] = []
        for provider, stored in calendars.items():
            words += (provider, _packed(provider, stored))
        await self._write(shard, epoch, "", words)

    async def advance(self, shard: ShardId, epoch: int, position: int) -> None:
        """See the port; a position never goes back."""
        number = b"%d" % position
        await self._write(shard, epoch, b"%d %d" % (position, crc32c(number)), ())

    async def close(self) -> None:
        """End the connection."""
        await self._store.close()

    async def _write(
        self,
        shard: ShardId,
        epoch: int,
        position: bytes | str,
        words: Sequence[bytes | str],
    ) -> None:
        keys = self._keys.of(shard)
        try:
            await self._store.call(
                "store", (keys.shelf, keys.calendars), (epoch, position, *words)
            )
        except (LostReply, TooFewCopies) as error:
            # Storing twice is harmless, so that nothing hangs on knowing.
            raise JournalUnavailable(str(error)) from error


def _packed(provider: ProviderId, stored: StoredCalendar) -> bytes:
    crc = checksum(provider, stored.seq, stored.blob)
    return _HEAD.pack(crc, stored.seq) + stored.blob


def _unpacked(shard: ShardId, provider: ProviderId, value: bytes) -> StoredCalendar:
    if len(value) < _HEAD.size:
        raise _corrupt(shard, f"the snapshot of {provider} is cut short")
    crc, seq = _HEAD.unpack_from(value)
    blob = value[_HEAD.size :]
    if crc != checksum(provider, seq, blob):
        raise _corrupt(shard, f"the snapshot of {provider} has changed")
    return StoredCalendar(seq, blob)


def _corrupt(shard: ShardId, what: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"the snapshots of shard {shard} in Redis: {what}. If the shard's journal "
        "still begins at seq 1, delete that hash and it is rebuilt from there; "
        "otherwise restore it from a backup."
    )
