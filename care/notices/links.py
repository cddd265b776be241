"""Links that stop messages, without signing in."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from care.notices.kinds import NoticeKind
from care.notices.messages import Channel


class Stop(Struct, frozen=True, array_like=True):
    """What a link stops: messages of a kind over a channel to a person."""

    person: str
    kind: NoticeKind
    channel: Channel


class Stops(Protocol):
    """Reads the secrets of such links."""

    async def read(self, secret: str) -> Stop | None:
        """What a link stops; None if it is none of ours. Raises Unavailable."""
        ...
