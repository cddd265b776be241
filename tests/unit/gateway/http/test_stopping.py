"""What a request hears when the server waits no longer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from gateway.http.request_log import RequestLog, StoppingAnswer
from gateway.metrics.metrics import GatewayMetrics

SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/v1/bookings",
    "headers": [],
    "query_string": b"",
}


class Waiting:
    """An application that is still at work when the server stops."""

    def __init__(self, *, began: bool) -> None:
        self.here = asyncio.Event()
        self._began = began

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._began:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        self.here.set()
        await asyncio.Event().wait()


async def cut_off(app: Waiting) -> tuple[asyncio.Task[None], list[Message]]:
    """Ask, and cancel as uvicorn does when its patience ends."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        said.append(message)

    log = RequestLog(
        StoppingAnswer(app),
        metrics=GatewayMetrics(CollectorRegistry()),
        tokens=lambda: "request",
        write_lines=False,
    )
    task: asyncio.Task[Any] = asyncio.ensure_future(log(SCOPE, receive, send))
    async with asyncio.timeout(60):
        await app.here.wait()
        task.cancel()
        await asyncio.wait({task})
    return task, said


async def test_who_still_waits_at_a_stop_is_told_to_come_back() -> None:
    """It hears 503 with Retry-After, not 500: the same key will be told the outcome."""
    task, said = await cut_off(Waiting(began=False))
    assert not task.cancelled()
    assert said[0]["status"] == 503
    headers = dict(said[0]["headers"])
    assert headers[b"retry-after"] == b"1"
    assert b"same Idempotency-Key" in said[1]["body"]


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    """Half an answer cannot be taken back; the connection ends."""
    task, said = await cut_off(Waiting(began=True))
    with pytest.raises(asyncio.CancelledError):
        task.result()
    assert [message["type"] for message in said] == ["http.response.start"]
