"""Calls to Redis on the request path: short timeouts and a circuit breaker.

A call that fails or exceeds its timeout counts as a failure; after two in a row (or one
refused connection) the link is closed for a pause, doubling and jittered, and every
call fails at once, without network traffic. Then one call tries again. So a Redis that
is down or frozen costs at most one short wait per pause, and does not block the event
loop.

All calls of a link share one pipelined connection; there is no pool. Redis runs one
command at a time on all connections, so a slow command would delay a pool as well. A
shared connection only adds the transfer of earlier replies, which are small: pages are
bounded, and scripts return numbers. No call waits beyond its timeout: all calls of a
link have the same one, so the first sent is the first to be late. A late reply ends the
connection, which fails all calls on it; together they count as one failure.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1
from time import monotonic
from typing import Any, Final

from hiredis import ReplyError
from msgspec import Struct

from actors.errors import Unavailable
from care.sharing import Standing
from persistence.redis.functions import Word, packed
from persistence.redis.wire import Wire, WireDown, address_of

REQUEST_S: Final = 0.05
"""Longest wait for Redis on the request path, in seconds."""
FAILURES_MAX: Final = 2
PAUSE_LEAST_S, PAUSE_MOST_S = 0.1, 2.0
"""How long the link stays closed; doubles, and is shortened by up to a half."""
CALLS_MAX: Final = 1_024
"""Calls in flight on one link; further ones are refused at once."""

_CHANCE: Final = random.SystemRandom()


class RedisAway(Unavailable):
    """Redis did not answer, or is not called during a pause; the outcome is unknown."""


class LinkTally(Struct):
    """Counts since the start of this process."""

    calls: int = 0
    failures: int = 0
    refused: int = 0
    """Calls not made because the link was closed or too many were in flight."""


class Script:
    """A Lua script; if the server has it already, only its checksum is sent."""

    def __init__(self, source: str) -> None:
        self._source = source
        # Redis names scripts by SHA-1; it protects no secret.
        self._digest = sha1(source.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: Sequence[Word], args: Iterable[Word], *, known: bool) -> bytes:
        """The command that runs the script; ``known``: the server has it already."""
        command, text = ("EVALSHA", self._digest) if known else ("EVAL", self._source)
        return packed(command, text, len(keys), *keys, *args)


def jittered(pause_s: float, jitter: float) -> float:
    """A pause shortened by up to a half; ``jitter`` is from 0 to 1."""
    return pause_s * (0.5 + jitter / 2)


class RedisLink:
    """Calls to one Redis. Must be closed."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = REQUEST_S,
        now: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = _CHANCE.random,
    ) -> None:
        """``timeout_s``: for a whole call, a new connection included."""
        address = address_of(url)
        self.place = address.place
        self.tally = LinkTally()
        self._wire = Wire(address, connect_s=timeout_s, answer_s=timeout_s)
        self._timeout_s = timeout_s
        self._now = now
        self._jitter = jitter
        self._waiting = 0
        self._failures = 0
        self._counted = 0
        """Number of failures since the start."""
        self._not_before = 0.0
        self._away_since: float | None = None
        self._reason = ""

    async def ask(self, *words: Word) -> Any:
        """The reply to one command.

        Raises:
            RedisAway: Redis did not answer in time or refused, or the link is closed.
        """
        return (await self._call(packed(*words)))[0]

    async def ask_all(self, commands: Iterable[Sequence[Word]]) -> list[Any]:
        """The replies to several commands, sent together, not as a transaction.

        Raises:
            RedisAway: like ``ask``; some of the commands may have been done.
        """
        requests = [packed(*words) for words in commands]
        return await self._call(b"".join(requests), len(requests))

    async def run(self, script: Script, keys: Sequence[Word], *args: Word) -> Any:
        """The result of a script. Raises RedisAway like ``ask``."""
        known, whole = (script.call(keys, args, known=it) for it in (True, False))
        return (await self._call(known, unknown=whole))[0]

    def standing(self) -> Standing:
        """Whether Redis answered the last call."""
        if self._away_since is None:
            return Standing(ok=True)
        seconds = self._now() - self._away_since
        return Standing(
            ok=False,
            detail=f"Redis at {self.place} has not answered for {seconds:.0f} s "
            f"({self._reason})",
        )

    async def close(self) -> None:
        """End the connection for good."""
        await self._wire.close()

    async def _call(
        self, request: bytes, replies: int = 1, *, unknown: bytes = b""
    ) -> list[Any]:
        """``unknown``: the command to send if the server does not have the script."""
        self._pass_gate()
        self.tally.calls += 1
        self._waiting += 1
        counted = self._counted
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = await self._wire.ask(request, replies)
                if unknown and _is_missing(answers[0]):
                    answers = await self._wire.ask(unknown)
            _must_be_done(answers)
        except (WireDown, TimeoutError, ReplyError) as error:
            if isinstance(error, TimeoutError):
                self._wire.drop()  # the wire's own timer may fire a moment later
            self.tally.failures += 1
            reason = str(error) or "no answer in time"
            if counted == self._counted:
                self._failed(reason, at_once=_is_unreachable(error))
            raise RedisAway(f"Redis at {self.place} did not answer: {reason}") from None
        finally:
            self._waiting -= 1
        self._failures, self._not_before = 0, 0.0
        self._away_since = None
        return answers

    def _pass_gate(self) -> None:
        now = self._now()
        if now < self._not_before or self._waiting >= CALLS_MAX:
            self.tally.refused += 1
            raise RedisAway(f"Redis at {self.place} did not answer; retried shortly.")
        if self._failures:
            # One call probes Redis; the others do not wait for it.
            self._not_before = now + self._timeout_s

    def _failed(self, reason: str, *, at_once: bool) -> None:
        self._failures += 1
        self._counted += 1
        self._reason = reason
        now = self._now()
        if self._away_since is None:
            self._away_since = now
        if self._failures >= FAILURES_MAX or at_once:
            doubled = PAUSE_LEAST_S * 2 ** min(self._failures - 1, 10)
            pause_s = jittered(min(PAUSE_MOST_S, doubled), self._jitter())
            self._not_before = now + pause_s


class Linked:
    """An adapter with its own links to Redis. Must be closed."""

    def __init__(self, *links: RedisLink) -> None:
        self._links = links

    def standing(self) -> Standing:
        """Whether Redis answered the last call on each link."""
        standings = [link.standing() for link in self._links]
        return next((one for one in standings if not one.ok), Standing(ok=True))

    async def close(self) -> None:
        """End the connections for good."""
        for link in self._links:
            await link.close()


def _is_missing(reply: object) -> bool:
    return isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT")


def _must_be_done(answers: Iterable[object]) -> None:
    for answer in answers:
        if isinstance(answer, ReplyError):
            raise answer


def _is_unreachable(error: Exception) -> bool:
    return isinstance(error, WireDown) and not error.late
