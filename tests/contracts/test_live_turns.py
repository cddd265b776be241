"""What one connection asks for leaves others their turn of the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from gateway.live.sessions.conversation import TAKEN_AT_ONCE
from gateway.live.sessions.topic_limits import TopicRoom
from tests.fakes.live_api import open_live_api


async def test_many_new_topics_leave_others_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One message takes so many topics in a turn of the event loop, and no more."""
    turns = 0
    taken: Counter[int] = Counter()
    inner = TopicRoom.take

    def take(room: TopicRoom, *given: Any) -> Any:
        taken[turns] += 1
        return inner(room, *given)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(TopicRoom, "take", take)
    async with open_live_api() as api, api.client() as client:
        counting = asyncio.create_task(count_turns())
        topics = [f"slots/prv_x{number}/consult/2026-W33" for number in range(200)]
        await client.send("subscribe", topics=topics)
        await client.until("result")
        counting.cancel()
    assert sum(taken.values()) == 200
    assert max(taken.values()) <= TAKEN_AT_ONCE
