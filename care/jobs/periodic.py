"""Jobs that come back: one job per kind and period, whichever worker adds it; pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from actors.domain.ids import Millis
from care.jobs.jobs import NewJob


class Periodic(Struct, frozen=True):
    """A kind of job that is due once in every ``every_ms`` milliseconds."""

    kind: str
    every_ms: int


def current_jobs(periodic: Iterable[Periodic], now: Millis) -> list[NewJob]:
    """The job of the current period of each kind.

    Periods are counted from the epoch, so every worker makes the same key and the
    queue keeps one. A period in which no worker ran is skipped, not made up for.
    """
    jobs = []
    for one in periodic:
        start = Millis(now - now % one.every_ms)
        jobs.append(NewJob(one.kind, f"{one.every_ms}@{start}", start))
    return jobs
