"""A client's side of the live socket, without a socket: texts in, texts out.

The owner of the connection calls ``connected`` and sends what it returns, passes every
message to ``heard`` and sends what that returns, and calls ``lost`` when the connection
ends, to learn when to reconnect. ``now`` is in seconds on a monotonic clock. This
module cannot wait, read a clock, draw random numbers or perform I/O: asyncio, gevent
and tests share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, json

from slotcast.client.backoff import Backoff
from slotcast.client.errors import TooManyOpenCommands
from slotcast.client.events import (
    Answered,
    ByeSeen,
    Event,
    HeartbeatSeen,
    MessageUnreadable,
    PongSeen,
    ProblemDetails,
    SignedIn,
    SignInRefused,
    TokenEnding,
)
from slotcast.client.frames import ServerMessage, Unreadable, read_frame
from slotcast.client.subscriptions import COMES_AGAIN, UNAUTHENTICATED, Subscriptions
from slotcast.client.view import TopicView

if TYPE_CHECKING:
    from random import Random

SUBPROTOCOL: Final = "slotcast.v1"
DEAF_S: Final = 45.0
"""The server sends something every 20 s: after more than two silent periods the
connection is dead."""
COMMANDS_OPEN_MAX: Final = 64
"""Commands without an answer; the server refuses the next one."""
TOKEN_ENDS_S: Final = 60.0
"""Three heartbeats before its end a token should be replaced."""
STAY_AWAY: Final = range(4500, 5000)
"""Close codes that mean: do not reconnect."""


class Heard(Struct, frozen=True):
    """What a message means, and what must be sent in reply."""

    events: list[Event]
    send: list[str]


class LiveSession:
    """Topics, commands and sign-in of one client, over any number of connections."""

    def __init__(
        self,
        topics: Iterable[str] = (),
        *,
        token: str = "",
        random: Random,
        reconnect: Backoff | None = None,
    ) -> None:
        self.reconnect = reconnect or Backoff(random)
        self.is_connected = False
        self.hears_until = 0.0
        """When the connection counts as dead unless a message arrives before."""
        self.ended_with: int | None = None
        """The code of the last connection's end, or of its bye; None: it broke."""
        self._subscriptions = Subscriptions(topics, self._message)
        self._token = token
        self._ids = 0
        self._signing_in: int | None = None
        self._token_ends: datetime | None = None
        self._bye: int | None = None
        self._open: dict[int, str] = {}
        """Commands without an answer: they are sent again on the next connection."""

    @property
    def views(self) -> dict[str, TopicView]:
        """The view of each wanted topic."""
        return self._subscriptions.views

    # --- the connection ----------------------------------------------------------

    def connected(self, now: float) -> list[str]:
        """The connection is open: send these, in this order.

        The token first, then the topics with their positions, then every command that
        has no answer yet: the same text with the same key, so it has one effect.
        """
        self.is_connected = True
        self.hears_until = now + DEAF_S
        self._bye = None
        self.reconnect.connected(now)
        signing_in = [self._auth()] if self._token else []
        return [*signing_in, *self._subscriptions.begin(), *self._open.values()]

    def lost(
        self, code: int | None, now: float, *, at_least_s: float = 0.0
    ) -> float | None:
        """The connection ended (or was not made): seconds until the next try.

        Args:
            code: how it was closed; None if it broke or was never there.
            now: the time.
            at_least_s: the Retry-After of a handshake that was refused.

        Returns:
            None if the close code forbids reconnecting.
        """
        self.is_connected = False
        told, self._bye = self._bye, None
        self.ended_with = told if code is None else code
        if code in STAY_AWAY or told in STAY_AWAY:
            return None
        return self.reconnect.lost(now, at_least_s=at_least_s)

    def deaf_at(self, now: float) -> bool:
        """Whether the connection has been silent for too long: close it."""
        return self.is_connected and now >= self.hears_until

    # --- what to send -------------------------------------------------------------

    def subscribe(self, topics: Iterable[str]) -> list[str]:
        """Watch these too; returns what to send, empty while not connected."""
        return self._if_connected(self._subscriptions.want(topics))

    def unsubscribe(self, topics: Iterable[str]) -> list[str]:
        """Stop watching these; returns what to send, empty while not connected."""
        return self._if_connected(self._subscriptions.leave(topics))

    def authenticate(self, token: str) -> list[str]:
        """Use this token from now on; returns what to send."""
        self._token = token
        return [self._auth()] if self.is_connected and token else []

    def command(self, op: str, *, key: str, **fields: Any) -> tuple[int, str]:
        """A command's id and text: send it now, or let ``connected`` do so.

        ``key`` is its idempotency key: new for each intention, the same for each
        attempt.

        Raises:
            TooManyOpenCommands: wait for an answer first.
        """
        if len(self._open) >= COMMANDS_OPEN_MAX:
            raise TooManyOpenCommands(COMMANDS_OPEN_MAX)
        identifier, text = self._message(op, key=key, **fields)
        self._open[identifier] = text
        return identifier, text

    def forget(self, identifier: int) -> None:
        """The command's answer is no longer awaited: it is not sent again."""
        self._open.pop(identifier, None)

    def ping(self) -> tuple[int, str]:
        """A ping: its id and text."""
        return self._message("ping")

    def _message(self, op: str, **fields: Any) -> tuple[int, str]:
        self._ids += 1
        message = {**fields, "op": op, "id": self._ids}
        return self._ids, json.encode(message).decode()

    def _auth(self) -> str:
        self._signing_in, text = self._message("auth", token=self._token)
        return text

    def _if_connected(self, texts: list[str]) -> list[str]:
        return texts if self.is_connected else []

    # --- what the server sends ----------------------------------------------------

    def heard(self, text: str | bytes, now: float) -> Heard:
        """Process a message. The caller must send what this returns, in order."""
        self.hears_until = now + DEAF_S
        try:
            frame = read_frame(text)
        except Unreadable as error:
            return Heard([MessageUnreadable(str(error))], [])
        match frame.t:
            case "delta" | "snapshot":
                return Heard(*self._subscriptions.news(frame))
            case "result" | "error":
                return self._answer(frame)
            case "heartbeat":
                return self._heartbeat(frame)
            case "bye":
                return Heard([self._goodbye(frame)], [])
            case "pong":
                return Heard([PongSeen(frame.id)], [])
            case _:
                return Heard([], [])  # newer than this client

    def _answer(self, frame: ServerMessage) -> Heard:
        concerned = self._subscriptions.answered(frame)
        if concerned is not None:
            return Heard(concerned, [])
        if frame.id is not None and frame.id == self._signing_in:
            return self._signed_in(frame)
        if not isinstance(frame.id, int) or self._open.pop(frame.id, None) is None:
            return Heard([], [])
        problem = None
        if frame.t == "error":
            wait = frame.retry_ms if isinstance(frame.retry_ms, int) else 0
            problem = ProblemDetails(str(frame.code), frame.detail, frame.errors, wait)
        return Heard([Answered(frame.id, frame.status, frame.body, problem)], [])

    def _signed_in(self, frame: ServerMessage) -> Heard:
        self._signing_in = None
        if frame.t == "error" or not isinstance(frame.body, dict):
            # The server closes the connection for good at the third bad token.
            self._token = ""
            self._token_ends = None
            return Heard([SignInRefused(frame.detail)], [])
        told = {
            name: str(frame.body.get(name, "")) for name in SignedIn.__struct_fields__
        }
        self._token_ends = _instant(told["expires_at"])
        again = self._subscriptions.again([UNAUTHENTICATED])
        return Heard([SignedIn(**told)], again)

    def _heartbeat(self, frame: ServerMessage) -> Heard:
        events, send, behind = self._subscriptions.compare(frame)
        events.append(HeartbeatSeen(frame.now, tuple(behind)))
        now = _instant(frame.now)
        if self._token_ends is not None and now is not None:
            left = (self._token_ends - now).total_seconds()
            if left < TOKEN_ENDS_S:
                self._token_ends = None  # reported once for each token
                events.append(TokenEnding(left))
        return Heard(events, [*send, *self._subscriptions.again(COMES_AGAIN)])

    def _goodbye(self, frame: ServerMessage) -> ByeSeen:
        code = frame.code if isinstance(frame.code, int) else 0
        self._bye = code
        retry_ms = frame.retry_ms if isinstance(frame.retry_ms, tuple) else None
        if retry_ms is not None:
            self.reconnect.told(retry_ms)
        return ByeSeen(code, retry_ms)


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
