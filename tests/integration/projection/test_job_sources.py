"""Claiming, finishing and giving up jobs: the jobs table and the outbox alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

import pytest
from msgspec import Struct

from actors.domain.ids import Millis
from care.jobs.jobs import (
    ATTEMPTS_MAX,
    Completed,
    Failed,
    Job,
    JobCounts,
    NewJob,
    Outcome,
)
from persistence.jobs.queue import SqlJobQueue, SqlJobSource, outbox_of
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.sql.engine import open_engine
from tests.fixtures.read_model import SQL, empty_read_model, empty_records
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal

NOW = Millis(1_000_000)
HOUR_MS = 3_600_000


class Filled(Struct):
    """A source with five due jobs of one kind."""

    source: SqlJobSource
    kind: str
    keys: list[str]

    async def claim(
        self, worker: str = "a", *, now: Millis = NOW, lease_ms: int = 1_000, limit: int
    ) -> Sequence[Job]:
        """Claim jobs of the kind that is there."""
        return await self.source.claim(
            worker, kinds={self.kind}, now=now, lease_ms=lease_ms, limit=limit
        )


@pytest.fixture(params=SQL)
async def queue(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SqlJobQueue]:
    """An empty jobs table."""
    engine = open_engine(empty_records(request.param, request, tmp_path), "records")
    yield SqlJobQueue(engine)
    await engine.dispose()


@pytest.fixture(
    params=[f"{source} {sql}" for sql in SQL for source in ("jobs", "outbox")]
)
async def filled(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Filled]:
    """Five jobs in the jobs table, or five notices in the outbox."""
    source, _, sql = request.param.partition(" ")
    if source == "jobs":
        engine = open_engine(empty_records(sql, request, tmp_path), "records")
        jobs = SqlJobQueue(engine)
        keys = [f"k{n}" for n in range(5)]
        await jobs.add([NewJob("tidy", one, NOW) for one in keys], now=NOW)
        yield Filled(jobs, "tidy", keys)
    else:
        engine = open_engine(empty_read_model(sql, request, tmp_path), "writer")
        story, journal = Story(), StoryJournal()
        journal.tell(SHARD, *(story.booked(n, NINE + 60 * n) for n in range(5)))
        await Projector(journal, SqlProjectionStore(engine), FixedClock()).step()
        keys = [f"s0000-{n}" for n in range(1, 6)]
        yield Filled(outbox_of(engine), "booking.booked", keys)
    await engine.dispose()


async def test_jobs_are_claimed_oldest_first(filled: Filled) -> None:
    """A claim names the key, the kind and the attempt."""
    claimed = await filled.claim(limit=2)
    assert [one.key for one in claimed] == filled.keys[:2]
    assert {one.kind for one in claimed} == {filled.kind}
    assert {one.attempt for one in claimed} == {1}


async def test_only_the_kinds_asked_for_are_claimed(filled: Filled) -> None:
    """A worker without a handler for a kind leaves its jobs alone."""
    others: Collection[str] = {"other.kind"}
    assert not await filled.source.claim(
        "a", kinds=others, now=NOW, lease_ms=1, limit=9
    )


async def test_a_worker_learns_which_kinds_are_due(filled: Filled) -> None:
    """Only kinds that were asked for and have a due job are named."""
    kinds = {filled.kind, "other.kind"}
    assert list(await filled.source.due(kinds, now=NOW)) == [filled.kind]
    assert not await filled.source.due(kinds, now=Millis(0))
    assert not await filled.source.due((), now=NOW)


async def test_two_workers_never_hold_one_job(filled: Filled) -> None:
    """Concurrent claims are disjoint and leave nothing out."""
    batches = await asyncio.gather(*(filled.claim(w, limit=2) for w in "abc"))
    rest = await filled.claim("d", limit=9)
    ids = [job.id for batch in (*batches, rest) for job in batch]
    assert len(ids) == len(set(ids)) == 5


async def test_a_dead_workers_claim_expires(filled: Filled) -> None:
    """After the lease another worker gets the job; the first cannot finish it."""
    source = filled.source
    (first,) = await filled.claim("dies", limit=1)
    assert len(await filled.claim("b", lease_ms=9_000, limit=9)) == 4
    assert not await filled.claim("b", now=Millis(NOW + 999), limit=9)
    later = Millis(NOW + 1_000)
    (again,) = await filled.claim("b", now=later, limit=9)
    assert (again.id, again.attempt) == (first.id, 2)
    assert await source.finish([(first, Completed())], now=later) == 0
    assert await source.finish([(again, Completed())], now=later) == 1
    assert await source.finish([(again, Completed())], now=later) == 0
    assert await source.counts(later) == JobCounts(waiting=4, done=1, dead=0)


async def test_outcomes_of_a_batch_are_recorded_together(filled: Filled) -> None:
    """Each job of a batch ends as its own outcome says."""
    claimed = await filled.claim(limit=5)
    outcomes: list[tuple[Job, Outcome]] = [
        (claimed[0], Completed()),
        (claimed[1], Failed("refused")),
        (claimed[2], Failed("no such address", final=True)),
        (claimed[3], Completed()),
        (claimed[4], Failed("busy", after_ms=60_000)),
    ]
    assert await filled.source.finish(outcomes, now=NOW) == 5
    assert await filled.source.counts(NOW) == JobCounts(waiting=2, done=2, dead=1)
    (dead,) = await filled.source.dead(after=0, limit=9)
    assert (dead.key, dead.error) == (filled.keys[2], "no such address")
    above, beside = dead.kind.partition(".")[0], dead.kind[:-1]
    for kind, found in ((dead.kind, [dead]), (above, [dead]), (beside, []), ("%", [])):
        assert await filled.source.dead(after=0, limit=9, kind=kind) == found
    soon = Millis(NOW + 1_000)
    assert [one.key for one in await filled.claim(now=soon, limit=9)] == [
        filled.keys[1]
    ]


async def test_failures_wait_longer_each_time(filled: Filled) -> None:
    """The wait doubles up to an hour; after the last attempt a person must look."""
    first, *others = await filled.claim(limit=5, lease_ms=10)
    await filled.source.finish([(one, Completed()) for one in others], now=NOW)
    now, waits, job = NOW, [], first
    for attempt in range(1, ATTEMPTS_MAX):
        assert job.attempt == attempt
        await filled.source.finish([(job, Failed("refused"))], now=now)
        wait = min(1_000 * 2 ** (attempt - 1), HOUR_MS)
        assert not await filled.claim(now=Millis(now + wait - 1), limit=9)
        now = Millis(now + wait)
        (job,) = await filled.claim(now=now, limit=9)
        waits.append(wait)
    await filled.source.finish([(job, Failed("refused"))], now=now)
    assert (await filled.source.counts(now)).dead == 1
    assert not await filled.claim(now=Millis(now + 10 * HOUR_MS), limit=9)
    assert await filled.source.resend(None, now=now) == 1
    (job,) = await filled.claim(now=now, limit=9)
    assert job.attempt == 1


async def test_overdue_jobs_are_counted_from_the_oldest(filled: Filled) -> None:
    """The age of the oldest due job says whether workers keep up."""
    counts = await filled.source.counts(Millis(NOW + HOUR_MS))
    assert counts.waiting == 5
    assert counts.oldest_due_at is not None
    assert counts.oldest_due_at <= NOW
    assert (await filled.source.counts(Millis(0))).oldest_due_at is None


async def test_one_intention_is_one_job(queue: SqlJobQueue) -> None:
    """A second job of the same kind and key is left out, even once it is done."""
    again = NewJob("remind", "bkg_1/24h", NOW, {"booking_id": "bkg_1"})
    assert await queue.add([again], now=NOW) == 1
    assert await queue.add([again, NewJob("remind", "bkg_2/24h", NOW)], now=NOW) == 1
    claimed = await queue.claim("a", kinds={"remind"}, now=NOW, lease_ms=9, limit=9)
    assert [one.payload for one in claimed] == [{"booking_id": "bkg_1"}, {}]
    await queue.finish([(one, Completed()) for one in claimed], now=NOW)
    assert await queue.add([again], now=NOW) == 0


async def test_jobs_that_were_done_long_ago_are_forgotten(queue: SqlJobQueue) -> None:
    """Only finished jobs are deleted, a bounded number at a time."""
    await queue.add([NewJob("tidy", f"k{n}", NOW) for n in range(4)], now=NOW)
    claimed = await queue.claim("a", kinds={"tidy"}, now=NOW, lease_ms=9, limit=3)
    await queue.finish([(one, Completed()) for one in claimed], now=NOW)
    assert await queue.forget(done_before=NOW, limit=9) == 0
    later = Millis(NOW + 1)
    assert await queue.forget(done_before=later, limit=2) == 2
    assert await queue.forget(done_before=later, limit=2) == 1
    assert (await queue.counts(later)).waiting == 1
