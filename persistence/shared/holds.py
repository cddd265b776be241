"""Notes of live holds in Redis: a sorted set for each patient, by deadline.

Keys do not name patients, and members are ids of holds. A set expires with its last
deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from actors.domain.ids import HoldId, Millis
from actors.ports import Clock
from care.sharing import HoldNote
from persistence.redis.functions import Word
from persistence.redis.link import REQUEST_S, Linked, RedisLink

EXCHANGE_S: Final = 0.25
"""Timeout in seconds: exchanges run in the background, and Redis may be syncing."""
NOTES_MAX: Final = 64
"""Most holds of one patient; those with the latest deadlines are kept."""
LONGEST_MS: Final = 30 * 60_000
"""Longer than any hold, so that a set from a machine with a wrong clock expires."""


class RedisHolds(Linked):
    """Implements SharedHolds."""

    def __init__(self, url: str, site: str, clock: Clock) -> None:
        self._clock = clock
        self._reading = RedisLink(url, timeout_s=REQUEST_S)
        self._writing = RedisLink(url, timeout_s=EXCHANGE_S)
        super().__init__(self._reading, self._writing)
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
        commands: list[Sequence[Word]] = []
        for key, members in by_key.items():
            name = self._prefix + key
            scored = [word for one, ends in members.items() for word in (ends, one)]
            commands += (
                ("ZADD", name, *scored),
                ("ZREMRANGEBYRANK", name, 0, -NOTES_MAX - 1),
                ("PEXPIRE", name, LONGEST_MS),
                self._read(key),
            )
        found = await self._writing.ask_all(commands)
        return {
            key: _notes(key, rows)
            for key, rows in zip(by_key, found[3::4], strict=True)
        }

    async def find(self, key: str) -> Sequence[HoldNote]:
        """See SharedHolds.find."""
        return _notes(key, await self._reading.ask(*self._read(key)))

    def _read(self, key: str) -> Sequence[Word]:
        # Deadlines are on the calendars' clocks; machines agree within seconds.
        now = self._clock.now()
        name = self._prefix + key
        return "ZRANGEBYSCORE", name, f"({now}", "+inf", "WITHSCORES"


def _notes(key: str, found: Sequence[bytes]) -> list[HoldNote]:
    return [
        HoldNote(key, HoldId(name.decode()), Millis(int(expires)))
        for name, expires in zip(found[::2], found[1::2], strict=True)
    ]
