"""Inboxes of patients whose topic ``me`` is watched here: what is new is sent at once.

Background jobs write notices, and any gateway marks them as read. All of them note
whose inbox changed in a log, which each gateway follows. An inbox is read again whole,
as far as it is shown: the newest notices, and how many are unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from actors.errors import Unavailable
from actors.ports import Clock
from care.notices.ports import Notice, NoticeStores
from gateway.live.core.frames import UNREAD, Hidden, Rows, Unread
from gateway.live.core.topic_names import Kind
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board

NOTICES_SHOWN: Final = 20
"""The newest notices of an inbox that ``me`` shows; older ones: GET /v1/notices."""
FOLLOWED_S: Final = 0.25
"""Interval of asking the log while a patient's topic is kept."""
IDLE_S: Final = 5.0
"""The same while there is none: the log's end must not get too far away."""
READ_AT_ONCE: Final = 16
"""Inboxes that are read at a time."""

log = structlog.get_logger("slotcast.live")


class InboxFeed:
    """Keeps the inboxes of watched topics current."""

    def __init__(self, stores: NoticeStores, hub: Hub, clock: Clock) -> None:
        self._stores = stores
        self._hub = hub
        self._clock = clock
        self._begun = False
        self._owed: dict[Board, None] = {}
        """Topics whose inbox changed, or could not be read."""

    async def of(self, board: Board) -> Rows:
        """A topic's inbox; empty, and owed, if it cannot be read now."""
        try:
            return await self._read(board)
        except Unavailable:
            self._owed[board] = None
            return {}

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.step()
            except Unavailable:
                await asyncio.sleep(IDLE_S)
            is_watched = self._hub.index.patients or self._hub.index.proxied
            await asyncio.sleep(FOLLOWED_S if is_watched else IDLE_S)

    async def step(self) -> None:
        """Ask the log once, and send what changed.

        Raises:
            Unavailable: the rest is sent by a later step.
        """
        changes = self._stores.changes
        if not self._begun:
            # What was told between a topic's read and this instant is in no line.
            await changes.begin()
            self._begun = True
            self._owe(self._everyone())
        changed = await changes.read()
        if changed is None:
            self._owe(self._everyone())
        else:
            index = self._hub.index
            self._owe(board for one in changed for board in index.boards_of(one))
        await self._send()

    def _everyone(self) -> list[Board]:
        index = self._hub.index
        return [*index.patients.values(), *index.proxied.values()]

    def _owe(self, boards: Iterable[Board]) -> None:
        self._owed.update(dict.fromkeys(boards))

    async def _send(self) -> None:
        owed, self._owed = list(self._owed), {}
        for first in range(0, len(owed), READ_AT_ONCE):
            part = owed[first : first + READ_AT_ONCE]
            answers = await asyncio.gather(
                *map(self._send_one, part), return_exceptions=True
            )
            for board, answer in zip(part, answers, strict=True):
                if answer is None:
                    continue
                self._owed[board] = None
                if not isinstance(answer, Unavailable):
                    log.warning("inbox not read", exc_info=answer)

    async def _send_one(self, board: Board) -> None:
        """Read and send one inbox.

        Raises:
            Unavailable: it was not read, or its topic was read at the same time, which
                may have seen a newer inbox than this.
        """
        if self._hub.index.boards.get(board.name.key) is not board:
            return
        before = board.read_at
        rows = await self._read(board)
        if board.reading or board.read_at != before:
            raise Unavailable("the topic was read meanwhile")
        if board.name.proxy:
            rows = _hidden_since(board, rows) | rows
        self._hub.on_inbox(board, rows, self._clock.now())

    async def _read(self, board: Board) -> Rows:
        name, inbox = board.name, self._stores.inbox
        assert name.kind is Kind.ME
        patient_id, proxy = name.patient_id, name.proxy
        notices = await inbox.page(
            patient_id, after=None, limit=NOTICES_SHOWN, proxy=proxy
        )
        count = await inbox.unread(patient_id, proxy=proxy)
        shown = hash(tuple((one.notice_id, one.read_at) for one in notices))
        # The oldest first, as they were told.
        rows: Rows = {one.notice_id: one for one in reversed(notices)}
        rows[UNREAD] = Unread(count, shown)
        return rows


def _hidden_since(board: Board, rows: Rows) -> Rows:
    """Notices that proxies were shown, and are not now: of what became confidential."""
    kept = [row.created_at for row in rows.values() if isinstance(row, Notice)]
    # Older ones than the oldest of a full page may only have left it.
    oldest = kept[0] if len(kept) == NOTICES_SHOWN else 0
    return {
        key: Hidden(0)
        for key, row in board.rows.items()
        if isinstance(row, Notice) and key not in rows and row.created_at >= oldest
    }
