"""One shard in a process of its own: how it begins, is handed over, and ends.

A hand-off has two processes for a moment: the successor is made *warm* (everything is
imported and connected, nothing is opened), the owner flushes and is released, the
successor starts. The process that leads this may die after any step, so each process
has timeouts of its own: a released one that is not killed ends by itself, and so does
a warm one that is not started. Which of the two may write is decided by the journal's
epoch.

Plain asyncio; ``actors/remote/actor.py`` makes a Ray actor of it. Requests and replies
cross as one msgpack blob per call.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import Millis, ShardId
from actors.errors import Fenced, OwnershipError, Unavailable
from actors.hosting.mailbox import CLOSED, LEFT, Mailbox
from actors.ports import Request, ShardReply, ShardStatus, Trouble, TroubleCode

ELSEWHERE = b"\x00"
"""Sent instead of a reply: this process does not serve the shard, nothing was done;
call the one under the shard's other name. No message begins with this byte."""
MADE_S = 5.0
"""How long a call waits for a process that is still importing."""

_LOG = logging.getLogger("slotcast.shard")
_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS = msgspec.msgpack.Decoder(list[Request])
_STARTING = Trouble(TroubleCode.RECOVERING, "the shard is starting")


class HostTimeouts(Struct, frozen=True):
    """How long a process waits for the next step of a hand-off, in seconds."""

    released_s: float = 10.0
    """Released and not killed: it exits, for good if a successor has opened the shard,
    else to be restarted by Ray."""
    warm_s: float = 60.0
    """Warm and not started: it ends for good."""
    call_s: float = 0.1
    """How long a call waits for a warm process to start."""
    start_s: float = 30.0
    """How long ``start`` waits for the shard to open; it opens anyway."""
    again_s: float = 5.0
    """Pause before an exit that did not reach Ray is tried again."""


class ShardSpec(Struct, frozen=True):
    """How a process makes its mailbox: ``module:function``, and its arguments.

    The function, ``(config, shard) -> Mailbox``, is imported in the shard's process.
    """

    factory: str
    config: bytes
    num_cpus: float = 0.01
    """Threads of the process; few, since shards share the cores."""
    crash_on_unknown: bool = True
    """End the process when an append's outcome is unknown: a file whose sync failed
    is not to be trusted by the process that failed. A journal that is reached over a
    network only needs a new seal, so that an outage does not restart every process."""
    patience: HostTimeouts = HostTimeouts()


class Phase(StrEnum):
    """The phase of a process, apart from the state of its mailbox."""

    WARM = "warm"
    STARTED = "started"
    RELEASED = "released"


class ShardHost:
    """Holds one mailbox.

    An adapter turns it into a process and defines how that ends.
    """

    def __init__(self, shard: str, spec: ShardSpec, *, warm: bool = False) -> None:
        self._shard = ShardId(shard)
        self._spec = spec
        self._node = ""
        self._phase = Phase.WARM
        self._mailbox: Mailbox | None = None
        self._made = asyncio.Event()
        self._started = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_background(self._begin(warm=warm))

    # --- how a process ends: the adapter's ---------------------------------------

    def _crash(self) -> None:
        """End now; another process is started in this one's place."""
        raise NotImplementedError

    def _leave(self) -> None:
        """End for good, soon; nothing takes this process's place."""
        raise NotImplementedError

    async def _where(self) -> tuple[str, bool]:
        """The node's name, and whether this process stands in for one that ended."""
        return "", False

    # --- what gateways ask -------------------------------------------------------

    async def execute(self, blob: bytes) -> bytes:
        """Requests in, replies out, as many and in the same order; or ELSEWHERE."""
        requests = _REQUESTS.decode(blob)
        mailbox = await self._ready()
        if mailbox is None:
            return _ENCODER.encode([_STARTING] * len(requests))
        if not await self._is_here(mailbox):
            return ELSEWHERE
        replies = await mailbox.execute(requests)
        if replies and not _is_serving(mailbox) and _is_untouched(replies):
            return ELSEWHERE
        return _ENCODER.encode(replies)

    async def poll(self, epoch: int, number: int, wait_ms: int) -> bytes:
        """A FeedBatch; nothing if the shard is recovering; or ELSEWHERE."""
        mailbox = await self._ready()
        if mailbox is None:
            return b""
        if not await self._is_here(mailbox):
            return ELSEWHERE
        try:
            batch = await mailbox.poll(epoch, number, wait_ms)
        except Unavailable:
            return b"" if _is_serving(mailbox) else ELSEWHERE
        return _ENCODER.encode(batch)

    async def serves(self) -> bool:
        """Whether requests are answered here, now or as soon as the shard is open."""
        mailbox = self._mailbox
        return (
            mailbox is not None
            and self._phase is Phase.STARTED
            and _is_serving(mailbox)
        )

    async def status(self) -> bytes:
        """A ShardStatus; nothing if the shard is not made yet; or ELSEWHERE."""
        mailbox = self._mailbox
        if mailbox is not None and not await self._is_here(mailbox):
            return ELSEWHERE
        return await self.report()

    async def idle_ms(self, now: int) -> int:
        """Time since the last request."""
        return self._mailbox.idle_ms(Millis(now)) if self._mailbox else 0

    # --- what a hand-off asks ----------------------------------------------------

    async def report(self) -> bytes:
        """A ShardStatus, whether the shard is served here or not."""
        mailbox = self._mailbox
        return _ENCODER.encode(self._account(mailbox)) if mailbox else b""

    async def ready(self) -> bytes:
        """A ShardStatus once everything is imported and connected."""
        await self._made.wait()
        return await self.report()

    async def flush(self) -> int:
        """Store what changed, while serving; events that a successor must replay."""
        return await self._mailbox.flush() if self._mailbox else 0

    async def release(self) -> bytes:
        """Stop serving, for a successor; callers get ELSEWHERE from now on.

        Returns a ShardStatus. Must be followed by the end of this process.
        """
        await self._end(store=False)
        return await self.report()

    async def start(self) -> bytes:
        """Open the shard; a ShardStatus when it answers, or as it is after a while.

        A process that was released never starts again.
        """
        await self._made.wait()
        mailbox = self._mailbox
        assert mailbox is not None
        if self._phase is not Phase.RELEASED:
            self._go(mailbox)
            with suppress(TimeoutError, OwnershipError):
                async with asyncio.timeout(self._spec.patience.start_s):
                    await mailbox.open()
        return await self.report()

    async def close(self) -> None:
        """Store what changed and stop answering; the process may then be killed."""
        await self._end(store=True)

    # --- life --------------------------------------------------------------------

    async def _begin(self, *, warm: bool) -> None:
        where, mailbox = await asyncio.gather(self._where(), self._make())
        self._node, is_stand_in = where
        mailbox.on_fenced = self._depart
        if self._spec.crash_on_unknown:
            mailbox.on_unknown = self._crash
        # It is unknown whether a process that ended had been started: its stand-in
        # opens at once. If that was wrong, the other one is fenced, and leaves.
        if warm and not is_stand_in:
            await mailbox.warm()
            self._in_background(self._unless_started())
        self._mailbox = mailbox
        if not warm or is_stand_in:
            self._go(mailbox)
        self._made.set()

    async def _make(self) -> Mailbox:
        module, _, name = self._spec.factory.partition(":")
        while True:
            try:
                make: Callable[[bytes, ShardId], Mailbox]
                make = getattr(importlib.import_module(module), name)
                return make(self._spec.config, self._shard)
            except Exception:  # noqa: BLE001 - a disk may come back
                _LOG.exception("shard %s cannot be made; trying again", self._shard)
                await asyncio.sleep(1.0)

    def _go(self, mailbox: Mailbox) -> None:
        self._phase = Phase.STARTED
        mailbox.start()
        self._started.set()

    async def _end(self, *, store: bool) -> None:
        mailbox = await self._ready()
        if mailbox is None or self._phase is Phase.RELEASED:
            return
        self._phase = Phase.RELEASED
        self._in_background(self._unless_killed(mailbox))
        await mailbox.close(store=store)

    async def _unless_started(self) -> None:
        try:
            async with asyncio.timeout(self._spec.patience.warm_s):
                await self._started.wait()
        except TimeoutError:
            if self._phase is Phase.WARM:
                _LOG.warning("shard %s was not started here", self._shard)
                self._phase = Phase.RELEASED
                await self._leave_for_good()

    async def _unless_killed(self, mailbox: Mailbox) -> None:
        await asyncio.sleep(self._spec.patience.released_s)
        while True:
            try:
                await mailbox.confirm()
            except Fenced:
                await self._leave_for_good()
            except Exception as fault:  # noqa: BLE001 - who owns it is not known now
                _LOG.warning("released shard %s: %r", self._shard, fault)
                await asyncio.sleep(1.0)
                continue
            _LOG.error("shard %s was released, and not taken over", self._shard)
            self._crash()
            return

    def _depart(self) -> None:
        """Another owner exists.

        Exit for good, since a restart would take the shard back.
        """
        self._in_background(self._leave_for_good())

    async def _leave_for_good(self) -> None:
        while True:
            try:
                self._leave()
            except Exception as fault:  # noqa: BLE001 - Ray's head may be away
                _LOG.warning("shard %s cannot leave yet: %r", self._shard, fault)
            await asyncio.sleep(self._spec.patience.again_s)

    # --- pieces ------------------------------------------------------------------

    async def _ready(self) -> Mailbox | None:
        if self._mailbox is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(MADE_S):
                    await self._made.wait()
        return self._mailbox

    async def _is_here(self, mailbox: Mailbox) -> bool:
        """Whether this process serves; one that is about to start is waited for."""
        if self._phase is Phase.WARM:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._spec.patience.call_s):
                    await self._started.wait()
        return self._phase is Phase.STARTED and _is_serving(mailbox)

    def _account(self, mailbox: Mailbox) -> ShardStatus:
        status = replace(mailbox.status(), node=self._node)
        if self._phase is Phase.WARM:
            return replace(status, state="warm")
        return status

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_serving(mailbox: Mailbox) -> bool:
    """A damaged shard counts as serving: it reports the damage itself."""
    return mailbox.state not in ("closed", "left")


def _is_untouched(replies: Sequence[ShardReply]) -> bool:
    """Whether nothing was done for any of these requests."""
    return all(reply is CLOSED or reply is LEFT for reply in replies)
