"""Counters of the live side; metrics.py exports them to Prometheus."""

from __future__ import annotations

from collections import Counter


class LiveTally:
    """Counts since the start of this process."""

    __slots__ = (
        "bytes_sent",
        "closes",
        "conflations",
        "feed_batches",
        "feed_resets",
        "frames_sent",
        "gaps_healed",
        "position_reads",
        "reads",
        "refusals",
        "rereads",
        "resumes",
        "rights_ended",
    )

    def __init__(self) -> None:
        self.frames_sent = 0
        self.bytes_sent = 0
        self.conflations = 0
        self.feed_batches = 0
        self.feed_resets = 0
        self.gaps_healed = 0
        self.rereads = 0
        self.reads = 0
        """Topics asked of a calendar or the read model; a reconnect asks for none."""
        self.position_reads = 0
        """Requests to shards that ask where calendars stand, to verify the feeds."""
        self.rights_ended = 0
        """Topics that ended because their reader may not watch them any more."""
        self.resumes: Counter[str] = Counter()
        """How subscriptions with a position began: ring, snapshot or none."""
        self.refusals: Counter[str] = Counter()
        """Errors on the live socket, by code."""
        self.closes: Counter[int] = Counter()
        """Connections closed by us, by code."""
