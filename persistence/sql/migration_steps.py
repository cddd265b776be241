"""Steps of migrations that may be run again after a broken-off attempt.

MySQL and MariaDB commit each DDL statement by itself, so a revision holds one change
and passes it by when it is there already.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine


def create_table(name: str, *parts: SchemaItem, **options: Any) -> None:
    """Create a table unless it is there; InnoDB and utf8mb4 on the servers."""
    if sa.inspect(op.get_bind()).has_table(name):
        return
    op.create_table(
        name,
        *parts,
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
        **options,
    )


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless it is there."""
    if any(i["name"] == name for i in sa.inspect(op.get_bind()).get_indexes(table)):
        return
    op.create_index(name, table, columns)


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column, which needs a default of the server, unless it is there."""
    known = sa.inspect(op.get_bind()).get_columns(table)
    if any(one["name"] == column.name for one in known):
        return
    op.add_column(table, column)


def widen_text(table: str, column: str) -> None:
    """Let a text be 16 MiB long; SQLite has no bound, and may do it twice."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.alter_column(
        table,
        column,
        existing_nullable=False,
        type_=mysql.MEDIUMTEXT(charset="utf8mb4"),
    )


def key(length: int) -> TypeEngine[str]:
    """Text compared byte by byte, as it was when these revisions were written."""
    binary = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(binary, "mysql", "mariadb")


def words(length: int) -> TypeEngine[str]:
    """Bounded text for people."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4"), "mysql", "mariadb"
    )


def prose() -> TypeEngine[str]:
    """Unbounded text for people."""
    return sa.Text().with_variant(mysql.TEXT(charset="utf8mb4"), "mysql", "mariadb")


def blob() -> TypeEngine[bytes]:
    """Bytes, up to 16 MiB."""
    return sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def document() -> TypeEngine[str]:
    """Text for programs, up to 16 MiB."""
    return sa.Text().with_variant(
        mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb"
    )


def serial() -> TypeEngine[int]:
    """A number that the database gives; SQLite knows only INTEGER for that."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
