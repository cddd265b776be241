"""Settings of a database server that would break a promise are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from persistence.sql.server_settings import inspect_database, judge
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.reserved import free_port

MYSQL = {
    "version": "8.0.36",
    "read_only": "OFF",
    "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES",
    "time_zone": "SYSTEM",
    "system_time_zone": "UTC",
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_doublewrite": "ON",
    "log_bin": "ON",
    "sync_binlog": "1",
    "innodb_force_recovery": "0",
    "max_allowed_packet": "67108864",
    "character_set_database": "utf8mb4",
}


def test_mysql_as_it_comes_is_well() -> None:
    """What MySQL 8 is set to by itself needs no word."""
    assert judge(MYSQL) == []


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("version", "8.0.19", "refuse"),
        ("version", "5.7.44-log", "refuse"),
        ("version", "10.5.23-MariaDB", "refuse"),
        ("innodb_flush_log_at_trx_commit", "2", "refuse"),
        ("innodb_flush_log_at_trx_commit", "0", "refuse"),
        ("sync_binlog", "0", "refuse"),
        ("innodb_doublewrite", "OFF", "refuse"),
        ("innodb_doublewrite", "DETECT_ONLY", "refuse"),
        ("innodb_force_recovery", "1", "refuse"),
        ("read_only", "ON", "refuse"),
        ("max_allowed_packet", "1048576", "refuse"),
        ("sql_mode", "", "warn"),
        ("time_zone", "Europe/Berlin", "warn"),
        ("system_time_zone", "CET", "warn"),
        ("character_set_database", "latin1", "warn"),
        ("wsrep_on", "ON", "warn"),
    ],
)
def test_each_bad_setting_is_named(name: str, value: str, severity: str) -> None:
    """One finding, which names the setting or its value, and says what to do."""
    (finding,) = judge({**MYSQL, name: value})
    assert finding.severity == severity
    assert value in finding.sentence
    assert finding.remedy.endswith((".", ";"))


def test_a_replica_may_be_read_only_and_lazy() -> None:
    """Nothing is lost with a replica: it is not asked to keep what it is told."""
    lazy = {**MYSQL, "read_only": "ON", "innodb_flush_log_at_trx_commit": "2"}
    assert judge(lazy, "replica") == []


async def test_a_real_server_is_inspected(tmp_path: Path) -> None:
    """The test's own server is well; each setting that is made bad on it is seen."""
    with MariaDbServer(
        tmp_path / "m",
        innodb_flush_log_at_trx_commit=2,
        log_bin="b",
        sync_binlog=0,
        server_id=1,
        innodb_doublewrite=0,
        default_time_zone="+05:00",
    ) as server:
        url = server.url(server.create_database("slots"))
        found = await inspect_database(url)
        missing = await inspect_database(server.url("nowhere"))
        wrong = await inspect_database(url.replace("only-for-tests", "not-it"))
    words = [(finding.severity, finding.sentence.split()[0]) for finding in found]
    assert words == [
        ("warn", "The"),
        ("refuse", "innodb_flush_log_at_trx_commit"),
        ("refuse", "log_bin"),
        ("refuse", "innodb_doublewrite"),
    ]
    assert [(one.severity, "'nowhere'" in one.sentence) for one in missing] == [
        ("refuse", True)
    ]
    assert [(one.severity, "'slotcast'" in one.sentence) for one in wrong] == [
        ("refuse", True)
    ]
    (away,) = await inspect_database(url)
    assert away.severity == "warn"
    assert "does not answer" in away.sentence


async def test_a_good_server_and_sqlite_need_no_word(
    mariadb_server: MariaDbServer,
) -> None:
    """No finding where all is well; no answer is a warning, for bookings go on."""
    server = mariadb_server
    url = server.url(server.create_database("inspected"), "aiomysql")
    assert await inspect_database(url) == []
    assert await inspect_database("sqlite:///x.db") == []
    away = await inspect_database(url.replace(f":{server.port}", f":{free_port()}"))
    assert [finding.severity for finding in away] == ["warn"]
