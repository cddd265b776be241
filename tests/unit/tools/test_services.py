"""The set-up of what tests start: it says what is missing, and CI accepts no gap."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.sources import ROOT


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, on a machine without package manager where promtool is missing."""
    path = ROOT / "tools" / "services.py"
    spec = importlib.util.spec_from_file_location("services", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "found", lambda name: name != "promtool")
    monkeypatch.setattr(module, "can_install", lambda: False)
    monkeypatch.setattr(module, "from_npm", lambda _folder: True)
    monkeypatch.setattr(module, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.delenv("CI", raising=False)
    return module


def test_what_is_missing_is_said_in_one_sentence(
    services: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing can be installed, each gap is a sentence with its remedy."""
    services.main(tmp_path, tmp_path / "stamp")
    told = capsys.readouterr().out
    assert "promtool" in told
    assert "apt-get install prometheus" in told
    assert not (tmp_path / "stamp").exists()


def test_in_ci_a_gap_is_a_failure(
    services: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI has everything, or it has not tested."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit) as end:
        services.main(tmp_path, tmp_path / "stamp")
    assert end.value.code == 1


def test_with_everything_there_only_the_stamp_is_written(
    services: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that has everything is left as it is."""
    monkeypatch.setattr(services, "found", lambda _name: True)
    monkeypatch.setattr(services, "run", lambda *_words, **_more: pytest.fail("ran"))
    services.main(tmp_path, tmp_path / "stamp")
    assert (tmp_path / "stamp").exists()


def test_no_service_is_started_while_packages_are_installed(
    services: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's rule forbids starting during the installation, and is gone after it."""
    rules: list[bool] = []
    monkeypatch.setattr(services, "leave_off", lambda _names: None)
    monkeypatch.setattr(
        services, "run", lambda *_w, **_m: rules.append(services.POLICY.exists())
    )
    services.install(["prometheus"])
    assert rules
    assert all(rules)
    assert not services.POLICY.exists()


def test_the_lock_file_names_no_place_to_fetch_from() -> None:
    """What comes from npm is pinned by hash; the registry is whatever is set."""
    text = (ROOT / "tools" / "services" / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert all("integrity" in one for path, one in packages.items() if path)
    assert not re.search(r'"resolved"', text)
