"""Shards as Ray actors, and the links to them; the only module here that knows Ray.

Ray gives placement, restart and transport. It does not give single activation (the
journal's epochs do), durability (the journal does) or at-most-once (keys do): an
error of a call never means "not executed".

Every method of ``ShardActor`` runs in the default concurrency group, for each group
has a loop of its own and a shard has one writer. Requests and replies cross as one
msgpack blob per call. See docs/decisions.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import ray
from ray import exceptions as ray_errors

from actors.domain.answers import NextFreeView, PositionsView
from actors.domain.changes import FeedBatch
from actors.domain.commands import RegisterProvider
from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.reads import ReadNextFree, ReadPositions
from actors.domain.refusals import NO_PROVIDER
from actors.errors import CalendarRecovering, Unavailable
from actors.mailbox import Mailbox
from actors.placement import Placing
from actors.ports import Request, ShardReply, ShardStatus, Trouble, TroubleCode

ActorHandle = Any
"""What Ray gives for an actor; its methods have a ``remote``."""
NAMESPACE = "slotcast"
"""Names of actors live in it; without one each driver has a namespace of its own."""
ACTIVATIONS_MAX = 2
"""Actors created at a time: each costs a third of a second of CPU."""
RESOLVE_S = 5.0
POLL_GRACE_S = 5.0

_LOG = logging.getLogger("slotcast.shard")
_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS = msgspec.msgpack.Decoder(list[Request])
_REPLIES = msgspec.msgpack.Decoder(list[ShardReply])
_FEED = msgspec.msgpack.Decoder(FeedBatch)
_STATUS = msgspec.msgpack.Decoder(ShardStatus)
_OPENING = Trouble(TroubleCode.RECOVERING, "the shard is starting")


class ShardSpec(msgspec.Struct, frozen=True):
    """How an actor makes its mailbox: ``module:function``, and what it is given.

    The function, ``(config, shard) -> Mailbox``, is imported in the actor's process.
    """

    factory: str
    config: bytes
    num_cpus: float = 0.01
    """Held for life; small, for shards share the cores."""


class ShardActor:
    """One shard in a process of its own. Its constructor never raises."""

    def __init__(self, shard: str, factory: str, config: bytes) -> None:
        self._mailbox: Mailbox | None = None
        self._made = asyncio.Event()
        starting = self._start(ShardId(shard), factory, config)
        self._starting = asyncio.get_running_loop().create_task(starting)

    async def execute(self, blob: bytes) -> bytes:
        """Requests in, replies out, as many and in the same order."""
        requests = _REQUESTS.decode(blob)
        mailbox = await self._ready()
        if mailbox is None:
            return _ENCODER.encode([_OPENING] * len(requests))
        replies = await mailbox.execute(requests)
        self._leave_if_fenced(mailbox)
        return _ENCODER.encode(replies)

    async def poll(self, epoch: int, number: int, wait_ms: int) -> bytes:
        """A FeedBatch; nothing if the shard is recovering."""
        mailbox = await self._ready()
        if mailbox is None:
            return b""
        try:
            batch = await mailbox.poll(epoch, number, wait_ms)
        except Unavailable:
            self._leave_if_fenced(mailbox)
            return b""
        return _ENCODER.encode(batch)

    async def status(self) -> bytes:
        """A ShardStatus; nothing if the shard is not made yet."""
        return _ENCODER.encode(self._mailbox.status()) if self._mailbox else b""

    async def idle_ms(self, now: int) -> int:
        """For how long nobody has asked anything."""
        return self._mailbox.idle_ms(Millis(now)) if self._mailbox else 0

    async def close(self) -> None:
        """Store what changed and stop answering; the process may then be killed."""
        if self._mailbox is not None:
            await self._mailbox.close()

    async def _ready(self) -> Mailbox | None:
        if self._mailbox is None:
            try:
                async with asyncio.timeout(RESOLVE_S):
                    await self._made.wait()
            except TimeoutError:
                return None
        return self._mailbox

    async def _start(self, shard: ShardId, factory: str, config: bytes) -> None:
        module, _, name = factory.partition(":")
        mailbox: Mailbox | None = None
        while mailbox is None:
            try:
                mailbox = getattr(importlib.import_module(module), name)(config, shard)
            except Exception:  # noqa: BLE001 - a disk may come back
                _LOG.exception("shard %s cannot be made; trying again", shard)
                await asyncio.sleep(1.0)
        mailbox.on_unknown = _crash
        self._mailbox = mailbox
        mailbox.start()
        self._made.set()

    def _leave_if_fenced(self, mailbox: Mailbox) -> None:
        """Another owner exists: end for good, for a restart would steal it back."""
        if mailbox.state == "left":
            ray.actor.exit_actor()


def _crash() -> None:
    """Only the journal knows the outcome: let Ray start a process that asks it."""
    os._exit(1)


def create_shard(shard: ShardId, spec: ShardSpec) -> ActorHandle:
    """Create the shard's actor, or find it; blocks for a round trip to Ray's head.

    Only one process of a site may do this. The actor outlives it (detached) and is
    restarted for ever.
    """
    options = ray.remote(ShardActor).options(
        name=_actor_name(shard),
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_task_retries=0,
        num_cpus=spec.num_cpus,
        max_concurrency=1000,
        scheduling_strategy="SPREAD",
        enable_task_events=False,
    )
    handle: ActorHandle = options.remote(shard, spec.factory, spec.config)
    return handle


def create_shards(shards: Sequence[ShardId], spec: ShardSpec) -> None:
    """Create the actors of all shards at once; they open in their own time."""
    for shard in shards:
        create_shard(shard, spec)


def _actor_name(shard: ShardId) -> str:
    return f"shard-{shard}"


def _not_found(request: Request) -> ShardReply:
    """What a shard answers about a provider that does not exist."""
    if isinstance(request, ReadNextFree):
        return NextFreeView({})
    if isinstance(request, ReadPositions):
        return PositionsView(0, {})
    return NO_PROVIDER


class RayLinks:
    """``ShardLinks`` to Ray actors.

    ``spec`` is for placement "provider": a shard without an actor is then created
    when first asked. But only one that is ``known``, or asked to register: whoever
    invents ids must not get a process for each.
    """

    def __init__(
        self,
        placing: Placing,
        shards: Sequence[ShardId],
        spec: ShardSpec | None = None,
        *,
        known: Callable[[ShardId], bool] = lambda _shard: True,
    ) -> None:
        self._placing = placing
        self._fixed = tuple(shards)
        self._spec = spec
        self._known = known
        self._handles: dict[ShardId, ActorHandle] = {}
        self._resolving: dict[ShardId, asyncio.Task[ActorHandle]] = {}
        self._activations = asyncio.Semaphore(ACTIVATIONS_MAX)

    def shards(self) -> Sequence[ShardId]:
        """All shards for placement "shard"; the active ones for "provider"."""
        return self._fixed or tuple(self._handles)

    def shard_of(self, provider: ProviderId) -> ShardId:
        """Which shard decides about this provider."""
        return self._placing(provider)

    async def execute(
        self, shard: ShardId, requests: Sequence[Request], timeout_s: float
    ) -> Sequence[ShardReply]:
        """Ask a shard; see ``ShardLinks.execute``."""
        if self._is_strange(shard) and not any(
            isinstance(request, RegisterProvider) for request in requests
        ):
            return [_not_found(request) for request in requests]
        blob = _ENCODER.encode(requests)
        return _REPLIES.decode(
            await self._call(shard, lambda one: one.execute.remote(blob), timeout_s)
        )

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        """Changes after the cursor; see ``Feed.poll``. Wakes no passive shard."""
        if self._spec and not self._fixed and shard not in self._handles:
            raise CalendarRecovering(f"shard {shard} is passive")
        blob = await self._call(
            shard,
            lambda one: one.poll.remote(epoch, number, wait_ms),
            wait_ms / 1000 + POLL_GRACE_S,
        )
        if not blob:
            raise CalendarRecovering
        return _FEED.decode(blob)

    async def status(self, shard: ShardId) -> ShardStatus:
        """The shard's own account."""
        if self._is_strange(shard):
            raise CalendarRecovering(f"there is no shard {shard}")
        blob = await self._call(shard, lambda one: one.status.remote(), RESOLVE_S)
        if not blob:
            raise CalendarRecovering
        return _STATUS.decode(blob)

    def _is_strange(self, shard: ShardId) -> bool:
        """Whether nobody registered this shard's provider, as far as we know."""
        if self._fixed or shard in self._handles:
            return False
        return not self._known(shard)

    async def passivate(self, now: Millis, idle_ms: int) -> int:
        """End actors idle for so long, for placement "provider"; how many ended.

        A call that meets a closing actor is told that it recovers, and its retry
        activates the shard anew. Call it now and then in the creating process.
        """
        ended = 0
        for shard in () if self._fixed else tuple(self._handles):
            try:
                idle = await self._call(
                    shard, lambda one: one.idle_ms.remote(now), RESOLVE_S
                )
                if idle >= idle_ms:
                    await self._end(shard)
                    ended += 1
            except Unavailable:
                continue
        return ended

    async def close_shards(self, timeout_s: float) -> None:
        """Let every active shard store what changed, and end; for a full stop."""
        closing = (self._end(shard, timeout_s) for shard in self.shards())
        await asyncio.gather(*closing, return_exceptions=True)

    async def _end(self, shard: ShardId, timeout_s: float = 10.0) -> None:
        await self._call(shard, lambda one: one.close.remote(), timeout_s)
        handle = self._handles.pop(shard, None)
        if handle is not None:
            await asyncio.to_thread(ray.kill, handle, no_restart=True)

    async def _call(
        self, shard: ShardId, send: Callable[[ActorHandle], Any], timeout_s: float
    ) -> Any:
        """One bounded call. Whatever goes wrong, the outcome is unknown."""
        try:
            async with asyncio.timeout(timeout_s):
                handle = self._handles.get(shard) or await self._resolve(shard)
                return await send(handle)
        except TimeoutError:
            raise Unavailable("the shard did not answer in time") from None
        except ray_errors.ActorDiedError:
            # Its handle will never work again; the name may have a new owner.
            self._handles.pop(shard, None)
            raise Unavailable("the shard's process has ended") from None
        except ray_errors.RayError as error:
            _LOG.debug("a call to shard %s failed: %r", shard, error)
            raise Unavailable("the shard's process cannot be reached") from None

    async def _resolve(self, shard: ShardId) -> ActorHandle:
        """The shard's handle; asked for once, off the loop, for Ray blocks."""
        task = self._resolving.get(shard)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._found(shard))
            self._resolving[shard] = task
            task.add_done_callback(lambda _: self._resolving.pop(shard, None))
        return await asyncio.shield(task)

    async def _found(self, shard: ShardId) -> ActorHandle:
        handle: ActorHandle
        try:
            if self._spec is not None and not self._fixed:
                async with self._activations:
                    handle = await asyncio.to_thread(create_shard, shard, self._spec)
            else:
                handle = await asyncio.to_thread(
                    ray.get_actor, _actor_name(shard), namespace=NAMESPACE
                )
        except ValueError:
            raise CalendarRecovering(f"shard {shard} is not there yet") from None
        self._handles[shard] = handle
        return handle
