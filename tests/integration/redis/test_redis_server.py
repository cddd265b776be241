"""Settings of a Redis that would break a promise are named before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.errors import JournalUnavailable
from persistence.redis.server import ServerFacts, findings_of, inspect_server
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.reserved import free_port

GOOD = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    "maxmemory": "1000000",
}
INFO = {"redis_version": "7.2.5", "role": "master", "aof_enabled": "1"}


def _facts(settings: dict[str, str] | None = None, **info: str) -> ServerFacts:
    return ServerFacts("Redis at here:1", {**INFO, **info}, settings, True)


async def test_a_good_server_has_one_copy(redis_server: RedisServer) -> None:
    """Set up as it should be, one server is allowed, with a plain warning."""
    (finding,) = await inspect_server(redis_server.url, 0)
    assert finding.severity == "warn"
    assert "only copy" in finding.sentence
    assert "SLOTCAST_JOURNAL_REPLICAS" in finding.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appendonly", "no"),
        ("appendfsync", "everysec"),
        ("appendfsync", "no"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("maxmemory-policy", "allkeys-lru"),
    ],
)
def test_each_setting_is_refused(name: str, value: str) -> None:
    """What would lose acknowledged bookings is refused, by its name and value."""
    (worst, _) = findings_of(_facts({**GOOD, name: value}), 0)
    assert worst.severity == "refuse"
    assert f"{name} {value}" in worst.sentence
    assert name in worst.remedy


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"redis_version": "6.2.14"}, "6.2.14"),
        ({"role": "slave"}, "is a replica"),
        ({"cluster_enabled": "1"}, "Cluster"),
        ({"aof_last_write_status": "err"}, "failed to write"),
    ],
)
def test_each_kind_is_refused(info: dict[str, str], said: str) -> None:
    """A server that cannot do it, whatever its settings, is refused."""
    (worst, *_) = findings_of(_facts(GOOD, **info), 0)
    assert worst.severity == "refuse"
    assert said in worst.sentence


def test_without_config_info_tells_a_part() -> None:
    """Where CONFIG is forbidden, what could not be verified is said."""
    findings = findings_of(
        _facts(None, maxmemory_policy="noeviction", maxmemory="1"), 0
    )
    assert [one.severity for one in findings] == ["warn", "warn"]
    assert "could not be verified" in findings[0].sentence
    findings = findings_of(_facts(None, aof_enabled="0", maxmemory_policy="x"), 0)
    assert [one.severity for one in findings[:2]] == ["refuse", "refuse"]


async def test_forbidden_config_on_a_real_server(tmp_path: Path) -> None:
    """A user who may not ask CONFIG gets the warning, not an error."""
    with RedisServer(tmp_path) as server:
        server.ask("ACL", "SETUSER", "app", "on", ">word", "~*", "+@all", "-config")
        url = server.url.replace("redis://", "redis://app:word@")
        findings = await inspect_server(url, 0)
    assert not [one for one in findings if one.severity == "refuse"]
    assert "could not be verified" in findings[0].sentence


async def test_who_does_not_answer_is_named() -> None:
    """No server, or a wrong password: one sentence with the address."""
    port = free_port()
    with pytest.raises(JournalUnavailable, match=str(port)):
        await inspect_server(f"redis://127.0.0.1:{port}", 0)


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    """The server's word for it is passed on, the password is not."""
    with RedisServer(tmp_path, requirepass="right") as server:
        with pytest.raises(JournalUnavailable, match="WRONGPASS") as error:
            await inspect_server(server.url.replace("//", "//:hidden@"), 0)
        assert "hidden" not in str(error.value)
        right = server.url.replace("//", "//:right@")
        assert await inspect_server(right, 0)
