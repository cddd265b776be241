"""The locks serve every Python that the README promises, not only the one they were
made with: markers of requirements differ from version to version."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires, version

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import ROOT

PYTHONS = ("3.11.0", "3.11.2", "3.11.9", "3.12.0", "3.13.0", "3.14.0")
"""Debian 12 has 3.11.2; Ray has wheels from 3.10 to 3.14."""

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    """What a lock file pins, by canonical name."""
    text = (ROOT / name).read_text("utf-8")
    return {canonicalize_name(one): pin for one, pin in PINNED.findall(text)}


def asked_for(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project.get("optional-dependencies", {})
    asked = [*project["dependencies"], *(one for x in extras for one in optional[x])]
    return [Requirement(one) for one in asked]


def needed(asked: list[Requirement], python: str) -> Iterator[Requirement]:
    """Every requirement below ``asked`` that counts for this Python."""
    here = {name: str(value) for name, value in default_environment().items()}
    minor = python.rpartition(".")[0]
    environment = here | {"python_full_version": python, "python_version": minor}
    waiting, seen = list(asked), set[tuple[str, frozenset[str]]]()
    while waiting:
        one = waiting.pop()
        if one.marker and not one.marker.evaluate({**environment, "extra": ""}):
            continue
        yield one
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        waiting += _below(one, environment)


def _below(one: Requirement, environment: dict[str, str]) -> Iterator[Requirement]:
    for extra in ("", *one.extras):
        for text in requires(one.name) or ():
            below = Requirement(text)
            if below.marker is None:
                yield below
            elif below.marker.evaluate({**environment, "extra": extra}):
                below.marker = None
                yield below


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.txt", ()), ("requirements-dev.txt", ("dev",))]
)
def test_a_lock_has_all_that_each_python_needs(
    lock: str, extras: tuple[str, ...], python: str
) -> None:
    """pip with --require-hashes refuses a requirement that is not in the lock."""
    pins = locked(lock)
    lacking = {
        str(one)
        for one in needed(asked_for(*extras), python)
        if not one.specifier.contains(
            pins.get(canonicalize_name(one.name), "0.dev0"), prereleases=True
        )
        or canonicalize_name(one.name) not in pins
    }
    assert not lacking, f"{lock} for Python {python} lacks {sorted(lacking)}"


def test_what_is_looked_at_is_what_is_locked() -> None:
    """The requirements are read from installed packages: these are the locked ones."""
    pins = locked("requirements-dev.txt")
    other = {name: version(name) for name in pins if version(name) != pins[name]}
    assert not other
