"""Runs the tests that docs/faults.md names and writes down how they went."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.fixtures.server import ROOT

PAGE = ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w./-]+)`")
OUR_NUMBER = re.compile(r"test_(\d+(?:_\d+)*)_")
"""Tests of this folder begin with the numbers of the faults that they make."""


@dataclass(frozen=True)
class Case:
    """One test as it ran."""

    path: str
    name: str
    outcome: str
    """``passed``, ``failed`` or ``skipped``."""


def rows(page: str) -> list[tuple[int, str, str]]:
    """(number, cell with the tests, cell with the last result) of each fault."""
    return [(int(m[1]), m[4], m[5]) for m in ROW.finditer(page)]


def named_paths(page: str) -> list[str]:
    """Every test file and folder that the table names, without repeats."""
    found: dict[str, None] = {}
    for _, how, _ in rows(page):
        found.update(dict.fromkeys(path.rstrip("/") for path in NAMED.findall(how)))
    return list(found)


def run(paths: Sequence[str]) -> list[Case]:
    """Run tests in one go."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", *paths]
        subprocess.run([*command, f"--junitxml={out}"], cwd=ROOT, check=False)
        if not out.exists():
            return []
        return list(_cases(ET.parse(out).getroot()))


def _cases(root: ET.Element) -> Iterable[Case]:
    for one in root.iter("testcase"):
        kinds = {child.tag for child in one}
        outcome = "passed"
        if kinds & {"failure", "error"}:
            outcome = "failed"
        elif "skipped" in kinds:
            outcome = "skipped"
        path = one.get("classname", "").replace(".", "/")
        yield Case(path, one.get("name", ""), outcome)


def about(number: int, how: str, cases: Iterable[Case]) -> list[Case]:
    """The cases of the tests that a row names; of ours those with its number."""
    prefixes = [path.rstrip("/").removesuffix(".py") for path in NAMED.findall(how)]
    found = []
    for case in cases:
        if not any(f"{case.path}/".startswith(f"{prefix}/") for prefix in prefixes):
            continue
        if case.path.startswith("tests/faults/"):
            numbers = OUR_NUMBER.match(case.name)
            if numbers is None or str(number) not in numbers[1].split("_"):
                continue
        found.append(case)
    return found


def verdict(cases: Sequence[Case]) -> str:
    """In words: ``12 passed``, ``1 of 12 failed``, ``not run``."""
    failed = sum(case.outcome == "failed" for case in cases)
    passed = sum(case.outcome == "passed" for case in cases)
    if failed:
        return f"**{failed} of {failed + passed} failed**"
    skipped = sum(case.outcome == "skipped" for case in cases)
    told = f"{passed} passed" if passed else "not run"
    return f"{told}, {skipped} skipped" if skipped else told


def recorded(page: str, cases: Sequence[Case], when: str) -> str:
    """The page with fresh results; ``when`` is date and commit."""

    def fresh(match: re.Match[str]) -> str:
        number, what, must, how, _ = match.groups()
        told = verdict(about(int(number), how, cases))
        return f"| {number} | {what} | {must} | {how} | {told}, {when} |"

    return ROW.sub(fresh, page)
