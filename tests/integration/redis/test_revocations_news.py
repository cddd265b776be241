"""Following revocations in Redis costs what changed, and misses none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec
import pytest

from actors.domain.ids import Millis
from care.sharing import Revocation, RevocationKind
from persistence.redis.functions import Word
from persistence.redis.link import RedisAway
from persistence.shared.revocations_redis import RedisRevocations
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.redis_server import RedisServer

SITES = (f"news{number}" for number in count())
LATER = Millis(make.NOW + 3_600_000)


def token(number: int) -> Revocation:
    return Revocation(RevocationKind.TOKEN, f"t{number}", make.NOW, LATER)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.01)


class Follower:
    """A gateway's knowledge, and where it has it from."""

    def __init__(self, url: str, site: str) -> None:
        self.store = RedisRevocations(url, site, SteppedClock(make.NOW))
        self.known: set[str] = set()
        self.heard = 0

    def learn(self, news: Sequence[Revocation]) -> None:
        self.known.update(one.value for one in news)
        self.heard += len(news)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.store.follow(self.learn))
        await until(lambda: self.store.read_in_full)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.store.close()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("persistence.shared.revocations_redis.COMPARE_S", 0.02)
    return next(SITES)


async def test_steady_revoking_is_read_once_each(
    redis_server: RedisServer, site: str
) -> None:
    """However many there are already, a new one costs one, by channel and list."""
    one = Follower(redis_server.url, site)
    adder = RedisRevocations(redis_server.url, site, SteppedClock(make.NOW))
    for number in range(300):
        await adder.add(token(number))
    async with one.following():
        await until(lambda: len(one.known) == 300)
        for number in range(300, 340):
            await adder.add(token(number))
            await asyncio.sleep(0.005)
        await until(lambda: len(one.known) == 340)
        newest = one.store._newest
        await until(lambda: (one.store._newest or newest or (0,))[0] == 340)
        assert one.store.read_in_full == 1
        assert one.heard <= 300 + 2 * 40
    await adder.close()


async def test_a_word_lost_on_the_channel_is_found_in_the_list(
    redis_server: RedisServer, site: str
) -> None:
    """It is not heard at once, but with the next comparison, and alone."""
    one = Follower(redis_server.url, site)
    mute = RedisRevocations(redis_server.url, site, SteppedClock(make.NOW))
    mute._news = "a channel without listeners"
    await mute.add(token(1))
    async with one.following():
        await mute.add(token(2))
        await until(lambda: one.known == {"t1", "t2"})
        assert one.store.read_in_full == 1
        assert one.heard == 2
    await mute.close()


async def test_a_list_that_is_another_one_is_read_in_full(
    redis_server: RedisServer, site: str
) -> None:
    """After a fail-over to a copy that was behind, equal numbers mean other words."""
    one = Follower(redis_server.url, site)
    mute = RedisRevocations(redis_server.url, site, SteppedClock(make.NOW))
    mute._news = "a channel without listeners"
    await mute.add(token(1))
    await mute.add(token(2))
    async with one.following():
        redis_server.ask("DEL", f"{site}:revoked:list")
        for number in (11, 12, 13):
            await mute.add(token(number))
        await until(lambda: one.known == {"t1", "t2", "t11", "t12", "t13"})
        assert one.store.read_in_full > 1
    await mute.close()


async def test_a_stamp_of_an_older_program_is_read_in_full(
    redis_server: RedisServer, site: str
) -> None:
    """Nodes are upgraded one by one: what an old one adds is found."""
    one = Follower(redis_server.url, site)
    async with one.following():
        word = msgspec.json.encode(token(9))
        redis_server.ask("ZADD", f"{site}:revoked", LATER, word)
        redis_server.ask("SET", f"{site}:revoked:stamp", "1795988392.4821")
        await until(lambda: one.known == {"t9"})


async def test_one_lost_before_the_first_comparison_is_put_back(
    redis_server: RedisServer, site: str
) -> None:
    """It was heard, and Redis lost it with the stamp that would have said so."""
    one = Follower(redis_server.url, site)
    async with one.following():
        word = msgspec.json.encode(token(1))
        # Only the channel's part of an addition is left.
        redis_server.ask("PUBLISH", f"{site}:revoked:news", word)
        await until(lambda: one.known == {"t1"})
        await until(lambda: redis_server.ask("ZCARD", f"{site}:revoked") == b":1\r\n")
        await until(lambda: not one.store._unlisted)


async def test_putting_back_is_tried_again_until_redis_has_it(
    redis_server: RedisServer, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may be away again just then, and its stamp stays as it is."""
    one = Follower(redis_server.url, site)
    put, refusals = one.store._put, iter(range(3))

    async def refused_at_first(members: Sequence[tuple[Millis, bytes]]) -> None:
        if next(refusals, None) is not None:
            raise RedisAway("away")
        await put(members)

    async with one.following():
        await one.store.add(token(1))
        await until(lambda: one.store._newest is not None)
        monkeypatch.setattr(one.store, "_put", refused_at_first)
        keys = [f"{site}:revoked{part}" for part in ("", ":stamp", ":list")]
        redis_server.ask("DEL", *keys)
        await until(lambda: redis_server.ask("ZCARD", keys[0]) == b":1\r\n")
        assert next(refusals, None) is None


async def test_one_heard_while_all_are_read_is_not_taken_for_lost(
    redis_server: RedisServer, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was published after Redis answered, so the answer does not hold it: nothing
    is put back now, and the next comparison looks for it."""
    one = Follower(redis_server.url, site)
    await one.store.add(token(1))
    ask_all, put = one.store._link.ask_all, one.store._put
    added: list[bytes] = []

    async def overtaken(commands: Iterable[Sequence[Word]]) -> list[Any]:
        replies = await ask_all(commands)
        one.store._tell([msgspec.json.encode(token(2))], one.learn)
        return replies

    async def counted(members: Sequence[tuple[Millis, bytes]]) -> None:
        added.extend(word for _, word in members)
        await put(members)

    monkeypatch.setattr(one.store._link, "ask_all", overtaken)
    monkeypatch.setattr(one.store, "_put", counted)
    await one.store._read_all(one.learn)
    assert one.known == {"t1", "t2"}
    assert added == []
    assert one.store._unlisted == {msgspec.json.encode(token(2))}
    await one.store._read_all(one.learn)
    assert added == [msgspec.json.encode(token(2))]
    await one.store.close()
