"""Statements that are sent as they are: many rows of plain values at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

IDS_PER_STATEMENT = 500
"""Ids in one IN list: well under SQLite's and the servers' bounds."""


def portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in pieces that fit one IN list each."""
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        yield ids[start : start + IDS_PER_STATEMENT]


def many(connection: Connection, text: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run a statement of the driver's own for each row; how many rows it touched."""
    return connection.exec_driver_sql(text, list(rows)).rowcount


def marks(text: str) -> dict[str, str]:
    """A statement with "?" for each parameter style of the drivers."""
    return {"qmark": text, "format": text.replace("?", "%s")}
