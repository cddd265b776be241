"""Doors of shards, and lines to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.hosting.process import ShardHost
from actors.remote import lines as doors
from actors.remote.line import LineFailed, LineLost
from actors.remote.lines import (
    EXECUTE,
    KEY_VARIABLE,
    POLL,
    STATUS,
    Lines,
    ShardEndpoint,
    poll_payload,
)


class EchoHost(ShardHost):
    """A host that says what it was asked."""

    def __init__(self) -> None:
        pass  # no mailbox: only the questions count here

    async def execute(self, blob: bytes) -> bytes:
        return b"executed " + blob

    async def poll(self, epoch: int, number: int, wait_ms: int) -> bytes:
        return f"polled {epoch} {number} {wait_ms}".encode()

    async def status(self) -> bytes:
        return b"well"


class Process:
    """A shard's process as a gateway knows it through Ray."""

    def __init__(self) -> None:
        self.door = ShardEndpoint(EchoHost())
        self.asked = 0

    async def close(self) -> None:
        await self.door.close()

    async def where(self) -> str:
        self.asked += 1
        return await self.door.address("127.0.0.1")


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    made = Process()
    yield made
    await made.close()


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    made = Lines()
    yield made
    made.close()
    await asyncio.sleep(0)


async def test_questions_reach_the_host(lines: Lines, process: Process) -> None:
    """What is asked over a line is what the host's methods are asked."""
    async with asyncio.timeout(60):
        line = await lines.to("shard-s0000", process.where)
        assert line is not None
        assert await line.call(EXECUTE, b"blob") == b"executed blob"
        assert await line.call(POLL, poll_payload(3, 2**40, 9)) == (
            b"polled 3 1099511627776 9"
        )
        assert await line.call(STATUS, b"") == b"well"
        with pytest.raises(LineFailed):
            await line.call(99, b"")


async def test_one_line_for_all_who_come_at_once(
    lines: Lines, process: Process
) -> None:
    """The process is asked once where its door is, and the line is kept."""
    async with asyncio.timeout(60):
        first, *others = await asyncio.gather(
            *(lines.to("shard-s0000", process.where) for _ in range(20))
        )
        assert first is not None
        assert all(other is first for other in others)
        assert await lines.to("shard-s0000", process.where) is first
    assert process.asked == 1


async def test_without_a_door_calls_take_the_other_road(lines: Lines) -> None:
    """A door that does not answer means no line, and is not tried at every call."""
    asked = 0

    async def nowhere() -> str:
        nonlocal asked
        asked += 1
        return "127.0.0.1:1"

    async with asyncio.timeout(60):
        assert await lines.to("shard-s0000", nowhere) is None
        assert await lines.to("shard-s0000", nowhere) is None
    assert asked == 1


async def test_a_new_process_is_found_after_the_old_one(
    lines: Lines, process: Process
) -> None:
    """After a line broke the process is asked again: it may be a new one."""
    async with asyncio.timeout(60):
        line = await lines.to("shard-s0000", process.where)
        assert line is not None
        line.hang_up()
        with pytest.raises(LineLost):
            await line.call(EXECUTE, b"")
        again = await lines.to("shard-s0000", process.where)
        assert again is not None
        assert again is not line
    assert process.asked == 2


async def test_a_silent_process_that_was_begun_anew_elsewhere_is_found(
    lines: Lines, process: Process
) -> None:
    """The frozen one's line stands for ever: only asking tells that it is given up."""
    successor = Process()
    async with asyncio.timeout(60):
        line = await lines.to("shard-s0000", process.where)
        assert line is not None
        waiting = asyncio.ensure_future(line.call(EXECUTE, b""))
        line.frame = lambda *_: None  # type: ignore[method-assign]  # frozen: no answer
        lines.check("shard-s0000", successor.where)
        with pytest.raises(LineLost):
            await waiting
        again = await lines.to("shard-s0000", successor.where)
        assert again is not None
        assert await again.call(EXECUTE, b"x") == b"executed x"
    await successor.close()


async def test_a_silent_process_that_is_where_it_was_keeps_its_line(
    lines: Lines, process: Process
) -> None:
    """It may only be busy; and one of which nothing can be learnt is kept as well."""

    async def nobody_knows() -> str:
        raise RuntimeError("the head is away")

    async with asyncio.timeout(60):
        line = await lines.to("shard-s0000", process.where)
        for ask in (process.where, nobody_knows):
            lines.check("shard-s0000", ask)
            await asyncio.gather(*lines._checking.values())
        assert await lines.to("shard-s0000", process.where) is line


async def test_without_a_key_there_is_no_door_beyond_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A door without a secret lets any caller book, so it listens on loopback only."""
    monkeypatch.setenv(KEY_VARIABLE, "")
    door = ShardEndpoint(EchoHost())
    for host in ("0.0.0.0", "10.1.2.3", "::", "clinic.example"):
        assert await door.address(host) == ""
    assert (await door.address("127.0.0.2")).startswith("127.0.0.2:")
    await door.close()


async def test_a_process_that_cannot_listen_is_asked_through_ray(lines: Lines) -> None:
    """A door that does not open is no fault of the call: it takes the other road."""
    door = ShardEndpoint(EchoHost())

    async def where() -> str:
        return await door.address("127.0.0.1")

    async def cannot(host: str) -> str:
        raise OSError(24, "too many open files")

    door._open = cannot  # type: ignore[method-assign]
    async with asyncio.timeout(60):
        assert await lines.to("shard-s0000", where) is None


async def test_a_process_that_never_says_where_holds_nobody_up(
    lines: Lines, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent process is not waited for beyond its time; its successor is asked."""
    monkeypatch.setattr(doors, "ADDRESS_S", 0.02)
    monkeypatch.setattr(doors, "WITHOUT_S", 0.0)

    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    async with asyncio.timeout(60):
        assert await lines.to("shard-s0000", never) is None
        line = await lines.to("shard-s0000", process.where)
        assert line is not None
        assert await line.call(STATUS, b"") == b"well"


async def test_a_line_that_opens_while_all_are_closed_is_closed_too(
    process: Process,
) -> None:
    """It would never be closed."""
    lines = Lines()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly() -> str:
        asked.set()
        await answer.wait()
        return await process.where()

    async with asyncio.timeout(60):
        coming = asyncio.ensure_future(lines.to("shard-s0000", slowly))
        await asked.wait()
        lines.close()
        answer.set()
        assert await coming is None
    assert not lines._lines
    assert await lines.to("shard-s0000", process.where) is None
