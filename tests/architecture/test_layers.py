"""Imports point inward: the contracts of pyproject.toml, run as a test."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.schema import Schema
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


def test_the_processes_behind_requests_are_slim() -> None:
    """Projector and worker load no command line, no web framework and no Alembic."""
    program = _SLIM.format(
        module="cluster.behind, cluster.server.projector, cluster.work.process",
        heavy=("fastapi", "uvicorn", "typer", "rich", "alembic", "httpx", "ray", "jwt"),
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_tables_that_are_made_are_found_without_alembic(tmp_path: Path) -> None:
    """Only the process that migrates loads it; what counts as newest is the same."""
    url = f"sqlite:///{tmp_path}/records.db"
    asyncio.run(migrate(url, RECORDS))
    program = f"""
import asyncio, sys
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
asyncio.run(migrate({url!r}, RECORDS))
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("schema", [RECORDS, READ_MODEL])
def test_the_newest_revision_is_alembics(schema: Schema) -> None:
    """Read from the files, it is what Alembic would migrate to."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations))
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert schema.newest_revision() == newest
