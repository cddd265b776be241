"""Values and rules of background jobs; pure.

A job runs at least once: a worker that dies between the effect and its report leaves a
claim that expires, and another worker runs the job again. So the effect must be
idempotent; ``Job.key`` serves as its idempotency key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from actors.domain.ids import Millis

ATTEMPTS_MAX: Final = 12
"""Attempts before a job becomes a dead letter for an operator."""
RETRY_LEAST_MS: Final = 1_000
RETRY_MOST_MS: Final = 3_600_000
"""Wait before the second attempt; doubles with each attempt, up to an hour."""
ERROR_CHARACTERS_MAX: Final = 500
"""Length of the stored reason of a failure."""


class NewJob(Struct, frozen=True):
    """A job that is due at ``due_at``.

    ``key`` identifies the intention: a second job of the same kind and key is not
    added. ``payload`` is JSON and must not hold personal data in the clear.
    """

    kind: str
    key: str
    due_at: Millis
    payload: Mapping[str, Any] = {}


class Job(Struct, frozen=True):
    """A claimed job. ``attempt`` counts from 1; the claim ends at ``claimed_until``."""

    id: int
    kind: str
    key: str
    payload: Mapping[str, Any]
    created_at: Millis
    attempt: int
    claimed_until: Millis


class DeadJob(Struct, frozen=True):
    """A job that is not tried again until it is resent."""

    id: int
    kind: str
    key: str
    created_at: Millis
    dead_at: Millis
    attempts: int
    error: str


class JobCounts(Struct, frozen=True):
    """Counts for operators. ``oldest_due_at`` is None if nothing is overdue."""

    waiting: int
    done: int
    dead: int
    oldest_due_at: Millis | None = None


class Completed(Struct, frozen=True):
    """The job's effect has taken place."""


class Failed(Struct, frozen=True):
    """This attempt failed. ``reason`` must not hold personal data.

    ``after_ms`` is when to try again, if the other side said so. A ``final`` failure
    is not tried again: the job becomes a dead letter at once. Before ``until`` it is
    not given up, however often it failed: the other side may be away for hours.
    """

    reason: str
    after_ms: int | None = None
    final: bool = False
    until: Millis | None = None


Outcome = Completed | Failed


class JobError(Exception):
    """Raised by a handler: this attempt failed, with a reason for the operator.

    Args:
        reason: what went wrong, without personal data.
        after_ms: when to try again; by default the back-off decides.
        final: no further attempt can succeed.
        until: not given up before this instant.
    """

    def __init__(
        self,
        reason: str,
        *,
        after_ms: int | None = None,
        final: bool = False,
        until: Millis | None = None,
    ) -> None:
        super().__init__(reason)
        self.outcome = Failed(reason, after_ms, final, until)


def next_due(job: Job, failed: Failed, now: Millis) -> Millis | None:
    """When a failed job is due again; None: it becomes a dead letter."""
    is_patient = failed.until is not None and now < failed.until
    if failed.final or (job.attempt >= ATTEMPTS_MAX and not is_patient):
        return None
    doublings = min(job.attempt - 1, ATTEMPTS_MAX)
    wait = min(RETRY_LEAST_MS << doublings, RETRY_MOST_MS)
    if failed.after_ms is not None:
        wait = max(failed.after_ms, RETRY_LEAST_MS)
    return Millis(now + wait)
