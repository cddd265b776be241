"""Answers for HTTP/1.0, without chunks."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_CONNECTION: Final = b"connection"


class Unframed:
    """ASGI: answers for HTTP/1.0, which end with the connection.

    uvicorn would send chunks if the length is unknown, and HTTP/1.0 has none.
    """

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected or cycle.response_complete:
            return
        if message["type"] == "http.response.start":
            cycle.response_started = True
            headers = (*cycle.default_headers, *message.get("headers", ()))
            lines = [b"%b: %b\r\n" % pair for pair in headers if pair[0] != _CONNECTION]
            start = STATUS_LINE[message["status"]]
            cycle.transport.write(
                b"".join((start, *lines, b"connection: close\r\n\r\n"))
            )
            return
        if cycle.scope["method"] != "HEAD":
            cycle.transport.write(message.get("body", b""))
        if not message.get("more_body", False):
            cycle.response_complete = True
            cycle.message_event.set()
            cycle.transport.close()
            cycle.on_response()
