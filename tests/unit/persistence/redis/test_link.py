"""Calls to Redis over one connection: each has its own answer, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from persistence.redis import link as links
from persistence.redis.link import RedisAway, RedisLink, Script
from persistence.redis.wire import RedisConnection, Wire, WireDown
from tests.fakes.scripted_redis import ScriptedRedis, array, bulk

AMPLE_S = 20.0
"""A timeout that no test reaches."""
SHORT_S = 0.2
"""A timeout that tests wait for."""

Promise = Callable[[], Awaitable[None]]


@asynccontextmanager
async def linked(
    timeout_s: float, now: Callable[[], float] = lambda: 0.0
) -> AsyncIterator[tuple[ScriptedRedis, RedisLink]]:
    async with ScriptedRedis() as server:
        link = RedisLink(server.url, timeout_s=timeout_s, now=now)
        try:
            yield server, link
        finally:
            await link.close()


def begun(work: Awaitable[Any]) -> asyncio.Future[Any]:
    return asyncio.ensure_future(work)


async def test_a_late_reply_is_not_the_answer_to_the_next_call() -> None:
    """The reply to a call that was given up comes while another call waits."""
    async with linked(AMPLE_S) as (server, link):
        first = begun(link.ask("GET", "first"))
        _, late = await server.next()
        late.write(b":1\r\n")
        assert await first == 1
        link._timeout_s = link._wire._answer_s = SHORT_S
        with pytest.raises(RedisAway):
            await link.ask("GET", "late")
        await server.next()
        link._timeout_s = link._wire._answer_s = AMPLE_S
        other = begun(link.ask("GET", "other"))
        words, own = await server.next()
        assert words == [b"GET", b"other"]
        late.write(bulk(b"of late"))
        with suppress(ConnectionError):
            await late.drain()
        own.write(bulk(b"of other"))
        assert await other == b"of other"


async def test_the_reply_to_a_cancelled_call_is_not_the_answer_to_the_next() -> None:
    """The connection stays, and the cancelled call keeps its place in the order."""
    async with linked(AMPLE_S) as (server, link):
        cancelled = begun(link.ask("GET", "cancelled"))
        _, writer = await server.next()
        cancelled.cancel()
        await asyncio.wait({cancelled})
        other = begun(link.ask("GET", "other"))
        await server.next()
        writer.write(bulk(b"of cancelled") + bulk(b"of other"))
        assert await other == b"of other"
        assert server.connections == 1


def _late_ones_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    def forget(line: RedisConnection, why: str, **_: Any) -> None:
        if line._asked and not line._asked[0].answer.done():
            line._asked.popleft().answer.set_exception(WireDown(why, sent=True))
        elif line._asked:
            line._asked.popleft()

    patch.setattr(RedisConnection, "drop", forget)
    patch.setattr(Wire, "drop", lambda wire: wire._line.drop("given up"))


def _cancelled_ones_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    send = RedisConnection.send

    def forgetful(line: RedisConnection, *args: Any) -> asyncio.Future[list[Any]]:
        answer = send(line, *args)
        asked = line._asked[-1]

        def forget(_: object) -> None:
            if answer.cancelled():
                line._asked.remove(asked)

        answer.add_done_callback(forget)
        return answer

    patch.setattr(RedisConnection, "send", forgetful)


@pytest.mark.parametrize(
    ("breaking", "promise"),
    [
        (
            _late_ones_are_forgotten,
            test_a_late_reply_is_not_the_answer_to_the_next_call,
        ),
        (
            _cancelled_ones_are_forgotten,
            test_the_reply_to_a_cancelled_call_is_not_the_answer_to_the_next,
        ),
    ],
    ids=["late", "cancelled"],
)
async def test_without_its_place_a_call_gets_another_answer(
    breaking: Callable[[pytest.MonkeyPatch], None],
    promise: Promise,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: a request that is only removed from the order shifts all others."""
    breaking(monkeypatch)
    with pytest.raises(AssertionError):
        await promise()


async def test_replies_that_come_in_pieces_are_put_together() -> None:
    """A byte at a time, over the borders of two calls and of a nested reply."""
    async with linked(AMPLE_S) as (server, link):
        one = begun(link.ask_all([("MGET", "a", "b"), ("GET", "c")]))
        other = begun(link.ask("GET", "d"))
        writer = await server.next_of(3)
        replies = array(bulk(b"A\r\n"), b"$-1\r\n") + bulk(b"C") + b":42\r\n"
        for place in range(len(replies)):
            writer.write(replies[place : place + 1])
            await writer.drain()
            await asyncio.sleep(0)
        assert await one == [[b"A\r\n", None], b"C"]
        assert await other == 42


async def test_half_a_reply_is_no_reply() -> None:
    """The connection ends in the middle of it: the call fails, the next one has a new
    connection, and the rest of the old one is not in it."""
    clock = [0.0]
    async with linked(AMPLE_S, lambda: clock[0]) as (server, link):
        call = begun(link.ask("GET", "x"))
        _, writer = await server.next()
        writer.write(b"$10\r\nhalf")
        writer.close()
        with pytest.raises(RedisAway, match="ended"):
            await call
        clock[0] += links.PAUSE_MOST_S
        call = begun(link.ask("GET", "x"))
        _, writer = await server.next()
        writer.write(bulk(b"whole"))
        assert await call == b"whole"
        assert server.connections == 2


async def test_calls_that_fail_together_count_as_one_failure() -> None:
    """A late reply fails all that wait behind it; the link stays open for one call
    that finds out, and only its failure closes it."""
    async with linked(SHORT_S) as (_, link):
        calls = [begun(link.ask("GET", number)) for number in range(50)]
        await asyncio.wait(calls)
        assert all(isinstance(one.exception(), RedisAway) for one in calls)
        assert (link.tally.failures, link._failures) == (50, 1)
        probing = begun(link.ask("GET", "probing"))
        await asyncio.sleep(0)
        with pytest.raises(RedisAway, match="retried shortly"):
            await link.ask("GET", "meanwhile")
        with pytest.raises(RedisAway, match="no answer in time"):
            await probing
        assert (link._failures, link._not_before > 0) == (2, True)


async def test_an_error_reply_fails_the_call_and_shifts_nothing() -> None:
    """One of several replies is an error: the call says so; the connection stays."""
    async with linked(AMPLE_S) as (server, link):
        call = begun(link.ask_all([("SET", "a", 1), ("SET", "b", 2)]))
        await server.next()
        _, writer = await server.next()
        writer.write(b"-OOM command not allowed\r\n+OK\r\n")
        with pytest.raises(RedisAway, match="OOM"):
            await call
        assert "OOM" in link.standing().detail
        call = begun(link.ask("GET", "a"))
        _, writer = await server.next()
        writer.write(bulk(b"1"))
        assert await call == b"1"
        assert link.standing().ok
        assert server.connections == 1


async def test_a_script_is_sent_whole_where_it_is_not_known() -> None:
    """First its checksum; a server that does not have it is sent the source."""
    async with linked(AMPLE_S) as (server, link):
        call = begun(link.run(Script("return ARGV[1]"), ["k"], 1.5))
        words, writer = await server.next()
        # What ``redis-cli script load "return ARGV[1]"`` answers.
        digest = b"098e0f0d1448c0a81dafe820f66d460eb09263da"
        assert words == [b"EVALSHA", digest, b"1", b"k", b"1.5"]
        writer.write(b"-NOSCRIPT No matching script. Please use EVAL.\r\n")
        words, writer = await server.next()
        assert words == [b"EVAL", b"return ARGV[1]", b"1", b"k", b"1.5"]
        writer.write(bulk(b"1.5"))
        assert await call == b"1.5"


async def test_calls_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the bound is refused at once, and counts as no failure."""
    monkeypatch.setattr(links, "CALLS_MAX", 3)
    async with linked(AMPLE_S) as (server, link):
        calls = [begun(link.ask("GET", number)) for number in range(3)]
        writer = await server.next_of(3)
        with pytest.raises(RedisAway):
            await link.ask("GET", "x")
        assert (link.tally.refused, link.tally.failures) == (1, 0)
        writer.write(b":0\r\n:1\r\n:2\r\n")
        assert await asyncio.gather(*calls) == [0, 1, 2]
        call = begun(link.ask("GET", "x"))
        _, writer = await server.next()
        writer.write(b":3\r\n")
        assert await call == 3


async def test_a_reply_to_no_request_ends_the_connection() -> None:
    """What comes unasked is not kept for the next call."""
    async with linked(AMPLE_S) as (server, link):
        call = begun(link.ask("GET", "x"))
        _, writer = await server.next()
        writer.write(b":1\r\n:2\r\n")
        assert await call == 1
        while link._wire._line is not None and link._wire._line.is_open:  # noqa: ASYNC110
            await asyncio.sleep(0)
        call = begun(link.ask("GET", "y"))
        _, writer = await server.next()
        writer.write(b":3\r\n")
        assert await call == 3
        assert server.connections == 2
