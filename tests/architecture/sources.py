"""Our sources: all tests of the architecture read the same files, each once."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "actors",
    "care",
    "gateway",
    "persistence",
    "cluster",
    "slotcast",
    "loadtests",
)
SKIPPED = frozenset({"__pycache__", "node_modules", ".venv", "build", "dist"})


def _below(folder: Path, pattern: str) -> Iterable[Path]:
    for path in sorted(folder.rglob(pattern)):
        if not SKIPPED.intersection(path.relative_to(ROOT).parts):
            yield path


@functools.cache
def product_files() -> tuple[Path, ...]:
    """Python files that are shipped."""
    return tuple(path for name in PACKAGES for path in _below(ROOT / name, "*.py"))


@functools.cache
def written_tests() -> tuple[Path, ...]:
    """Python files of the tests."""
    return tuple(_below(ROOT / "tests", "*.py"))


@functools.cache
def documents() -> tuple[Path, ...]:
    """Pages for people: Markdown at the top and under docs/."""
    top = sorted(ROOT.glob("*.md"))
    return (*top, *_below(ROOT / "docs", "*.md"))


@functools.cache
def written_by_us() -> tuple[Path, ...]:
    """All text that we write and publish."""
    top = (ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run")
    found = tuple(path for path in top if path.exists())
    return (*product_files(), *written_tests(), *documents(), *found)


def shown(path: Path) -> str:
    """The path as a person would say it."""
    return str(path.relative_to(ROOT))


@functools.cache
def text(path: Path) -> str:
    """What is in a file."""
    return path.read_text("utf-8")


def lines_with(pattern: re.Pattern[str], path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a file in which something like this is found."""
    if pattern.search(text(path)):
        for number, line in enumerate(text(path).splitlines(), 1):
            if pattern.search(line):
                yield number, line


@functools.cache
def parsed(path: Path) -> ast.Module:
    """A file's module."""
    return ast.parse(text(path), filename=str(path))


_KINDS = (
    ast.Import,
    ast.ImportFrom,
    ast.ClassDef,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Call,
)


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Imports, classes, functions, and calls of a file."""
    return tuple(node for node in ast.walk(parsed(path)) if isinstance(node, _KINDS))
