"""Events of a live client, one type for each kind.

The session creates those up to ``MessageUnreadable`` from the server's messages; the
client that holds the socket creates those from ``Connected`` on.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from slotcast.client.frames import InvalidField, Position
from slotcast.client.view import Change


class SignedIn(Struct, frozen=True, tag=True):
    """The token was accepted; the connection is this person's until ``expires_at``."""

    role: str
    subject: str
    expires_at: str


class SignInRefused(Struct, frozen=True, tag=True):
    """The token was refused, and is not sent again: authenticate with another."""

    detail: str


class TokenEnding(Struct, frozen=True, tag=True):
    """The token ends so soon that a fresh one should be sent now."""

    seconds: float


class Subscribed(Struct, frozen=True, tag=True):
    """The server accepted these topics; missing content follows."""

    topics: tuple[str, ...]


class TopicRefused(Struct, frozen=True, tag=True):
    """There is no subscription to this topic (any more).

    With ``comes_again`` the session subscribes again by itself: later, or after a
    sign-in. Without it the topic's view has been dropped.
    """

    topic: str
    status: int
    code: str
    detail: str
    comes_again: bool = False


class SnapshotSeen(Struct, frozen=True, tag=True):
    """A topic's whole content; ``changes`` compares with the view before, if any."""

    topic: str
    position: Position
    before: Position | None
    changes: tuple[Change, ...] = ()


class DeltaSeen(Struct, frozen=True, tag=True):
    """A topic moved from one position to the next."""

    topic: str
    position: Position
    before: Position | None
    changes: tuple[Change, ...] = ()


class DeltaSkipped(Struct, frozen=True, tag=True):
    """A delta that the view already contained."""

    topic: str
    position: Position


class GapSeen(Struct, frozen=True, tag=True):
    """A part of a topic is missing; the session has requested it."""

    topic: str
    stands: Position | None
    wanted: Position
    by_heartbeat: bool = False


class GapHealed(Struct, frozen=True, tag=True):
    """The missing part has arrived."""

    topic: str
    position: Position


class ProblemDetails(Struct, frozen=True):
    """Why a command was refused; ``code`` is for programs, ``detail`` for people."""

    code: str
    detail: str
    errors: tuple[InvalidField, ...] = ()
    retry_ms: int = 0
    """If not 0: nothing has changed, and the same command may succeed after it."""
    hold_id: str | None = None
    booking_id: str | None = None
    """The caller's own hold or booking that caused the refusal, if any."""


class Answered(Struct, frozen=True, tag=True):
    """A command's answer: status and body as in REST, or a problem."""

    id: int
    status: int
    body: Any = None
    problem: ProblemDetails | None = None


class HeartbeatSeen(Struct, frozen=True, tag=True):
    """The server is alive; ``now`` is its time. ``behind``: topics requested again."""

    now: str
    behind: tuple[str, ...] = ()


class PongSeen(Struct, frozen=True, tag=True):
    """The answer to a ping."""

    id: int | str | None


class ByeSeen(Struct, frozen=True, tag=True):
    """The server is about to close the connection with this code."""

    code: int
    retry_ms: tuple[int, int] | None = None


class MessageUnreadable(Struct, frozen=True, tag=True):
    """A message that breaks the protocol; if it held a change, a gap will show it."""

    reason: str


class Connected(Struct, frozen=True, tag=True):
    """The connection is open; ``again`` says that it is not the first."""

    again: bool


class Lost(Struct, frozen=True, tag=True):
    """The connection ended or failed; the next attempt is in ``wait_s`` seconds."""

    reason: str
    wait_s: float
    code: int | None = None


class TokenUnavailable(Struct, frozen=True, tag=True):
    """``fresh_token`` failed; ``reason`` is its error."""

    reason: str


class EventsDropped(Struct, frozen=True, tag=True):
    """The queue of events was full and the oldest were dropped; views are complete."""

    count: int


Event = (
    SignedIn
    | SignInRefused
    | TokenEnding
    | Subscribed
    | TopicRefused
    | SnapshotSeen
    | DeltaSeen
    | DeltaSkipped
    | GapSeen
    | GapHealed
    | Answered
    | HeartbeatSeen
    | PongSeen
    | ByeSeen
    | MessageUnreadable
    | Connected
    | Lost
    | TokenUnavailable
    | EventsDropped
)
