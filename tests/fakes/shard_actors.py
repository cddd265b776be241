"""Shards' processes without Ray: they crash, are restarted and leave as Ray's do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from actors.domain.ids import Millis, ShardId
from actors.domain.rules import Policy
from actors.errors import Unavailable
from actors.hosting.mailbox import Mailbox
from actors.hosting.process import HostTimeouts, ShardHost, ShardSpec
from actors.ports import ShardStatus
from actors.remote.actor import actor_names
from actors.shard.limits import ShardLimits
from cluster.keeping.moves import Question
from cluster.keeping.survey import ClusterNode, Survey
from persistence.journal.memory import MemoryJournal
from persistence.snapshots.memory import MemorySnapshots
from tests.unit.actors import practice

HASTY = HostTimeouts(released_s=0.2, warm_s=0.4, call_s=0.02, start_s=2.0, again_s=0.05)
"""All give up early, so that a test need not wait."""
PATIENT = replace(HASTY, released_s=600.0, warm_s=600.0)
"""No watchdog ends anything while a test runs, however slow the machine is."""
_NO_CONFIG = b""


class FixedClock:
    def now(self) -> Millis:
        return practice.NOW

    def steady(self) -> Millis:
        return self.now()


class FakeProcess(ShardHost):
    """One process; what it would do to itself it tells the cluster."""

    def __init__(
        self,
        cluster: FakeActors,
        shard: ShardId,
        name: str,
        node: str,
        *,
        warm: bool,
        restarted: bool = False,
    ) -> None:
        self.cluster, self.name, self.node = cluster, name, node
        self.restarted = restarted
        self.warm = warm
        super().__init__(shard, cluster.spec, warm=warm)

    async def _where(self) -> tuple[str, bool]:
        return self.node, self.restarted

    async def _make(self) -> Mailbox:
        return self.cluster.mailbox(self._shard)

    def _crash(self) -> None:
        self.cluster.crashed(self)

    def _leave(self) -> None:
        self.cluster.left(self)

    async def stop(self) -> None:
        """End as a killed process does: at once, and nothing is stored."""
        tasks = [*self._tasks]
        if self._mailbox is not None and self._mailbox._driver is not None:
            tasks.append(self._mailbox._driver)
        for task in tasks:
            task.cancel()
        current = asyncio.current_task()
        ended = [task for task in tasks if task is not current]
        await asyncio.gather(*ended, return_exceptions=True)


class FakeActors:
    """``Fleet`` in this process. ``deaf`` processes do not answer until they are ended,
    ``never`` ones never do; for ``away`` surveys there is no head."""

    def __init__(self, patience: HostTimeouts = HASTY) -> None:
        self.spec = ShardSpec("", _NO_CONFIG, crash_on_unknown=False, patience=patience)
        self.journal = MemoryJournal()
        self.snapshots = MemorySnapshots()
        self.limits = ShardLimits(check_ms=100, retry_ms=5)
        self.processes: dict[str, FakeProcess] = {}
        self.deaf: set[str] = set()
        self.never: set[str] = set()
        self.away = 0
        self.left_for_good: list[str] = []
        self.crashes: list[str] = []
        self.nodes: dict[str, ClusterNode] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def join(self, *names: str, weight: float = 1.0) -> None:
        """Nodes that live from now on."""
        for name in names:
            self.nodes[name] = ClusterNode(name, f"id-{name}", weight, draining=False)

    async def survey(self) -> Survey:
        if self.away:
            self.away -= 1
            raise Unavailable("the head does not answer")
        seats: dict[ShardId, dict[str, str]] = {}
        for name, process in self.processes.items():
            seats.setdefault(process._shard, {})[name] = process.node
        return Survey(dict(self.nodes), seats)

    async def mark(self, node: ClusterNode, *, draining: bool) -> None:
        self.nodes[node.name] = replace(node, draining=draining)

    def mailbox(self, shard: ShardId) -> Mailbox:
        return Mailbox(
            shard,
            self.journal,
            self.snapshots,
            FixedClock(),
            Policy(),
            self.limits,
        )

    # --- the port ----------------------------------------------------------------

    def names(self, shard: ShardId) -> tuple[str, str]:
        return actor_names(shard)

    async def alive(self, shard: ShardId) -> Sequence[str]:
        return [name for name in actor_names(shard) if name in self.processes]

    async def create(self, shard: ShardId, name: str, node: str, *, warm: bool) -> None:
        if name not in self.processes:
            self.processes[name] = FakeProcess(self, shard, name, node, warm=warm)

    async def ask(
        self, name: str, question: Question, timeout_s: float
    ) -> ShardStatus | None:
        process = self.processes.get(name)
        if process is None or name in self.deaf | self.never:
            raise Unavailable(f"{name} does not answer")
        try:
            async with asyncio.timeout(timeout_s):
                reply = await getattr(process, question.value)()
        except TimeoutError:
            raise Unavailable(f"{name} does not answer") from None
        if isinstance(reply, bytes) and reply:
            return msgspec.msgpack.decode(reply, type=ShardStatus)
        return None

    async def end(self, name: str, *, restart: bool = False) -> None:
        process = self.processes.pop(name, None)
        self.deaf.discard(name)
        if process is not None:
            await process.stop()
            if restart:
                self._restart(process)

    # --- what processes do to themselves -----------------------------------------

    def crashed(self, process: FakeProcess) -> None:
        self.crashes.append(process.name)
        if self.processes.get(process.name) is process:
            self._restart(process)
        self._stop_soon(process)

    def left(self, process: FakeProcess) -> None:
        if self.processes.get(process.name) is process:
            self.left_for_good.append(process.name)
            del self.processes[process.name]
        self._stop_soon(process)

    def _restart(self, process: FakeProcess) -> None:
        self.processes[process.name] = FakeProcess(
            self,
            process._shard,
            process.name,
            process.node,
            warm=process.warm,
            restarted=True,
        )

    def _stop_soon(self, process: FakeProcess) -> None:
        task = asyncio.get_running_loop().create_task(process.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # --- what tests look at ------------------------------------------------------

    async def serving(self, shard: ShardId) -> list[str]:
        """The names of those who would answer now."""
        return [
            name
            for name in await self.alive(shard)
            if await self.processes[name].serves()
        ]

    async def close(self) -> None:
        for process in list(self.processes.values()):
            await process.stop()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._ending, return_exceptions=True)
