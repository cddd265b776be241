"""A queue of background jobs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.jobs.jobs import DeadJob, Job, JobCounts, NewJob, Outcome


class MemoryJobs:
    """A queue in memory, which can be told not to answer."""

    def __init__(self) -> None:
        self.waiting: list[NewJob] = []
        self.ended: dict[str, Outcome] = {}
        self.letters: list[DeadJob] = []
        self.is_away = False
        self.changed = asyncio.Event()
        self.asked = asyncio.Event()
        """Set by each ``add``."""
        self._ids = 0

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("away")

    async def add(self, jobs: Sequence[NewJob], *, now: Millis) -> int:
        self._check()
        self.asked.set()
        known = {(one.kind, one.key) for one in self.waiting}
        new = [one for one in jobs if (one.kind, one.key) not in known]
        self.waiting += new
        return len(new)

    async def due(self, kinds: Collection[str], *, now: Millis) -> Collection[str]:
        self._check()
        return {one.kind for one in self.waiting if one.kind in kinds}

    async def claim(
        self,
        worker: str,
        *,
        kinds: Collection[str],
        now: Millis,
        lease_ms: int,
        limit: int,
    ) -> Sequence[Job]:
        self._check()
        taken = [one for one in self.waiting if one.kind in kinds][:limit]
        jobs = []
        for one in taken:
            self.waiting.remove(one)
            self._ids += 1
            until = Millis(now + lease_ms)
            jobs.append(Job(self._ids, one.kind, one.key, one.payload, now, 1, until))
        return jobs

    async def finish(
        self, outcomes: Sequence[tuple[Job, Outcome]], *, now: Millis
    ) -> int:
        self._check()
        self.ended.update({job.key: outcome for job, outcome in outcomes})
        self.changed.set()
        return len(outcomes)

    async def counts(self, now: Millis) -> JobCounts:
        self._check()
        return JobCounts(len(self.waiting), len(self.ended), len(self.letters))

    async def dead(
        self, *, after: int, limit: int, kind: str = ""
    ) -> Sequence[DeadJob]:
        self._check()
        found = [one for one in self.letters if one.id > after]
        below = [one for one in found if f"{one.kind}.".startswith(f"{kind}.")]
        return (below if kind else found)[:limit]

    async def resend(self, ids: Collection[int] | None, *, now: Millis) -> int:
        self._check()
        chosen = [one for one in self.letters if ids is None or one.id in ids]
        for one in chosen:
            self.letters.remove(one)
            self.waiting.append(NewJob(one.kind, one.key, now))
        return len(chosen)

    async def forget(self, *, done_before: Millis, limit: int) -> int:
        return 0

    async def until(self, count: int) -> None:
        """Wait until so many jobs have ended."""
        while len(self.ended) < count:
            self.changed.clear()
            await self.changed.wait()
