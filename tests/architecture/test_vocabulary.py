"""Refusals, errors, ports and faults: what is named in one place is there in others."""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType
from typing import Any

import pytest

from actors import errors as actor_errors
from actors import ports
from actors.domain.messages.answers import Answer
from actors.domain.messages.refusals import Refusal, RefusalCode
from care import readmodel
from care import sharing as shared
from gateway.wire import errors as gateway_errors
from gateway.wire import problems
from tests.architecture.sources import ROOT
from tests.faults.recording import OUR_NUMBER, rows
from tests.simulation.faults import Nemesis, Weather

TWINS = {
    "Journal": "persistence.journal.memory",
    "SnapshotStore": "persistence.snapshots.memory",
    "Directory": "persistence.readmodel.memory.readmodel",
    "BookingHistory": "persistence.readmodel.memory.readmodel",
    "ProjectionProgress": "persistence.readmodel.memory.readmodel",
    "ShardLinks": "actors.hosting.local",
    "RateBudgets": "persistence.shared.memory",
    "Revocations": "persistence.shared.memory",
    "HotPages": "persistence.shared.memory",
    "Wakeups": "persistence.shared.memory",
}
"""Port -> where its twin in memory lives. Clock and Feed are one method of others."""


def _errors(module: ModuleType) -> list[type[Exception]]:
    return [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == module.__name__
    ]


@pytest.mark.parametrize("code", list(RefusalCode), ids=str)
def test_every_refusal_has_a_status(code: RefusalCode) -> None:
    """Whatever a calendar refuses with becomes a problem with a status."""
    problem = problems.of_refusal(Refusal(code, "a sentence"))
    assert 400 <= problem.status < 600
    assert problem.code in problems.CODES


@pytest.mark.parametrize(
    "kind", [*_errors(actor_errors), *_errors(gateway_errors)], ids=lambda k: k.__name__
)
def test_every_error_has_a_status(kind: type[Exception]) -> None:
    """Whatever is raised becomes a problem whose code the table knows."""
    arguments: tuple[Any, ...] = {
        "Refused": (Refusal(RefusalCode.HOLD_LIMIT),),
        "FieldError": ("field", "message"),
        "MethodNotAllowed": ("GET",),
        "ListLimit": (1.0,),
        "TooManyRequests": (1.0,),
    }.get(kind.__name__, ("something",))
    problem = problems.of_error(kind(*arguments))
    assert problem.code != "internal" or kind is gateway_errors.RequestError
    assert problem.code in problems.CODES
    assert problem.status == problems.status_of(problem.code)


def test_refusals_are_answers() -> None:
    """A refusal crosses the actor boundary as a value, not as an exception."""
    assert Refusal in Answer.__args__
    assert not issubclass(Refusal, Exception)


@pytest.mark.parametrize("port", sorted(TWINS))
def test_every_port_has_a_twin_and_a_contract(port: str) -> None:
    """A twin in memory fits each port, and a contract suite names the port's twin."""
    homes = (home for home in (ports, readmodel, shared) if hasattr(home, port))
    protocol = getattr(next(homes), port)
    module = importlib.import_module(TWINS[port])
    wanted = {name for name in vars(protocol) if not name.startswith("_")}
    fits = [
        one.__name__
        for _, one in inspect.getmembers(module, inspect.isclass)
        if wanted <= set(dir(one)) and one is not protocol
    ]
    assert fits, f"nothing in {TWINS[port]} has {sorted(wanted)}"
    suites = [
        path.read_text("utf-8")
        for folder in ("contracts", "unit/actors", "acceptance")
        for path in (ROOT / "tests" / folder).glob("test_*.py")
    ]
    assert any(name in text for name in fits for text in suites)


def test_every_fault_of_the_nemesis_is_in_the_table() -> None:
    """docs/faults.md names each fault that the simulation makes, and no other."""
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    cells = re.findall(r"`tests/simulation/` \(([^)]*)\)", page)
    named = {word.strip() for cell in cells for word in cell.split(",")}
    assert {n for n in named if re.fullmatch(r"[a-z_]+", n)} == set(Weather().__dict__)
    acting = {name[1:] for name in vars(Nemesis) if name.startswith("_")}
    messages = {"lost", "late", "doubled", "store_trouble"}
    assert set(Weather().__dict__) - messages <= acting


def test_every_fault_has_a_number() -> None:
    """The list has 23 faults, and each has a test and a last result."""
    table = rows((ROOT / "docs" / "faults.md").read_text("utf-8"))
    assert [number for number, _, _ in table] == list(range(1, 24))
    assert all("tests/" in how and result for _, how, result in table)


def test_every_real_fault_is_made_where_the_table_says() -> None:
    """A row that names tests/faults/ has a test there with its number, and no test
    there has a number whose row does not name it."""
    table = rows((ROOT / "docs" / "faults.md").read_text("utf-8"))
    made: dict[int, set[str]] = {}
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        for name in re.findall(r"def (test_\d\w+)", path.read_text("utf-8")):
            numbers = OUR_NUMBER.match(name)
            assert numbers is not None
            for number in numbers[1].split("_"):
                made.setdefault(int(number), set()).add(path.name)
    for number, how, _ in table:
        named = re.findall(r"`tests/faults/([\w.]*)`", how)
        files = made.get(number, set())
        assert bool(named) == bool(files), f"fault {number}: {named}, {files}"
        assert all(not name or name in files for name in named), f"fault {number}"
