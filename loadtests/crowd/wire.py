"""Parsing for listeners: handshakes, and the heads of Slotcast's frames.

A frame's content is not parsed: two deltas of one topic and change are the same bytes
for every listener, so the bytes before the slots name them, and only the first listener
that receives them pays for parsing the names and numbers.
"""

from __future__ import annotations

import json
import os
from array import array
from urllib.parse import urlsplit

from loadtests.wire.websocket import upgrade

HEAD_END = b',"slots"'
"""Where the head of a delta or snapshot ends."""
KIND_AT = 6
"""Where ``{"t":"…`` has the first letter of a frame's kind."""


def request_of(url: str) -> tuple[str, int, bytes]:
    """Host, port and the bytes that ask for the upgrade."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    return host, port, upgrade(f"{host}:{port}", parts.path or "/", os.urandom(16))


def refusal_of(head: bytes) -> tuple[int, float]:
    """Status of a refused upgrade, and after how many seconds to retry."""
    first, *lines = head.split(b"\r\n")
    words = first.split()
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"retry-after":
            return status, float(value)
    return status, 0.0


class Sighting:
    """One delta or snapshot, and when listeners received it (monotonic seconds)."""

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
        """As JSON: time of the first receipt, and each delay in microseconds."""
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
