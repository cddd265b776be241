"""Each attack of docs/attacks.md has a test, and a control without its guard."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ATTACKS = 68
"""Of the list that the page is about; more may follow."""
GUARDS = frozenset({"guarded", "end", "ends", "settings", "is_closed"})
"""Parameters by which a test is its own control: one of its cases has no guard."""
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def _tests_of(path: str) -> dict[str, set[str]]:
    """The tests of a file, and the names of their arguments."""
    return {
        node.name: {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _rows() -> dict[int, tuple[list[tuple[str, str]], list[tuple[str, str]]]]:
    """By the number of the attack: its tests and its controls."""
    lines = (ROOT / "docs" / "attacks.md").read_text().splitlines()
    cells = [line.split("|") for line in lines if re.match(r"\| \d", line)]
    numbers = [int(row[1]) for row in cells]
    assert numbers == list(range(1, len(numbers) + 1))
    return {
        int(row[1]): (_TEST.findall(row[3]), _TEST.findall(row[4])) for row in cells
    }


def test_every_attack_has_a_test_and_a_control_that_exist() -> None:
    """A row without one, or with one that was renamed or removed, is found."""
    rows = _rows()
    assert len(rows) >= ATTACKS
    for number, (tests, controls) in rows.items():
        assert tests, number
        assert controls, number
        for path, name in (*tests, *controls):
            assert name in _tests_of(path), (number, path, name)


def test_a_control_is_another_test_or_a_case_without_the_guard() -> None:
    """The test alone would prove nothing of the guard."""
    for number, (tests, controls) in _rows().items():
        for path, name in controls:
            if (path, name) in tests:
                assert GUARDS & _tests_of(path)[name], (number, name)
