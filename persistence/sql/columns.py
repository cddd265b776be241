"""Column types and table options that mean the same on SQLite, MySQL 8 and MariaDB."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

ID_MAX = 100
"""Characters of an id: prefix, ``_`` and at most 96 (actors/domain/ids.py)."""

ON_A_SERVER: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_charset": "utf8mb4",
}
"""Options of every table."""


def key(length: int = ID_MAX) -> TypeEngine[str]:
    """Text that identifies or orders: compared byte by byte everywhere."""
    binary = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(binary, "mysql", "mariadb")


def words(length: int) -> TypeEngine[str]:
    """Text for people, of a bounded length."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4"), "mysql", "mariadb"
    )


def prose() -> TypeEngine[str]:
    """Text for people, of any length."""
    return Text().with_variant(mysql.TEXT(charset="utf8mb4"), "mysql", "mariadb")


def document() -> TypeEngine[str]:
    """Text for programs, up to 16 MiB."""
    return Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb")


def blob() -> TypeEngine[bytes]:
    """Bytes, up to 16 MiB."""
    return LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def serial() -> TypeEngine[int]:
    """A number that the database gives; SQLite knows only INTEGER for that."""
    return BigInteger().with_variant(Integer(), "sqlite")
