"""What CI leaves out is proven in CI by something shorter."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import ROOT, nodes, shown, text, written_tests


def test_a_deep_test_names_what_proves_its_promise_in_ci() -> None:
    """Each deep marker names test files of CI, and none of them is deep as a whole."""
    wrong = [
        f"{shown(path)}:{node.lineno}"
        for path in written_tests()
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.deep"
        if not node.args or not all(_is_in_ci(one) for one in node.args)
    ]
    assert not wrong


def _is_in_ci(argument: ast.expr) -> bool:
    if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
        return False
    path = ROOT / argument.value
    return path.is_file() and "pytestmark = pytest.mark.deep" not in text(path)


def test_the_makefile_names_all_acceptance_tests() -> None:
    """They and the simulator's run from the paths that it names, not from all."""
    makefile = text(ROOT / "Makefile")
    words = re.findall(r"^(?:ACCEPTANCE|SIMULATED) := (.*)$", makefile, re.MULTILINE)
    places = [ROOT / one for line in words for one in line.split()]
    assert all(one.exists() for one in places)
    missed = [
        shown(path)
        for path in written_tests()
        if "mark.acceptance" in text(path) and path.name.startswith("test_")
        if not any(path.is_relative_to(place) for place in places)
    ]
    assert missed == [shown(Path(__file__))]


def test_no_deep_marker_is_without_names() -> None:
    """A marker without its call would leave a test out of CI without a word."""
    bare = [
        shown(path)
        for path in written_tests()
        if path.name.startswith("test_")
        and text(path).count("pytest.mark.deep") > text(path).count("pytest.mark.deep(")
        and path != ROOT / "tests/architecture/test_tiers.py"
    ]
    assert not bare
