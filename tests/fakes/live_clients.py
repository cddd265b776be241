"""Our own live client, quick to come back, for tests with a real gateway."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, TypeVar

from slotcast.client import LiveClient
from slotcast.client.backoff import Backoff
from slotcast.client.events import Event
from tests.fakes.live_api import LiveApi

T = TypeVar("T", bound=Event)


def a_client(url: str, *topics: str, **options: Any) -> LiveClient:
    quick = Backoff(Random(1), floor_s=0.0, step_s=0.005, ceiling_s=0.02)
    return LiveClient(url, topics, random=Random(1), reconnect=quick, **options)


def patient(api: LiveApi, url: str, *topics: str, **options: Any) -> LiveClient:
    token = api.api.token("patient", "pat_1")
    return a_client(url, *topics, token=token, **options)


async def until(client: LiveClient, kind: type[T]) -> T:
    """The next event of a kind."""
    async with asyncio.timeout(60):
        async for event in client:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__} before the end")
