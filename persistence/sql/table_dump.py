"""The rows of a schema as plain values and back, whatever the database.

One reading transaction sees all tables at one instant. A row is a list of JSON
values in the order of the table's columns; bytes travel as base64.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Table, insert, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import LargeBinary

from persistence.sql.engine import reading
from persistence.sql.schema import Schema

FETCH_ROWS = 500
"""Rows in memory at a time."""

Row = list[Any]


@asynccontextmanager
async def one_instant(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection whose questions all see the same instant; role "reader".

    Raises:
        Unavailable: the database does not answer.
    """
    async with reading(engine) as connection:
        if connection.dialect.name != "sqlite":  # whose transactions always do
            await connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


async def rows_of(
    connection: AsyncConnection, schema: Schema, table: str
) -> AsyncIterator[list[Row]]:
    """All rows of a table, some at a time. Raises DBAPIError."""
    chosen = schema.metadata.tables[table]
    binary = _binary_columns(chosen)
    result = await connection.stream(select(chosen))
    async for some in result.partitions(FETCH_ROWS):
        rows = [list(row) for row in some]
        for row in rows:
            for index in binary:
                if row[index] is not None:
                    row[index] = base64.b64encode(row[index]).decode()
        yield rows


async def put_rows(
    engine: AsyncEngine, schema: Schema, table: str, rows: Sequence[Row]
) -> None:
    """Insert rows, in one transaction; role "writer". Raises DBAPIError."""
    chosen = schema.metadata.tables[table]
    binary, names = _binary_columns(chosen), schema.column_names(table)
    values = []
    for row in rows:
        for index in binary:
            if row[index] is not None:
                row[index] = base64.b64decode(row[index])
        values.append(dict(zip(names, row, strict=True)))
    if values:
        async with engine.begin() as connection:
            await connection.execute(insert(chosen), values)


async def filled_tables(engine: AsyncEngine, schema: Schema) -> list[str]:
    """Our tables that have a row; those that do not exist have none.

    Raises:
        Unavailable: the database does not answer.
    """
    async with reading(engine) as connection:
        there = await connection.run_sync(_existing)
        filled = []
        for name in schema.table_names():
            if name in there:
                one = select(schema.metadata.tables[name]).limit(1)
                if (await connection.execute(one)).first() is not None:
                    filled.append(name)
        return filled


async def empty_tables(engine: AsyncEngine, schema: Schema) -> None:
    """Delete all rows of all tables: what a broken-off restore has left."""
    async with engine.begin() as connection:
        there = await connection.run_sync(_existing)
        for table in reversed(schema.metadata.sorted_tables):
            if table.name in there:
                await connection.execute(table.delete())


def _existing(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _binary_columns(table: Table) -> list[int]:
    columns = enumerate(table.columns)
    return [n for n, column in columns if isinstance(column.type, LargeBinary)]
