"""Slotcast's live topics from Python: docs/client.md shows how.

Begin with live.py (the client) and session.py (the protocol without a socket);
subscriptions.py and view.py keep what a topic shows.
"""

from __future__ import annotations

from slotcast.client.errors import (
    AnswerUnknown,
    ClientClosed,
    CommandRefused,
    LiveError,
    NotServed,
    SentAway,
    TooManyOpenCommands,
)
from slotcast.client.live import LiveClient
from slotcast.client.session import LiveSession
from slotcast.client.view import Change, TopicView

__all__ = [
    "AnswerUnknown",
    "Change",
    "ClientClosed",
    "CommandRefused",
    "LiveClient",
    "LiveError",
    "LiveSession",
    "NotServed",
    "SentAway",
    "TooManyOpenCommands",
    "TopicView",
]
