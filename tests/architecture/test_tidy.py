"""Tidiness as a test: what a reviewer would otherwise have to say again and again."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import (
    ROOT,
    product_files,
    shown,
    written_by_us,
    written_tests,
)

LINES_MAX = 400
"""A file longer than this has more than one job."""

LINES_HARD = 500
"""Nothing, not even a table of cases, is longer than this."""

LONGER_THAN_IT_SHOULD_BE = frozenset(
    {
        "tests/properties/test_calendar_machine.py",
        "tests/unit/domain/test_calendar.py",
        "tests/unit/gateway/test_rest_providers.py",
    }
)
"""Files between the two limits; this list may only shrink."""

WORDS_OF_A_SENTENCE = 3
"""A test's name with at least so many words can say what it proves."""

VAGUE = frozenset({"utils", "util", "helper", "helpers", "manager", "misc", "common"})
VAGUE_CLASS = re.compile(r"(Manager|Helper|Utils?|Info)$")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")))
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users)/\w+")


def _ids(paths: tuple[Path, ...]) -> list[str]:
    return [shown(path) for path in paths]


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def test_no_file_is_too_long() -> None:
    """A file has one job, and so at most about 400 lines."""
    sizes = {
        shown(path): len(path.read_text("utf-8").splitlines())
        for path in (*product_files(), *written_tests())
    }
    too_long = {
        name: size
        for name, size in sizes.items()
        if size > (LINES_HARD if name in LONGER_THAN_IT_SHOULD_BE else LINES_MAX)
    }
    assert not too_long


def test_the_list_of_long_files_only_shrinks() -> None:
    """A file that became short again leaves the list of exceptions."""
    for name in LONGER_THAN_IT_SHOULD_BE:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        assert len(lines) > LINES_MAX, f"{name} is short again: take it off the list"


def test_nothing_is_left_unfinished() -> None:
    """A thing to do is an issue, not a remark in the source."""
    found = [
        f"{shown(path)}:{number}"
        for path in written_by_us()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found


def test_no_machine_is_named() -> None:
    """Sources work on every machine, so they name the folders of none."""
    ours = {str(ROOT), str(Path.home())} - {"/"}
    found = []
    for path in written_by_us():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line) or any(
                re.search(re.escape(name) + r"(?!\w)", line) for name in ours
            ):
                found.append(f"{shown(path)}:{number}")
    assert not found


def test_modules_are_named_after_what_they_hold() -> None:
    """Nothing is called utils, helper or manager: such names hold everything."""
    found = [
        shown(path)
        for path in (*product_files(), *written_tests())
        if VAGUE.intersection(part.removesuffix(".py") for part in path.parts)
    ]
    assert not found


@pytest.mark.parametrize("path", product_files(), ids=_ids(product_files()))
def test_a_module_says_what_it_is(path: Path) -> None:
    """Each module opens with what it is, and classes have telling names."""
    tree = _parsed(path)
    if tree.body:
        assert ast.get_docstring(tree), f"{shown(path)} opens without a docstring"
    vague = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and VAGUE_CLASS.search(node.name)
    ]
    assert not vague


@pytest.mark.parametrize("path", written_tests(), ids=_ids(written_tests()))
def test_a_test_says_what_it_proves(path: Path) -> None:
    """Each test's docstring is the sentence it proves, unless its name is one."""
    silent = [
        node.name
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and path.name.startswith("test_")
        and not ast.get_docstring(node)
        and len(node.name.split("_")) <= WORDS_OF_A_SENTENCE
    ]
    assert not silent, f"{shown(path)}: {silent}"


@pytest.mark.parametrize("path", written_tests(), ids=_ids(written_tests()))
def test_tests_are_repeatable(path: Path) -> None:
    """No test draws a number without a seed, makes a random id, or is run again."""
    text = path.read_text("utf-8")
    banned = (
        "uuid" + "4(",
        "mark.flaky",
        "rerun" + "s=",
        "random.Random()",
        "random.seed()",
    )
    assert not [word for word in banned if word in text and path != Path(__file__)]
    unseeded = [
        node.lineno
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "random"
        and node.func.attr not in {"Random"}
    ]
    assert not unseeded
