"""The worker: jobs run once per claim, kinds do not hold each other up, it stops."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from actors.domain.ids import Millis
from care.jobs.jobs import (
    Completed,
    Failed,
    Job,
    JobError,
    NewJob,
)
from care.jobs.periodic import Periodic
from care.sharing import JOBS
from cluster.work import worker as module
from cluster.work.worker import Lane, Worker
from persistence.shared.memory import LocalWakeups
from tests.fakes.clocks import SteppedClock
from tests.fakes.jobs import MemoryJobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from care.jobs.ports import Handler

NOW = Millis(1_700_000_000_000)


@asynccontextmanager
async def working(
    jobs: MemoryJobs, handlers: dict[str, Handler]
) -> AsyncIterator[Worker]:
    """A worker on these jobs, stopped at the end."""
    worker = Worker(
        "w", [Lane(jobs, handlers, JOBS)], SteppedClock(NOW), LocalWakeups()
    )
    stop = asyncio.Event()
    task = asyncio.ensure_future(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


def new(kind: str, count: int) -> list[NewJob]:
    """Due jobs of a kind."""
    return [NewJob(kind, f"{kind}{n}", NOW) for n in range(count)]


async def test_each_claimed_job_is_run_and_its_outcome_recorded() -> None:
    """Success, a failure with a reason, and a defect each end as what they are."""

    async def good(_job: Job) -> None:
        return

    async def refused(_job: Job) -> None:
        raise JobError("mailbox full", after_ms=60_000)

    async def broken(_job: Job) -> None:
        raise ValueError("Mrs Jones's address")

    jobs = MemoryJobs()
    jobs.waiting = [*new("good", 1), *new("refused", 1), *new("broken", 1)]
    handlers: dict[str, Handler] = {"good": good, "refused": refused, "broken": broken}
    async with working(jobs, handlers) as worker:
        await jobs.until(3)
    assert jobs.ended == {
        "good0": Completed(),
        "refused0": Failed("mailbox full", 60_000),
        "broken0": Failed("ValueError"),
    }
    assert worker.ran == {"good.done": 1, "refused.failed": 1, "broken.failed": 1}


async def test_a_kind_that_hangs_does_not_hold_up_another() -> None:
    """A thousand jobs of a channel that is down leave room for all others."""
    release = asyncio.Event()
    most = 0
    now = 0

    async def hangs(_job: Job) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await release.wait()
        now -= 1

    async def quick(_job: Job) -> None:
        return

    jobs = MemoryJobs()
    jobs.waiting = [*new("hangs", 1_000), *new("quick", 200)]
    async with working(jobs, {"hangs": hangs, "quick": quick}):
        await jobs.until(200)
        assert set(jobs.ended) == {f"quick{n}" for n in range(200)}
        release.set()
        await jobs.until(1_200)
    assert most == module.IN_FLIGHT_PER_KIND


async def test_a_job_without_end_is_failed_before_its_claim_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A handler is cut off while the claim still holds."""
    monkeypatch.setattr(module, "HANDLER_S", 0.01)

    async def hangs(_job: Job) -> None:
        await asyncio.Event().wait()

    jobs = MemoryJobs()
    jobs.waiting = new("hangs", 1)
    async with working(jobs, {"hangs": hangs}):
        await jobs.until(1)
    assert isinstance(jobs.ended["hangs0"], Failed)
    assert module.HANDLER_S < module.LEASE_MS / 1000


async def test_outcomes_outlast_a_store_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What ended while the store was away is recorded when it is back."""
    monkeypatch.setattr(module, "AWAY_S", 0.01)
    jobs = MemoryJobs()
    jobs.waiting = new("quick", 3)

    all_ran, ran = asyncio.Event(), 0

    async def quick(_job: Job) -> None:
        nonlocal ran
        ran += 1
        jobs.is_away = True
        if ran == 3:
            all_ran.set()

    async with working(jobs, {"quick": quick}):
        await all_ran.wait()
        assert not jobs.ended
        jobs.is_away = False
        await jobs.until(3)
    assert set(jobs.ended.values()) == {Completed()}


async def test_a_stopping_worker_lets_running_jobs_finish() -> None:
    """Stop is graceful: what runs is finished and recorded, nothing new begins."""
    began, release = asyncio.Event(), asyncio.Event()

    async def slow(_job: Job) -> None:
        began.set()
        await release.wait()

    jobs = MemoryJobs()
    jobs.waiting = new("slow", 1)
    async with working(jobs, {"slow": slow}):
        await began.wait()
        jobs.waiting += new("late", 1)
        asyncio.get_running_loop().call_soon(release.set)
    assert jobs.ended == {"slow0": Completed()}
    assert [one.kind for one in jobs.waiting] == ["late"]


async def test_periodic_jobs_are_added_once_a_period() -> None:
    """However often a worker looks, a period has one job."""
    jobs, stop = MemoryJobs(), asyncio.Event()
    worker = Worker("w", [], SteppedClock(NOW), LocalWakeups())
    hourly = [Periodic("tidy", 3_600_000)]
    for _ in range(2):
        task = asyncio.ensure_future(worker.keep_periodic(jobs, hourly, stop))
        await jobs.asked.wait()
        jobs.asked.clear()
        stop.set()
        await task
        stop.clear()
    assert len(jobs.waiting) == 1


async def test_a_backlog_is_not_kept_waiting_for_more_to_gather() -> None:
    """A lane whose claim was full claims again at once; its pause here is an hour."""

    async def quick(_job: Job) -> None:
        return

    jobs = MemoryJobs()
    jobs.waiting = new("quick", 12)
    lane = Lane(jobs, {"quick": quick}, JOBS, in_flight=4, gather_s=3_600)
    worker = Worker("w", [lane], SteppedClock(NOW), LocalWakeups())
    task = asyncio.ensure_future(worker.run(asyncio.Event()))
    await jobs.until(12)
    assert len(jobs.ended) == 12
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
