"""What the worker's own jobs do."""

from __future__ import annotations

from pathlib import Path

from actors.domain.ids import Millis
from care.idempotency.answers import KEEP_MS, Claim, StoredAnswer
from care.jobs.jobs import Job
from cluster.work.handlers import FORGET_AT_ONCE, TIDY, job_handlers
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.fakes.answers import MemoryAnswers
from tests.fakes.clocks import SteppedClock
from tests.fakes.jobs import MemoryJobs

NOW = Millis(1_700_000_000_000)


async def test_tidying_removes_expired_keys_however_many(tmp_path: Path) -> None:
    """All that have expired, portion by portion, and none that still holds."""
    url = f"sqlite:///{tmp_path}/records.db"
    await migrate(url, RECORDS)
    records = Records(url)
    answers, clock = MemoryAnswers(), SteppedClock(NOW)
    for number in range(FORGET_AT_ONCE + 1):
        await _answered(answers, f"old{number}", NOW)
    clock.step(KEEP_MS / 1000)
    await _answered(answers, "new", clock.now())
    tidy = job_handlers(records, MemoryJobs(), answers, clock)[TIDY]
    await tidy(Job(1, TIDY, "k", {}, NOW, 1, NOW))
    await records.close()
    assert list(answers.rows) == ["new"]


async def _answered(answers: MemoryAnswers, key: str, now: Millis) -> None:
    claim = await answers.claim(key, "f", now=now)
    assert isinstance(claim, Claim)
    await answers.keep(claim, StoredAnswer(204, (), b""), now=now)
