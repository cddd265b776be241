"""Errors of the client, each with advice.

LiveError                  base class; ``advice`` says what to do
├── CommandRefused         the command was refused; nothing has changed
├── AnswerUnknown          no answer came: send it again with the same key
├── TooManyOpenCommands    wait for an answer first
├── SentAway               the server closed the connection for good
├── NotServed              there is no live socket at this address
└── ClientClosed           the client was closed by its own program
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from slotcast.client.events import ProblemDetails


class LiveError(Exception):
    """An error of the client. ``wrong`` says what happened, ``advice`` what to do."""

    def __init__(self, wrong: str, advice: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.advice = advice


class CommandRefused(LiveError):
    """The server refused a command, and nothing has changed.

    ``code`` is for programs, ``detail`` for people. If ``may_come_again`` holds, the
    same command with the same key may succeed after ``retry_s`` seconds.
    """

    def __init__(self, status: int, problem: ProblemDetails) -> None:
        fields = "; ".join(f"{one.field} {one.message}" for one in problem.errors)
        retry_s = problem.retry_ms / 1000
        again = f"Send it again with the same key in {retry_s:g} s."
        super().__init__(
            f"{problem.detail} {fields}".strip(), again if problem.retry_ms else ""
        )
        self.status = status
        self.code = problem.code
        self.detail = problem.detail
        self.fields = problem.errors
        self.hold_id = problem.hold_id
        self.booking_id = problem.booking_id
        self.retry_s = retry_s

    @property
    def may_come_again(self) -> bool:
        """Whether the same command may succeed later."""
        return self.retry_s > 0


class AnswerUnknown(LiveError):
    """No answer came, so the effect is unknown. The key makes sending again safe."""

    def __init__(self, op: str, key: str) -> None:
        super().__init__(
            f"No answer to {op!r} came in time; it may have happened.",
            f"Send it again with the same key, {key!r}: it takes effect only once.",
        )
        self.op = op
        self.key = key


class TooManyOpenCommands(LiveError):
    """As many commands are unanswered as the server allows on one connection."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} commands have no answer yet.", "Wait for an answer first."
        )


_ADVICE: Final[Mapping[int, str]] = MappingProxyType(
    {
        4500: "This is a defect of the client: please report it.",
        4501: "Sign in again and connect with the new token.",
        4503: "This person or origin may not connect.",
        4504: "Close another connection first.",
        4505: "Subscribe to fewer topics.",
        4509: "Send smaller messages.",
    }
)


class SentAway(LiveError):
    """The server closed the connection with a code that forbids reconnecting."""

    def __init__(self, code: int) -> None:
        advice = _ADVICE.get(code, "Do not reconnect without a change.")
        super().__init__(f"The server closed the connection with {code}.", advice)
        self.code = code


class NotServed(LiveError):
    """The address does not serve a live socket, or not for this client."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"There is no live socket at {url}: {reason}.",
            "Check the address; it ends in /v1/live.",
        )


class ClientClosed(LiveError):
    """The client was closed while a call waited for it."""

    def __init__(self) -> None:
        super().__init__("The client is closed.", "Open another one.")
