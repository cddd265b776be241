"""What a listening crowd knows of WebSocket frames, and of the heads of ours.

A frame's content is not parsed: two deltas of one topic and change are the same bytes
for everybody, so the bytes before the slots name them, and only the first listener who
has them pays for reading the names and numbers.
"""

from __future__ import annotations

import base64
import json
import os
from array import array
from urllib.parse import urlsplit

CONTINUED, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
_TWO, _EIGHT = 126, 127
HEAD_END = b',"slots"'
"""Where the head of a delta or snapshot ends."""
KIND_AT = 6
"""Where ``{"t":"…`` has the first letter of a frame's kind."""


def frame_at(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame at ``at`` begins and ends.

    (0, 0) if not all of it is there. Servers do not mask.
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


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame of up to 64 KiB; the mask is zero, which leaves the payload."""
    length = len(payload)
    if length < _TWO:
        return bytes((128 | opcode, 128 | length)) + bytes(4) + payload
    return (
        bytes((128 | opcode, 128 | _TWO))
        + length.to_bytes(2, "big")
        + bytes(4)
        + payload
    )


def request_of(url: str) -> tuple[str, int, bytes]:
    """Host, port and the bytes that ask for the upgrade."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {parts.path or '/'} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "",
        "",
    )
    return host, port, "\r\n".join(lines).encode()


def refusal_of(head: bytes) -> tuple[int, float]:
    """Status of an answer that is no upgrade, and after how many seconds to retry."""
    first, *lines = head.split(b"\r\n")
    words = first.split()
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"retry-after":
            return status, float(value)
    return status, 0.0


class Sighting:
    """One delta or snapshot, and when listeners had it (monotonic seconds)."""

    __slots__ = ("at", "before", "epoch", "is_delta", "topic", "version")

    def __init__(self, head: bytes) -> None:
        told = json.loads(head + b"}")
        self.topic: str = told["topic"]
        self.epoch: int = told["epoch"]
        self.version: int = told["version"]
        self.is_delta: bool = told["t"] == "delta"
        self.before: int = told.get("from", -1)
        self.at = array("d")

    def told(self) -> dict[str, object]:
        """For whoever asked: when the first had it, and how much later each."""
        first = min(self.at)
        return {
            "kind": "delta" if self.is_delta else "snapshot",
            "topic": self.topic,
            "epoch": self.epoch,
            "from": self.before,
            "version": self.version,
            "first": first,
            "us": [round(1e6 * (at - first)) for at in self.at],
        }
