"""Several Ray nodes: joining, draining, and one that freezes and wakes again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance


def test_nodes_join_are_drained_and_freeze(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node that joins gets its share; a drained one ends empty; a frozen one's shards
    answer elsewhere, and when it wakes its zombies end without harm."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.several_nodes", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["bookings"] >= 2
    with capsys.disabled():
        sys.stdout.write(f" [{facts}]")
