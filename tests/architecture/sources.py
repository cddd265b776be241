"""Where our sources are: every test of the architecture reads the same list."""

from __future__ import annotations

import functools
from collections.abc import Iterable
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
