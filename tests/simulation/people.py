"""People: how they ask, how long they wait, and how they try again.

A person asks a gateway, waits, and asks again with the same key, perhaps another
gateway, until they are answered or tired. A command's ids are made again for each
attempt, as gateways do; its key and fingerprint are not.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

from actors.domain.ids import Millis, ProviderId
from actors.domain.messages.refusals import Refusal, RefusalCode
from tests.simulation.history import (
    OK,
    OPEN,
    REFUSED,
    UNKNOWN,
    Attempt,
    History,
    Maker,
    Operation,
)
from tests.simulation.kernel import Kernel

ATTEMPTS_MAX = 4
PATIENCE_MS = 7_000
"""How long a person waits for an answer before the same again: longer than the
deadline of an attempt, so that the attempt before is over (decision 0001)."""
ATTEMPT_MS = 5_000
"""The deadline of an attempt, as the gateway sets it."""


class Desk(Protocol):
    """Where people ask: some gateway, over a bad line."""

    def ask(self, request: Any, answered: Callable[[Any], None]) -> None:
        """Send to some gateway; ``answered`` may come never, late or twice."""
        ...

    def deadline(self) -> int:
        """The deadline that a gateway gives an attempt made now."""
        ...


def _common(operation: Operation, deadline: int) -> dict[str, Any]:
    return {
        "provider_id": ProviderId(operation.provider),
        "key": operation.key,
        "fingerprint": operation.fingerprint,
        "deadline": Millis(deadline),
    }


class Person:
    """A user with wishes, one after another."""

    def __init__(
        self, name: str, kernel: Kernel, desk: Desk, history: History, wishes: int
    ) -> None:
        self.name = name
        self.kernel = kernel
        self.desk = desk
        self.history = history
        self.wishes = wishes
        self.made = 0

    def begin(self) -> None:
        """Start wanting things after a while."""
        self.kernel.after(self.kernel.rng.randrange(1, 4000), self._next)

    def _next(self) -> None:
        if self.wishes <= 0:
            return
        self.wishes -= 1
        if not self.wish():
            self._soon()

    def _soon(self) -> None:
        self.kernel.after(self.kernel.rng.choice((5, 50, 400, 2000, 5000)), self._next)

    def wish(self) -> bool:
        """Begin an operation; False if there was nothing to want."""
        raise NotImplementedError

    def heard(self, operation: Operation) -> None:
        """An operation was answered for good."""

    def want(
        self,
        kind: str,
        provider: str,
        content: tuple[Any, ...],
        build: Maker,
        *,
        key: str = "",
    ) -> bool:
        """Begin an operation and send its first attempt."""
        self.made += 1
        operation = Operation(
            number=len(self.history.operations),
            person=self.name,
            kind=kind,
            provider=provider,
            key=key or f"{self.name}-{self.made}",
            fingerprint=zlib.crc32(repr((kind, provider, content)).encode()) or 1,
            build=build,
            invoked=self.kernel.now,
            subject=str(content[0]) if content else "",
        )
        self.history.operations.append(operation)
        self.kernel.note(self.name, "wants", kind, provider, *content, operation.key)
        self._attempt(operation)
        return True

    def _attempt(self, operation: Operation) -> None:
        if operation.outcome != OPEN:
            return
        number = len(operation.attempts)
        if number >= ATTEMPTS_MAX:
            operation.outcome, operation.done = UNKNOWN, None
            self.kernel.note(self.name, "gives up", operation.key)
            self._soon()
            return
        deadline = self.desk.deadline()
        token = f"{self.name}-{operation.number}-{number}"
        made = operation.build(token, _common(operation, deadline))
        operation.attempts.append(Attempt(self.kernel.now, deadline, made))
        self.desk.ask(made, lambda reply: self._answered(operation, reply))
        self.kernel.after(PATIENCE_MS, self._tired, operation, number)

    def _tired(self, operation: Operation, number: int) -> None:
        if operation.outcome == OPEN and len(operation.attempts) == number + 1:
            self._attempt(operation)

    def _answered(self, operation: Operation, reply: Any) -> None:
        """``reply`` is an answer, or None for 503: try the same key again."""
        if reply is not None:
            operation.answers.append((self.kernel.now, reply))
            self.kernel.note(self.name, "hears", operation.key, reply)
        if operation.outcome != OPEN:
            return
        again = reply is None or (
            isinstance(reply, Refusal) and reply.code is RefusalCode.DEADLINE_PASSED
        )
        if again:
            number = len(operation.attempts)
            pause = self.kernel.rng.choice((100, 1000, 3000))
            self.kernel.after(pause, self._again, operation, number)
            return
        operation.outcome = REFUSED if isinstance(reply, Refusal) else OK
        operation.done = self.kernel.now
        self.heard(operation)
        self._soon()

    def _again(self, operation: Operation, number: int) -> None:
        if len(operation.attempts) == number:
            self._attempt(operation)
