"""``slotcast token revoke``: by token, by id, by subject; what it says and refuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import jwt
import pytest

from care.sharing import Revocation, RevocationKind
from cluster import cli
from cluster.clock import SystemClock
from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings
from persistence.shared.revocations_file import FileRevocations


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "data"
    monkeypatch.setenv("SLOTCAST_DATA", str(data))
    folder = DataFolder(data)
    with folder.locked():
        folder.make(read_settings(data=data), "2026-12-01")
    return data


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["slotcast", "token", *words])
    return cli.main()


def held(site: Path) -> list[Revocation]:
    path = site / "secrets" / "revocations.jsonl"
    return list(asyncio.run(FileRevocations(path, SystemClock()).held()))


def test_a_token_is_revoked_until_it_would_have_expired(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its id, a minute beyond its end; and never written down itself."""
    words = ("--role", "patient", "--subject", "pat_1", "--ttl", "15m")
    assert run(monkeypatch, *words) == 0
    token = capsys.readouterr().out.strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert run(monkeypatch, "revoke", token) == 0
    (one,) = held(site)
    assert (one.kind, one.value) == (RevocationKind.TOKEN, claims["jti"])
    assert one.until == (claims["exp"] + 60) * 1000
    written = (site / "secrets" / "revocations.jsonl").read_text()
    assert token not in written
    assert token not in capsys.readouterr().out


def test_all_tokens_of_a_subject_and_one_by_its_id(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept for as long as any token lives; as JSON for programs."""
    before = SystemClock().now()
    assert run(monkeypatch, "revoke", "--subject", "pat_1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "subject"
    assert run(monkeypatch, "revoke", "--id", "abc") == 0
    whole, one = held(site)
    assert before <= whole.at <= SystemClock().now()
    assert whole.until - whole.at == (24 * 3600 + 60) * 1000
    assert (one.kind, one.value) == (RevocationKind.TOKEN, "abc")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--id", "a", "--subject", "pat_1"), 2),
        (("not.a.token",), 1),
    ],
)
def test_what_cannot_be_revoked_is_told(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
) -> None:
    """Exactly one thing, and a token of ours; else a sentence and nothing changes."""
    assert run(monkeypatch, "revoke", *words) == code
    assert "Traceback" not in capsys.readouterr().err
    assert held(site) == []


def test_with_redis_away_it_says_so_and_hides_the_password(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token is not reported as revoked when gateways may not learn of it."""
    monkeypatch.setenv("SLOTCAST_REDIS", "redis://:hidden@127.0.0.1:1/0")
    assert run(monkeypatch, "revoke", "--subject", "pat_1") == 1
    said = capsys.readouterr()
    assert "127.0.0.1:1" in said.err
    assert "hidden" not in said.out + said.err
