"""Limits on kept topics: which, for whom, and how many.

A process's cost is not its watchers but the number of distinct topics kept current, so
that is bounded, in five ways:

1. Only weeks that a calendar could offer: from the last one to the longest horizon.
2. Each topic is charged to the address and the person that subscribed first; both have
a cap. It stays charged while other subscribers keep it alive.
3. A part of the process's topics is kept for ``me`` and ``schedule/…``.
4. When there is no room, the topic unwatched for longest is dropped first.
5. Watched lists have bounds of their own, of the process and of an address: each costs
questions to calendars.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from actors.domain.calendar.validation import HORIZON_MAX
from actors.domain.ids import Millis
from actors.domain.zones import week_of_day
from actors.errors import Overloaded
from actors.ports import Clock
from gateway.access.tokens import Caller
from gateway.config import LiveSettings
from gateway.live.core.topic_names import BadTopic, Kind, TopicName
from gateway.live.topics.hub import FORGET_MS, Hub
from gateway.live.topics.topic import Board
from gateway.wire.addresses import network_of
from gateway.wire.errors import ListLimit, TooManyRequests
from gateway.wire.problems import Problem

DAYS_BACK: Final = 7
DAYS_AHEAD: Final = HORIZON_MAX // (24 * 60) + 7
"""A week more than any horizon, since the clinic's date may differ from UTC's."""
PRIVATE_PART: Final = 10
"""One in this many topics of the process is reserved for ``me`` and ``schedule/…``."""
KNOWN_S: Final = 2.0
"""How long a new topic's first read may keep the answer to a subscription waiting."""


def check_week(name: TopicName, now: Millis) -> None:
    """Raises BadTopic if no calendar could offer anything in this topic's week."""
    if name.kind is not Kind.SLOTS:
        return
    today = now // 86_400_000
    first, _ = week_of_day(today - DAYS_BACK)
    last, _ = week_of_day(today + DAYS_AHEAD)
    if not first <= name.week <= last:
        raise BadTopic(f"the week must be between {first} and {last}")


class TopicRoom:
    """Admits topics, and counts them per payer."""

    def __init__(self, hub: Hub, settings: LiveSettings, clock: Clock) -> None:
        self.counts: Counter[str] = Counter()
        """Topics kept for each payer."""
        self._hub = hub
        self._settings = settings
        self._clock = clock
        hub.forgotten = self._forgotten

    def is_known(self, name: TopicName) -> bool:
        """Whether the topic is known to exist, without a read."""
        if name.kind is Kind.ME:
            return True
        board = self._hub.index.boards.get(name.key)
        return board is not None and board.loaded

    def take(self, name: TopicName, caller: Caller | None, address: str) -> Board:
        """The topic, which is kept current from now on.

        Raises:
            Overloaded: this process keeps too many topics.
            TooManyRequests: this address or person does.
            ListLimit: this process, or this address, keeps too many lists.
        """
        board = self._hub.index.boards.get(name.key)
        if board is not None:
            return board
        payers = self._payers(name, caller, address)
        self._make_room(name)
        board = self._hub.keep(name, self._clock.now())
        board.payers = payers
        self.counts.update(payers)
        return board

    async def unknown(self, boards: Sequence[Board]) -> dict[Board, Problem]:
        """Wait until each topic has been read; those that do not exist, and why.

        A read that takes too long says nothing: its topic may exist.
        """
        refused: dict[Board, Problem] = {}
        unread = {board for board in boards if not board.loaded}
        done = asyncio.Event()

        def tell(board: Board, problem: Problem | None) -> None:
            if problem is not None:
                refused[board] = problem
            unread.discard(board)
            if not unread:
                done.set()

        asked = {board: partial(tell, board) for board in unread}
        for board, told in asked.items():
            self._hub.ask(board, told)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(KNOWN_S):
                    await done.wait()
        finally:
            for board, told in asked.items():
                self._hub.ask_no_more(board, told, self._clock.now())
        return refused

    def _payers(
        self, name: TopicName, caller: Caller | None, address: str
    ) -> tuple[str, ...]:
        if not name.kind.is_public:
            return ()  # one for each person, or where a right is checked
        settings = self._settings
        if name.kind is Kind.SEARCH:
            payer, most = f"lists {network_of(address)}", settings.lists_per_address_max
            if 0 < most <= self.counts[payer]:
                raise ListLimit(FORGET_MS / 1000)
            return (payer,)
        caps = [(f"address {network_of(address)}", settings.topics_per_address_max)]
        if caller is not None:
            caps.append((f"person {caller.person}", settings.topics_per_person_max))
        for payer, most in caps:
            if 0 < most <= self.counts[payer]:
                raise TooManyRequests(FORGET_MS / 1000)
        return tuple(payer for payer, _ in caps)

    def _make_room(self, name: TopicName) -> None:
        if name.kind is Kind.SEARCH:
            self._make_room_for_list()
        most = self._settings.topics_max
        if most <= 0:
            return
        if name.kind.is_public:
            most = max(1, most - most // PRIVATE_PART)
        hub = self._hub
        while len(hub.index.boards) >= most:
            if not hub.forget_oldest():
                raise Overloaded

    def _make_room_for_list(self) -> None:
        most, hub = self._settings.lists_max, self._hub
        while 0 < most <= len(hub.index.searches):
            if not hub.forget_oldest(Kind.SEARCH):
                raise ListLimit(FORGET_MS / 1000)

    def _forgotten(self, board: Board) -> None:
        for payer in board.payers:
            self.counts[payer] -= 1
            if self.counts[payer] <= 0:
                del self.counts[payer]
