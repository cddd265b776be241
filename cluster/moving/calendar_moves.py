"""One calendar moves to another shard while the site serves.

::

    1  the new shard is open           a break here leaves an idle shard
    2  MoveCalendarOut, old shard      from here to 3 the calendar answers 503
    3  AdoptCalendar, new shard        from here on it answers normally
    4  the layout names the new shard  later gateways find it at once

The journals alone decide where the calendar is; repeating a step has no further effect.
So a move interrupted anywhere is finished by running it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from msgspec import Struct

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import CalendarLeft, Done
from actors.domain.messages.commands import AdoptCalendar, MoveCalendarOut
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from actors.ports import Clock, Request, ShardLinks, ShardReply, Trouble, TroubleCode

CALL_S = 6.0
PATIENCE_S = 30.0
"""How long each step is retried, in seconds: a restarting shard answers within
seconds."""
PAUSE_S = 0.05
HOPS_MAX = 8
"""Maximum number of former shards that are followed."""


class NoSuchProvider(Exception):
    """This provider is not registered."""


class MoveBroken(Exception):
    """A step, named in the message, did not complete in time; run the move again."""


class MovedCalendar(Struct, frozen=True):
    """A completed move; ``pause_ms``: how long the calendar did not answer."""

    provider_id: ProviderId
    from_shard: ShardId
    to_shard: ShardId
    version: int
    pause_ms: float


class CalendarMover:
    """Moves calendars over links to their shards."""

    def __init__(
        self,
        links: ShardLinks,
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
        stepped: Callable[[int], None] = lambda _step: None,
    ) -> None:
        """``stepped`` is called with the number of each completed step."""
        self._links = links
        self._clock = clock
        self._patience_s = patience_s
        self._stepped = stepped

    async def find(self, provider: ProviderId, home: ShardId) -> None:
        """Return if the calendar exists, in whichever shard.

        Raises:
            NoSuchProvider: there is none.
            MoveBroken: its state cannot be determined now.
        """
        reply = await self._told(home, ReadProvider(provider))
        if _is_not_there(reply):
            raise NoSuchProvider(provider)
        if reply is None:
            raise MoveBroken(f"shard {home} does not answer")

    async def move(
        self, provider: ProviderId, home: ShardId, to_shard: ShardId
    ) -> MovedCalendar:
        """Move a calendar that began at ``home``, or finish its move (steps 1 to 3).

        Raises:
            NoSuchProvider: there is no such calendar.
            MoveBroken: run the move again.
        """
        await self._until_open(to_shard)
        self._stepped(1)
        began = perf_counter()
        from_shard, left = await self._out(provider, home, to_shard)
        self._stepped(2)
        await self._into(from_shard, left)
        self._links.moved(provider, to_shard)
        self._stepped(3)
        pause_ms = (perf_counter() - began) * 1000
        return MovedCalendar(provider, from_shard, to_shard, left.version, pause_ms)

    async def _until_open(self, shard: ShardId) -> None:
        """Wait until the new shard is open.

        Only then may the calendar leave the old one.
        """
        give_up = perf_counter() + self._patience_s
        while True:
            try:
                if (await self._links.status(shard)).state == "open":
                    return
            except Unavailable:
                pass
            if perf_counter() >= give_up:
                raise MoveBroken(f"shard {shard} does not open")
            await asyncio.sleep(PAUSE_S)

    async def _out(
        self, provider: ProviderId, home: ShardId, to_shard: ShardId
    ) -> tuple[ShardId, CalendarLeft]:
        shard = home
        for _ in range(HOPS_MAX):
            command = MoveCalendarOut(
                provider_id=provider, to_shard=to_shard, deadline=self._deadline()
            )
            reply = await self._told(shard, command)
            if isinstance(reply, CalendarLeft):
                return shard, reply
            if isinstance(reply, Trouble) and reply.code is TroubleCode.MOVED:
                shard = ShardId(reply.detail)
                continue
            if _is_not_there(reply):
                raise NoSuchProvider(provider)
            break
        raise MoveBroken(f"shard {shard} does not let the calendar go")

    async def _into(self, from_shard: ShardId, left: CalendarLeft) -> None:
        command = AdoptCalendar(
            provider_id=left.provider_id,
            from_shard=from_shard,
            from_epoch=left.epoch,
            from_seq=left.seq,
            state=left.state,
        )
        reply = await self._told(left.to_shard, command)
        if not isinstance(reply, Done):
            raise MoveBroken(
                f"shard {left.to_shard} does not take the calendar in: "
                f"{getattr(reply, 'detail', '')}"
            )

    async def _told(self, shard: ShardId, command: Request) -> ShardReply | None:
        """The answer to a step, retried until it arrives; None: none in time."""
        give_up = perf_counter() + self._patience_s
        while perf_counter() < give_up:
            try:
                (reply,) = await self._links.execute(shard, [command], CALL_S)
            except Unavailable:
                reply = None
            if not _is_to_retry(reply):
                return reply
            await asyncio.sleep(PAUSE_S)
        return None

    def _deadline(self) -> Millis:
        # A delayed step must not take effect after a later move of the same calendar.
        return Millis(self._clock.now() + int(self._patience_s * 2000))


def _is_to_retry(reply: ShardReply | None) -> bool:
    if reply is None:
        return True
    return isinstance(reply, Trouble) and reply.code not in (
        TroubleCode.MOVED,
        TroubleCode.FAULT,
    )


def _is_not_there(reply: ShardReply | None) -> bool:
    return isinstance(reply, Refusal) and reply.code is RefusalCode.PROVIDER_NOT_FOUND
