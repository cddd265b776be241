"""Answers written in one piece are byte for byte what uvicorn would have written."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.transport.answers import AnswerCycle

DATE = [(b"date", b"Mon, 30 Nov 2026 00:00:00 GMT")]


class Wire:
    """Notes what is written, and whether it is closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True


def a_cycle(kind: Any, wire: Wire, **changes: Any) -> Any:
    flow = SimpleNamespace(write_paused=False)
    return kind(
        **{
            "scope": {"type": "http", "method": changes.pop("method", "GET")},
            "transport": wire,
            "flow": flow,
            "logger": None,
            "access_logger": None,
            "access_log": False,
            "default_headers": DATE,
            "message_event": asyncio.Event(),
            "expect_100_continue": False,
            "keep_alive": True,
            "on_response": lambda: None,
        }
        | changes
    )


def start(status: int, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


LENGTH = (b"content-length", b"3")
CASES = [
    ("whole", "GET", [start(200, LENGTH, (b"X-Id", b"7")), body(b"abc")]),
    ("head", "HEAD", [start(200, LENGTH), body(b"")]),
    ("head with a body", "HEAD", [start(200, LENGTH), body(b"abc")]),
    ("not modified", "GET", [start(304, (b"etag", b"x")), body(b"")]),
    ("no content", "DELETE", [start(204), body(b"")]),
    ("in parts", "GET", [start(200, LENGTH), body(b"a", more=True), body(b"bc")]),
    (
        "chunks",
        "GET",
        [
            start(200),
            body(b"a", more=True),
            body(b"bc"),
        ],
    ),
    ("close", "GET", [start(200, LENGTH, (b"connection", b"close")), body(b"abc")]),
]


@pytest.mark.parametrize(("_name", "method", "messages"), CASES)
@pytest.mark.parametrize("keep_alive", [True, False])
async def test_the_same_bytes_as_without(
    _name: str, method: str, messages: list[Any], keep_alive: bool
) -> None:
    """Whatever the application says; and the connection ends where it would."""
    wires = Wire(), Wire()
    for wire, kind in zip(wires, (AnswerCycle, RequestResponseCycle), strict=True):
        cycle = a_cycle(kind, wire, method=method, keep_alive=keep_alive)
        for message in messages:
            await cycle.send(dict(message))
        assert cycle.response_complete
        assert cycle.message_event.is_set()
    ours, plain = wires
    assert b"".join(ours.written) == b"".join(plain.written)
    assert ours.closed == plain.closed


async def test_head_and_body_are_one_write() -> None:
    """An answer that says its length is one piece, hence one packet."""
    wire = Wire()
    cycle = a_cycle(AnswerCycle, wire)
    await cycle.send(start(200, LENGTH))
    assert wire.written == []
    await cycle.send(body(b"abc"))
    assert len(wire.written) == 1


@pytest.mark.parametrize(
    "header", [(b"x", b"1\r\ny: 2"), (b"x\r\ny", b"1"), (b"x:y", b"1")]
)
async def test_a_header_cannot_carry_another(header: tuple[bytes, bytes]) -> None:
    """It is an error, and nothing of the answer leaves; each time again."""
    for _ in range(2):
        wire = Wire()
        cycle = a_cycle(AnswerCycle, wire)
        await cycle.send(start(200, LENGTH, header))
        with pytest.raises(RuntimeError):
            await cycle.send(body(b"abc"))
        assert wire.written == []


@pytest.mark.parametrize("content", [b"ab", b"abcd"])
async def test_a_length_that_is_not_the_bodys_is_an_error(content: bytes) -> None:
    """As ever: else the next answer would begin in the middle of this one."""
    cycle = a_cycle(AnswerCycle, Wire())
    await cycle.send(start(200, LENGTH))
    with pytest.raises(RuntimeError):
        await cycle.send(body(content))


async def test_an_application_that_fails_after_its_head_is_answered_for() -> None:
    """What was not sent yet is replaced by a 500."""

    async def failing(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start(200, LENGTH))
        raise ValueError

    wire = Wire()
    logger = SimpleNamespace(error=lambda *_args, **_named: None)
    await a_cycle(AnswerCycle, wire, logger=logger).run_asgi(failing)
    assert b"".join(wire.written).startswith(b"HTTP/1.1 500 ")


async def test_a_client_that_has_left_gets_nothing() -> None:
    """No bytes are written to a connection that is gone."""
    wire = Wire()
    cycle = a_cycle(AnswerCycle, wire)
    await cycle.send(start(200, LENGTH))
    cycle.disconnected = True
    await cycle.send(body(b"abc"))
    assert wire.written == []
