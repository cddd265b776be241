"""The row of frames before a connection: short, in order, never growing."""

from __future__ import annotations

import asyncio

from gateway.live.core.frames import Frame
from gateway.live.transport.asgi_writer import (
    ANSWERS_MAX,
    BYTES_MAX,
    FRAMES_MAX,
    RowWriter,
)


def a_frame(size: int = 1) -> Frame:
    return Frame(b"x" * size)


def test_the_row_is_full_by_number_or_by_bytes() -> None:
    """Then the connection is not writable, and the row grows no more."""
    by_number, by_bytes = RowWriter(), RowWriter()
    for _ in range(FRAMES_MAX):
        assert by_number.writable
        by_number.write(a_frame())
    assert not by_number.writable
    by_bytes.write(a_frame(BYTES_MAX))
    assert not by_bytes.writable


async def test_relief_is_told_once_the_row_is_empty() -> None:
    """The hub hears once that a full row was emptied, and not of others."""
    writer, sent, relieved = RowWriter(), [], []

    async def send(frame: Frame) -> None:
        sent.append(frame)

    for _ in range(FRAMES_MAX):
        writer.write(a_frame())
    assert not writer.writable
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(writer.run(send, lambda: relieved.append(len(sent))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert relieved == [FRAMES_MAX]
        writer.write(a_frame())
        writer.close(4012, a_frame())
    assert task.result() == 4012
    assert len(sent) == FRAMES_MAX + 2
    assert relieved == [FRAMES_MAX]


async def test_who_asks_and_never_reads_is_closed() -> None:
    """Answers are always taken, up to a bound; then the connection is too slow."""
    writer = RowWriter()
    for _ in range(ANSWERS_MAX):
        writer.answer(a_frame())
    assert [writer.closing] == [None]
    writer.answer(a_frame())
    assert writer.closing == 4008
    assert not writer.has_frames
    assert await writer.next() is None


async def test_a_cancelled_wait_loses_no_frame() -> None:
    """A stream that stops waiting to send a comment finds the frame afterwards."""
    writer = RowWriter()
    try:
        async with asyncio.timeout(0):
            await writer.next()
    except TimeoutError:
        writer.write(a_frame(3))
    found = await writer.next()
    assert found is not None
    assert found.payload == b"xxx"


def test_after_closing_nothing_is_taken() -> None:
    """The first code stands, and later answers are dropped."""
    writer = RowWriter()
    writer.close(4005)
    writer.close(4012)
    writer.answer(a_frame())
    assert writer.closing == 4005
    assert not writer.writable
    assert not writer.has_frames
