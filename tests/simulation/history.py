"""What clients did and heard: invocations, attempts, answers, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors.domain.messages.commands import Command
from actors.domain.messages.refusals import NOT_REMEMBERED, Refusal

Maker = Callable[[str, dict[str, Any]], Command]
"""A token for fresh ids, and what all commands carry -> the command of an attempt."""

OPEN, OK, REFUSED, UNKNOWN = "open", "ok", "refused", "unknown"


@dataclass
class Attempt:
    """One sending of a command: through which gateway, with which deadline."""

    sent: int
    deadline: int
    command: Command


@dataclass
class Operation:
    """One thing that a person wanted: retried with one key until answered.

    ``outcome`` is unknown when the person gave up without an answer: then it may or
    may not have happened, or may happen yet (Jepsen's :info).
    """

    number: int
    person: str
    kind: str
    provider: str
    key: str
    fingerprint: int
    build: Maker
    invoked: int
    subject: str = ""
    rank: int = 0
    """The place of an offer's patient in the waiting list."""
    attempts: list[Attempt] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=list)
    outcome: str = OPEN
    done: int | None = None

    @property
    def answer(self) -> Any:
        """The answer that counted, None if there is none."""
        return self.answers[-1][1] if self.outcome in (OK, REFUSED) else None


@dataclass
class BookingRead:
    """A request for a booking, and its answer."""

    provider: str
    booking_id: str
    invoked: int
    done: int
    answer: Any


@dataclass
class History:
    """All of it, in order of invocation."""

    operations: list[Operation] = field(default_factory=list)
    reads: list[BookingRead] = field(default_factory=list)


def is_kept(answer: Any) -> bool:
    """Whether this answer must be repeated word for word to the same key."""
    return not (isinstance(answer, Refusal) and answer.code in NOT_REMEMBERED)
