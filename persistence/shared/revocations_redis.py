"""Revocations in Redis: a sorted set by the instant of expiry, and a channel.

A gateway learns of a new one from the channel at once, reads all of them whenever its
subscription starts again, and compares a stamp every few seconds in case a message was
lost. The stamp is a number that each new one raises; a list by that number shows what
is new, so a comparison costs what changed. If the list does not have our newest entry
under our number, it is another list (after a failover), and all are read.

A gateway adds again what it knows and Redis has lost (a restart without a disk, a
failover): a revocation is never forgotten while a gateway remembers it. A gateway that
starts while Redis does not answer uses the copy in the node's data folder.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.sharing import Learn, Revocation, Standing
from persistence.redis.channel import RedisChannel
from persistence.redis.functions import Word
from persistence.redis.link import RedisAway, RedisLink, Script
from persistence.shared.revocations_file import FileRevocations

REVOCATIONS_MAX: Final = 100_000
"""Live revocations of a site: a bound on every gateway's memory, about 20 MB."""
TIMEOUT_S: Final = 2.0
"""Timeout in seconds; long, since revoking and reading all are rare."""
COMPARE_S: Final = 5.0
COPY_GATHER_S: Final = 1.0
KEY_LASTS_S: Final = 25 * 3600
"""An hour more than the longest life of a token."""
_AT_ONCE: Final = 5_000

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Revocation).decode

_ADD: Final = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
if redis.call('ZCARD', KEYS[1]) + (#ARGV - 4) / 2 > tonumber(ARGV[2]) then
  return redis.error_reply('FULL')
end
local new = 0
local number = tonumber(redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2] or '0')
for i = 5, #ARGV, 2 do
  if redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) == 1 then
    new, number = new + 1, number + 1
    redis.call('ZADD', KEYS[3], number, ARGV[i + 1])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
if new > 0 then
  redis.call('SET', KEYS[2], 'n' .. string.format('%d', number))
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -10001)
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
for i = 6, #ARGV, 2 do redis.call('PUBLISH', ARGV[4], ARGV[i]) end
return new
""")


class RedisRevocations:
    """Implements Revocations."""

    def __init__(
        self, url: str, site: str, clock: Clock, copy: FileRevocations | None = None
    ) -> None:
        self._copy = copy
        self._link = RedisLink(url, timeout_s=TIMEOUT_S)
        self._channel = RedisChannel(url, [f"{site}:revoked:news"])
        self._clock = clock
        self._held, self._stamped = f"{site}:revoked", f"{site}:revoked:stamp"
        self._news = f"{site}:revoked:news"
        self._list = f"{site}:revoked:list"
        self._known: dict[bytes, Millis] = {}
        self._unlisted: set[bytes] = set()
        """Known revocations not yet read from Redis, which may have lost them since, at
        a stamp that was never seen here."""
        self._stamp: bytes | None = None
        self._newest: tuple[int, bytes] | None = None
        """Number and text of the newest revocation that was certainly read."""
        self.read_in_full = 0
        """How often all revocations were read."""
        self._heard = False
        self._changed = asyncio.Event()

    async def add(self, revocation: Revocation) -> None:
        """See Revocations.add."""
        await self._put([(revocation.until, msgspec.json.encode(revocation))])

    async def follow(self, learn: Learn) -> None:
        """See Revocations.follow."""

        def heard(_channel: str, word: bytes) -> None:
            self._tell([word], learn)

        async def began() -> None:
            await self._read_all(learn)

        async with asyncio.TaskGroup() as tasks:
            if self._copy is not None:
                tasks.create_task(self._keep_copy(self._copy, learn))
            tasks.create_task(self._channel.run(heard, began))
            tasks.create_task(self._compare(learn))

    def standing(self) -> Standing:
        """See Revocations.standing."""
        standing = self._channel.standing()
        if standing.ok:
            return standing
        known = f"using the {len(self._known)} known revocations"
        if not self._heard:
            known += " from this node's copy; newer ones are still accepted"
        return Standing(ok=False, detail=f"{standing.detail}; {known}")

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    async def _put(self, members: Sequence[tuple[Millis, bytes]]) -> None:
        now = self._clock.now()
        arguments: list[Word] = [now, REVOCATIONS_MAX, KEY_LASTS_S, self._news]
        for until, word in members:
            arguments += (until, word)
        keys = [self._held, self._stamped, self._list]
        await self._link.run(_ADD, keys, *arguments)

    async def _read_all(self, learn: Learn) -> None:
        now = self._clock.now()
        known = set(self._known)
        # The stamp first: anything added meanwhile makes it differ again.
        stamp = await self._link.ask("GET", self._stamped) or b""
        number = _number_of(stamp)
        newest, words = await self._link.ask_all(
            [
                ("ZRANGEBYSCORE", self._list, number, number),
                ("ZRANGEBYSCORE", self._held, now, "+inf"),
            ]
        )
        self._stamp, self._newest = stamp, (number, newest[0]) if newest else None
        self.read_in_full += 1
        there = set(words)
        lost = [
            (until, word)
            for word, until in self._known.items()
            # One received after the request may be missing from the reply without being
            # lost.
            if until > now and word in known and word not in there
        ]
        self._known = {
            word: until for word, until in self._known.items() if until > now
        }
        self._tell(words, learn)
        # Kept until they are read from Redis: adding them again can fail.
        self._unlisted = self._known.keys() - there
        self._heard = True
        if lost:
            log.warning("Redis lost %d revocations; they are added again", len(lost))
            for at in range(0, len(lost), _AT_ONCE):
                await self._put(lost[at : at + _AT_ONCE])

    async def _read_new(self, learn: Learn) -> bool:
        """Read the revocations after the newest known one.

        False if that one is not there, or another known one is missing.
        """
        if self._newest is None:
            return False
        number, known = self._newest
        expected = set(self._unlisted)
        found: list[bytes] = await self._link.ask(
            "ZRANGEBYSCORE", self._list, number, "+inf", "WITHSCORES"
        )
        words, numbers = found[::2], found[1::2]
        if not found or (int(numbers[0]), words[0]) != (number, known):
            return False
        if not expected <= set(words):
            return False
        self._tell(words[1:], learn)
        self._unlisted.difference_update(words)
        self._newest = int(numbers[-1]), words[-1]
        self._stamp = b"n%d" % self._newest[0]
        return True

    async def _keep_copy(self, copy: FileRevocations, learn: Learn) -> None:
        """Load the node's copy, and add missing revocations to it."""
        try:
            self._tell([msgspec.json.encode(one) for one in await copy.held()], learn)
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("the copy of the revocations cannot be read: %s", error)
        copied: set[bytes] = set(self._known)
        while True:
            self._changed.clear()
            fresh = self._known.keys() - copied
            if fresh:
                try:
                    await copy.add_all([_decode(word) for word in fresh])
                except Unavailable as error:
                    log.warning(
                        "the copy of the revocations could not be updated: %s", error
                    )
            copied = set(self._known)
            await self._changed.wait()
            await asyncio.sleep(COPY_GATHER_S)

    async def _compare(self, learn: Learn) -> None:
        while True:
            await asyncio.sleep(COMPARE_S)
            if not self._channel.standing().ok:
                continue
            try:
                # Before the stamp is read: one received meanwhile gets the next stamp.
                unlisted = bool(self._unlisted)
                stamp = await self._link.ask("GET", self._stamped)
                if (stamp or b"") == self._stamp and not unlisted:
                    continue
                if not _number_of(stamp) or not await self._read_new(learn):
                    await self._read_all(learn)
            except RedisAway:
                continue

    def _tell(self, words: Sequence[bytes], learn: Learn) -> None:
        found: list[Revocation] = []
        for word in words:
            try:
                one = _decode(word)
            except msgspec.MsgspecError:
                log.warning("received an invalid message on the channel of revocations")
                continue
            if word not in self._known and len(self._known) < REVOCATIONS_MAX:
                self._known[word] = one.until
                self._unlisted.add(word)
            found.append(one)
        if found:
            self._changed.set()
            learn(found)


def _number_of(stamp: bytes | None) -> int:
    """The number in a stamp; 0 for none, or for a stamp of an older version."""
    text = stamp or b""
    return int(text[1:]) if text[:1] == b"n" and text[1:].isdigit() else 0
