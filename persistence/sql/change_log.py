"""A log of changes: which rows were written, for readers that keep a copy of them.

A line is written in the transaction of its change. The newest ``KEPT`` lines are kept;
a reader who is further behind reads everything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.sql.schema import Table

from persistence.sql import columns as c

KEPT: Final = 100_000
"""Lines in the log: reading more of them costs as much as reading everything."""
_TRIMMED_EACH: Final = 1_000
"""Lines after which old ones are deleted."""
ROWS_AT_ONCE: Final = 500
"""Lines of one INSERT: the servers' and SQLite's bounds on parameters are higher."""


class ChangeKind(StrEnum):
    """What was written; EVERYTHING: all of it, after a rebuild."""

    PROVIDER = "provider"
    CLINIC = "clinic"
    SPECIALTY = "specialty"
    INBOX = "inbox"
    EVERYTHING = "everything"


def change_columns() -> tuple[Column[Any], ...]:
    """The columns of a log, for tables that are not declared as models."""
    return (
        Column("change_id", c.serial(), primary_key=True, autoincrement=True),
        Column("kind", c.key(16), nullable=False),
        Column("subject", c.key(), nullable=False),
    )


def note_changes(
    connection: Connection, log: FromClause, kind: ChangeKind, subjects: Iterable[str]
) -> None:
    """Write a line for each subject, and delete the oldest from time to time."""
    assert isinstance(log, Table)
    rows = [{"kind": kind.value, "subject": one} for one in sorted(set(subjects))]
    if not rows:
        return
    for start in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(insert(log), rows[start : start + ROWS_AT_ONCE])
    newest = newest_line(connection, log)
    if newest > KEPT and newest % _TRIMMED_EACH < len(rows):
        connection.execute(delete(log).where(log.c.change_id <= newest - KEPT))


def newest_line(connection: Connection, log: FromClause) -> int:
    """The number of the newest line, 0 of an empty log."""
    return connection.scalar(select(func.max(log.c.change_id))) or 0


def lines_after(connection: Connection, log: FromClause, after: int) -> Sequence[Any]:
    """The lines (change_id, kind, subject) above a number, in order."""
    return lines_where(connection, log, log.c.change_id > after)


def lines_where(
    connection: Connection, log: FromClause, wanted: ColumnElement[bool]
) -> Sequence[Any]:
    """The lines (change_id, kind, subject) that meet a condition, in order."""
    query = select(log.c.change_id, log.c.kind, log.c.subject)
    return connection.execute(query.where(wanted).order_by(log.c.change_id)).all()
