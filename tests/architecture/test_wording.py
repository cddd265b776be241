"""Words and names as a test: plain English, and one meaning for each class name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from tests.architecture.sources import (
    ROOT,
    documents,
    lines_with,
    parsed,
    product_files,
    shown,
    text,
    written_tests,
)

VAGUE_WORDS = re.compile(
    r"""(?<![\w."])(somebody|nobody|whoever|newcomers?|mend(s|ed|ing)?|anew|noes
    |everybody|anybody|whereabouts|knocks?)\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words that hide what a sentence is about, and pictures where a term exists.

A name that operators rely on keeps its letters: a metric (``"newcomers"``) and the
ending of a file (``.anew``) stand behind a quote or a dot.
"""

CLOCK = re.compile(r"monotonic|perf_counter|time\b")


PICTURES = re.compile(
    r"""\b(in[ ]the[ ]house|(another|either|other)[ ]road|broken[ ]off|broke[ ]off
    |so[ ]many|at[ ]home[ ]in|put[ ]in[ ]force|nought|bells?|for[ ]it[ ]does
    |come[ ]back[ ]soon|does[ ]not[ ]do[ ]as[ ]asked|not[ ]one[ ]that[ ]we[ ]gave)\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""Pictures and translated phrases for which a technical term or plain idiom exists.

The product and its pages avoid them; tests are held to ``VAGUE_WORDS`` alone.
"""


def test_prose_names_its_subject() -> None:
    """Sources, tests and pages say what acts; no word stands for an unnamed person."""
    found = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in (*product_files(), *written_tests(), *documents())
        if path != Path(__file__)
        for number, line in lines_with(VAGUE_WORDS, path)
    ]
    assert not found


def test_prose_uses_technical_terms() -> None:
    """Sources and pages say what happens in standard terms, not in pictures."""
    found = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in (*product_files(), *documents())
        if "benchmarks" not in path.parts
        for number, line in lines_with(PICTURES, path)
    ]
    assert not found


def test_a_class_name_is_unique() -> None:
    """One name, one class: nothing in the product is called as something else is.

    Load generators are no part of it: they name what they see as it is named here.
    """
    names = Counter(
        node.name
        for path in product_files()
        if path.relative_to(ROOT).parts[0] != "loadtests"
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    twice = {name for name, count in names.items() if count > 1}
    assert not twice


def test_no_test_asserts_how_long_something_took() -> None:
    """A busy machine fails no test. What a deadline bounds is waited for in a loop,
    and what must not wait is counted."""
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in written_tests()
        if CLOCK.search(text(path))
        for node in _asserts_outside_loops(parsed(path))
        if any(_is_elapsed(part) for part in ast.walk(node.test))
    ]
    assert not found


def _asserts_outside_loops(tree: ast.AST) -> list[ast.Assert]:
    found = []
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Assert):
            found.append(child)
        elif not isinstance(child, ast.While):
            found += _asserts_outside_loops(child)
    return found


def _is_elapsed(node: ast.AST) -> bool:
    """Whether it is ``monotonic() - began < …``; at least so long is no promise of
    speed."""
    if not (
        isinstance(node, ast.Compare) and isinstance(node.ops[-1], ast.Lt | ast.LtE)
    ):
        return False
    return any(
        isinstance(part, ast.BinOp)
        and isinstance(part.op, ast.Sub)
        and isinstance(part.left, ast.Call)
        and CLOCK.search(ast.unparse(part.left.func))
        for part in (node.left, *node.comparators)
    )
