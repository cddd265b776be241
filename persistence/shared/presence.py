"""Which gateways and workers run: each writes a line to Redis and renews it.

Used only by ``slotcast cluster status``. A line that is not renewed is out of date
after ``STALE_MS``, and readers ignore it.
"""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from actors.domain.ids import Millis
from persistence.redis.link import Linked, RedisLink

TELL_S = 3.0
"""Seconds between renewals."""
STALE_MS = 12_000
TIMEOUT_S = 1.0


class GatewayLine(Struct, frozen=True):
    """A gateway's line; ``at`` is when it was written."""

    node: str
    index: int
    pid: int
    url: str
    watchers: int
    at: Millis
    tzdata: str = ""
    """The edition of its time zone database; empty for an older version."""


class WorkerLine(Struct, frozen=True):
    """A worker's line; ``at`` is when it was written."""

    node: str
    index: int
    pid: int
    done: int
    """Jobs run since its start."""
    failed: int
    """Failed attempts since its start."""
    at: Millis


Line = TypeVar("Line", GatewayLine, WorkerLine)


class _Presence(Linked, Generic[Line]):
    """The lines of one kind of process of a site. Must be closed."""

    _suffix: ClassVar[str]
    _line: type[Line]

    def __init__(self, url: str, site: str) -> None:
        self._link = RedisLink(url, timeout_s=TIMEOUT_S)
        super().__init__(self._link)
        self._key = f"{site}:{self._suffix}"

    async def tell(self, line: Line) -> None:
        """Write this process's line. Raises RedisAway."""
        name, content = f"{line.node}/{line.index}", msgspec.json.encode(line)
        await self._link.ask("HSET", self._key, name, content)

    async def leave(self, node: str, index: int) -> None:
        """Remove this process's line. Raises RedisAway."""
        await self._link.ask("HDEL", self._key, f"{node}/{index}")

    async def current(self, now: Millis) -> list[Line]:
        """The current lines, by node and index. Raises RedisAway."""
        found: list[bytes] = await self._link.ask("HVALS", self._key)
        lines = [msgspec.json.decode(one, type=self._line) for one in found]
        fresh = [line for line in lines if now - line.at < STALE_MS]
        return sorted(fresh, key=lambda line: (line.node, line.index))


class RedisPresence(_Presence[GatewayLine]):
    """The lines of one site's gateways. Must be closed."""

    _suffix = "gateways"
    _line = GatewayLine


class WorkerPresence(_Presence[WorkerLine]):
    """The lines of one site's workers. Must be closed."""

    _suffix = "workers"
    _line = WorkerLine
