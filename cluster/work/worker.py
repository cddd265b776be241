"""The worker: claims due jobs, runs them, records their outcomes.

Each kind of job has a bounded number in flight, and a kind at its bound is not claimed:
a slow or failing channel cannot fill the batches of another. Outcomes are recorded in
batches. A stopping worker lets running jobs finish for a bounded time; unfinished jobs
become due again when their claims expire.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.jobs.jobs import Completed, Failed, Job, JobError, Outcome
from care.jobs.periodic import Periodic, current_jobs
from care.jobs.ports import Handler, JobQueue, JobSource
from care.sharing import Wakeups
from cluster.wiring.background import pause

log = logging.getLogger(__name__)

IN_FLIGHT_PER_KIND: Final = 64
"""Jobs of one kind that this worker runs at a time."""
LEASE_MS: Final = 60_000
"""Duration of a claim."""
HANDLER_S: Final = 40.0
"""Timeout of a job in seconds: well below its claim, so that no other worker can have
it."""
POLL_S: Final = 1.0
"""How long the worker sleeps when nothing is due: jobs are due at instants."""
GATHER_S: Final = 0.005
"""Pause of a busy lane between two claims: without it each finished job is recorded by
itself, and the next is claimed by itself."""
AWAY_S: Final = 5.0
"""Pause after a store did not answer."""
FINISH_S: Final = 8.0
"""Seconds running jobs may take to finish when the worker stops."""
PERIODIC_S: Final = 30.0
"""Interval of adding the jobs of the current periods, in seconds."""


class Lane(Struct, frozen=True):
    """A source of jobs, the handlers of its kinds, and the topic that wakes it."""

    source: JobSource
    handlers: Mapping[str, Handler]
    topic: str
    in_flight: int = IN_FLIGHT_PER_KIND
    """Jobs of one kind that run at a time; more where they share transactions and
    reach no other machine."""
    gather_s: float = GATHER_S
    """Pause of the busy lane between two claims; longer where jobs share transactions
    and none of them is urgent, since each round has a price of its own."""


class Worker:
    """Runs the jobs of some lanes until told to stop."""

    def __init__(
        self, name: str, lanes: Sequence[Lane], clock: Clock, wakeups: Wakeups
    ) -> None:
        self._name = name
        self._lanes = [lane for lane in lanes if lane.handlers]
        self._clock = clock
        self._wakeups = wakeups
        self.ran: Counter[str] = Counter()
        """Finished attempts by kind and outcome, like ``jobs.tidy.done``."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then finish running jobs; bounded."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(_LaneRun(self, lane).run(stop))

    def attempts(self, how: str) -> int:
        """Finished attempts of all kinds that were ``done``, or that ``failed``."""
        return sum(n for name, n in self.ran.items() if name.endswith(f".{how}"))

    async def keep_periodic(
        self, queue: JobQueue, periodic: Sequence[Periodic], stop: asyncio.Event
    ) -> None:
        """Add the job of each current period, until told to stop."""
        while not stop.is_set():
            now = self._clock.now()
            try:
                if await queue.add(current_jobs(periodic, now), now=now):
                    for lane in self._lanes:
                        self._wakeups.notify(lane.topic)
            except Unavailable as error:
                log.warning("periodic jobs were not added: %s", error)
            await pause(stop, PERIODIC_S)


class _LaneRun:
    """One lane while the worker lives."""

    def __init__(self, worker: Worker, lane: Lane) -> None:
        self._worker = worker
        self._lane = lane
        self._running: dict[asyncio.Task[None], str] = {}
        self._ended: list[tuple[Job, Outcome]] = []
        self._any_ended = asyncio.Event()
        self._is_behind = False
        """Whether the last claim took as many jobs as it might: more are due."""

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                claimed = await self._claim()
                await self._record()
            except Unavailable as error:
                log.warning("jobs wait: %s", error)
                await pause(stop, AWAY_S)
                continue
            if not claimed and not self._ended:
                await self._sleep(stop)
            # Jobs that end together are recorded, and replaced, together.
            await asyncio.sleep(GATHER_S if self._is_behind else self._lane.gather_s)
        await self._finish()

    async def _claim(self) -> int:
        """Claim jobs of every kind below its bound, and start them.

        Returns their number.
        """
        busy = Counter(self._running.values())
        room = {
            kind: self._lane.in_flight - busy[kind]
            for kind in self._lane.handlers
            if busy[kind] < self._lane.in_flight
        }
        worker, source = self._worker, self._lane.source
        count, behind = 0, len(room) < len(self._lane.handlers)
        for kind in await source.due(room, now=self._now()):
            jobs = await source.claim(
                worker._name,
                kinds={kind},
                now=self._now(),
                lease_ms=LEASE_MS,
                limit=room[kind],
            )
            for job in jobs:
                self._begin(job)
            count += len(jobs)
            behind |= len(jobs) == room[kind]
        self._is_behind = behind
        return count

    def _begin(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(self._attempt(job))
        self._running[task] = job.kind
        task.add_done_callback(self._running.pop)

    async def _attempt(self, job: Job) -> None:
        """Run one job; every result, also an exception, becomes an outcome."""
        outcome: Outcome
        try:
            async with asyncio.timeout(HANDLER_S):
                await self._lane.handlers[job.kind](job)
        except JobError as error:
            outcome = error.outcome
        except TimeoutError:
            outcome = Failed(f"no end after {HANDLER_S:.0f} s")
        except Exception as error:
            # The message may contain personal data: only its type goes to the record,
            # the trace to the operator's log.
            log.exception("job failed", extra={"kind": job.kind, "job": job.id})
            outcome = Failed(type(error).__name__)
        else:
            outcome = Completed()
        how = "failed" if isinstance(outcome, Failed) else "done"
        self._worker.ran[f"{job.kind}.{how}"] += 1
        self._ended.append((job, outcome))
        self._any_ended.set()

    async def _record(self) -> None:
        """Record all outcomes so far; they are kept if the store does not answer."""
        self._any_ended.clear()
        if not self._ended:
            return
        ended = list(self._ended)
        await self._lane.source.finish(ended, now=self._now())
        del self._ended[: len(ended)]

    async def _sleep(self, stop: asyncio.Event) -> None:
        """Wait for the end of a job, a wake-up, ``stop``, or the next poll."""
        waiting = [
            asyncio.ensure_future(one)
            for one in (
                stop.wait(),
                self._any_ended.wait(),
                self._worker._wakeups.wait(self._lane.topic, POLL_S),
            )
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _finish(self) -> None:
        """Let running jobs end, then record what ended."""
        if self._running:
            await asyncio.wait(self._running, timeout=FINISH_S)
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await self._record()
        except Unavailable as error:
            log.warning("%d outcomes were not recorded: %s", len(self._ended), error)

    def _now(self) -> Millis:
        return self._worker._clock.now()
