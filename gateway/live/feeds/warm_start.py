"""First content from hot pages: one request per shard instead of one per topic.

A gateway that has just started, or whose watchers all come back at once, fetches the
pages that other gateways show, and asks each shard for the calendars' positions. A page
of exactly that position is what the calendar itself would answer (decision 0005); other
topics are read from their calendars.

A stored page expires sooner than a shard stops moving a calendar's window after its
last read, so that a position is not older than what watchers see.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import structlog

from actors.domain.ids import ShardId
from actors.domain.messages.answers import PositionsView, SlotsView
from actors.domain.messages.reads import ReadPositions
from actors.errors import Unavailable
from care.sharing import HotPages
from gateway.calendars.hot_pages import FLUSH_S, KeptPage, PageShelf
from gateway.config import GatewayPorts
from gateway.live.core.frames import Position, content_of
from gateway.live.core.topic_names import Kind
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board

log = structlog.get_logger("slotcast.live")

WORTH: Final = 8
"""Minimum number of topics; fewer are read one by one."""
WEEK_S: Final = 60.0
_LOOKED_AT: Final = 2_000
"""Topics per flush."""
_ASKED_AT_ONCE: Final = 250
"""Calendars per request: the shard answers between batches and must not stall."""


class WarmStart:
    """Serves hot pages to first watchers, and stores shown pages."""

    def __init__(self, ports: GatewayPorts, store: HotPages, hub: Hub) -> None:
        self.shelf = PageShelf(store, ports.clock, "week", WEEK_S)
        self._ports = ports
        self._hub = hub
        self._walk: Iterator[Board] = iter(())

    @staticmethod
    def fits(board: Board) -> bool:
        """Whether a hot page could be this topic's first content."""
        return board.name.kind is Kind.SLOTS and not board.loaded

    async def paint(
        self, boards: Sequence[Board], read: Callable[[Board], object]
    ) -> None:
        """Show stored pages; ``read`` is called with every other topic."""
        try:
            await self._paint_all(boards, read)
        except Exception:
            log.exception("hot pages are not shown")
            for board in boards:
                if not board.loaded:
                    read(board)

    async def _paint_all(
        self, boards: Sequence[Board], read: Callable[[Board], object]
    ) -> None:
        try:
            pages = await self.shelf.find([board.name.key for board in boards])
        except Exception:
            # Topics must be read even if the store fails.
            log.exception("no hot pages")
            pages = {}
        by_shard: defaultdict[ShardId, list[Board]] = defaultdict(list)
        for board in boards:
            if board.name.key in pages:
                shard = self._ports.links.shard_of(board.name.provider_id)
                by_shard[shard].append(board)
            else:
                self.shelf.tally.missed += 1
                read(board)
        await asyncio.gather(
            *(
                self._paint(found[at : at + _ASKED_AT_ONCE], pages, read)
                for found in by_shard.values()
                for at in range(0, len(found), _ASKED_AT_ONCE)
            )
        )

    async def run(self) -> None:
        """Store shown pages, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                self.offer()
                await self.shelf.flush()
            except Exception:
                # The store only saves work: its failure must not stop the live side.
                log.exception("hot pages are not kept")

    def offer(self) -> None:
        """Store the pages of some watched topics, in turn."""
        boards = list(islice(self._walk, _LOOKED_AT))
        if not boards:
            self._walk = iter(list(self._hub.index.boards.values()))
            boards = list(islice(self._walk, _LOOKED_AT))
        for board in boards:
            at = self._stands(board)
            if at is not None and self.shelf.wants(board.name.key, *_pair(at)):
                encoded = board.encoded
                content = b"" if encoded is None else content_of(encoded)
                self.shelf.offer(board.name.key, _view(board, at), content)

    async def _paint(
        self,
        boards: Sequence[Board],
        pages: Mapping[str, KeptPage],
        read: Callable[[Board], object],
    ) -> None:
        hub = self._hub
        wanted = [board for board in boards if hub.begin_read(board)]
        providers = tuple(dict.fromkeys(board.name.provider_id for board in wanted))
        if not providers:
            return
        try:
            stand = await self._ports.calendars.ask(ReadPositions(providers))
        except Unavailable:
            stand = None
        for board in wanted:
            page = pages[board.name.key]
            if self._is_exact(stand, page.view) and self._show(board, page):
                self.shelf.tally.found += 1
            else:
                self.shelf.tally.missed += 1
                read(board)

    def _show(self, board: Board, page: KeptPage) -> bool:
        """Show a page; False if it must be read after all."""
        view = page.view
        if page.content:
            at = Position(view.epoch, view.version)
            encoder = self._hub.encoder
            board.prepare(encoder.snapshot_of(board.name, at, page.content))
        return self._hub.loaded(board, view, self._ports.clock.now())

    @staticmethod
    def _is_exact(stand: object, page: SlotsView) -> bool:
        return (
            isinstance(stand, PositionsView)
            and stand.epoch == page.epoch
            and stand.versions.get(page.provider_id) == page.version
        )

    def _stands(self, board: Board) -> Position | None:
        """The newest position that a topic's content is known to be right at."""
        if board.name.kind is not Kind.SLOTS or not board.is_watched:
            return None
        if board.composed:
            return None  # no position names its page
        if not board.loaded or board.reading or board.pending:
            return None  # held-back changes are not in the page yet
        provider = self._hub.index.providers.get(board.name.provider_id)
        if provider is None or provider.suspect > provider.seen:
            return None
        at = Position(board.epoch, board.floor)
        # The feed brought all changes up to there, and this topic has taken them.
        return max(at, provider.seen) if provider.seen.epoch == at.epoch else at


def _pair(at: Position) -> tuple[int, int]:
    return at.epoch, at.version


def _view(board: Board, at: Position) -> SlotsView:
    starts = sorted(start for start in board.rows if isinstance(start, int))
    return SlotsView(
        provider_id=board.name.provider_id,
        epoch=at.epoch,
        version=at.version,
        visit_type=board.name.visit_type,
        # Frames of topics carry neither zone nor length.
        time_zone="",
        minutes=0,
        starts=starts,
        states="".join(str(board.rows[start]) for start in starts),
    )
