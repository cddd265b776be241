"""A subscription tells what is published, when it began, and that it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from persistence.redis import channel as channels
from persistence.redis.channel import RedisChannel
from persistence.redis.link import RedisAway
from tests.fakes.scripted_redis import ScriptedRedis, array, bulk


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for seconds."""
    monkeypatch.setattr(channels, "SIGN_OF_LIFE_S", 0.02)
    monkeypatch.setattr(channels, "SILENCE_MAX_S", 20.0)
    monkeypatch.setattr(channels, "PAUSE_LEAST_S", 0.001)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.001)


def confirmed(channel: bytes, number: int) -> bytes:
    return array(bulk(b"subscribe"), bulk(channel), b":%d\r\n" % number)


def message(channel: bytes, word: bytes) -> bytes:
    return array(bulk(b"message"), bulk(channel), bulk(word))


PONG = array(bulk(b"pong"), bulk(b""))


class Listener:
    """What was heard, and how often listening began."""

    def __init__(self, server: ScriptedRedis, *names: str) -> None:
        self.server = server
        self.channel = RedisChannel(server.url, names)
        self.heard: list[tuple[str, bytes]] = []
        self.begun = 0
        self.refusals = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.channel.run(self._hear, self._began))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()

    async def subscribed(self, *names: bytes) -> asyncio.StreamWriter:
        """Confirm the next subscription."""
        words, writer = await self.server.next()
        while words == [b"PING"]:
            words, writer = await self.server.next()
        for number, name in enumerate(names, 1):
            if number > 1:
                words, _ = await self.server.next()
            assert words == [b"SUBSCRIBE", name]
            writer.write(confirmed(name, number))
        return writer

    def _hear(self, channel: str, word: bytes) -> None:
        self.heard.append((channel, word))

    async def _began(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise RedisAway("away")
        self.begun += 1


async def test_messages_between_replies_are_heard_in_order() -> None:
    """Between two confirmations, before an answer to a sign of life, and cut into
    single bytes: replies stay replies, and the connection stays."""
    async with ScriptedRedis() as server:
        listener = Listener(server, "a", "b")
        async with listener.running():
            _, writer = await server.next()
            await server.next()
            frames = (
                confirmed(b"a", 1)
                + message(b"a", b"1")
                + confirmed(b"b", 2)
                + message(b"b", b"2")
            )
            for place in range(len(frames)):
                writer.write(frames[place : place + 1])
                await asyncio.sleep(0)
            await until(lambda: listener.channel.standing().ok)
            for number in range(3, 6):
                words, _ = await server.next()
                assert words == [b"PING"]
                word = b"%d" % number
                writer.write(message(b"a", word) + PONG + message(b"b", word))
            await server.next()
            assert listener.heard == [
                ("a", b"1"),
                ("b", b"2"),
                *[(name, b"%d" % n) for n in (3, 4, 5) for name in ("a", "b")],
            ]
            assert (listener.begun, server.connections) == (1, 1)


async def test_silence_starts_the_subscription_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No sign of life: it is told in the standing, and begins on a new connection."""
    monkeypatch.setattr(channels, "SILENCE_MAX_S", 0.2)
    async with ScriptedRedis() as server:
        listener = Listener(server, "a")
        async with listener.running():
            await listener.subscribed(b"a")
            await until(lambda: listener.begun == 1)
            await until(lambda: not listener.channel.standing().ok)
            assert "no answer in time" in listener.channel.standing().detail
            await listener.subscribed(b"a")
            await until(lambda: listener.begun == 2)
            assert server.connections == 2


async def test_an_ended_connection_is_noticed_before_the_next_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With signs of life out of the way, a closed connection is replaced at once."""
    monkeypatch.setattr(channels, "SIGN_OF_LIFE_S", 3_600.0)
    async with ScriptedRedis() as server:
        listener = Listener(server, "a")
        async with listener.running():
            (await listener.subscribed(b"a")).close()
            await listener.subscribed(b"a")
            await until(lambda: listener.begun == 2)


async def test_a_listener_that_cannot_read_begins_again() -> None:
    """Redis goes away between the subscription and the reading of what was missed."""
    async with ScriptedRedis() as server:
        listener = Listener(server, "a")
        listener.refusals = 2
        async with listener.running():
            for _ in range(3):
                await listener.subscribed(b"a")
            await until(lambda: listener.begun == 1)
            assert listener.channel.standing().ok


async def test_a_refused_subscription_is_told_and_tried_again() -> None:
    """The reason is Redis's own; a channel that is confirmed is not enough."""
    async with ScriptedRedis() as server:
        listener = Listener(server, "a", "b")
        async with listener.running():
            await server.next()
            _, writer = await server.next()
            writer.write(confirmed(b"a", 1) + b"-NOPERM no access to a channel\r\n")
            await until(lambda: "NOPERM" in listener.channel.standing().detail)
            assert listener.begun == 0
            await listener.subscribed(b"a", b"b")
            await until(lambda: listener.begun == 1)


async def test_a_cancelled_listener_ends_at_any_step() -> None:
    """Connecting, subscribing, listening: no step swallows a cancellation."""
    async with ScriptedRedis() as server:
        for steps in range(1, 40):
            listener = Listener(server, "a")
            async with listener.running():
                for _ in range(steps):
                    if not server.asked.empty():
                        await listener.subscribed(b"a")
                    await asyncio.sleep(0)
            while not server.asked.empty():
                server.asked.get_nowait()
