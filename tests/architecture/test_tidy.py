"""Tidiness as a test: what a reviewer would otherwise have to say again and again."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import (
    ROOT,
    lines_with,
    nodes,
    parsed,
    product_files,
    shown,
    text,
    written_by_us,
    written_tests,
)

LINES_MAX = 400
"""A longer file says in its docstring why it is one thing: "One file because …"."""

LINES_HARD = 800
"""Nothing is longer than this."""

REASON = "One file because"

WORDS_OF_A_SENTENCE = 3
"""A test's name with at least so many words can say what it proves."""

VAGUE = frozenset({"utils", "util", "helper", "helpers", "manager", "misc", "common"})
VAGUE_CLASS = re.compile(r"(Manager|Helper|Utils?|Info)$")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")))
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users)/\w+")


def test_a_long_file_says_why_it_is_one() -> None:
    """One file is one thing; beyond 400 lines its docstring says why."""
    found = []
    for path in (*product_files(), *written_tests()):
        lines = len(text(path).splitlines())
        if lines <= LINES_MAX:
            continue
        docstring = ast.get_docstring(parsed(path)) or ""
        if lines > LINES_HARD or REASON not in " ".join(docstring.split()):
            found.append(f"{shown(path)}: {lines} lines")
    assert not found


def test_nothing_is_left_unfinished() -> None:
    """A thing to do is an issue, not a remark in the source."""
    found = [
        f"{shown(path)}:{number}"
        for path in written_by_us()
        for number, _ in lines_with(UNFINISHED, path)
    ]
    assert not found


def test_no_machine_is_named() -> None:
    """Sources work on every machine, so they name the folders of none."""
    ours = {str(ROOT), str(Path.home())} - {"/"}
    folders = "|".join(re.escape(name) for name in sorted(ours))
    named = re.compile(rf"{MACHINE_PATH.pattern}|(?:{folders})(?!\w)")
    found = [
        f"{shown(path)}:{number}"
        for path in written_by_us()
        for number, _ in lines_with(named, path)
    ]
    assert not found


def test_modules_are_named_after_what_they_hold() -> None:
    """Nothing is called utils, helper or manager: such names hold everything."""
    found = [
        shown(path)
        for path in (*product_files(), *written_tests())
        if VAGUE.intersection(part.removesuffix(".py") for part in path.parts)
    ]
    assert not found


def test_a_module_says_what_it_is() -> None:
    """Each module opens with a docstring that says what it is."""
    silent = [
        shown(path)
        for path in product_files()
        if (tree := parsed(path)).body and not ast.get_docstring(tree)
    ]
    assert not silent


NAMES_MAX = 20
"""Modules and packages of one package, at most."""

GUIDE_LINES = 3
"""A package's docstring says what it is for and in which order to read it."""


def test_a_package_is_small_and_introduces_itself() -> None:
    """No package shows more than a screen of names, and each says in three lines or
    more what it is for and where to begin."""
    found = []
    for init in product_files():
        if init.name != "__init__.py" or "migrations" in init.parts:
            continue
        names = [
            path
            for path in init.parent.iterdir()
            if (path.suffix == ".py" and path != init)
            or (path / "__init__.py").exists()
        ]
        guide = (ast.get_docstring(parsed(init)) or "").splitlines()
        if len(names) > NAMES_MAX or len(guide) < GUIDE_LINES:
            found.append(f"{shown(init)}: {len(names)} names, {len(guide)} lines")
    assert not found


def test_zones_are_of_the_packaged_edition() -> None:
    """One module of the product and one of the tests make zones; no other names a
    library that reads the machine's zone files."""
    makers = {"actors/domain/zone_data.py", "tests/wall_clock.py"}
    readers = {"zoneinfo", "pytz", "dateutil", "tzlocal", "pendulum", "arrow"}
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in (*product_files(), *written_tests())
        if shown(path) not in makers
        for node in nodes(path)
        if isinstance(node, ast.Import | ast.ImportFrom)
        # Expands rules of recurrence, and reads no zone.
        and not (isinstance(node, ast.ImportFrom) and node.module == "dateutil.rrule")
        and readers.intersection(_top_modules(node))
    ]
    assert not found


def _top_modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    names += [alias.name for alias in node.names]
    return [name.split(".")[0] for name in names]


def test_classes_have_telling_names() -> None:
    """No class is called Manager, Helper, Utils or Info."""
    vague = [
        f"{shown(path)}: {node.name}"
        for path in product_files()
        for node in nodes(path)
        if isinstance(node, ast.ClassDef) and VAGUE_CLASS.search(node.name)
    ]
    assert not vague


def test_a_test_says_what_it_proves() -> None:
    """Each test's docstring is the sentence it proves, unless its name is one."""
    silent = [
        f"{shown(path)}: {node.name}"
        for path in written_tests()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and path.name.startswith("test_")
        and not ast.get_docstring(node)
        and len(node.name.split("_")) <= WORDS_OF_A_SENTENCE
    ]
    assert not silent


def test_tests_are_repeatable() -> None:
    """No test makes a random id, draws without a seed, or is run again."""
    banned = (
        "uuid" + "4(",
        "mark.flaky",
        "rerun" + "s=",
        "random.Random()",
        "random.seed()",
    )
    found = [
        f"{shown(path)}: {word}"
        for path in written_tests()
        for word in banned
        if path != Path(__file__) and word in text(path)
    ]
    assert not found


def test_tests_draw_from_seeded_generators() -> None:
    """No test calls a function of the random module itself."""
    unseeded = [
        f"{shown(path)}:{node.lineno}"
        for path in written_tests()
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "random"
        and node.func.attr not in {"Random"}
    ]
    assert not unseeded
