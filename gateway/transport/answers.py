"""Answers sent in one piece: head and body together.

uvicorn writes the head before it has the body, and checks every header with two regular
expressions each time. Most answers declare their length and have their body at once:
here the head waits for it, and checked header lines are cached. Streams and unusual
answers are left to uvicorn.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

LINES_REMEMBERED: Final = 1024
"""Cached header lines; most answers differ only in their length and id."""
_LENGTH: Final = b"content-length"
_BODILESS: Final = frozenset({204, 304})
_UNUSUAL: Final = frozenset({b"connection", b"transfer-encoding"})


@lru_cache(maxsize=LINES_REMEMBERED)
def header_line(name: bytes, value: bytes) -> bytes:
    """One line of a head.

    Raises:
        RuntimeError: it contains a line break or another illegal character.
    """
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"Invalid HTTP header {name!r}.")
    return b"%b: %b\r\n" % (name.lower(), value)


class AnswerCycle(RequestResponseCycle):
    """One request and its answer."""

    _head: Any = None
    """The head of an answer whose body is awaited; not yet written."""

    async def send(self, message: Any) -> None:
        """Take a part of the answer (ASGI)."""
        head = self._head
        if head is None:
            if not self.response_started and _says_its_length(message):
                self._head = message
            else:
                await super().send(message)
            return
        self._head = None
        is_body = message["type"] == "http.response.body"
        if is_body and not message.get("more_body") and self._whole(head, message):
            return
        if is_body:
            await super().send(head)
        # Otherwise the application failed before its body and sends another head.
        await super().send(message)

    def _whole(self, head: Any, message: Any) -> bool:
        """Write the whole answer; False, and nothing written, if it is unusual."""
        if self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        body = message.get("body", b"")
        if body and head["status"] in _BODILESS:
            return False
        is_head = self.scope["method"] == "HEAD"
        lines = [STATUS_LINE[head["status"]]]
        for name, value in (*self.default_headers, *head["headers"]):
            if name in _UNUSUAL:
                return False
            if name == _LENGTH and not is_head and value != b"%d" % len(body):
                return False
            lines.append(header_line(name, value))
        lines.append(b"\r\n")
        if not is_head:
            lines.append(body)
        self.response_started = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(lines))
        self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True


def _says_its_length(message: Any) -> bool:
    if message["type"] != "http.response.start":
        return False
    return message["status"] in _BODILESS or any(
        name == _LENGTH for name, _ in message.get("headers", ())
    )
