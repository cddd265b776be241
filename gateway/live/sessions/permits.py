"""Rights to topics, checked at subscription and for as long as they are watched.

The claims of a token do not change while it is valid. What may change is the clinic of
a provider, and with it the staff that may read the schedule. So when the rules of a
calendar may have changed, such readers are paused before the next frame, and resumed
from their position if they still have the right. As a change may occur between a check
and its answer, all are also checked once a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import structlog
from msgspec import Struct

from actors.ports import Clock
from gateway.access.rights import Access, Action, Relation, signed_in
from gateway.access.tokens import Caller
from gateway.live.core.frames import Position, error_frame
from gateway.live.core.topic_names import Kind, TopicName, parse_topic
from gateway.live.feeds.feed import backoff_s
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board
from gateway.live.topics.watcher import Watcher
from gateway.wire.errors import Forbidden
from gateway.wire.problems import of_error

ASKED_AT_ONCE: Final = 64
"""Readers checked at a time; the rest wait, paused."""
ATTEMPTS_MAX: Final = 10
"""Unanswered checks before the topic ends; about half a minute."""

log = structlog.get_logger("slotcast.live")


TopicCheck = Callable[[Access, Caller | None, TopicName], Awaitable[None]]
"""Returns if a caller may watch a topic; raises what ``allow_topic`` raises."""


def topic_for(caller: Caller | None, text: str) -> TopicName:
    """The topic of this name, as the caller may see it. Raises BadTopic."""
    if caller is None:
        return parse_topic(text, "")
    return parse_topic(text, caller.subject, proxy=caller.is_proxy)


async def allow_topic(access: Access, caller: Caller | None, name: TopicName) -> None:
    """Let a caller watch a topic.

    Raises:
        Unauthenticated, Forbidden, NotFound, Unavailable: they may not, or not now.
    """
    if name.kind is Kind.ME:
        access.decide(signed_in(caller), Action.TOPIC_ME, Relation.OWN)
    elif name.kind is Kind.SCHEDULE:
        await access.to_provider(caller, Action.READ_SCHEDULE, name.provider_id)


async def begin_topic(access: Access, caller: Caller | None, name: TopicName) -> None:
    """Let a caller watch a topic from now on; a schedule goes into the audit trail.

    Raises:
        Unauthenticated, Forbidden, NotFound, Unavailable: as for ``allow_topic``.
    """
    await allow_topic(access, caller, name)
    if name.kind is Kind.SCHEDULE and caller is not None:
        provider = name.provider_id
        await access.audit_read(caller, "watch_schedule", provider, provider)


class Reader(Struct, frozen=True):
    """A watcher whose right may have ended, and its position."""

    watcher: Watcher
    caller: Caller
    board: Board
    stood: Position


class Permits:
    """Checks the rights of watchers. The hub calls ``doubt``."""

    def __init__(self, hub: Hub, access: Access, clock: Clock, random: Random) -> None:
        self._hub = hub
        self._access = access
        self._clock = clock
        self._random = random
        self._room = asyncio.Semaphore(ASKED_AT_ONCE)
        self._doubted: list[Reader] = []
        self._news = asyncio.Event()

    def doubt(self, board: Board) -> None:
        """Rules of this topic's calendar may have changed: check its readers."""
        if board.name.kind is not Kind.SCHEDULE:
            return
        found = _readers(board)
        if not found:
            return
        self._access.forget(board.name.provider_id)
        for reader in found:
            # It stays among the watcher's topics: only its changes are not sent.
            board.watchers.pop(reader.watcher, None)
            board.waiting.pop(reader.watcher, None)
            reader.watcher.settle(board)
        self._hub.rest(board, self._clock.now())
        self._doubted += found
        self._news.set()

    async def run(self) -> None:
        """Check paused readers, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._news.wait()
                self._news.clear()
                doubted, self._doubted = self._doubted, []
                for reader in doubted:
                    tasks.create_task(self._let_on_again(reader))

    async def review(self) -> None:
        """Check all watchers whose right may have ended unnoticed."""
        readers = [
            reader
            for provider in self._hub.index.providers.values()
            if provider.schedule is not None
            for reader in _readers(provider.schedule)
        ]
        for error, reader in zip(
            await asyncio.gather(*(self._why_not(reader) for reader in readers)),
            readers,
            strict=True,
        ):
            if isinstance(error, Forbidden) and self._is_wanted(reader):
                self._end(reader, error)

    async def _let_on_again(self, reader: Reader) -> None:
        try:
            await self._ask_after(reader)
        except Exception as error:
            # Left paused without an error it would wait for ever.
            log.exception("a reader lost its topic: its right could not be checked")
            self._end(reader, error)

    async def _ask_after(self, reader: Reader) -> None:
        attempts = 0
        while (error := await self._why_not(reader)) is not None:
            attempts += 1
            if isinstance(error, Forbidden) or attempts >= ATTEMPTS_MAX:
                break
            await asyncio.sleep(backoff_s(attempts, self._random))
        if not self._is_wanted(reader) or _is_on(reader):
            return
        if error is None:
            name, now = reader.board.name, self._clock.now()
            self._hub.subscribe(reader.watcher, name, reader.stood, now)
        else:
            self._end(reader, error)

    async def _why_not(self, reader: Reader) -> Exception | None:
        name = reader.board.name
        async with self._room:
            try:
                await allow_topic(self._access, reader.caller, name)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no yes
                return error
        return None

    def _is_wanted(self, reader: Reader) -> bool:
        """Whether the connection is open, of the same session, and still watches."""
        watcher, board = reader.watcher, reader.board
        return (
            watcher in self._hub.watchers
            and watcher.caller is not None
            and watcher.caller.is_same_person(reader.caller)
            and watcher.boards.get(board.name.wire) is board
        )

    def _end(self, reader: Reader, error: Exception) -> None:
        self._hub.tally.rights_ended += 1
        wire = reader.board.name.wire
        self._hub.unsubscribe(reader.watcher, wire, self._clock.now())
        reader.watcher.writer.answer(error_frame(None, of_error(error), wire))


def _is_on(reader: Reader) -> bool:
    """Whether the client has subscribed again by itself, and was allowed."""
    return (
        reader.watcher in reader.board.watchers
        or reader.watcher in reader.board.waiting
    )


def _readers(board: Board) -> list[Reader]:
    """The schedule's readers whose right depends on the provider's clinic."""
    stands = {
        watcher: watcher.dirty.get(board, board.position) for watcher in board.watchers
    }
    return [
        Reader(watcher, watcher.caller, board, stood)
        for watcher, stood in (stands | board.waiting).items()
        if watcher.caller is not None
        and watcher.caller.provider_id != board.name.provider_id
        and watcher.caller.is_staff
        and not watcher.caller.is_demo_admin
    ]
