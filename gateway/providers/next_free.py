"""The next free start of many providers, as their calendars have just said.

Lists show it, and never decide by it. What a calendar said is believed for
``believe_s``; a command that went through this gateway makes its calendar be asked
again, so that a change made here is in the very next list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Final

from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import NextFreeView
from actors.domain.messages.reads import ReadNextFree
from actors.errors import Unavailable
from actors.ports import Calendars, ShardLinks
from gateway.access.believed import Believed
from gateway.wire.errors import accepted

ASKED_AT_ONCE: Final = 250
"""Providers per question: the shard answers between batches and must not stall."""
KNOWN_MAX: Final = 20_000

Start = tuple[Minute | None, VisitTypeId | None]
"""The soonest free start, and of which visit type it is."""
Starts = Mapping[ProviderId, Start]


class NextFree:
    """Next free starts of this gateway's lists."""

    def __init__(
        self,
        calendars: Calendars,
        links: ShardLinks,
        believe_s: float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._calendars = calendars
        self._links = links
        self._believe_s = believe_s
        self._known = Believed[ProviderId, Start](believe_s, KNOWN_MAX, now)
        self._asked: dict[ProviderId, asyncio.Task[Starts]] = {}

    def changed(self, provider_id: ProviderId) -> None:
        """A command to this calendar was answered, or may have been done."""
        self._known.forget(provider_id)
        self._asked.pop(provider_id, None)

    async def of(
        self, provider_ids: Sequence[ProviderId], *, forgive: bool
    ) -> dict[ProviderId, Start]:
        """The start of each that exists; without some of a silent shard to forgive it.

        Raises:
            Unavailable: a shard did not say, and that is not forgiven.
        """
        asked = self._asked
        found: dict[ProviderId, Start] = {}
        missing: list[ProviderId] = []
        tasks: dict[asyncio.Task[Starts], None] = {}
        for provider_id in provider_ids:
            known = self._known.get(provider_id)
            if known is not None:
                found[provider_id] = known
            elif provider_id in asked:
                tasks[asked[provider_id]] = None
            else:
                missing.append(provider_id)
        tasks.update(dict.fromkeys(self._ask(missing)))
        wanted = set(provider_ids)
        for part in await asyncio.gather(
            *map(asyncio.shield, tasks), return_exceptions=True
        ):
            if isinstance(part, BaseException):
                if not (forgive and isinstance(part, Unavailable)):
                    raise part
            else:
                found |= {one: part[one] for one in part.keys() & wanted}
        return found

    def _ask(self, provider_ids: Iterable[ProviderId]) -> list[asyncio.Task[Starts]]:
        shards: dict[ShardId, list[ProviderId]] = {}
        for provider in provider_ids:
            shards.setdefault(self._links.shard_of(provider), []).append(provider)
        return [
            self._asking(tuple(asked[at : at + ASKED_AT_ONCE]))
            for asked in shards.values()
            for at in range(0, len(asked), ASKED_AT_ONCE)
        ]

    def _asking(self, provider_ids: tuple[ProviderId, ...]) -> asyncio.Task[Starts]:
        # A task of its own: who began to ask may leave before others do.
        task = asyncio.ensure_future(self._read(provider_ids))
        if self._believe_s:
            self._asked.update(dict.fromkeys(provider_ids, task))
            task.add_done_callback(lambda task: self._heard(provider_ids, task))
        return task

    async def _read(self, provider_ids: tuple[ProviderId, ...]) -> Starts:
        reply = await self._calendars.ask(ReadNextFree(provider_ids))
        view = accepted(reply, NextFreeView)
        kinds = view.visit_types
        return {one: (start, kinds.get(one)) for one, start in view.starts.items()}

    def _heard(
        self, provider_ids: Sequence[ProviderId], task: asyncio.Task[Starts]
    ) -> None:
        failed = task.cancelled() or task.exception() is not None
        starts = {} if failed else task.result()
        for provider_id in provider_ids:
            if self._asked.get(provider_id) is not task:
                continue  # changed since it was asked
            del self._asked[provider_id]
            if provider_id in starts:
                self._known.put(provider_id, starts[provider_id])
