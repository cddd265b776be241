"""Topics and their watchers: changes of shards come in, frames go out.

Sans I/O: the hub is called with what happened (a batch from a feed, a view that was
read, a socket that can be written again, a second that passed), writes frames through
each watcher's ``Writer``, and says which topics it wants read (``take_wanted``). Rules:

1. No delta is sent across a gap: a topic that cannot chain is read again, a watcher
gets a snapshot.
2. A read that began before a reset says nothing about what the reset hid.
3. A frame is encoded once; the loop over watchers only writes.

One file because these rules span all calls: each may change what the next one may send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Final

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import PositionsView, ScheduleView
from actors.domain.messages.changes import CalendarChange, FeedBatch
from gateway.directory.lists.shown import ListView
from gateway.live.core.frames import (
    NOWHERE,
    FrameEncoder,
    HoldOver,
    Position,
    Rows,
    error_frame,
)
from gateway.live.core.topic_names import Kind, TopicName
from gateway.live.topics.counters import LiveTally
from gateway.live.topics.delivery import TopicDelivery
from gateway.live.topics.index import ProviderTopics, ShardTopics, TopicIndex
from gateway.live.topics.topic import (
    Board,
    MeView,
    TopicView,
    list_rows,
    schedule_rows,
)
from gateway.live.topics.watcher import Watcher
from gateway.wire.problems import Problem

FORGET_MS: Final = 60_000
"""An unwatched topic is kept this long, so that reconnects can resume."""

SUSPECT_MS: Final = 2_000
"""How long a verified version may be ahead of the feed before it counts as a gap."""

READ_AGAIN_MS: Final = MappingProxyType(
    {Kind.SCHEDULE: 6 * 3_600_000, Kind.ME: 5 * 60_000}
)
"""A schedule's window moves with the days; a patient's bookings are spread over
calendars whose positions are not verified. So both are read again this often."""

MEMBERS_READ_MS: Final = 60_000
"""The same for slots of visits that take rooms or equipment: which there are may have
changed, and the positions of those calendars are not verified."""


class Hub:
    """All topics of this process. ``wake`` is called when a topic wants to be read."""

    def __init__(
        self,
        encoder: FrameEncoder,
        shard_of: Callable[[ProviderId], ShardId],
        *,
        me_epoch: int,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.encoder = encoder
        self.tally = LiveTally()
        self.delivery = TopicDelivery(self.tally)
        self.index = TopicIndex(encoder, shard_of)
        self.watchers: set[Watcher] = set()
        self._me_epoch = me_epoch
        self._wanted: dict[Board, None] = {}
        self._wake = wake
        self.doubt: Callable[[Board], None] = lambda _board: None
        self.forgotten: Callable[[Board], None] = lambda _board: None
        """Called with each topic that is no longer kept."""
        self._idle: dict[Board, None] = {}
        """Unwatched topics, the longest unwatched first."""

    # --- watchers ----------------------------------------------------------------

    def joined(self, watcher: Watcher) -> None:
        """A connection was opened."""
        self.watchers.add(watcher)

    def dropped(self, watcher: Watcher, now: Millis) -> None:
        """A connection ended, and with it all its subscriptions."""
        for wire in list(watcher.boards):
            self.unsubscribe(watcher, wire, now)
        self.watchers.discard(watcher)
        self.delivery.paused.discard(watcher)

    def subscribe(
        self, watcher: Watcher, name: TopicName, since: Position | None, now: Millis
    ) -> None:
        """Subscribe a watcher to a topic, from its position if it has one.

        What it lacks is sent at once, or when the topic's first read is done. Asking
        again for a topic is how a client closes a gap.
        """
        board = self.index.board(name)
        self._use(board)
        watcher.boards[name.wire] = board
        watcher.settle(board)
        if not board.loaded:
            board.waiting[watcher] = since or NOWHERE
            if not board.reading:
                self._want(board)
            return
        self.delivery.serve(board, watcher, since or NOWHERE, now)

    def unsubscribe(self, watcher: Watcher, wire: str, now: Millis) -> bool:
        """Unsubscribe a watcher; False if it had no such topic."""
        board = watcher.boards.pop(wire, None)
        if board is None:
            return False
        board.watchers.pop(watcher, None)
        board.waiting.pop(watcher, None)
        watcher.settle(board)
        self.rest(board, now)
        return True

    # --- topics without watchers --------------------------------------------------

    def keep(self, name: TopicName, now: Millis) -> Board:
        """The topic of this name, read if it is new; watchers may follow later."""
        board = self.index.board(name)
        if not board.loaded and not board.reading:
            self._want(board)
        self.rest(board, now)
        return board

    def ask(self, board: Board, tell: Callable[[Problem | None], None]) -> None:
        """Call once after the topic's first read, with why it does not exist, if so."""
        self._use(board)
        board.asked[tell] = None

    def ask_no_more(
        self, board: Board, tell: Callable[[Problem | None], None], now: Millis
    ) -> None:
        """Cancel such a call; no effect if it was made."""
        board.asked.pop(tell, None)
        self.rest(board, now)

    def rest(self, board: Board, now: Millis) -> None:
        """Let an unwatched topic expire after a while."""
        is_kept = self.index.boards.get(board.name.key) is board
        if is_kept and not board.is_wanted and board.idle_since is None:
            board.idle_since = now
            self._idle[board] = None

    def forget_oldest(self, kind: Kind | None = None) -> bool:
        """Make room for another topic, or one of a kind; False if all are watched.

        One of a kind that has just been asked for is not dropped for the next.
        """
        idle = (
            one
            for one in self._idle
            if kind is None or (one.name.kind is kind and one.loaded)
        )
        board = next(idle, None)
        if board is None:
            return False
        self._forget(board)
        return True

    def _use(self, board: Board) -> None:
        board.idle_since = None
        self._idle.pop(board, None)

    def writable(self, watcher: Watcher, now: Millis) -> None:
        """A connection is writable again: send the newest state of what it missed."""
        if watcher.paused_since is not None:
            watcher.paused_since = now  # it reads, if slowly: restart the time
        for board, stands in list(watcher.dirty.items()):
            if not watcher.writer.writable:
                return
            watcher.settle(board)
            self.tally.conflations += 1
            self.delivery.bring(board, watcher, stands, now)
        if not watcher.dirty:
            watcher.relieved()
            self.delivery.paused.discard(watcher)

    # --- feeds -------------------------------------------------------------------

    def cursor(self, shard: ShardId) -> Position:
        """The cursor with which a shard's feed continues."""
        return self.index.shard(shard).cursor

    def seqs(self) -> dict[ShardId, int]:
        """The journal position that each shard's feed has reached."""
        return {shard: state.seq for shard, state in self.index.shards.items()}

    def on_feed(
        self, shard: ShardId, asked: Position, batch: FeedBatch, now: Millis
    ) -> bool:
        """Take a poll's reply; ``asked`` is the cursor it was polled with.

        Returns False for a reply to be ignored: of an old cursor, or of a replaced
        owner.
        """
        state = self.index.shard(shard)
        cursor = Position(batch.epoch, batch.number)
        if asked != state.cursor or batch.epoch < state.cursor.epoch:
            return False
        self.tally.feed_batches += 1
        state.seq = max(state.seq, batch.seq)
        missed = batch.reset or batch.epoch != asked.epoch or cursor < asked
        state.cursor = cursor
        if missed:
            self.tally.feed_resets += 1
            self._reset(state)
        else:
            self._changes(batch.epoch, batch.changes, now)
        return True

    def _changes(
        self, epoch: int, changes: Iterable[CalendarChange], now: Millis
    ) -> None:
        news: dict[Board, tuple[int, Rows]] = {}
        for change in changes:
            provider = self.index.providers.get(change.provider_id)
            if provider is not None:
                self._gather(provider, epoch, change, news)
            if self.index.patients or self.index.proxied:
                self._gather_mine(change, news)
            if self.index.dependent:
                for board in list(self.index.dependent.get(change.provider_id, ())):
                    self._read_again(board, NOWHERE)
        for board, (version, rows) in news.items():
            self._change(board, Position(epoch, version), rows, now)

    def _gather(
        self,
        provider: ProviderTopics,
        epoch: int,
        change: CalendarChange,
        news: dict[Board, tuple[int, Rows]],
    ) -> None:
        position = Position(epoch, change.version)
        if position <= provider.seen and not change.moved_to:
            return
        provider.seen = max(provider.seen, position)
        if change.reread:
            for board in provider.all():
                news.pop(board, None)
                if change.moved_to:
                    self._read_again(board, position)
                else:
                    self._catch_up(board, position)
            return
        for part in change.slots:
            found = provider.slots.get((part.visit_type, part.week))
            if found is not None:
                rows: Rows = dict(zip(part.starts, part.states, strict=True))
                _merge(news, found, change.version, rows)
        if change.bookings and provider.schedule is not None:
            mine = schedule_rows(change.bookings, None)
            _merge(news, provider.schedule, change.version, mine)

    def _gather_mine(
        self, change: CalendarChange, news: dict[Board, tuple[int, Rows]]
    ) -> None:
        for booking in change.bookings:
            for board in self.index.boards_of(booking.patient_id):
                _merge(news, board, 0, {booking.booking_id: booking})
        for hold in change.holds:
            for board in self.index.boards_of(hold.patient_id):
                _merge(news, board, 0, {hold.hold_id: hold})
        for end in change.ended:
            for board in self.index.boards_of(end.patient_id):
                over = HoldOver(end.hold_id, change.provider_id, end.how.value)
                _merge(news, board, 0, {end.hold_id: over})

    def on_inbox(self, board: Board, rows: Rows, now: Millis) -> None:
        """A patient's inbox changed; ``rows`` are its newest notices and ``UNREAD``."""
        if self.index.boards.get(board.name.key) is board:
            self._change(board, NOWHERE, rows, now)

    def on_list(self, wire: str, view: ListView, now: Millis) -> bool:
        """A watched list was drawn again; False if it is just being read."""
        board = self.index.searches.get(wire)
        if board is not None and board.loaded and not board.reading:
            self.delivery.replace(board, list_rows(view), now)
            return True
        return board is None

    def _change(self, board: Board, at: Position, rows: Rows, now: Millis) -> None:
        if board.name.proxy:
            rows = board.for_proxies(rows)
        if board.reading or not board.loaded:
            board.hold(at, rows)
        elif board.name.kind is Kind.ME:
            self.delivery.tell(board, rows, 0, now)
        elif at.epoch == board.epoch and at.version > board.floor:
            if board.composed:  # the provider's calendar alone does not say
                self._read_again(board, at)
            else:
                self.delivery.tell(board, rows, at.version, now)

    def _reset(self, state: ShardTopics) -> None:
        for provider_id in sorted(state.providers):
            for board in self.index.providers[provider_id].all():
                self._read_again(board, NOWHERE)
        for board in (*self.index.patients.values(), *self.index.proxied.values()):
            board.doubt_held()
            self._read_again(board, NOWHERE)
        for board in list(self.index.composed):
            self._read_again(board, NOWHERE)

    def _read_again(self, board: Board, need: Position) -> None:
        self.doubt(board)
        if not board.is_watched and board.loaded:
            self._forget(board)
            return
        board.need = max(board.need, need)
        self._want(board)

    def _catch_up(self, board: Board, at: Position) -> None:
        self.doubt(board)
        if board.reading:
            board.need = max(board.need, at)  # older answers are ignored
        elif not board.loaded or Position(board.epoch, board.floor) < at:
            self._read_again(board, at)

    # --- reading -----------------------------------------------------------------

    def _want(self, board: Board) -> None:
        if board.reading:
            # The read in flight may have begun too early to see what this is about.
            board.again = True
            return
        board.reading = True
        self._wanted[board] = None
        self._wake()

    def read_again(self, board: Board) -> None:
        """A topic's content may be out of date: read it, if it is still watched."""
        if self.index.boards.get(board.name.key) is board:
            self._read_again(board, NOWHERE)

    def take_wanted(self) -> list[Board]:
        """The topics to read, each once; end every one by ``loaded`` or ``refused``."""
        wanted, self._wanted = list(self._wanted), {}
        return wanted

    def want_again(self) -> None:
        """All reads were cancelled: those started are wanted again."""
        for board in self.index.boards.values():
            if board.reading:
                self._wanted[board] = None

    def begin_read(self, board: Board) -> bool:
        """Start a read of this topic; False if it is not needed any more."""
        board.again = False
        return self.index.boards.get(board.name.key) is board

    def loaded(self, board: Board, view: TopicView, now: Millis) -> bool:
        """Take a read's answer. Returns False if the topic must be read again."""
        if self.index.boards.get(board.name.key) is not board:
            return True
        if self.index.relocated(board.name):
            self._wake()  # another shard has answered: its feed is wanted now
        position, rows = self._content(board, view)
        if board.again or self._is_stale(board, position):
            return False
        self.tally.rereads += board.loaded
        board.reading = False
        board.need = NOWHERE
        board.read_at = now
        if board.loaded and position.epoch == board.epoch:
            self._reconcile(board, position.version, rows, now)
        else:
            board.begin(position, rows)
            if board.name.kind is Kind.SEARCH:
                board.spoke_at = now  # its window begins with the snapshot
            self.delivery.show_all(board, now)
        for held in board.take_held():
            self._change(board, held.position, held.rows, now)
        self._say(board, None)
        waiting, board.waiting = board.waiting, {}
        for watcher, since in waiting.items():
            self.delivery.serve(board, watcher, since, now)
        return True

    def refused(self, board: Board, problem: Problem) -> None:
        """A topic does not exist (any more): end it, with an error to its watchers."""
        if self.index.boards.get(board.name.key) is not board:
            return  # dropped meanwhile, and perhaps replaced by another
        self._say(board, problem)
        frame = error_frame(None, problem, board.name.wire)
        for watcher in (*board.watchers, *board.waiting):
            watcher.boards.pop(board.name.wire, None)
            watcher.settle(board)
            watcher.writer.answer(frame)
        self._forget(board)

    def _say(self, board: Board, problem: Problem | None) -> None:
        asked, board.asked = board.asked, {}
        for tell in asked:
            tell(problem)

    def _content(self, board: Board, view: TopicView) -> tuple[Position, Rows]:
        if isinstance(view, MeView):
            holds = board.holds if view.holds is None else view.holds
            rows = schedule_rows(view.bookings, None)
            rows |= {hold.hold_id: hold for hold in holds}
            rows |= view.inbox
            if board.name.proxy:
                rows = board.for_proxies(rows)
            return Position(self._me_epoch, 0), rows
        if isinstance(view, ListView):
            return Position(self._me_epoch, 0), list_rows(view)
        position = Position(view.epoch, view.version)
        if isinstance(view, ScheduleView):
            return position, schedule_rows(view.bookings, tuple(view.time_off))
        return position, dict(zip(view.starts, view.states, strict=True))

    def _is_stale(self, board: Board, position: Position) -> bool:
        if board.name.kind.counts_itself:
            return False
        known = max(board.need, self.index.owned_since(board.name))
        if board.loaded:
            known = max(known, Position(board.epoch, board.floor))
        return position < known

    def _reconcile(self, board: Board, version: int, rows: Rows, now: Millis) -> None:
        """Within one epoch, watchers get the difference as one delta."""
        self.delivery.settle(board, now)
        changed = board.difference(rows)
        if board.name.kind.counts_itself:
            self.delivery.tell(board, changed, 0, now)
            return
        board.floor = max(board.floor, version)
        if not changed:
            return
        self.tally.gaps_healed += board.name.kind is Kind.SLOTS
        if version > board.version:
            self.delivery.tell(board, changed, version, now)
            return
        board.begin(Position(board.epoch, version), rows)
        self.delivery.show_all(board, now)

    # --- verification ------------------------------------------------------------

    def is_watched(self, shard: ShardId) -> bool:
        """Whether a change on this shard could have a watcher."""
        index = self.index
        people = index.patients or index.proxied or index.composed
        return bool(people or index.shard(shard).providers)

    def has_topics(self, shard: ShardId) -> bool:
        """Whether a topic of one of its calendars is kept."""
        return bool(self.index.shard(shard).providers)

    def watched_shards(self) -> list[ShardId]:
        """Shards with watched calendars."""
        return [shard for shard, at in self.index.shards.items() if at.providers]

    def watched_providers(self) -> dict[ShardId, tuple[ProviderId, ...]]:
        """Watched calendars by shard, whose positions are to be requested."""
        return {
            shard: tuple(
                provider
                for provider in sorted(state.providers)
                if any(
                    board.is_watched for board in self.index.providers[provider].all()
                )
            )
            for shard, state in self.index.shards.items()
            if state.providers
        }

    def verified(self, view: PositionsView, now: Millis) -> None:
        """Compare calendars' positions with the feed; those ahead are read again."""
        for provider_id, version in view.versions.items():
            provider = self.index.providers.get(provider_id)
            if provider is None:
                continue
            at = Position(view.epoch, version)
            if provider.suspect <= provider.seen or provider.suspect == NOWHERE:
                provider.suspect_at = now
            provider.suspect = max(provider.suspect, at)

    def tick(self, now: Millis) -> None:
        """Called every second.

        Drop unwatched topics, expire, and verify suspected gaps.
        """
        for board in list(self._idle):
            assert board.idle_since is not None
            if now - board.idle_since < FORGET_MS:
                break
            self._forget(board)
        for board in list(self.index.boards.values()):
            board.ring.expire(now)
            lasts_ms = READ_AGAIN_MS.get(board.name.kind)
            if board.composed:
                lasts_ms = MEMBERS_READ_MS
            is_old = lasts_ms is not None and now - board.read_at >= lasts_ms
            if is_old and board.loaded and not board.reading:
                self._want(board)
        for provider in list(self.index.providers.values()):
            self._follow_up(provider, now)

    def _follow_up(self, provider: ProviderTopics, now: Millis) -> None:
        suspect = provider.suspect
        if suspect == NOWHERE or now - provider.suspect_at < SUSPECT_MS:
            return
        provider.suspect = NOWHERE
        if suspect <= provider.seen:
            return
        for board in provider.all():
            if board.loaded and Position(board.epoch, board.floor) < suspect:
                self._read_again(board, suspect)

    def _forget(self, board: Board) -> None:
        self._wanted.pop(board, None)
        self._use(board)
        self.index.forget(board)
        self.forgotten(board)


def _merge(
    news: dict[Board, tuple[int, Rows]], board: Board, version: int, rows: Rows
) -> None:
    known = news.get(board)
    news[board] = (version, known[1] | rows if known else rows)
