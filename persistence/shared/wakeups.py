"""Wake-ups over Redis: published messages wake waiters in other processes.

Messages without a subscriber are lost. So waiters poll as well, and each new
subscription wakes them once: something may have happened before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from care.sharing import Standing
from persistence.redis.channel import RedisChannel
from persistence.redis.link import RedisAway, RedisLink
from persistence.shared.memory import LocalWakeups

TIMEOUT_S: Final = 0.25


class RedisWakeups:
    """Implements Wakeups for some topics; subscribes at the first ``wait``.

    Must be used on one event loop, and closed.
    """

    def __init__(self, url: str, site: str, topics: Sequence[str]) -> None:
        self._link = RedisLink(url, timeout_s=TIMEOUT_S)
        self._prefix = f"{site}:wake:"
        self._topics = tuple(topics)
        self._channel = RedisChannel(url, [self._prefix + topic for topic in topics])
        self._bells = LocalWakeups()
        self._listening: asyncio.Task[None] | None = None
        self._ringing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    def notify(self, topic: str) -> None:
        """See Wakeups.notify; calls while a message is being sent are merged."""
        if topic in self._ringing:
            self._again.add(topic)
        else:
            self._ringing[topic] = _begin(self._ring(topic))

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """See Wakeups.wait."""
        if topic not in self._topics:
            raise ValueError(f"{topic} is not one of {', '.join(self._topics)}")
        if self._listening is None:
            self._listening = _begin(self._channel.run(self._heard, self._began))
        return await self._bells.wait(topic, timeout_s)

    def standing(self) -> Standing:
        """Whether wake-ups are received; otherwise jobs poll."""
        return self._channel.standing()

    async def close(self) -> None:
        """See Wakeups.close."""
        tasks = [*self._ringing.values()]
        if self._listening is not None:
            self._listening.cancel()
            tasks.append(self._listening)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()

    async def _ring(self, topic: str) -> None:
        channel = self._prefix + topic
        try:
            while True:
                self._again.discard(topic)
                await self._link.ask("PUBLISH", channel, b"")
                if topic not in self._again:
                    return
        except RedisAway:
            self._again.discard(topic)
        finally:
            del self._ringing[topic]

    def _heard(self, channel: str, _word: bytes) -> None:
        self._bells.notify(channel.removeprefix(self._prefix))

    async def _began(self) -> None:
        for topic in self._topics:
            self._bells.notify(topic)


def _begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    # The task is kept, and ended in ``close``.
    return asyncio.get_running_loop().create_task(work)
