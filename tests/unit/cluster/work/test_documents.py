"""The jobs of documents: patient while a part is away, and never forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.jobs.jobs import Failed, Job, JobError, next_due
from care.patients.documents.ports import JudgePorts
from care.patients.documents.values import JUDGE
from cluster.work import documents
from cluster.work.documents import (
    PATIENCE_MS,
    SWEEP_DOCUMENTS,
    TURN_AGAIN_MS,
    document_handlers,
)
from persistence.files.blobs.folder import FolderBlobs
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fakes.jobs import MemoryJobs

NOW = make.NOW
WAITING = ["doc_1", "doc_2"]


class AwayRows:
    """Rows that cannot be read, of documents that wait."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def find(self, document_id: str) -> Any:
        self.asked.append(document_id)
        raise Unavailable("the records are away")

    async def abandon(self, before: Millis) -> int:
        return 0

    async def used(self, names: Any) -> Any:
        return ()

    async def waiting(self, before: Millis, limit: int) -> Any:
        return WAITING[:limit]


def job(kind: str, key: str) -> Job:
    return Job(1, kind, key, {}, NOW, 1, Millis(NOW + 60_000))


def handlers(tmp_path: Path) -> tuple[Any, AwayRows, MemoryJobs]:
    rows, queue = AwayRows(), MemoryJobs()
    ports: Any = JudgePorts(rows, FolderBlobs(tmp_path), reader=None)  # type: ignore[arg-type]
    return document_handlers(ports, queue, SteppedClock(NOW)), rows, queue


async def test_what_is_away_does_not_give_a_document_up(tmp_path: Path) -> None:
    """The job is tried for two days, whatever its number of attempts. That of a sweep
    is tried once: else each hour added another to those that are tried already."""
    found, rows, _ = handlers(tmp_path)
    with pytest.raises(JobError) as raised:
        await found[JUDGE](job(JUDGE, "doc_1"))
    expected = Failed("the records are away", until=Millis(NOW + PATIENCE_MS))
    assert raised.value.outcome == expected
    await found[JUDGE](job(JUDGE, "doc_1@3600000@7"))
    assert rows.asked == ["doc_1", "doc_1"]


async def test_a_sweep_has_documents_that_wait_judged_again(tmp_path: Path) -> None:
    """A job for each, once in each period, though their first job was given up."""
    found, _, queue = handlers(tmp_path)
    for period in ("3600000@1", "3600000@1", "3600000@2"):
        await found[SWEEP_DOCUMENTS](job(SWEEP_DOCUMENTS, period))
    claimed = await queue.claim("w", kinds={JUDGE}, now=NOW, lease_ms=1_000, limit=9)
    assert sorted(one.key for one in claimed) == [
        f"{one}@3600000@{period}" for one in WAITING for period in (1, 2)
    ]


async def test_documents_are_judged_again_though_the_store_is_not_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be so large that a sweep does not end, or be away."""
    found, _, queue = handlers(tmp_path)

    async def away(*_: Any) -> int:
        raise Unavailable("the records are away")

    monkeypatch.setattr(AwayRows, "abandon", away)
    with pytest.raises(Unavailable):
        await found[SWEEP_DOCUMENTS](job(SWEEP_DOCUMENTS, "3600000@1"))
    assert len(queue.waiting) == len(WAITING)


async def test_a_job_waits_for_its_turn_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two are judged at a time; a third one comes back in seconds, however often it
    had no turn, and a sweep's one too."""
    monkeypatch.setattr(documents, "AT_ONCE", 0)
    monkeypatch.setattr(documents, "TURN_S", 0.0)
    found, rows, _ = handlers(tmp_path)
    for key in ("doc_1", "doc_1@3600000@7"):
        late = replace(job(JUDGE, key), attempt=11)
        with pytest.raises(JobError, match="judged first") as raised:
            await found[JUDGE](late)
        again = next_due(late, raised.value.outcome, NOW)
        assert again == NOW + TURN_AGAIN_MS
        assert raised.value.outcome.until == NOW + PATIENCE_MS
    assert rows.asked == []
