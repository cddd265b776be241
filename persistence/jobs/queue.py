"""Jobs over SQL: claims are compare-and-set, so that two workers never share one.

A claim moves ``due_at`` to the end of the lease, so a worker that dies needs no
clean-up: its jobs become due again. Databases with row locks skip rows that another
worker is about to claim (``FOR UPDATE SKIP LOCKED``); on SQLite a write transaction
excludes all others. A claim is recognised by its end: a later claim of the same job
begins when the former has ended, and so ends later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from msgspec.structs import asdict
from sqlalchemy import (
    Table,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.ids import Millis
from care.jobs.jobs import (
    ERROR_CHARACTERS_MAX,
    DeadJob,
    Failed,
    Job,
    JobCounts,
    NewJob,
    Outcome,
    next_due,
)
from persistence.jobs.models import JobRecord
from persistence.readmodel import tables as read_model
from persistence.sql.engine import reading, writing

ADD_ROWS_MAX = 500
"""Rows of one INSERT."""


class SqlJobSource:
    """Implements JobSource over a table of jobs; the engine must be able to write."""

    def __init__(self, engine: AsyncEngine, table: Table, *, key: str, done: str):
        """``key`` and ``done`` are the columns of a job's key and of its end."""
        self._engine = engine
        self._table = table
        self._row = table.c
        self._key = table.c[key]
        self._done = table.c[done]
        firsts = [next(iter(one.columns)) for one in table.indexes]
        self._has_index_of_ends = any(one is self._done for one in firsts)

    async def due(self, kinds: Collection[str], *, now: Millis) -> Collection[str]:
        """See JobSource.due. One look-up in the index for each kind."""
        row = self._row
        asked = [
            select(literal(kind)).where(
                exists().where(row.kind == kind, row.due_at <= now)
            )
            for kind in sorted(kinds)
        ]
        if not asked:
            return ()
        async with reading(self._engine) as connection:
            return (await connection.scalars(union_all(*asked))).all()

    async def claim(
        self,
        worker: str,
        *,
        kinds: Collection[str],
        now: Millis,
        lease_ms: int,
        limit: int,
    ) -> Sequence[Job]:
        """See JobSource.claim."""
        row, until = self._row, Millis(now + lease_ms)
        due = (
            select(self._table)
            .where(row.due_at <= now, row.kind.in_(sorted(kinds)))
            .order_by(row.due_at, row.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with writing(self._engine) as connection:
            found = (await connection.execute(due)).mappings().all()
            if found:
                await connection.execute(
                    update(self._table)
                    .where(row.id.in_([one["id"] for one in found]))
                    .values(due_at=until, claimed_by=worker, attempts=row.attempts + 1)
                )
        return [self._job(one, until) for one in found]

    async def finish(
        self, outcomes: Sequence[tuple[Job, Outcome]], *, now: Millis
    ) -> int:
        """See JobSource.finish."""
        done: dict[Millis, list[int]] = defaultdict(list)
        failed: list[dict[str, Any]] = []
        for job, outcome in outcomes:
            if isinstance(outcome, Failed):
                failed.append(_failure(job, outcome, now))
            else:
                done[job.claimed_until].append(job.id)
        async with writing(self._engine) as connection:
            held = [
                await self._mark_done(connection, ids, until, now)
                for until, ids in done.items()
            ]
            held += [await self._mark_failed(connection, one) for one in failed]
        return sum(held)

    async def counts(self, now: Millis) -> JobCounts:
        """See JobSource.counts."""
        row = self._row
        query = select(
            func.count(row.due_at),
            func.count(self._done),
            func.count(row.dead_at),
            func.min(case((row.due_at <= now, row.due_at))),
        )
        async with reading(self._engine) as connection:
            waiting, done, dead, oldest = (await connection.execute(query)).one()
        return JobCounts(waiting, done, dead, oldest)

    async def dead(
        self, *, after: int, limit: int, kind: str = ""
    ) -> Sequence[DeadJob]:
        """See JobSource.dead."""
        row = self._row
        below = row.kind.startswith(f"{kind}.", autoescape=True)
        of_kind = [or_(row.kind == kind, below)] if kind else []
        query = (
            select(self._table)
            .where(row.dead_at.is_not(None), row.id > after, *of_kind)
            .order_by(row.id)
            .limit(limit)
        )
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).mappings().all()
        return [
            DeadJob(
                id=one["id"],
                kind=one["kind"],
                key=one[self._key.name],
                created_at=one["created_at"],
                dead_at=one["dead_at"],
                attempts=one["attempts"],
                error=one["error"] or "",
            )
            for one in found
        ]

    async def resend(self, ids: Collection[int] | None, *, now: Millis) -> int:
        """See JobSource.resend."""
        row = self._row
        which = [row.dead_at.is_not(None)]
        if ids is not None:
            which.append(row.id.in_(sorted(ids)))
        async with writing(self._engine) as connection:
            found = await connection.execute(
                update(self._table)
                .where(*which)
                .values(dead_at=None, due_at=now, attempts=0)
            )
        return found.rowcount

    async def forget(self, *, done_before: Millis, limit: int) -> int:
        """See JobSource.forget."""
        row = self._row
        old = select(row.id).where(self._done < done_before)
        if not self._has_index_of_ends:
            old = old.order_by(row.id)  # the old ones are found first
        # Read before, so that a long look holds up no writer.
        async with reading(self._engine) as connection:
            ids = (await connection.scalars(old.limit(limit))).all()
        if ids:
            async with writing(self._engine) as connection:
                gone = delete(self._table).where(
                    row.id.in_(ids), self._done < done_before
                )
                await connection.execute(gone)
        return len(ids)

    async def _mark_done(
        self, connection: AsyncConnection, ids: list[int], until: Millis, now: Millis
    ) -> int:
        row = self._row
        found = await connection.execute(
            update(self._table)
            .where(row.id.in_(ids), row.due_at == until)
            .values(
                {
                    self._done: now,
                    row.due_at: None,
                    row.claimed_by: None,
                    row.error: None,
                }
            )
        )
        return found.rowcount

    async def _mark_failed(
        self, connection: AsyncConnection, failure: dict[str, Any]
    ) -> int:
        row = self._row
        found = await connection.execute(
            update(self._table)
            .where(row.id == bindparam("job"), row.due_at == bindparam("until"))
            .values(
                due_at=bindparam("again_at"),
                dead_at=bindparam("died_at"),
                error=bindparam("reason"),
                claimed_by=None,
            ),
            failure,
        )
        return found.rowcount

    def _job(self, row: Any, until: Millis) -> Job:
        return Job(
            id=row["id"],
            kind=row["kind"],
            key=row[self._key.name],
            payload=row["payload"],
            created_at=row["created_at"],
            attempt=row["attempts"] + 1,
            claimed_until=until,
        )


class SqlJobQueue(SqlJobSource):
    """Implements JobQueue over the records' jobs table; the role is "records"."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(
            engine, cast(Table, JobRecord.__table__), key="key", done="done_at"
        )

    async def add(self, jobs: Sequence[NewJob], *, now: Millis) -> int:
        """See JobQueue.add."""
        added = 0
        async with writing(self._engine) as connection:
            for rows in _portions([_new_row(job, now) for job in jobs]):
                added += (await connection.execute(self._insert(rows))).rowcount
        return added

    def _insert(self, rows: list[dict[str, Any]]) -> Any:
        """An INSERT that skips rows whose kind and key exist."""
        if self._engine.dialect.name == "sqlite":
            return sqlite_insert(self._table).values(rows).on_conflict_do_nothing()
        return mysql_insert(self._table).values(rows).prefix_with("IGNORE")


def outbox_of(engine: AsyncEngine) -> SqlJobSource:
    """The projection's outbox as a source of jobs; the role is "writer"."""
    return SqlJobSource(engine, read_model.outbox, key="event_id", done="sent_at")


def _new_row(job: NewJob, now: Millis) -> dict[str, Any]:
    return {
        **asdict(job),
        "payload": dict(job.payload),
        "created_at": now,
        "attempts": 0,
    }


def _failure(job: Job, failed: Failed, now: Millis) -> dict[str, Any]:
    again = next_due(job, failed, now)
    return {
        "job": job.id,
        "until": job.claimed_until,
        "again_at": again,
        "died_at": now if again is None else None,
        "reason": failed.reason[:ERROR_CHARACTERS_MAX],
    }


def _portions(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    for start in range(0, len(rows), ADD_ROWS_MAX):
        yield rows[start : start + ADD_ROWS_MAX]
