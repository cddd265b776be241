"""What patients asked and heard: a history that can be judged by itself.

One line of JSON per event in the manner of Jepsen: ``invoke`` when something is asked
for, then ``ok`` (it happened), ``fail`` (it did not) or ``info`` (unknown). Times
are seconds of one monotonic clock.
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
    """One thing that a patient wanted, retried with one key until answered."""

    number: int
    patient: str
    kind: str
    """``book``, ``hold``, ``confirm``, ``cancel`` or ``move``."""
    provider: str
    start: str
    """The slot asked for; of a cancellation the slot that it frees."""
    subject: str
    """The hold or booking that it is about, if any."""
    key: str
    invoked: float
    done: float | None = None
    outcome: str = OPEN
    attempts: int = 0
    status: int = 0
    code: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    """Of an ``ok``: ids, times, epoch and version as they were told."""

    def line(self, event: str) -> str:
        """This operation as an event of the log."""
        return json.dumps({"event": event, **asdict(self)}, separators=(",", ":"))


@dataclass(slots=True)
class Sample:
    """One attempt as the network saw it: when it ended, how long it took, its end."""

    at: float
    seconds: float
    status: int
    """HTTP status; 0: the connection was lost."""


class History:
    """All operations in order of invocation, also written to a file if there is one."""

    def __init__(self, path: Path | None = None) -> None:
        self.operations: list[Operation] = []
        self.samples: list[Sample] = []
        self.complaints: list[str] = []
        """What no fault excuses: a 500, a 503 without Retry-After, two answers."""
        self._file: IO[str] | None = None if path is None else path.open("a")

    def invoke(self, operation: Operation) -> Operation:
        """Write down that something was asked for, before it is."""
        operation.number = len(self.operations)
        self.operations.append(operation)
        self._write("invoke", operation)
        return operation

    def end(self, operation: Operation, outcome: str, at: float) -> None:
        """Write down how it ended."""
        operation.outcome, operation.done = outcome, at
        self._write(outcome, operation)

    def complain(self, complaint: str) -> None:
        """Keep a complaint; the list is bounded."""
        if len(self.complaints) < 50:
            self.complaints.append(complaint)

    def acknowledged(self) -> int:
        """How many operations have happened for sure."""
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
    """A history as its file tells it; what has no end there is unknown."""
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
