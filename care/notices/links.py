"""Links of messages that work without signing in."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from actors.domain.ids import BookingId, Minute
from care.notices.kinds import NoticeKind
from care.notices.messages import Channel


class Stop(Struct, frozen=True, array_like=True):
    """What a link stops: messages of a kind over a channel to a person."""

    person: str
    kind: NoticeKind
    channel: Channel


class ChooseLink(Struct, frozen=True, array_like=True):
    """For which visit a link lets another time be chosen.

    ``start``: where the visit was when the message was written; the link is for that
    loss alone. ``is_proxy``: it went to a person who acts for the patient.
    """

    booking_id: BookingId
    start: Minute
    is_proxy: bool


class Stops(Protocol):
    """Reads the secrets of such links."""

    async def read(self, secret: str) -> Stop | None:
        """What a link stops; None if it is none of ours. Raises Unavailable."""
        ...
