"""The journal in Redis: one stream per shard, fenced by functions in the server.

The stream's last id is (epoch, last seq), and a function checks both before it adds
anything (persistence/redis/functions.lua). An append counts when the replies say that
everything is on disk, on all replicas too. An append whose reply is lost is looked up
by its ids; its absence proves nothing, since it may still be in flight: only a newer
epoch excludes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hiredis import ReplyError

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.events import Event
from actors.errors import (
    Fenced,
    JournalCorrupt,
    JournalUnavailable,
    OutcomeUnknown,
)
from actors.ports import Record, Sealed
from persistence.journal.redis.records import (
    datas_of,
    entries_of,
    entry_id,
    position_of,
)
from persistence.journal.redis.room import RedisRoom
from persistence.journal.redis.tail import RedisNews, RedisTail
from persistence.redis.client import FencedAt, LostReply, RedisStore, TooFewCopies
from persistence.redis.keys import SiteKeys
from persistence.redis.wire import ANSWER_S

SETTLE_S = 0.7
"""Timeout in seconds of the look-up of an append whose reply was lost, once for
connecting and once for the answer. Together with the append's own timeout this is less
than a shard's patience."""
RESTORE_AT_ONCE = 500


class RedisJournal:
    """``actors.ports.Journal`` over one Redis primary, with or without replicas."""

    def __init__(
        self,
        url: str,
        site: str,
        *,
        generation: int = 1,
        replicas: int = 0,
        budget_bytes: int = 0,
        answer_s: float = ANSWER_S,
    ) -> None:
        """``replicas``: the number of all replicas; each must have an event on disk.

        ``budget_bytes`` bounds the server's memory below its own ``maxmemory``;
        a server silent for ``answer_s`` seconds counts as unavailable.
        """
        self._url = url
        self._keys = SiteKeys(site, generation)
        self._writing = RedisStore(
            url, replicas=replicas, name="slotcast-journal", answer_s=answer_s
        )
        self._reading = RedisStore(
            url, replicas=replicas, name="slotcast-reader", answer_s=answer_s
        )
        self._tail = RedisTail(self._reading, self._keys)
        self._news = RedisNews(url, self._keys)
        self._room = RedisRoom(self._reading, budget_bytes)
        self._known: dict[ShardId, tuple[int, int]] = {}

    async def seal(self, shard: ShardId) -> Sealed:
        """Open for writing under the next epoch; see the port.

        Also refuses to start a lost journal afresh: the site's layout must exist, the
        stream of a shard that had one, and everything this process saw durable. A Redis
        without the layout may be the wrong one, or may not have its disk yet: the
        caller retries (JournalUnavailable). Fenced: the site has another generation
        now.
        """
        await self._room.inspect()
        keys = self._keys.of(shard)
        known = self._known.get(shard, (0, 0))
        try:
            reply = await self._writing.call(
                "seal",
                (keys.stream, keys.epochs, self._keys.shards, self._keys.layout),
                (shard, *known, self._keys.generation),
            )
        except JournalCorrupt as error:
            raise _lost(shard, self._keys, str(error)) from error
        except (LostReply, TooFewCopies) as error:
            raise JournalUnavailable(str(error)) from error
        epoch, seq = int(reply[0]), int(reply[1])
        self._known[shard] = (epoch, seq)
        self._tail.is_durable(shard, seq)
        return Sealed(epoch, seq)

    async def append(
        self, shard: ShardId, epoch: int, expected_seq: int, events: Sequence[Event]
    ) -> int:
        """Make events durable with one write and one sync; see the port."""
        if not events:
            await self._check(shard, epoch, expected_seq)
            return expected_seq
        datas = datas_of(expected_seq, events)
        self._room.demand(sum(map(len, datas)))
        stream = self._keys.of(shard).stream
        try:
            seq = await self._writing.call(
                "append", (stream,), (epoch, expected_seq, *datas)
            )
        except LostReply as error:
            seq = await self._settle(shard, epoch, expected_seq, datas, error)
        except TooFewCopies as error:
            raise OutcomeUnknown(str(error)) from error
        except FencedAt as error:
            await self._must_not_be_lost(shard, error)
            raise
        self._known[shard] = (epoch, seq)
        self._tail.is_durable(shard, seq)
        return int(seq)

    async def check(self, shard: ShardId, epoch: int) -> None:
        """Check that ``epoch`` still owns the shard; see the port.

        Replicas are asked too, so that a replaced primary does not pass.
        """
        await self._check(shard, epoch, "")

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        """Durable records after ``after_seq``; see the port."""
        return await self._tail.read(shard, after_seq, limit)

    async def last_seq(self, shard: ShardId) -> int:
        """The durable end; see the port."""
        return (await self._tail.last_seqs([shard])).get(shard, 0)

    async def last_seqs(self, shards: Sequence[ShardId]) -> Mapping[ShardId, int]:
        """The durable ends of several shards, with one request."""
        return await self._tail.last_seqs(shards)

    async def trim(
        self, shard: ShardId, upto_seq: int, before: Millis | None = None
    ) -> None:
        """Drop records up to ``upto_seq``, but never the last one; see the port."""
        await self._tail.trim(shard, upto_seq, before)

    async def shards(self) -> Sequence[ShardId]:
        """Shards that were sealed, by name."""
        return await self._tail.shards()

    async def has(self, shard: ShardId) -> bool:
        """Whether a shard was ever sealed. Raises JournalUnavailable."""
        return bool(await self._reading.ask("SISMEMBER", self._keys.shards, shard))

    async def wait_for_news(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        """The shards with records after these seqs; waits for one if there is none.

        Empty after ``timeout_s``. A shard may be named that was only reopened; shards
        not in ``positions`` are ignored.

        Raises:
            JournalUnavailable: Redis does not answer.
        """
        return await self._news.wait(positions, timeout_s)

    async def restore(self, shard: ShardId, records: Sequence[Record]) -> int:
        """Write records of a backup at their own seqs; the new last seq.

        The site must have its layout and the journal be empty; a repeated call
        continues.

        Raises:
            Fenced: they do not follow the existing records.
            JournalUnavailable, JournalFull: not all was written; start again.
        """
        keys = self._keys.of(shard)
        seq = 0
        for some in _chunks(records, RESTORE_AT_ONCE):
            words: list[bytes | int] = []
            for record in some:
                (data,) = datas_of(record.seq - 1, [record.event])
                words += (record.epoch, record.seq, data)
            try:
                seq = await self._writing.call(
                    "restore",
                    (keys.stream, keys.epochs, self._keys.shards),
                    (shard, *words),
                )
            except (LostReply, TooFewCopies) as error:
                raise JournalUnavailable(str(error)) from error
        return int(seq)

    def pressure(self) -> float:
        """The used fraction of the server's memory; read at most once a second."""
        return self._room.pressure()

    async def close(self) -> None:
        """Close the connections."""
        await self._room.close()
        await self._news.close()
        await self._reading.close()
        await self._writing.close()

    async def _check(self, shard: ShardId, epoch: int, expected: int | str) -> None:
        keys = self._keys.of(shard)
        beacon = int(self._writing.replicas > 0)
        try:
            await self._writing.call(
                "check", (keys.stream, keys.beacon), (epoch, expected, beacon)
            )
        except (LostReply, TooFewCopies) as error:
            raise JournalUnavailable(str(error)) from error
        except FencedAt as error:
            await self._must_not_be_lost(shard, error)
            raise

    async def _must_not_be_lost(self, shard: ShardId, error: FencedAt) -> None:
        """Return if another owner is the reason; raise if the journal lost records.

        Reported as fenced, a lost tail would make the writer leave for good, and a
        process without this knowledge would continue without the lost records.

        Raises:
            JournalCorrupt, JournalUnavailable: as ``seal``.
        """
        if (error.epoch, error.seq) < self._known.get(shard, (0, 0)):
            there = await self._reading.ask("EXISTS", self._keys.layout)
            lost = "LOST end" if there else "LOST layout"
            raise _lost(shard, self._keys, f"{error}: {lost}") from error

    async def _settle(
        self,
        shard: ShardId,
        epoch: int,
        expected_seq: int,
        datas: Sequence[bytes],
        error: LostReply,
    ) -> int:
        """Look up an append whose reply was lost.

        Raises:
            Fenced: it was not done, and a newer epoch owns the shard.
            OutcomeUnknown: it is not there but may still arrive; or no answer.
        """
        looking = RedisStore(
            self._url,
            replicas=self._writing.replicas,
            connect_s=SETTLE_S,
            answer_s=SETTLE_S,
        )
        stream = self._keys.of(shard).stream
        last = expected_seq + len(datas)
        first_id, last_id = entry_id(epoch, expected_seq + 1), entry_id(epoch, last)
        try:
            found, about = await looking.replies(
                ("XRANGE", stream, first_id, last_id),
                ("XINFO", "STREAM", stream),
            )
            if isinstance(found, ReplyError) or isinstance(about, ReplyError):
                raise OutcomeUnknown(str(error)) from error
            if [one.data for one in entries_of(found)] == list(datas):
                await self._tail.confirm(looking)
                return last
            ends = dict(zip(about[::2], about[1::2], strict=True))
            if position_of(ends[b"last-generated-id"])[0] > epoch:
                raise Fenced(f"shard {shard}: epoch {epoch} is superseded") from error
        except JournalUnavailable as silent:
            raise OutcomeUnknown(f"{error}; then {silent}") from error
        finally:
            await looking.close()
        raise OutcomeUnknown(str(error)) from error


def _lost(
    shard: ShardId, keys: SiteKeys, text: str
) -> JournalCorrupt | JournalUnavailable:
    if "LOST layout" in text:
        return JournalUnavailable(
            f"{text}: the key {keys.layout} is missing, so this Redis has lost its "
            "data or is another server. Restore it; no empty journal is started."
        )
    if "LOST" in text:
        return JournalCorrupt(
            f"{text}: the journal of shard {shard} ends earlier than it did, or is "
            "gone. Restore it from a backup; it is never started afresh."
        )
    return JournalCorrupt(text)


def _chunks(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]
