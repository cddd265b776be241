"""Imports point inward: the contracts of pyproject.toml, run as a test."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.architecture.sources import PACKAGES, ROOT

_SLIM = """
import sys
import {module}
heavy = [name for name in {heavy} if name in sys.modules]
assert not heavy, heavy
"""


def test_imports_point_inward() -> None:
    """Every contract on who may import whom is kept."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as m; m()",
        ],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_contracts_are_sentences_about_every_package() -> None:
    """Each contract's name says its rule, and no package is left out."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    linter = settings["tool"]["importlinter"]
    assert set(linter["root_packages"]) == set(PACKAGES)
    for contract in linter["contracts"]:
        assert len(contract["name"].split()) > 3, contract["name"]


def test_a_shard_process_is_slim() -> None:
    """What a shard's process loads has no web framework and no SQL in it."""
    heavy = ("fastapi", "starlette", "sqlalchemy", "uvicorn", "pydantic")
    for module in (
        "actors.hosting.mailbox",
        "persistence.journal.files.journal",
        "persistence.journal.files.wal",
    ):
        program = _SLIM.format(module=module, heavy=heavy)
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
