"""Reads a journal's streams, and trims records that are no longer needed.

Only durable records are returned. On the primary no others are visible, since no reply
leaves before the fsync; the replicas are asked when a reader reaches a record that this
process does not know to be on them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hiredis import ReplyError

from actors.domain.ids import Millis, ShardId
from actors.errors import JournalCorrupt, JournalFull, JournalUnavailable
from actors.ports import Record
from persistence.journal.redis.records import (
    StreamEntry,
    entries_of,
    entry_id,
    event_of,
    padded,
    position_of,
    records_of,
)
from persistence.redis.client import LostReply, RedisStore, TooFewCopies
from persistence.redis.functions import Word
from persistence.redis.keys import SiteKeys

READ_AT_ONCE = 1000
"""Records in one reply, about a millisecond of Redis's only thread."""
TRIM_AT_ONCE = 1000


class RedisTail:
    """The streams of one generation, for readers."""

    def __init__(self, store: RedisStore, keys: SiteKeys) -> None:
        self._store = store
        self._keys = keys
        self._epochs: dict[ShardId, tuple[int, int]] = {}
        """Where a reader stopped: seq, and its epoch."""
        self._durable: dict[ShardId, int] = {}

    def is_durable(self, shard: ShardId, seq: int) -> None:
        """Records up to ``seq`` are known to be on every disk."""
        self._durable[shard] = seq

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        """Durable records after ``after_seq``, at most ``limit``; see the port."""
        stream = self._keys.of(shard).stream
        start = await self._start(shard, after_seq)
        entries: list[StreamEntry] = []
        while len(entries) < limit:
            count = min(limit - len(entries), READ_AT_ONCE)
            reply = await self._store.ask(
                "XRANGE", stream, start, "+", "COUNT", count + 1
            )
            entries += entries_of(reply)
            if len(reply) <= count:
                break
            start = "(" + reply[-1][0].decode()
        records = records_of(shard, after_seq, entries[:limit])
        if records:
            await self._must_be_durable(shard, records[-1].seq)
            self._epochs[shard] = (records[-1].seq, records[-1].epoch)
        return records

    async def last_seqs(self, shards: Sequence[ShardId]) -> dict[ShardId, int]:
        """The durable ends of these shards; 0 for one without a journal."""
        ends = await ends_of(self._store, self._keys, shards)
        for shard, (_, seq) in ends.items():
            await self._must_be_durable(shard, seq)
        return {shard: ends.get(shard, (0, 0))[1] for shard in shards}

    async def shards(self) -> list[ShardId]:
        """The sealed shards, by name."""
        names = await self._store.ask("SMEMBERS", self._keys.shards)
        return sorted(ShardId(name.decode()) for name in names)

    async def trim(
        self, shard: ShardId, upto_seq: int, before: Millis | None = None
    ) -> None:
        """Drop records in small steps; the last one stays, and so does the fence."""
        keys = self._keys.of(shard)
        last = (await self.last_seqs([shard]))[shard]
        oldest = await self._oldest(shard)
        if oldest is None:
            return
        first, until = oldest.seq, min(upto_seq, last - 1)
        while first <= until:
            stop = min(first + TRIM_AT_ONCE - 1, until)
            old = (
                stop if before is None else await self._old(shard, first, stop, before)
            )
            if old >= first:
                epoch = await self._epoch_of(shard, old + 1)
                await self._cut(
                    (keys.stream, keys.epochs),
                    (entry_id(epoch, old + 1), padded(epoch)),
                )
            if old < stop:
                return
            first = stop + 1

    async def confirm(self, store: RedisStore | None = None) -> None:
        """Check that the replicas have everything that was read so far.

        Raises:
            JournalUnavailable: not all of them confirm it.
        """
        store = store or self._store
        if not store.replicas:
            return
        try:
            await store.call("signal", (self._keys.beacon,), ("read",))
        except (LostReply, TooFewCopies, JournalFull) as error:
            raise JournalUnavailable(str(error)) from error

    async def _must_be_durable(self, shard: ShardId, seq: int) -> None:
        if seq > self._durable.get(shard, 0):
            await self.confirm()
            self._durable[shard] = seq

    async def _start(self, shard: ShardId, after_seq: int) -> str:
        """The id from which to read; that of a gap if the record was trimmed."""
        seq, epoch = self._epochs.get(shard, (-1, 0))
        if seq == after_seq:
            return "(" + entry_id(epoch, seq)
        try:
            epoch = await self._epoch_of(shard, after_seq + 1)
        except JournalCorrupt:
            return "-"
        return entry_id(epoch, after_seq + 1)

    async def _epoch_of(self, shard: ShardId, seq: int) -> int:
        reply = await self._store.ask(
            "ZREVRANGEBYSCORE",
            self._keys.of(shard).epochs,
            seq - 1,
            "-inf",
            "LIMIT",
            0,
            1,
        )
        if not reply:
            raise JournalCorrupt(f"shard {shard}: no epoch holds seq {seq}")
        return int(reply[0])

    async def _oldest(self, shard: ShardId) -> StreamEntry | None:
        start: str = "-"
        while True:
            reply = await self._store.ask(
                "XRANGE", self._keys.of(shard).stream, start, "+", "COUNT", 16
            )
            entries = entries_of(reply)
            if entries or not reply:
                return entries[0] if entries else None
            start = "(" + reply[-1][0].decode()

    async def _old(self, shard: ShardId, first: int, stop: int, before: Millis) -> int:
        """The last seq from ``first`` to ``stop`` such that all up to it are old."""
        records = await self._raw(shard, stop, stop)
        if records and event_of(shard, records[0]).at < before:
            return stop  # a shard's time never goes back
        for entry in await self._raw(shard, first, stop):
            if event_of(shard, entry).at >= before:
                return entry.seq - 1
        return stop

    async def _raw(self, shard: ShardId, first: int, stop: int) -> list[StreamEntry]:
        start = entry_id(await self._epoch_of(shard, first), first)
        end = entry_id(await self._epoch_of(shard, stop), stop)
        stream = self._keys.of(shard).stream
        return entries_of(await self._store.ask("XRANGE", stream, start, end))

    async def _cut(self, keys: tuple[str, str], args: tuple[str, str]) -> None:
        request = self._store.library.call("trim", keys, args)
        try:
            await self._store.send(request, copied=False)
        except LostReply as error:
            raise JournalUnavailable(str(error)) from error


async def ends_of(
    store: RedisStore, keys: SiteKeys, shards: Sequence[ShardId]
) -> dict[ShardId, tuple[int, int]]:
    """Epoch and seq of the last id of each shard that has a stream.

    Raises:
        JournalUnavailable: Redis does not answer.
        JournalCorrupt: a key is not a stream.
    """
    replies: list[Any] = await store.replies(
        *(("XINFO", "STREAM", keys.of(shard).stream) for shard in shards)
    )
    ends = {}
    for shard, reply in zip(shards, replies, strict=True):
        if isinstance(reply, ReplyError):
            if "no such key" in str(reply):
                continue
            raise store.named(reply)
        about = dict(zip(reply[::2], reply[1::2], strict=True))
        ends[shard] = position_of(about[b"last-generated-id"])
    return ends


WAIT_MAX_S = 30.0


class RedisNews:
    """A separate connection that blocks; one waiter at a time, others queue."""

    def __init__(self, url: str, keys: SiteKeys) -> None:
        self._store = RedisStore(url, name="slotcast-news")
        self._keys = keys
        self._turn = asyncio.Lock()

    async def wait(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        """The shards with records after these seqs; see ``RedisJournal``."""
        async with self._turn:
            shards = list(positions)
            ends = await ends_of(self._store, self._keys, shards)
            ahead = frozenset(
                shard for shard, (_, seq) in ends.items() if seq > positions[shard]
            )
            if ahead or not shards or timeout_s <= 0:
                return ahead
            return await self._blocked(shards, ends, min(timeout_s, WAIT_MAX_S))

    async def close(self) -> None:
        """End the connection; waiters get JournalUnavailable."""
        await self._store.close()

    async def _blocked(
        self,
        shards: list[ShardId],
        ends: Mapping[ShardId, tuple[int, int]],
        timeout_s: float,
    ) -> frozenset[ShardId]:
        streams = [self._keys.of(shard).stream for shard in shards]
        after = [entry_id(*ends.get(shard, (0, 0))) for shard in shards]
        wait_ms = max(1, round(timeout_s * 1000))
        words: tuple[Word, ...] = (
            "XREAD",
            "COUNT",
            1,
            "BLOCK",
            wait_ms,
            "STREAMS",
            *streams,
            *after,
        )
        try:
            (reply,) = await self._store.ask_all([words], timeout_s + 2.0)
        except asyncio.CancelledError:
            self._store.drop()  # else the next request would wait behind this one
            raise
        named = dict(zip(streams, shards, strict=True))
        return frozenset(named[stream.decode()] for stream, _ in reply or ())
