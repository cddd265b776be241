"""Links to shards that are Ray actors: finds and caches the process of a shard.

An error of a call never means "not executed". A shard may be handed over at any time,
to an actor under its other name: the old one answers so, and the same call goes there.

One file because every call passes the same seats, lines and look-ups, and so does what
suspends them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import ray
from ray import exceptions as ray_errors

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import NextFreeView, PositionsView
from actors.domain.messages.changes import FeedBatch
from actors.domain.messages.commands import RegisterProvider
from actors.domain.messages.reads import ReadNextFree, ReadPositions
from actors.domain.messages.refusals import NO_PROVIDER
from actors.errors import CalendarRecovering, ShardAsleep, Unavailable
from actors.hosting.process import ELSEWHERE, ShardSpec
from actors.placement import Places, Placing
from actors.ports import Request, ShardReply, ShardStatus
from actors.remote.actor import (
    NAMESPACE,
    ActorHandle,
    ShardActor,
    actor_names,
    create_actor,
    create_shards,
)
from actors.remote.line import LineFailed, LineLost
from actors.remote.lines import EXECUTE, POLL, STATUS, Lines, poll_payload

ACTIVATIONS_MAX = 2
"""Actors created at a time: each costs a third of a second of CPU."""
RESOLVE_S = 5.0
POLL_GRACE_S = 5.0
_PING_S = 1.0
"""How long two processes of a shard are asked which of them serves."""
_ASK_AGAIN_S = 0.05
_LOOK_EVERY_S = 1.0
"""How often a shard that does not answer is looked for elsewhere."""
_HARMLESS = (POLL, STATUS)
_LOOK_UPS_MAX = 4
"""Concurrent requests to Ray's head: each blocks a thread."""

__all__ = [
    "NAMESPACE",
    "RayLinks",
    "Seat",
    "ShardActor",
    "ShardSpec",
    "create_shards",
    "seats_of",
]

_LOG = logging.getLogger("slotcast.shard")
_ENCODER = msgspec.msgpack.Encoder()
_REPLIES = msgspec.msgpack.Decoder(list[ShardReply])
_FEED = msgspec.msgpack.Decoder(FeedBatch)
_STATUS = msgspec.msgpack.Decoder(ShardStatus)


class Seat(NamedTuple):
    """A shard's actor under one of its names."""

    name: str
    handle: ActorHandle


class ShardQuestion(NamedTuple):
    """A call to a shard's process, over a line or through Ray."""

    kind: int
    """Its kind on a line; 0: it goes through Ray only."""
    payload: bytes
    through_ray: Callable[[ActorHandle], Any]


def _not_found(request: Request) -> ShardReply:
    """The answer about a provider that does not exist."""
    if isinstance(request, ReadNextFree):
        return NextFreeView({})
    if isinstance(request, ReadPositions):
        return PositionsView(0, {})
    return NO_PROVIDER


class RayLinks:
    """``ShardLinks`` to Ray actors.

    ``spec`` is for placement "provider": a shard without an actor is then created
    when first asked. But only one that is ``known``, or asked to register:
    invented ids must not get a process each. ``known`` may raise Unavailable.
    """

    def __init__(
        self,
        placing: Placing,
        shards: Sequence[ShardId],
        spec: ShardSpec | None = None,
        *,
        known: Callable[[ShardId], Awaitable[bool]] | None = None,
    ) -> None:
        self._places = Places(placing)
        self._fixed = tuple(shards)
        self._spec = spec
        self._known = known
        self._seats: dict[ShardId, Seat] = {}
        self._lines = Lines()
        self._doubted: dict[ShardId, str] = {}
        self._looked_at: dict[ShardId, float] = {}
        self._resolving: dict[ShardId, asyncio.Task[Seat]] = {}
        self._calls: set[asyncio.Timeout] = set()
        self._is_away = False
        # Separate from the loop's threads: while Ray's head is away these hang.
        self._threads = ThreadPoolExecutor(_LOOK_UPS_MAX, "shard-names")
        self._activations = asyncio.Semaphore(ACTIVATIONS_MAX)

    def shards(self) -> Sequence[ShardId]:
        """All shards for placement "shard"; the active ones for "provider"."""
        if not self._fixed:
            return tuple(self._seats)
        return tuple(dict.fromkeys((*self._fixed, *self._places.exceptions())))

    def shard_of(self, provider: ProviderId) -> ShardId:
        """Which shard decides about this provider."""
        return self._places(provider)

    def moved(self, provider: ProviderId, shard: ShardId) -> None:
        """Note that ``shard`` decides about this provider now."""
        self._places.note(provider, shard)

    async def execute(
        self, shard: ShardId, requests: Sequence[Request], timeout_s: float
    ) -> Sequence[ShardReply]:
        """Ask a shard; see ``ShardLinks.execute``."""
        if not any(isinstance(request, RegisterProvider) for request in requests) and (
            await self._is_strange(shard)
        ):
            return [_not_found(request) for request in requests]
        blob = _ENCODER.encode(requests)
        question = ShardQuestion(EXECUTE, blob, lambda one: one.execute.remote(blob))
        return _REPLIES.decode(await self._call(shard, question, timeout_s))

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        """Changes after the cursor; see ``Feed.poll``. Wakes no passive shard."""
        self._check_awake(shard)
        question = ShardQuestion(
            POLL,
            poll_payload(epoch, number, wait_ms),
            lambda one: one.poll.remote(epoch, number, wait_ms),
        )
        blob = await self._call(shard, question, wait_ms / 1000 + POLL_GRACE_S)
        if not blob:
            raise CalendarRecovering
        return _FEED.decode(blob)

    async def status(self, shard: ShardId) -> ShardStatus:
        """The shard's status. Wakes no passive shard."""
        self._check_awake(shard)
        question = ShardQuestion(STATUS, b"", lambda one: one.status.remote())
        blob = await self._call(shard, question, RESOLVE_S)
        if not blob:
            raise CalendarRecovering
        return _STATUS.decode(blob)

    def _check_awake(self, shard: ShardId) -> None:
        """Raises ShardAsleep for one that this process knows no actor of."""
        if self._spec and not self._fixed and shard not in self._seats:
            raise ShardAsleep(f"shard {shard} is passive")

    async def _is_strange(self, shard: ShardId) -> bool:
        """Whether this shard's provider was never registered. Raises Unavailable."""
        if self._fixed or shard in self._seats or self._known is None:
            return False
        return not await self._known(shard)

    async def passivate(self, now: Millis, idle_ms: int) -> int:
        """End actors idle for this long, for placement "provider".

        Returns their number.

        A call to a closing actor fails as recovering, and its retry activates the shard
        again. Call it periodically in the creating process.
        """
        ended = 0
        for shard in () if self._fixed else tuple(self._seats):
            try:
                question = ShardQuestion(0, b"", lambda one: one.idle_ms.remote(now))
                idle = await self._call(shard, question, RESOLVE_S)
                if idle >= idle_ms:
                    await self._end(shard)
                    ended += 1
            except Unavailable:
                continue
        return ended

    def suspend(self) -> Sequence[ShardId]:
        """Ray has stopped with every shard: all calls fail at once until ``resume``.

        Calls under way end with an unknown outcome. Returns the shards that were in
        use: with placement "provider" no other record of them exists.
        """
        self._is_away = True
        in_use = tuple(self._seats)
        now = asyncio.get_running_loop().time()
        for patience in self._calls:
            if not patience.expired():
                patience.reschedule(now)
        self._resolving.clear()  # their callers have just been answered
        self._lines.close()
        self._lines = Lines()
        self._seats.clear()
        self._doubted.clear()
        self._looked_at.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)
        return in_use

    def resume(self) -> None:
        """Another Ray runs: shards are looked for in it."""
        self._threads = ThreadPoolExecutor(_LOOK_UPS_MAX, "shard-names")
        self._is_away = False

    async def close_shards(self, timeout_s: float) -> None:
        """Let every active shard store its changes and end; for a full stop."""
        closing = (self._end(shard, timeout_s) for shard in self.shards())
        await asyncio.gather(*closing, return_exceptions=True)

    async def close(self) -> None:
        """Close the lines; the shards continue."""
        self._lines.close()
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _end(self, shard: ShardId, timeout_s: float = 10.0) -> None:
        closing = ShardQuestion(0, b"", lambda one: one.close.remote())
        await self._call(shard, closing, timeout_s)
        seat = self._seats.pop(shard, None)
        self._looked_at.pop(shard, None)
        if seat is not None:
            self._lines.drop(seat.name)
            await asyncio.to_thread(ray.kill, seat.handle, no_restart=True)

    async def _call(
        self, shard: ShardId, question: ShardQuestion, timeout_s: float
    ) -> Any:
        """One bounded call. Whatever goes wrong, the outcome is unknown."""
        if self._is_away:
            raise CalendarRecovering("the shards are being started")
        patience = asyncio.timeout(timeout_s)
        try:
            async with patience:
                self._calls.add(patience)
                return await self._answer(shard, question)
        except TimeoutError:
            self._look_around(shard)
            raise Unavailable("the shard did not answer in time") from None
        except (LineLost, LineFailed):
            self._look_around(shard)
            raise Unavailable("the line to the shard broke") from None
        except ray_errors.ActorDiedError:
            # Its handle will never work again; the name may have a new owner.
            self._forget(shard)
            raise Unavailable("the shard's process has ended") from None
        except ray_errors.RayError as error:
            _LOG.debug("a call to shard %s failed: %r", shard, error)
            self._look_around(shard)
            raise Unavailable("the shard's process cannot be reached") from None
        finally:
            self._calls.discard(patience)

    async def _answer(self, shard: ShardId, question: ShardQuestion) -> Any:
        """Call under both names in turn until one serves the shard.

        A process that answers ELSEWHERE has done nothing; the call goes to the other.
        """
        pause_s = 0.0
        while True:
            seat = self._seats.get(shard) or await self._resolve(shard)
            try:
                reply = await self._reply(seat, question)
            except ray_errors.ActorDiedError:
                if question.kind not in _HARMLESS:
                    raise
                reply = ELSEWHERE  # moved since the last call; nothing can happen twice
            if not isinstance(reply, bytes) or reply != ELSEWHERE:
                return reply
            if self._seats.get(shard) is seat:
                self._forget(shard)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s + 0.002, _ASK_AGAIN_S)

    async def _reply(self, seat: Seat, question: ShardQuestion) -> Any:
        """Ask this process: over a line where there is one, through Ray otherwise."""
        if question.kind:
            line = await self._lines.to(seat.name, seat.handle.door.remote)
            if line is not None:
                return await line.call(question.kind, question.payload)
        return await question.through_ray(seat.handle)

    def _forget(self, shard: ShardId) -> None:
        """Avoid this process, if there is another."""
        seat = self._seats.pop(shard, None)
        if seat is not None:
            self._lines.drop(seat.name)
            self._doubted[shard] = seat.name

    def _look_around(self, shard: ShardId) -> None:
        """Check in the background whether a successor of the silent process serves.

        The silent one is kept meanwhile: without Ray's head nothing can be looked up,
        and known processes go on serving.
        """
        now = asyncio.get_running_loop().time()
        if (
            shard in self._resolving
            or shard not in self._seats
            or now < self._looked_at.get(shard, -_LOOK_EVERY_S) + _LOOK_EVERY_S
        ):
            return
        self._looked_at[shard] = now
        silent = self._seats[shard]
        self._doubted[shard] = silent.name
        self._lines.check(silent.name, silent.handle.door.remote)
        self._resolving_task(shard)

    async def _resolve(self, shard: ShardId) -> Seat:
        """Where the shard is; asked for once, off the loop, for Ray blocks."""
        task = self._resolving.get(shard) or self._resolving_task(shard)
        return await asyncio.shield(task)

    def _resolving_task(self, shard: ShardId) -> asyncio.Task[Seat]:
        task = asyncio.get_running_loop().create_task(self._found(shard))
        self._resolving[shard] = task

        def done(task: asyncio.Task[Seat]) -> None:
            if self._resolving.get(shard) is task:
                del self._resolving[shard]
            task.cancelled() or task.exception()  # the caller may have been cancelled

        task.add_done_callback(done)
        return task

    async def _found(self, shard: ShardId) -> Seat:
        threads = self._threads
        seats = await self._look_up(shard)
        if self._is_away or threads is not self._threads:
            raise CalendarRecovering(f"shard {shard} was lost with its Ray")
        if not seats:
            raise CalendarRecovering(f"shard {shard} is not there yet")
        doubted = self._doubted.pop(shard, "")
        if len(seats) > 1:  # in the midst of a hand-off, or after a broken one
            seats.sort(key=lambda seat: seat.name == doubted)
            seats = await _serving_first(seats)
        self._seats[shard] = seats[0]
        return seats[0]

    async def _look_up(self, shard: ShardId) -> list[Seat]:
        loop = asyncio.get_running_loop()
        if self._spec is not None and not self._fixed:
            async with self._activations:
                try:
                    made = await loop.run_in_executor(
                        self._threads, create_actor, shard, self._spec
                    )
                except ValueError:  # another process was creating it
                    return []
            return [Seat(actor_names(shard)[0], made)]
        return await loop.run_in_executor(self._threads, seats_of, shard)


def seats_of(shard: ShardId) -> list[Seat]:
    """The shard's actors, by its names; blocks for round trips to Ray's head."""
    found = []
    for name in actor_names(shard):
        try:
            found.append(Seat(name, ray.get_actor(name, namespace=NAMESPACE)))
        except ValueError:
            continue
    return found


async def _serving_first(seats: list[Seat]) -> list[Seat]:
    """The first that reports that it serves; in the given order if none does."""

    async def ask(seat: Seat) -> Seat | None:
        try:
            return seat if await seat.handle.serves.remote() else None
        except ray_errors.RayError:
            return None

    asked = [asyncio.ensure_future(ask(seat)) for seat in seats]
    try:
        for answer in asyncio.as_completed(asked, timeout=_PING_S):
            seat = await answer
            if seat is not None:
                return [seat]
    except TimeoutError:
        pass
    finally:
        for one in asked:
            one.cancel()
    return seats
