"""Rules of background jobs: when a failed one is due again, which come back."""

from __future__ import annotations

import pytest

from actors.domain.ids import Millis
from care.jobs.jobs import ATTEMPTS_MAX, Failed, Job, JobError, next_due
from care.jobs.periodic import Periodic, current_jobs

NOW = Millis(1_700_000_000_000)


def job(attempt: int) -> Job:
    """A job in its so-manyth attempt."""
    return Job(1, "tidy", "k", {}, NOW, attempt, Millis(NOW + 1))


@pytest.mark.parametrize(
    ("attempt", "wait_ms"),
    [(1, 1_000), (2, 2_000), (5, 16_000), (11, 1_024_000)],
)
def test_the_wait_doubles(attempt: int, wait_ms: int) -> None:
    """Each failed attempt doubles the wait, from one second."""
    assert next_due(job(attempt), Failed("x"), NOW) == NOW + wait_ms


def test_the_last_attempt_makes_a_dead_letter() -> None:
    """After the last attempt, or a final failure, the job is not due again."""
    assert next_due(job(ATTEMPTS_MAX), Failed("x"), NOW) is None
    assert next_due(job(1), Failed("x", final=True), NOW) is None


def test_a_job_may_be_tried_for_longer() -> None:
    """Before its instant it is not given up, and the wait has its bound; a final
    failure ends it all the same."""
    until = Millis(NOW + 1)
    patient = Failed("x", until=until)
    assert next_due(job(ATTEMPTS_MAX), patient, NOW) == NOW + 2_048_000
    assert next_due(job(90), patient, NOW) == NOW + 3_600_000
    assert next_due(job(ATTEMPTS_MAX), patient, until) is None
    assert next_due(job(1), Failed("x", final=True, until=until), NOW) is None


def test_the_other_side_may_say_when() -> None:
    """A stated delay replaces the back-off, but is never below a second."""
    assert next_due(job(1), Failed("x", after_ms=90_000), NOW) == NOW + 90_000
    assert next_due(job(1), Failed("x", after_ms=0), NOW) == NOW + 1_000


def test_a_job_error_carries_its_outcome() -> None:
    """What a handler raises is what is recorded."""
    error = JobError("no such address", final=True)
    assert error.outcome == Failed("no such address", None, final=True)


def test_a_period_has_one_key_whoever_adds_it() -> None:
    """Two workers in one period make the same job, in the next another one."""
    hourly = [Periodic("tidy", 3_600_000)]
    start = NOW - NOW % 3_600_000
    (first,) = current_jobs(hourly, Millis(start))
    (same,) = current_jobs(hourly, Millis(start + 3_599_999))
    (later,) = current_jobs(hourly, Millis(start + 3_600_000))
    assert first == same
    assert first.due_at == start
    assert later.key != first.key
