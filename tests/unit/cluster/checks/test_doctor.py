"""``slotcast doctor``: each finding, and its control."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cluster.checks.doctor import examine, of_clock, of_secrets, of_settings
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed

ONLINE = {
    "host": "127.0.0.1",
    "public_url": "https://slots.example.org",
    "behind_proxy": True,
    "demo": "off",
}


def _levels(**settings: Any) -> dict[str, str]:
    return {one.name: one.level for one in of_settings(read_settings(**settings))}


def test_a_site_on_this_machine_alone_is_well() -> None:
    """What is only a list that is not there is a warning."""
    assert set(_levels().values()) <= {"ok", "warn"}
    assert _levels()["stolen passwords"] == "warn"


def test_a_site_behind_a_proxy_with_tls_is_well() -> None:
    """The control of the next test: nothing is bad."""
    assert "bad" not in _levels(**ONLINE).values()


def test_photos_of_several_machines_are_shared() -> None:
    """A cluster is warned while each machine has its own."""
    cluster = {"journal": "redis://127.0.0.1/0"}
    assert _levels(**cluster)["photos"] == "warn"
    for blobs in ("/mnt/documents", "azure://photos/site"):
        assert "photos" not in _levels(**cluster, blobs=blobs)
    assert "photos" not in _levels()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("demo tokens", {"demo": "auto"}),
        ("demo tokens", {"demo": "on"}),
        ("TLS", {"public_url": "http://slots.example.org"}),
        ("TLS", {"public_url": "", "host": "192.0.2.1"}),
        ("proxy", {"behind_proxy": False}),
        ("proxy", {"trusted_proxies": "*"}),
        ("stolen passwords", {"breached_passwords": Path("/nowhere")}),
    ],
)
def test_what_is_not_safe_is_bad(name: str, changes: dict[str, Any]) -> None:
    """Each with a sentence on what to do."""
    settings = read_settings(**{**ONLINE, **changes})
    bad = {one.name: one.remedy for one in of_settings(settings) if one.level == "bad"}
    assert bad.get(name)


def test_a_secret_that_others_can_read_is_bad(tmp_path: Path) -> None:
    """Named, with the command that closes it."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    path = secrets / "keys"
    path.write_text("x")
    path.chmod(0o600)
    assert [one.level for one in of_secrets(tmp_path)] == ["ok"]
    path.chmod(0o640)
    (found,) = of_secrets(tmp_path)
    assert (found.level, found.remedy) == ("bad", f"chmod 600 {path}")


def test_a_clock_without_a_time_server_is_told() -> None:
    """5 is TIME_ERROR of adjtimex(2)."""
    assert (of_clock(5).level, of_clock(0).level) == ("warn", "ok")


def _site(folder: Path, **settings: Any) -> Site:
    return site_made_if_needed(
        read_settings(data=folder, **settings), date(2026, 8, 10)
    )


async def test_a_whole_site_is_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every check answers, also for a database and a mail server that do not."""
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    found = await examine(_site(tmp_path / "well"))
    assert not [one for one in found if one.level == "bad"], found
    names = {one.name for one in found}
    assert names >= {"disk", "clock", "keys", "read model", "records", "mail", "blobs"}
    nowhere = _site(
        tmp_path / "away",
        mail="smtp://127.0.0.1:9",
        mail_from="Slots <slots@example.org>",
        database="mysql://user:kettle9@127.0.0.1:9/slots",
        blobs="azure://photos/site",
    )
    found = await examine(nowhere)
    bad = {one.name for one in found if one.level == "bad"}
    assert {"read model", "records", "mail", "blobs"} <= bad
    assert "kettle9" not in str(found)
