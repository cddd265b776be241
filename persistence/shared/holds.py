"""Notes of live holds in Redis: a sorted set for each patient, by deadline.

Keys do not name patients, and members are ids of holds. A set is gone with its last
deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from actors.domain.ids import HoldId, Millis
from actors.ports import Clock
from care.sharing import HoldNote, Standing
from persistence.redis.link import REQUEST_S, RedisLink

EXCHANGE_S: Final = 0.25
"""Exchanges are made in the background, and Redis may be busy with a disk."""
NOTES_MAX: Final = 64
"""Of one patient; those with the latest deadlines are kept."""
LONGEST_MS: Final = 30 * 60_000
"""Longer than any hold lasts: a set whose clock was wrong does not stay."""


class RedisHolds:
    """Implements SharedHolds."""

    def __init__(self, url: str, site: str, clock: Clock) -> None:
        self._clock = clock
        self._reading = RedisLink(url, timeout_s=REQUEST_S)
        self._writing = RedisLink(url, timeout_s=EXCHANGE_S)
        self._prefix = f"{site}:holds:"

    async def exchange(
        self, notes: Sequence[HoldNote]
    ) -> Mapping[str, Sequence[HoldNote]]:
        """See SharedHolds.exchange."""
        by_key: dict[str, dict[str, int]] = {}
        for note in notes:
            by_key.setdefault(note.key, {})[note.hold_id] = note.expires
        if not by_key:
            return {}

        async def ask(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipeline:
                for key, members in by_key.items():
                    name = self._prefix + key
                    pipeline.zadd(name, members)
                    pipeline.zremrangebyrank(name, 0, -NOTES_MAX - 1)
                    pipeline.pexpire(name, LONGEST_MS)
                    self._read(pipeline, key)
                return list(await pipeline.execute())

        found = await self._writing.call(ask)
        return {
            key: _notes(key, rows)
            for key, rows in zip(by_key, found[3::4], strict=True)
        }

    async def find(self, key: str) -> Sequence[HoldNote]:
        """See SharedHolds.find."""

        async def ask(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipeline:
                self._read(pipeline, key)
                return list(await pipeline.execute())

        (rows,) = await self._reading.call(ask)
        return _notes(key, rows)

    def _read(self, pipeline: Any, key: str) -> None:
        # Deadlines are those of the calendars' clock; machines agree within seconds.
        now = self._clock.now()
        pipeline.zrangebyscore(self._prefix + key, f"({now}", "+inf", withscores=True)

    def standing(self) -> Standing:
        """See SharedHolds.standing."""
        reading = self._reading.standing()
        return reading if not reading.ok else self._writing.standing()

    async def close(self) -> None:
        """Close the connections."""
        await self._reading.close()
        await self._writing.close()


def _notes(key: str, rows: Sequence[tuple[bytes, float]]) -> list[HoldNote]:
    return [
        HoldNote(key, HoldId(name.decode()), Millis(int(expires)))
        for name, expires in rows
    ]
