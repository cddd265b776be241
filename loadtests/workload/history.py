"""The history of requests and answers, from which a checker judges a run.

One line of JSON per event, as in Jepsen: ``invoke`` when an operation is requested,
then ``ok`` (it happened), ``fail`` (it did not) or ``info`` (unknown). Times are
seconds of one monotonic clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

OPEN, OK, FAIL, INFO = "open", "ok", "fail", "info"


@dataclass(slots=True)
class Operation:
    """One operation of a patient, retried with one key until answered."""

    number: int
    patient: str
    kind: str
    """``book``, ``hold``, ``confirm``, ``cancel`` or ``move``."""
    provider: str
    start: str
    """The requested slot; for a cancellation the slot that it frees."""
    subject: str
    """The hold or booking concerned, if any."""
    key: str
    invoked: float
    done: float | None = None
    outcome: str = OPEN
    attempts: int = 0
    status: int = 0
    code: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    """For ``ok``: ids, times, epoch and version as answered."""

    def line(self, event: str) -> str:
        """This operation as an event of the log."""
        return json.dumps({"event": event, **asdict(self)}, separators=(",", ":"))


@dataclass(slots=True)
class Sample:
    """One attempt: when it ended, how long it took, its status."""

    at: float
    seconds: float
    status: int
    """HTTP status; 0 if the connection was lost."""


class History:
    """All operations in order of invocation, also written to a file if there is one."""

    def __init__(self, path: Path | None = None) -> None:
        self.operations: list[Operation] = []
        self.samples: list[Sample] = []
        self.complaints: list[str] = []
        """Defects no fault excuses: a 500, a 503 without Retry-After, two answers."""
        self._file: IO[str] | None = None if path is None else path.open("a")

    def invoke(self, operation: Operation) -> Operation:
        """Record an operation, before it is sent."""
        operation.number = len(self.operations)
        self.operations.append(operation)
        self._write("invoke", operation)
        return operation

    def end(self, operation: Operation, outcome: str, at: float) -> None:
        """Record the outcome of an operation."""
        operation.outcome, operation.done = outcome, at
        self._write(outcome, operation)

    def complain(self, complaint: str) -> None:
        """Record a defect; the list is bounded."""
        if len(self.complaints) < 50:
            self.complaints.append(complaint)

    def acknowledged(self) -> int:
        """How many operations are known to have succeeded."""
        return sum(operation.outcome == OK for operation in self.operations)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, event: str, operation: Operation) -> None:
        if self._file is not None:
            self._file.write(operation.line(event) + "\n")


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):  # the last line of a killed writer may be torn
            yield json.loads(line)


def read_history(path: Path) -> History:
    """Read a history from its file; operations without an outcome are unknown."""
    history = History()
    known: dict[int, Operation] = {}
    with path.open() as lines:
        for told in _events(lines):
            event = told.pop("event")
            known[told["number"]] = operation = Operation(**told)
            if event == "invoke":
                operation.outcome = INFO
    history.operations = [known[number] for number in sorted(known)]
    return history
