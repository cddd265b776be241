"""Which of the messages about one visit goes out, and when; pure.

A channel that was away may have several of them for a person. What a newer one makes
untrue is not sent, and what is sent comes in the order in which it was told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from actors.domain.ids import Millis
from care.notices.kinds import NoticeKind
from care.notices.messages import MessagePlace, OtherMessage

_OF_DOUBT: Final = frozenset(
    {NoticeKind.STRANDED, NoticeKind.COVERED, NoticeKind.UNRESOLVED}
)
_OF_STATE: Final = _OF_DOUBT | {NoticeKind.BOOKED, NoticeKind.RESCHEDULED}
_LEAVES_NO_USE: Final[Mapping[str, frozenset[NoticeKind]]] = {
    NoticeKind.RESCHEDULED: _OF_STATE,
    NoticeKind.CANCELLED: _OF_STATE | {NoticeKind.REMINDER},
    NoticeKind.STRANDED: _OF_DOUBT,
    NoticeKind.COVERED: _OF_DOUBT,
    NoticeKind.UNRESOLVED: frozenset({NoticeKind.UNRESOLVED}),
    NoticeKind.REMINDER: frozenset({NoticeKind.REMINDER}),
}
"""What each kind leaves no use for, of the same visit."""


class MessageTurn(Enum):
    """What becomes of a message now."""

    GO = "go"
    WAIT = "wait"
    """An earlier one is on its way."""
    OVERTAKEN = "overtaken"


def turn_of(
    kind: str, place: MessagePlace, others: Sequence[OtherMessage], now: Millis
) -> MessageTurn:
    """What becomes of a message of this kind and place, beside these others."""
    if _is_overtaken(kind, place, others):
        return MessageTurn.OVERTAKEN
    earlier = (one for one in others if one.place < place and one.is_on_its_way(now))
    mine = OtherMessage(kind, place)
    if all(_is_overtaken(one.kind, one.place, (*others, mine)) for one in earlier):
        return MessageTurn.GO
    return MessageTurn.WAIT


def _is_overtaken(
    kind: str, place: MessagePlace, others: Sequence[OtherMessage]
) -> bool:
    return any(
        place < one.place and kind in _LEAVES_NO_USE.get(one.kind, ()) for one in others
    )
