"""Settings come from the environment, and say what is wrong with them."""

from pathlib import Path

import pytest

from actors.placement import Placement
from cluster.site.settings import read_settings
from cluster.terminal.obstacle import CANNOT_WORK, Obstacle


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("SLOTCAST_"):
            monkeypatch.delenv(name)


def test_defaults_serve_on_loopback() -> None:
    """Without any setting the server is for this machine only, on port 8000."""
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.is_loopback
    assert settings.data == Path("var/slotcast")


def test_the_environment_sets_and_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """SLOTCAST_PORT counts unless --port is given."""
    monkeypatch.setenv("SLOTCAST_PORT", "8123")
    monkeypatch.setenv("SLOTCAST_PLACEMENT", "provider")
    monkeypatch.setenv("SLOTCAST_ALLOWED_ORIGINS", "https://a.example, http://b:1")
    assert read_settings().port == 8123
    assert read_settings(port=8124).port == 8124
    assert read_settings(port=None).port == 8123
    assert read_settings().placement is Placement.PROVIDER
    assert read_settings().allowed_origins == ("https://a.example", "http://b:1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLOTCAST_PORT", "eighty"),
        ("SLOTCAST_SHARDS", "0"),
        ("SLOTCAST_CELL_MINUTES", "7"),
        ("SLOTCAST_PLACEMENT", "moon"),
        ("SLOTCAST_HOLD_SECONDS", "-1"),
    ],
)
def test_nonsense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong setting is named, with its value and what would fit."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Obstacle, match=name) as caught:
        read_settings()
    assert value in caught.value.wrong
    assert caught.value.code == CANNOT_WORK


def test_the_policy_is_in_the_units_of_the_calendar() -> None:
    """Seconds and hours become milliseconds."""
    policy = read_settings(hold_seconds=60, key_retention_hours=2).policy
    assert (policy.hold_ms, policy.key_retention_ms) == (60_000, 7_200_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal", "redis://u:wort/geheim@127.0.0.1:6379/0"),
        ("journal", "redis://u:wort#geheim@127.0.0.1:6379/0"),
        ("journal", "redis://u:geheim?x@127.0.0.1:6379/0"),
        ("journal", "redis://u:wort@127.0.0.1:6379/geheim"),
        ("journal", "redis://u@127.0.0.1:geheim/0"),
        ("redis", "redis://u:6379/geheim@127.0.0.1:6379/0"),
        ("redis", "redis://u:geheim@[::1:6379/0"),
        ("database", "mysql://u:wort@geheim@127.0.0.1:3306/db"),
        ("database", "mysql://u@127.0.0.1:geheim/db"),
        ("database_reader", "mysql:u:geheim@127.0.0.1"),
        ("database", "mysql+geheim://u:wort@127.0.0.1/db"),
    ],
)
def test_an_address_that_is_not_understood_tells_no_password(
    name: str, value: str
) -> None:
    """A sign that should be encoded is named at the start; nothing of it is shown."""
    with pytest.raises(Obstacle) as told:
        read_settings(**{name: value})
    said = f"{told.value.wrong} {told.value.remedy} {told.value.__cause__!r}"
    assert f"SLOTCAST_{name.upper()} is not shown" in said
    assert "geheim" not in said
    assert "wort" not in said


def test_passwords_with_encoded_signs_are_understood() -> None:
    """What the message asks for is taken."""
    settings = read_settings(
        journal="redis://u:a%2Fb%23c%40d@127.0.0.1:6379/0",
        database="mysql://u:a%2Fb%23c%40d@127.0.0.1:3306/db",
    )
    assert settings.journal_is_redis
