"""What can go wrong for a client, and what to do about it.

LiveError                  what is wrong; ``mend`` says what to do
├── CommandRefused         the server said no; nothing has changed
├── AnswerUnknown          nobody knows whether it happened: ask with the same key
├── TooManyOpenCommands    wait for an answer first
├── SentAway               the server does not want to see us again
├── NotServed              there is no live socket at this address
└── ClientClosed           the client was closed by ourselves
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from slotcast.client.events import Problem


class LiveError(Exception):
    """Something is wrong; ``mend`` is a sentence on what to do."""

    def __init__(self, wrong: str, mend: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.mend = mend


class CommandRefused(LiveError):
    """The server said no, and nothing has changed. ``code`` is for programs.

    ``may_come_again`` says that the same command with the same key may succeed, after
    ``retry_s`` seconds.
    """

    def __init__(self, status: int, problem: Problem) -> None:
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
        """Whether it was refused for now only."""
        return self.retry_s > 0


class AnswerUnknown(LiveError):
    """No answer came: it happened or not. The key makes asking again safe."""

    def __init__(self, op: str, key: str) -> None:
        super().__init__(
            f"No answer to {op!r} came in time; it may have happened.",
            f"Send it again with the same key, {key!r}: it has one effect.",
        )
        self.op = op
        self.key = key


class TooManyOpenCommands(LiveError):
    """So many commands wait for an answer that the server would refuse the next."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} commands have no answer yet.", "Wait for an answer first."
        )


_MENDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        4500: "This is a defect of the client: please report it.",
        4501: "Sign in anew and connect with the new token.",
        4503: "This person or origin may not connect.",
        4504: "Close another connection first.",
        4505: "Subscribe to fewer topics.",
        4509: "Send smaller messages.",
    }
)


class SentAway(LiveError):
    """The server closed the connection and does not want to see us again."""

    def __init__(self, code: int) -> None:
        mend = _MENDS.get(code, "Do not connect again without a change.")
        super().__init__(f"The server ended the connection with {code}.", mend)
        self.code = code


class NotServed(LiveError):
    """What answers there serves no live socket, or not to us."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"There is no live socket at {url}: {reason}.",
            "Check the address; it ends in /v1/live.",
        )


class ClientClosed(LiveError):
    """The client was closed while somebody waited for it."""

    def __init__(self) -> None:
        super().__init__("The client is closed.", "Open another one.")
