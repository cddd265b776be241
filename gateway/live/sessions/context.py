"""What the conversations of one process share, and how they decode a message."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Union

import structlog
from msgspec import MsgspecError, json

from actors.domain.ids import Millis
from actors.ports import Clock
from care.sharing import Revocation, RevocationKind, Revocations
from gateway.access.rights import Access
from gateway.access.tokens import Authenticator, Caller
from gateway.config import LiveSettings
from gateway.live.core.messages import (
    TEXT_BYTES_MAX,
    Auth,
    ClientMessage,
    Logout,
    Ping,
    Subscribe,
    Unsubscribe,
)
from gateway.live.sessions.commands import CommandMessage, SocketCommands
from gateway.live.sessions.identity import PersonCounts
from gateway.live.sessions.topic_limits import TopicRoom
from gateway.live.topics.hub import Hub

log = structlog.get_logger("slotcast.live")


@dataclass(frozen=True, kw_only=True)
class LiveContext:
    """State shared by all connections of this process."""

    hub: Hub
    authenticator: Authenticator
    access: Access
    commands: SocketCommands
    clock: Clock
    settings: LiveSettings
    persons: PersonCounts
    room: TopicRoom
    revocations: Revocations | None = None
    """The store for revoking a token at sign-out."""
    revoking: set[asyncio.Future[None]] = field(default_factory=set)

    @cached_property
    def _decoder(self) -> json.Decoder[Any]:
        kinds = (Auth, Logout, Subscribe, Unsubscribe, Ping, *self.commands.messages)
        return json.Decoder(Union[kinds])  # noqa: UP007 - made at run time

    def read(self, text: str | None) -> ClientMessage | CommandMessage | None:
        """The message, decoded once; None if it is invalid."""
        if text is None or is_too_long(text):
            return None
        try:
            message: ClientMessage | CommandMessage = self._decoder.decode(text)
        except (MsgspecError, UnicodeError, RecursionError):
            return None
        return message

    def revoke(self, caller: Caller) -> asyncio.Future[None]:
        """Revoke a token: here from now on, elsewhere once this is done.

        It is done even if the result is not awaited; Unavailable if it cannot be.
        """
        assert self.revocations is not None
        # A token is accepted for a while after its end: clocks differ.
        until = Millis(caller.expires + self.authenticator.leeway_ms)
        now = self.clock.now()
        gone = Revocation(RevocationKind.TOKEN, caller.token_id, now, until)
        self.authenticator.revoked.learn([gone])
        task = asyncio.ensure_future(self.revocations.add(gone))
        self.revoking.add(task)
        task.add_done_callback(self._was_revoked)
        return task

    def _was_revoked(self, task: asyncio.Future[None]) -> None:
        self.revoking.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("a token is revoked here only", exc_info=task.exception())


def is_too_long(text: str) -> bool:
    """Whether a message is over the limit of TEXT_BYTES_MAX bytes."""
    # A character is at most four bytes, so that most texts need not be encoded.
    length = len(text)
    return length * 4 > TEXT_BYTES_MAX and (
        length > TEXT_BYTES_MAX or len(text.encode()) > TEXT_BYTES_MAX
    )
