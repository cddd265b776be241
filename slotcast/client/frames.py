"""The server's messages as values. Unknown fields and kinds are ignored.

One type holds the fields of all kinds: reading is one pass, and a kind that only newer
servers know is an ordinary frame without an effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import MsgspecError, Struct, field, json

Position = tuple[int, int]
"""``(epoch, version)``: how much of a topic has been seen."""


class Unreadable(ValueError):
    """A message that breaks the protocol: a defect, or not a Slotcast server.

    No part of it can be used. If it held a change, positions reveal the gap later.
    """


class InvalidField(Struct, frozen=True):
    """One field that was not accepted."""

    field: str = ""
    message: str = ""


class ServerMessage(Struct, frozen=True):
    """One message of the server; ``t`` says which fields mean something."""

    t: str = ""
    topic: str = ""
    epoch: int = 0
    before: int = field(name="from", default=0)
    """A delta's ``from``: the version that it continues."""
    version: int = 0
    slots: tuple[tuple[str, str], ...] = ()
    seats_left: Mapping[str, int] = {}
    """Of group visits: how many more patients each free slot of ``slots`` takes."""
    bookings: tuple[dict[str, Any], ...] = ()
    holds: tuple[dict[str, Any], ...] = ()
    """On ``me``: live holds, and in deltas those that are over."""
    notices: tuple[dict[str, Any], ...] = ()
    """On ``me``: what the patient was told."""
    unread: int | None = None
    """On ``me``, with every change of notices: how many of all are unread."""
    time_off: tuple[dict[str, Any], ...] | None = None
    members: tuple[dict[str, Any], ...] = ()
    """Of a watched list: members that are new or changed."""
    gone: tuple[str, ...] = ()
    """Ids of members no longer."""
    order: tuple[str, ...] | None = None
    """All members by id, in order; the next three come with it."""
    total: int = 0
    live: bool = True
    next_cursor: str | None = None
    id: int | str | None = None
    status: int = 0
    body: Any = None
    code: int | str = ""
    """A bye's close code, or the code of an error."""
    detail: str = ""
    errors: tuple[InvalidField, ...] = ()
    retry_ms: int | tuple[int, int] = 0
    """A bye's range of delays, or the delay that an error asks for."""
    now: str = ""
    positions: Mapping[str, Position] = {}

    @property
    def position(self) -> Position:
        """The position of a topic after this snapshot or delta."""
        return self.epoch, self.version


_DECODER: Final = json.Decoder(ServerMessage)


def read_frame(text: str | bytes) -> ServerMessage:
    """A message of the server. Raises Unreadable."""
    try:
        return _DECODER.decode(text)
    except (MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
