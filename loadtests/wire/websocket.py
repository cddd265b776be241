"""WebSocket framing for clients that count frames: pure and cheap."""

from __future__ import annotations

import base64
from collections.abc import Iterator

CONTINUED, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
SOCKETS_PER_SOURCE = 900
"""Sockets per source address, below a server's limit."""
_TWO, _EIGHT = 126, 127
_NO_MASK = bytes(4)
"""A mask of zeros leaves the payload unchanged and costs nothing to apply."""


def upgrade(host: str, path: str, nonce: bytes, protocol: str = "") -> bytes:
    """The request that asks for a WebSocket; ``protocol`` is the subprotocol."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(nonce).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join([*lines, "", ""]).encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame of at most 64 KiB."""
    length = len(payload)
    head = bytes((128 | opcode, 128 | min(length, _TWO)))
    if length >= _TWO:
        head += length.to_bytes(2, "big")
    return head + _NO_MASK + payload


def closing(code: int) -> bytes:
    """A close frame."""
    return masked(CLOSE, code.to_bytes(2, "big"))


def close_code(payload: bytes) -> int | None:
    """The code in a close frame's payload, if there is one."""
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None


def source_of(url: str, process: int, number: int) -> str:
    """The loopback address for a user's socket; empty if the server is elsewhere.

    An address has some 28,000 ports, and a server limits sockets per address.
    """
    if "//127." not in url:
        return ""
    return f"127.1.{1 + process % 200}.{1 + number // SOCKETS_PER_SOURCE % 250}"


def frame_at(data: bytes, at: int) -> tuple[int, int]:
    """Offsets of the begin and end of the payload of the frame at ``at``.

    (0, 0) if the frame is incomplete. Servers do not mask.
    """
    size = len(data)
    if size - at < 2:
        return 0, 0
    length, body = data[at + 1] & 127, at + 2
    if length == _TWO:
        body = at + 4
        length = int.from_bytes(data[at + 2 : body], "big")
    elif length == _EIGHT:
        body = at + 10
        length = int.from_bytes(data[at + 2 : body], "big")
    end = body + length
    return (0, 0) if body > size or end > size else (body, end)


class Frames:
    """Splits a server's bytes into frames; each message is one frame."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are complete now: opcode and payload."""
        if self._rest:
            data = self._rest + data
        at = 0
        while True:
            body, end = frame_at(data, at)
            if not end:
                break
            opcode, payload = data[at] & 15, data[body:end]
            at = end
            self._rest = data[at:]  # a caller may stop between two frames
            yield opcode, payload
        self._rest = data[at:]
