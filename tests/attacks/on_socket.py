"""Attacks on the live socket."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from tests.attacks.hostile import Hostile
from tests.attacks.registry import Aim, Outcome, attack

PIECE = 64 * 1024
CONTINUATION, TEXT, PING, PONG = 0, 1, 9, 10
"""Opcodes: frames of the server are counted by them, among the statuses."""
SOCKETS: Final = 8
_CLOSE = 8
_SHAKE = (
    b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((0x80 * last | opcode,)) + length + b"\0\0\0\0" + payload


class HostileSocket(Hostile):
    """A connection that has shaken hands, and counts what the server says."""

    def __init__(self, aim: Aim, outcome: Outcome) -> None:
        super().__init__(aim, outcome)
        self._shaken = asyncio.Event()

    async def shake(self) -> None:
        """Shake hands; who says much before the answer is cut off for that alone."""
        await self.send(_SHAKE)
        if self._reading is None:
            loop = asyncio.get_running_loop()
            answer = await loop.sock_recv(self._socket, 4096)
            self.outcome.statuses[int(answer.split()[1])] += 1
        else:
            await self._shaken.wait()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        data = bytearray()
        try:
            while piece := await loop.sock_recv(self._socket, 65_536):
                data += piece
                if not self._shaken.is_set() and b"\r\n\r\n" in data:
                    head, _, rest = bytes(data).partition(b"\r\n\r\n")
                    self.outcome.statuses[int(head.split()[1])] += 1
                    data = bytearray(rest)
                    self._shaken.set()
                if self._shaken.is_set():
                    self._count(data)
        except OSError:
            pass
        self._shaken.set()
        self._closed()

    def _count(self, data: bytearray) -> None:
        """Take the whole frames out of what has come."""
        while len(data) >= 2:
            size, at = data[1] & 127, 2
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(data[2:at], "big")
            if len(data) < at + size:
                return
            opcode = data[0] & 15
            if opcode == _CLOSE and size >= 2:
                self.outcome.statuses[int.from_bytes(data[at : at + 2], "big")] += 1
            else:
                self.outcome.statuses[opcode] += 1
            del data[: at + size]


async def _repeat(aim: Aim, start: bytes, one: bytes, *, reads: bool = True) -> Outcome:
    outcome = Outcome()
    hostile = HostileSocket(aim, outcome)
    await hostile.open(reads=reads)
    await hostile.shake()
    await hostile.send(start)
    piece = one * max(1, PIECE // len(one))
    while hostile.goes_on:
        await hostile.send(piece)
    await hostile.wait()
    await hostile.leave()
    return outcome


@attack("empty parts")
async def empty_parts(aim: Aim) -> Outcome:
    """empty parts of one message without end"""
    return await _repeat(aim, frame(TEXT, b"<", last=False), frame(0, last=False))


@attack("tiny parts")
async def tiny_parts(aim: Aim) -> Outcome:
    """parts of one byte, a message as large as may be, again and again"""
    message = frame(TEXT, b"<", last=False)
    message += frame(CONTINUATION, b"x", last=False) * 50_000
    return await _repeat(aim, b"", message + frame(CONTINUATION, b">"))


@attack("pings")
async def pings(aim: Aim) -> Outcome:
    """empty pings without end, answers taken"""
    return await _repeat(aim, b"", frame(PING))


@attack("pongs")
async def pongs(aim: Aim) -> Outcome:
    """endless unsolicited pongs"""
    return await _repeat(aim, b"", frame(PONG))


@attack("one-byte texts")
async def one_byte_texts(aim: Aim) -> Outcome:
    """texts that are no messages"""
    return await _repeat(aim, b"", frame(TEXT, b"x"))


@attack("small questions")
async def small_questions(aim: Aim) -> Outcome:
    """questions without end, answers taken"""
    return await _repeat(aim, b"", frame(TEXT, b'{"op":"ping"}'))


@attack("unread answers")
async def unread_answers(aim: Aim) -> Outcome:
    """questions without end by a client that reads nothing"""
    return await _repeat(aim, b"", frame(TEXT, b'{"op":"ping"}'), reads=False)


@attack("invented topics")
async def invented_topics(aim: Aim) -> Outcome:
    """subscriptions to unknown calendars, over several sockets"""
    outcome = Outcome()
    sockets = [HostileSocket(aim, outcome) for _ in range(SOCKETS)]
    for one in sockets:
        await one.open()
        await one.shake()
    number = 0
    while any(one.goes_on for one in sockets):
        for one in sockets:
            names = range(number, number := number + 200)
            topics = [f"slots/prv_x{name}/consult/2026-W33" for name in names]
            message = {"op": "subscribe", "id": number, "topics": topics}
            if one.goes_on:
                await one.send(frame(TEXT, json.dumps(message).encode()))
    for one in sockets:
        await one.wait()
        await one.leave()
    return outcome
