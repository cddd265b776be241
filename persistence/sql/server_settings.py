"""What a MySQL or MariaDB server is set to, judged before anything relies on it.

The read model can be rebuilt from the journal, but what else is in it cannot:
clinics that were imported, and which notices were sent. So a server that may lose
what it has committed is refused, with the setting named and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from persistence.findings import Finding
from persistence.sql.engine import open_engine, read_model_url, reason_of

OLDEST_MARIADB, OLDEST_MYSQL = (10, 6), (8, 0, 20)
PACKET_LEAST = 4 * 1024 * 1024
"""Bytes: four times the longest statement that the drivers make."""

_ASKED = (
    *("version", "read_only", "sql_mode", "time_zone", "system_time_zone"),
    *("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "log_bin"),
    *("sync_binlog", "innodb_force_recovery", "max_allowed_packet", "wsrep_on"),
)
_UNKNOWN_DATABASE, _NOT_ALLOWED = frozenset({1049}), frozenset({1044, 1045, 1698})
_YES = frozenset({"1", "on"})
_NO = frozenset({"0", "off"})

Settings = Mapping[str, str]
_Check = Callable[[Settings], Finding | None]


async def inspect_database(
    url: str, role: Literal["primary", "replica"] = "primary"
) -> list[Finding]:
    """What an operator should know before Slotcast uses this database.

    A server that does not answer is a warning only: bookings go on without it, and
    the read model catches up. SQLite needs no inspection.

    Raises:
        ValueError: a database that Slotcast does not speak to.
    """
    target = read_model_url(url)
    if target.get_backend_name() == "sqlite":
        return []
    engine = open_engine(url, "reader")
    try:
        async with engine.connect() as connection:
            names = ", ".join(f"'{name}'" for name in _ASKED)
            query = f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"
            rows = (await connection.execute(text(query))).all()
            settings = {str(row[0]).lower(): str(row[1]) for row in rows}
            charset = str(
                await connection.scalar(text("SELECT @@character_set_database"))
            )
    except (DBAPIError, OSError, PoolTimeout) as error:
        return [_unreachable(target, error)]
    finally:
        await engine.dispose()
    return judge({**settings, "character_set_database": charset}, role)


def judge(
    settings: Settings, role: Literal["primary", "replica"] = "primary"
) -> list[Finding]:
    """The findings on these global variables; a replica only answers questions."""
    checks = _EVERYWHERE if role == "replica" else (*_EVERYWHERE, *_PRIMARY)
    found = (check(settings) for check in checks)
    return [finding for finding in found if finding is not None]


def _unreachable(url: URL, error: BaseException) -> Finding:
    where = f"{url.host}:{url.port or 3306}"
    arguments = getattr(getattr(error, "orig", None), "args", ()) or (None,)
    if arguments[0] in _UNKNOWN_DATABASE:
        return Finding(
            "refuse",
            f"There is no database {url.database!r} on {where}.",
            f"Make it: CREATE DATABASE `{url.database}` CHARACTER SET utf8mb4;",
        )
    if arguments[0] in _NOT_ALLOWED:
        return Finding(
            "refuse",
            f"The server at {where} does not let {url.username!r} use the database "
            f"{url.database!r}.",
            "Check user and password in the database setting, then: "
            f"GRANT ALL ON `{url.database}`.* TO that user.",
        )
    return Finding(
        "warn",
        f"The database at {where} does not answer: {reason_of(error)}.",
        "Bookings go on without it; start it, or correct the database setting.",
    )


def _version(settings: Settings) -> Finding | None:
    told = settings.get("version", "")
    mariadb = "mariadb" in told.lower()
    parts = told.partition("-")[0].split(".")
    number = tuple(int(part) for part in parts if part.isdigit())
    oldest = OLDEST_MARIADB if mariadb else OLDEST_MYSQL
    if not number or number >= oldest:
        return None
    name = "MariaDB" if mariadb else "MySQL"
    needed = ".".join(map(str, oldest))
    return Finding(
        "refuse",
        f"The server is {name} {told}; Slotcast needs {needed} or newer.",
        "Upgrade the database server.",
    )


def _flush(settings: Settings) -> Finding | None:
    value = settings.get("innodb_flush_log_at_trx_commit", "1")
    if value == "1":
        return None
    return Finding(
        "refuse",
        f"innodb_flush_log_at_trx_commit is {value}: a crash may lose what was "
        "committed up to a second before.",
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1, and in the server's "
        "configuration file.",
    )


def _binlog(settings: Settings) -> Finding | None:
    synced = settings.get("sync_binlog", "1")
    if settings.get("log_bin", "off").lower() in _NO or synced == "1":
        return None
    return Finding(
        "refuse",
        f"log_bin is on and sync_binlog is {synced}: after a crash the server takes "
        "back commits that its binary log has lost, and replicas part ways.",
        "SET GLOBAL sync_binlog = 1, and in the server's configuration file.",
    )


def _doublewrite(settings: Settings) -> Finding | None:
    value = settings.get("innodb_doublewrite", "on")
    # MySQL knows DETECT_ONLY, too, which cannot repair a torn page.
    if value.lower() not in _NO | {"detect_only"}:
        return None
    return Finding(
        "refuse",
        f"innodb_doublewrite is {value}: a page torn by a power cut is beyond repair.",
        "Start the server with innodb_doublewrite = ON.",
    )


def _recovering(settings: Settings) -> Finding | None:
    value = settings.get("innodb_force_recovery", "0")
    if value == "0":
        return None
    return Finding(
        "refuse",
        f"innodb_force_recovery is {value}: the server was started to save data, not "
        "to work.",
        "Bring the server back to health, and start it without innodb_force_recovery.",
    )


def _read_only(settings: Settings) -> Finding | None:
    value = settings.get("read_only", "off")
    if value.lower() in _NO:
        return None
    return Finding(
        "refuse",
        f"read_only is {value}: this server is a replica, or a failover is under way.",
        "Let the database setting name the primary; replicas belong into the setting "
        "for readers.",
    )


def _packet(settings: Settings) -> Finding | None:
    value = int(settings.get("max_allowed_packet", PACKET_LEAST))
    if value >= PACKET_LEAST:
        return None
    return Finding(
        "refuse",
        f"max_allowed_packet is {value} bytes: a batch of events may not fit.",
        f"SET GLOBAL max_allowed_packet = {4 * PACKET_LEAST}, and in the server's "
        "configuration file.",
    )


def _strictness(settings: Settings) -> Finding | None:
    mode = settings.get("sql_mode", "STRICT_ALL_TABLES")
    if "STRICT_TRANS_TABLES" in mode or "STRICT_ALL_TABLES" in mode:
        return None
    return Finding(
        "warn",
        f"sql_mode is {mode!r}, which cuts values to size without an error. Slotcast's "
        "own sessions are strict; other programs' on these tables are not.",
        "Add STRICT_TRANS_TABLES to sql_mode.",
    )


def _time_zone(settings: Settings) -> Finding | None:
    zone = settings.get("time_zone", "UTC")
    if zone.upper() == "SYSTEM":
        zone = settings.get("system_time_zone", "UTC")
    if zone.upper() in {"UTC", "+00:00", "-00:00", "GMT", "ETC/UTC", "Z"}:
        return None
    return Finding(
        "warn",
        f"The server's time_zone is {zone}. Slotcast's own sessions use UTC; times in "
        "the server's log and of other programs do not.",
        "SET GLOBAL time_zone = '+00:00', and in the server's configuration file.",
    )


def _charset(settings: Settings) -> Finding | None:
    value = settings.get("character_set_database", "utf8mb4")
    if value == "utf8mb4":
        return None
    return Finding(
        "warn",
        f"The database's character set is {value}. Slotcast's tables name utf8mb4 "
        "themselves; tables that others add will not.",
        "ALTER DATABASE … CHARACTER SET utf8mb4;",
    )


def _cluster(settings: Settings) -> Finding | None:
    if settings.get("wsrep_on", "off").lower() not in _YES:
        return None
    return Finding(
        "warn",
        "The server is part of a Galera cluster (wsrep_on is ON): nodes of one have "
        "been seen to lose commits and to show old rows.",
        "Let the database setting name one node, always the same, for writing.",
    )


_EVERYWHERE: tuple[_Check, ...] = (_version, _recovering, _time_zone)
_PRIMARY: tuple[_Check, ...] = (
    *(_flush, _binlog, _doublewrite, _read_only, _packet),
    *(_strictness, _charset, _cluster),
)
