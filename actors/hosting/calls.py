"""Requests that wait in a mailbox together, and what they hear if all goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.ports import Request, ShardReply, Trouble, TroubleCode

CLOSED = Trouble(TroubleCode.RECOVERING, "the shard has been closed")
LEFT = Trouble(TroubleCode.RECOVERING, "another process owns the shard now")
UNKNOWN = Trouble(TroubleCode.UNKNOWN, "the outcome is not known; use the same key")
OPENING = Trouble(TroubleCode.RECOVERING, "the shard is being recovered")
DOWN = Trouble(TroubleCode.JOURNAL_DOWN, "the journal does not answer", 2.0)
FULL = Trouble(TroubleCode.JOURNAL_FULL, "the journal is full", 30.0)
DAMAGED = Trouble(
    TroubleCode.JOURNAL_DOWN,
    "the journal of this shard is damaged and must be restored by an operator; other "
    "calendars go on",
    60.0,
)
OVERLOADED = Trouble(TroubleCode.OVERLOADED, "too much is waiting")


class Call:
    """Requests that came together, and are decided together."""

    __slots__ = ("begun", "future", "requests")

    def __init__(
        self, requests: Sequence[Request], future: asyncio.Future[list[ShardReply]]
    ) -> None:
        self.requests = requests
        self.future = future
        self.begun = False

    def answer(self, replies: list[ShardReply]) -> None:
        """Answer, unless nobody waits any more."""
        if not self.future.done():
            self.future.set_result(replies)
