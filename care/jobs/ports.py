"""What a worker needs from the stores of jobs, and from what runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from actors.domain.ids import Millis
from care.jobs.jobs import DeadJob, Job, JobCounts, NewJob, Outcome

Handler = Callable[[Job], Awaitable[None]]
"""Runs a job; returns once the effect has taken place. Raises JobError otherwise.
Any other exception counts as a failed attempt, too."""


class JobSource(Protocol):
    """Due jobs, claimed by compare-and-set so that two workers never share one."""

    async def due(self, kinds: Collection[str], *, now: Millis) -> Collection[str]:
        """The ones of these kinds that have a due job. Raises Unavailable."""
        ...

    async def claim(
        self,
        worker: str,
        *,
        kinds: Collection[str],
        now: Millis,
        lease_ms: int,
        limit: int,
    ) -> Sequence[Job]:
        """Claim up to ``limit`` due jobs of these kinds, oldest first, for a while.

        Raises:
            Unavailable: the store does not answer; nothing may have been claimed.
        """
        ...

    async def finish(
        self, outcomes: Sequence[tuple[Job, Outcome]], *, now: Millis
    ) -> int:
        """Record the outcomes of claimed jobs; the number of claims that still held.

        A job whose claim had expired is left as it is: another worker has it.

        Raises:
            Unavailable: nothing was recorded; the claims expire.
        """
        ...

    async def counts(self, now: Millis) -> JobCounts:
        """Numbers of waiting, finished and dead jobs. Raises Unavailable."""
        ...

    async def dead(
        self, *, after: int, limit: int, kind: str = ""
    ) -> Sequence[DeadJob]:
        """Dead letters with an id above ``after``, in order.

        ``kind``: only of this kind and of those below it, as ``notices`` has
        ``notices.deliver``. Raises Unavailable.
        """
        ...

    async def resend(self, ids: Collection[int] | None, *, now: Millis) -> int:
        """Make dead letters due again (None: all of them); how many there were.

        Raises:
            Unavailable: the store does not answer.
        """
        ...

    async def forget(self, *, done_before: Millis, limit: int) -> int:
        """Delete up to ``limit`` jobs that were done before; how many were found.

        Dead letters stay until they are resent and done.

        Raises:
            Unavailable: the store does not answer.
        """
        ...


class JobQueue(JobSource, Protocol):
    """Jobs that can also be added."""

    async def add(self, jobs: Sequence[NewJob], *, now: Millis) -> int:
        """Add jobs; those whose kind and key exist already are left out.

        Raises:
            Unavailable: none was added, or it is unknown; add them again.
        """
        ...
