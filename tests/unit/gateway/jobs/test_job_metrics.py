"""What /metrics shows of background jobs."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from actors.domain.ids import Millis
from care.jobs.jobs import DeadJob, JobCounts, NewJob
from gateway.metrics import fresh
from gateway.metrics import jobs as module
from gateway.metrics.jobs import JobCollector
from tests.fakes.clocks import SteppedClock
from tests.fakes.jobs import MemoryJobs

NOW = Millis(1_700_000_000_000)


class Queue(MemoryJobs):
    """A queue that counts how often it is asked, and has one overdue job."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0
        self.hangs = False

    async def counts(self, now: Millis) -> JobCounts:
        self.counted += 1
        if self.hangs:
            await asyncio.Event().wait()
        self._check()
        return JobCounts(
            len(self.waiting), 0, len(self.letters), oldest_due_at=Millis(now - 90_000)
        )


async def shown(collector: JobCollector) -> dict[str, float]:
    await collector.refresh()
    registry = CollectorRegistry()
    registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#")]
    return {name.removeprefix("slotcast_jobs_"): float(n) for name, n in pairs}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    monkeypatch.setattr(fresh, "TIMEOUT_S", 0.05)
    found = Queue()
    found.waiting = [NewJob("k", str(n), NOW) for n in range(3)]
    found.letters = [DeadJob(7, "k", "x", NOW, NOW, 12, "no")]
    return found


async def test_waiting_dead_and_late_jobs_are_shown(queue: Queue) -> None:
    """Each in its unit."""
    found = await shown(JobCollector(queue, SteppedClock(NOW)))
    assert found == {"up": 1, "waiting": 3, "dead": 1, "overdue_seconds": 90}


@pytest.mark.parametrize("fault", ["is_away", "hangs"])
async def test_a_store_that_does_not_answer_is_shown_as_down(
    queue: Queue, fault: str
) -> None:
    """The page does not wait for it, and shows no number that may be wrong."""
    collector = JobCollector(queue, SteppedClock(NOW))
    await shown(collector)
    setattr(queue, fault, True)
    assert await shown(collector) == {"up": 0}


async def test_the_queue_is_not_counted_for_each_scrape(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scrapes within FRESH_S share one count: it reads an index of all jobs."""
    monkeypatch.setattr(module, "FRESH_S", 3600.0)
    collector = JobCollector(queue, SteppedClock(NOW))
    await asyncio.gather(*(collector.refresh() for _ in range(5)))
    assert queue.counted == 1
