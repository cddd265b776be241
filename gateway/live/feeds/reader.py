"""Reads topics for the hub, from calendars and the read model.

One read per topic is in flight (the hub sees to it), and a bounded number over all;
calendars get them in batches (gateway/calendars/courier.py). A read that fails is tried
again for as long as it is watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import structlog

from actors.domain.ids import Minute, PatientId, ShardId
from actors.domain.messages.answers import (
    HoldView,
    PositionsView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.reads import ReadPositions, ReadSchedule, ReadWeek
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from gateway.calendars.courier import by_shard
from gateway.calendars.members.slots import MemberSlots
from gateway.config import GatewayPorts, LiveSettings
from gateway.live.core.topic_names import Kind, TopicName
from gateway.live.feeds.feed import backoff_s
from gateway.live.feeds.inboxes import InboxFeed
from gateway.live.feeds.lists import Lists
from gateway.live.feeds.warm_start import WORTH, WarmStart
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board, MeView, TopicView
from gateway.wire.problems import of_refusal

_DAY: Final = 24 * 60
SCHEDULE_DAYS_BACK: Final = 1
SCHEDULE_DAYS_AHEAD: Final = 62
BEGUN_AT_ONCE: Final = 64
"""Reads that begin in one turn of the event loop."""
_PROJECTION_WAIT_S: Final = 0.25
"""Longest wait for a read model that is behind; then its present content is shown, and
read again later."""

log = structlog.get_logger("slotcast.live")


HoldsOf = Callable[[PatientId, Sequence[HoldView]], Awaitable[Sequence[HoldView]]]
"""A patient's live holds; those that are known already are asked about, too."""


class TopicReader:
    """Executes the hub's reads."""

    def __init__(
        self,
        ports: GatewayPorts,
        hub: Hub,
        settings: LiveSettings,
        random: Random,
        holds_of: HoldsOf,
        inboxes: InboxFeed | None = None,
    ) -> None:
        self.warm_start = (
            WarmStart(ports, ports.pages, hub) if ports.pages is not None else None
        )
        self._ports = ports
        self._holds_of = holds_of
        self._inboxes = inboxes
        self.lists: Lists | None = None
        """What keeps watched lists; without it there are none."""
        self.members: MemberSlots | None = None
        """What knows rooms and equipment; without it visits need none."""
        self._hub = hub
        self._settings = settings
        self._random = random
        self._wanted = asyncio.Event()
        # Patients' topics wait for the read model; calendars must not wait with them.
        self._room = asyncio.Semaphore(settings.reads_in_flight_max)
        self._room_of_me = asyncio.Semaphore(settings.reads_in_flight_max)

    def wake(self) -> None:
        """Wake the reader: the hub has reads."""
        self._wanted.set()

    async def run(self) -> None:
        """Read until cancelled."""
        self._hub.want_again()
        self._wanted.set()
        async with asyncio.TaskGroup() as reads:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                wanted = self._hub.take_wanted()
                for number, board in enumerate(self._painted(wanted, reads), 1):
                    reads.create_task(self._read(board))
                    if number % BEGUN_AT_ONCE == 0:
                        await asyncio.sleep(0)  # lets sockets run

    def _painted(
        self, wanted: Sequence[Board], reads: asyncio.TaskGroup
    ) -> Sequence[Board]:
        """Start a warm start if it pays; returns the topics left to read."""
        warm_start = self.warm_start
        if warm_start is None or len(wanted) < WORTH:
            return wanted
        fresh = [board for board in wanted if warm_start.fits(board)]
        if len(fresh) < WORTH:
            return wanted

        def read(board: Board) -> None:
            reads.create_task(self._read(board))

        reads.create_task(warm_start.paint(fresh, read))
        return [board for board in wanted if not warm_start.fits(board)]

    async def verify(self) -> None:
        """Fetch the positions of all watched calendars, and let the hub compare."""
        links, calendars = self._ports.links, self._ports.calendars
        asked = [
            calendars.ask(part)
            for providers in self._hub.watched_providers().values()
            if providers
            for part in by_shard(links, ReadPositions(providers)).values()
        ]
        self._hub.tally.position_reads += len(asked)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, PositionsView):
                self._hub.verified(answer, self._ports.clock.now())

    async def _read(self, board: Board) -> None:
        attempts = 0
        room = self._room_of_me if board.name.kind.counts_itself else self._room
        while True:
            async with room:
                if not self._hub.begin_read(board):
                    return
                done = await self._attempt(board)
            if done:
                return
            attempts += 1
            if attempts > 1:
                await asyncio.sleep(backoff_s(attempts, self._random))

    async def _attempt(self, board: Board) -> bool:
        self._hub.tally.reads += 1
        try:
            view = await self._ask(board)
            if isinstance(view, Refusal):
                return self._refused(board, view)
            return self._hub.loaded(board, view, self._ports.clock.now())
        except Unavailable:
            return False
        except Exception:
            # A failure affects only this topic's read.
            log.warning("topic not read", kind=board.name.kind, exc_info=True)
            return False

    def _refused(self, board: Board, refusal: Refusal) -> bool:
        if refusal.code is RefusalCode.DEADLINE_PASSED:
            return False
        self._hub.refused(board, of_refusal(refusal))
        return True

    async def _ask(self, board: Board) -> TopicView | Refusal:
        name = board.name
        if name.kind is Kind.ME:
            return await self._mine(board)
        if name.query is not None:
            if self.lists is None:
                raise Unavailable("this gateway keeps no lists")
            return await self.lists.begin(name.wire, name.query)
        calendars = self._ports.calendars
        if name.kind is Kind.SLOTS:
            answer = await calendars.ask(
                ReadWeek(name.provider_id, name.visit_type, name.week)
            )
            if isinstance(answer, SlotsView):
                answer = await self._narrowed(board, answer)
        else:
            answer = await calendars.ask(self._schedule(name))
        if isinstance(answer, SlotsView | ScheduleView | Refusal):
            return answer
        raise Unavailable(f"not an answer to a read: {type(answer).__name__}")

    async def _narrowed(self, board: Board, view: SlotsView) -> SlotsView:
        """The slots for which there are rooms and equipment, if they need some."""
        index = self._hub.index
        if view.members is None or self.members is None:
            if board.composed:
                index.depend(board, None)
            return view
        # What changes from now on has the topic read again, so nothing is missed.
        members = await self.members.beside(view.provider_id)
        if index.boards.get(board.name.key) is board:  # else it is kept no more
            index.depend(board, members)
        return await self.members.narrowed(view)

    def _schedule(self, name: TopicName) -> ReadSchedule:
        midnight = self._ports.clock.now() // 60_000 // _DAY * _DAY
        first = midnight - SCHEDULE_DAYS_BACK * _DAY
        last = midnight + SCHEDULE_DAYS_AHEAD * _DAY
        return ReadSchedule(name.provider_id, Minute(first), Minute(last))

    async def _mine(self, board: Board) -> MeView:
        """Holds, and bookings from a read model that has seen what we have seen."""
        up_to_date = await self._projected(self._hub.seqs())
        midnight = self._ports.clock.now() // 60_000 // _DAY * _DAY
        rows, _ = await self._ports.history.of_patient(
            board.name.patient_id,
            first=Minute(midnight - SCHEDULE_DAYS_BACK * _DAY),
            last=None,
            status=None,
            after="",
            limit=self._settings.me_bookings_max,
        )
        if not up_to_date:
            asyncio.get_running_loop().call_later(
                self._settings.me_retry_s, self._hub.read_again, board
            )
        holds = await self._holds_of(board.name.patient_id, board.holds)
        inbox = {} if self._inboxes is None else await self._inboxes.of(board)
        return MeView(rows, holds, inbox)

    async def _projected(self, seqs: dict[ShardId, int]) -> bool:
        progress = self._ports.progress
        offsets = await progress.offsets()
        behind = [
            progress.reached(shard, seq, timeout_s=_PROJECTION_WAIT_S)
            for shard, seq in seqs.items()
            if offsets.get(shard, 0) < seq
        ]
        return all(await asyncio.gather(*behind))
