"""Each threat of docs/threats.md names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_LEAST = 15


def test_every_threat_has_a_control_and_a_test_that_exists() -> None:
    """A row without one, or with a test that was renamed, is found."""
    rows = [
        line
        for line in (ROOT / "docs" / "threats.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| threat")
    ]
    assert len(rows) >= _LEAST
    for row in rows:
        _, threat, control, test, _ = row.split("|")
        assert threat.strip()
        assert control.strip()
        found = _TEST.search(test)
        assert found, row
        names = {
            node.name
            for node in ast.walk(ast.parse((ROOT / found[1]).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert found[2] in names, row
