"""A client of the live socket as WIRE.md describes it, written from that page alone.

It knows nothing of our code: it reads JSON, applies the rule, and notes every frame
that the rule cannot explain.
"""

from __future__ import annotations

import json
from typing import Any


class TopicCopy:
    """What a client has of one topic."""

    def __init__(self, epoch: int, version: int, content: dict[str, Any]) -> None:
        self.epoch = epoch
        self.version = version
        self.content = content


class WireClient:
    """Applies frames; ``gaps`` are those that say it must subscribe again."""

    def __init__(self) -> None:
        self.copies: dict[str, TopicCopy] = {}
        self.gaps: list[str] = []
        self.errors: list[dict[str, Any]] = []

    def hear(self, text: str) -> None:
        """A frame arrived."""
        frame = json.loads(text)
        kind = frame["t"]
        if kind == "snapshot":
            self._snapshot(frame)
        elif kind == "delta":
            self._delta(frame)
        elif kind == "heartbeat":
            self._heartbeat(frame)
        elif kind == "error":
            self.errors.append(frame)
            self.copies.pop(frame.get("topic", ""), None)

    def since(self, topic: str) -> tuple[int, int] | None:
        """Where the client stands on a topic."""
        copy = self.copies.get(topic)
        return None if copy is None else (copy.epoch, copy.version)

    def _snapshot(self, frame: dict[str, Any]) -> None:
        content: dict[str, Any] = {}
        if "slots" in frame:
            content = dict(frame["slots"])
        else:
            content = {row["booking_id"]: row["status"] for row in frame["bookings"]}
            for row in frame.get("holds", ()):
                content[row["hold_id"]] = row["expires_at"]
        copy = TopicCopy(frame["epoch"], frame["version"], content)
        self.copies[frame["topic"]] = copy

    def _delta(self, frame: dict[str, Any]) -> None:
        copy = self.copies.get(frame["topic"])
        if copy is None:
            self.gaps.append(f"a delta before any snapshot: {frame}")
            return
        if frame["epoch"] == copy.epoch and frame["version"] <= copy.version:
            return
        if frame["epoch"] != copy.epoch or frame["from"] > copy.version:
            self.gaps.append(f"at {copy.epoch}.{copy.version}: {frame}")
            return
        copy.version = frame["version"]
        for start, state in frame.get("slots", ()):
            if state == "gone":
                copy.content.pop(start, None)
            else:
                copy.content[start] = state
        for row in frame.get("bookings", ()):
            copy.content[row["booking_id"]] = row["status"]
        self._hear_of_holds(copy, frame)

    def _hear_of_holds(self, copy: TopicCopy, frame: dict[str, Any]) -> None:
        for row in frame.get("holds", ()):
            if row["status"] == "held":
                copy.content[row["hold_id"]] = row["expires_at"]
            else:
                copy.content.pop(row["hold_id"], None)

    def _heartbeat(self, frame: dict[str, Any]) -> None:
        for topic, (epoch, version) in frame["positions"].items():
            copy = self.copies.get(topic)
            if copy is None or copy.epoch != epoch or copy.version < version:
                self.gaps.append(f"heartbeat is ahead on {topic}: {epoch}.{version}")
