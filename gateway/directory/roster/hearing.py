"""When providers are free next, as their calendars say: heard from feeds, or asked.

What a calendar said stays a lower bound while time passes and times are taken, and
whatever may make a start sooner is published by its shard. In the background those
calendars are asked that were never heard, whose known starts ran out, or whose shard's
feed had a gap.

One file because what is heard replaces what is being asked, and the reverse.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from time import monotonic
from typing import Final

import structlog
from msgspec import Struct

from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import NextFreeView, NextStarts
from actors.domain.messages.changes import FeedBatch
from actors.domain.messages.reads import ReadNextFree
from actors.errors import SchedulingError
from actors.ports import Calendars, Clock, ShardLinks
from gateway.access.believed import Believed
from gateway.directory.roster.follower import NoFollower, StartsFollower
from gateway.directory.roster.following import LiveRoster
from gateway.directory.roster.services import KEPT
from gateway.wire.errors import accepted

ASKED_AT_ONCE: Final = 100
"""Providers per question: the shard answers between batches and must not stall."""
BELIEVED_MAX: Final = 20_000
PATIENCE_S: Final = 0.5
"""How long a search waits for a shard."""
MUTE_S: Final = 2.0
"""A shard that did not answer is not waited for again so soon."""
SILENT_S: Final = 25.0
"""A feed that was silent for so long, longer than an idle poll takes, is not live."""
INTEREST_S: Final = 30.0
"""So long after a search the feeds of all shards are followed without a pause."""
LOOK_S: Final = 0.2
"""Interval of looking for calendars to ask in the background."""
REST: Final = 2.0
"""Background questions pause for this multiple of the time the answers took."""
DRY_S: Final = 900.0
"""A calendar with few starts left is asked again so often: its horizon moves on."""
WALKED_AT_ONCE: Final = 2_000
"""Providers looked at in one turn of the event loop."""
_MINUTE_MS: Final = 60_000
_NO_POSITION: Final = (0, 0)

log = structlog.get_logger("slotcast.gateway")


class HearingTally(Struct):
    """Counts for the metrics."""

    heard: int = 0
    """Changes of next starts that feeds brought."""
    questions: int = 0
    """Requests to shards, each about many calendars."""
    asked: int = 0
    """Calendars asked, by searches and in the background."""
    verified: int = 0
    """Calendars that searches asked."""
    later: int = 0
    """Of these, whose next start was later than was known."""
    unanswered: int = 0


class Hearing:
    """The next starts of all providers in the roster."""

    def __init__(
        self,
        live: LiveRoster,
        calendars: Calendars,
        links: ShardLinks,
        clock: Clock,
        believe_s: float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.live = live
        self.tally = HearingTally()
        self.silences: Callable[[], dict[ShardId, float]] = dict
        """Seconds since each shard's feed answered."""
        self.look: Callable[[], None] = _nothing
        """Makes feeds that pause go on."""
        self.follower: StartsFollower = NoFollower()
        self._calendars = calendars
        self._links = links
        self._clock = clock
        self._now = now
        self._sure = Believed[ProviderId, bool](believe_s, BELIEVED_MAX, now)
        """Asked a moment ago."""
        self._position: dict[ProviderId, tuple[int, int]] = {}
        self._mute: dict[ShardId, float] = {}
        self._asking: dict[ProviderId, asyncio.Task[bool]] = {}
        self._to_ask: dict[ProviderId, None] = {}
        self._lost: set[ShardId] = set()
        """Shards whose feed had a gap that was not looked into."""
        self._doubted: set[ProviderId] = set()
        """Providers whose calendar may have changed unheard."""
        self._again: set[ProviderId] = set()
        """Providers whose calendar may have more starts by now."""
        self._swept_at = now()
        self._searched_at = float("-inf")
        live.on_rows = self._edited

    # --- what is heard -------------------------------------------------------------

    def waiting(self) -> int:
        """Calendars that are to be asked in the background."""
        return len(self._to_ask)

    @property
    def is_wanted(self) -> bool:
        """Whether feeds are to be followed without a pause.

        They are after a search, and while the follower is interested.
        """
        is_recent = self._now() - self._searched_at < INTEREST_S
        return is_recent or self.follower.is_interested

    def searched(self) -> None:
        """A search looks at the starts of all."""
        was_wanted = self.is_wanted
        self._searched_at = self._now()
        if not was_wanted:
            self.look()
        self.pass_time()

    def is_sure(self, provider_id: ProviderId) -> bool:
        """Whether the calendar was asked a moment ago."""
        return self._sure.get(provider_id) is not None

    def hears_all(self) -> bool:
        """Whether all that makes a start sooner was heard, and all shards answer."""
        now = self._now()
        self._mute = {shard: at for shard, at in self._mute.items() if at > now}
        return not self._mute and self.hears_feeds()

    def hears_feeds(self) -> bool:
        """Whether feeds brought all that makes a start sooner."""
        if self._lost or self._doubted:
            return False
        return all(silent < SILENT_S for silent in self.silences().values())

    def changed(self, provider_id: ProviderId, *, may_free: bool = True) -> None:
        """A command to this calendar was answered here, or may have been done.

        What frees nothing leaves a lower bound as it is.
        """
        self._doubt(provider_id)
        row = self._row(provider_id) if may_free else None
        if row is not None:
            self.live.services.forget_starts(row)
            self._to_ask[provider_id] = None
            self.follower.heard(provider_id)

    def _doubt(self, provider_id: ProviderId) -> None:
        """What a calendar said, or is about to answer, may be too early by now."""
        self._sure.forget(provider_id)
        self._asking.pop(provider_id, None)
        self.follower.doubted(provider_id)

    def _edited(self, provider_ids: Collection[ProviderId]) -> None:
        self.want(provider_ids)
        self.follower.edited(provider_ids)

    def want(self, provider_ids: Collection[ProviderId]) -> None:
        """Ask those calendars soon whose starts are not known."""
        for provider_id in provider_ids:
            row = self._row(provider_id)
            if row is None:
                self._position.pop(provider_id, None)
                self._doubted.discard(provider_id)
            elif not self.live.services.is_known(row):
                self._to_ask[provider_id] = None

    def on_feed(self, shard: ShardId, batch: FeedBatch) -> None:
        """A shard's feed brought changes, or had a gap."""
        if self.live.roster is None:
            return
        if batch.reset:
            self._lost.add(shard)
            self.follower.lost()
        for change in batch.changes:
            if change.moved_to:
                self.changed(change.provider_id)
                continue
            at = batch.epoch, change.version
            if change.starts is not None:
                self.tally.heard += 1
                self._take(change.provider_id, at, change.starts)
            elif self._position.get(change.provider_id, _NO_POSITION) < at:
                # A time may be taken: the known starts are lower bounds, unverified.
                self._doubt(change.provider_id)

    def pass_time(self) -> None:
        """Let starts pass that can no longer be booked."""
        minute = Minute(-(-self._clock.now() // _MINUTE_MS))
        roster = self.live.roster
        if roster is not None:
            ran_out = roster.services.move_to(minute).tolist()
            self.want([roster.ids[row] for row in ran_out if roster.alive[row]])

    def _row(self, provider_id: ProviderId) -> int | None:
        roster = self.live.roster
        return None if roster is None else roster.row_of.get(provider_id)

    def _take(
        self, provider_id: ProviderId, position: tuple[int, int], starts: NextStarts
    ) -> None:
        """Note what a calendar said, unless it has said something newer."""
        row = self._row(provider_id)
        if row is None or self._position.get(provider_id, position) > position:
            return
        self._position[provider_id] = position
        self._doubted.discard(provider_id)
        self._again.discard(provider_id)
        self.live.services.set_starts(row, starts)
        self.live.heard(provider_id)
        self.follower.heard(provider_id)

    # --- what is asked -------------------------------------------------------------

    async def verify(self, provider_ids: Iterable[ProviderId]) -> set[ProviderId]:
        """Ask calendars that were not asked a moment ago; those that did not answer."""
        return await self.ask({one for one in provider_ids if not self.is_sure(one)})

    async def ask(self, wanted: Collection[ProviderId]) -> set[ProviderId]:
        """Ask calendars, one question to each shard; those that did not answer."""
        self.pass_time()
        before = {one: self._soonest(one) for one in wanted}
        silent = await self._ask(wanted)
        self.tally.verified += len(wanted)
        self.tally.unanswered += len(silent)
        self.tally.later += sum(
            0 < start < self._soonest(one) for one, start in before.items()
        )
        return silent

    def _soonest(self, provider_id: ProviderId) -> int:
        row = self._row(provider_id)
        return 0 if row is None else self.live.services.soonest(row)

    async def _ask(self, provider_ids: Collection[ProviderId]) -> set[ProviderId]:
        """Ask calendars; returns those that did not answer in time."""
        now = self._now()
        silent = {
            one
            for one in provider_ids
            if self._mute.get(self._links.shard_of(one), now) > now
        }
        tasks = self._questions(one for one in provider_ids if one not in silent)
        if tasks:
            # Tasks of their own: the first reader may leave while others wait.
            done, _ = await asyncio.wait(tasks, timeout=PATIENCE_S)
            for task, ids in tasks.items():
                if task not in done or not _is_answered(task):
                    silent |= ids
                    muted = {self._links.shard_of(one) for one in ids}
                    self._mute.update(dict.fromkeys(muted, self._now() + MUTE_S))
        return silent

    def _questions(
        self, provider_ids: Iterable[ProviderId]
    ) -> dict[asyncio.Task[bool], set[ProviderId]]:
        """Tasks that ask, those under way among them, and about whom."""
        tasks: dict[asyncio.Task[bool], set[ProviderId]] = defaultdict(set)
        asked: dict[ShardId, list[ProviderId]] = defaultdict(list)
        for one in provider_ids:
            if one in self._asking:
                tasks[self._asking[one]].add(one)
            else:
                asked[self._links.shard_of(one)].append(one)
        for shard, some in asked.items():
            for at in range(0, len(some), ASKED_AT_ONCE):
                part = some[at : at + ASKED_AT_ONCE]
                tasks[self._question(shard, part)].update(part)
        return tasks

    def _question(
        self, shard: ShardId, provider_ids: Sequence[ProviderId]
    ) -> asyncio.Task[bool]:
        task = asyncio.ensure_future(self._read(tuple(provider_ids)))
        self._asking.update(dict.fromkeys(provider_ids, task))

        def done(task: asyncio.Task[bool]) -> None:
            for one in provider_ids:
                if self._asking.get(one) is task:
                    del self._asking[one]
                    if _is_answered(task):
                        self._sure.put(one, value=True)
            if _is_answered(task):
                self._mute.pop(shard, None)

        task.add_done_callback(done)
        return task

    async def _read(self, provider_ids: tuple[ProviderId, ...]) -> bool:
        """Ask one shard and note the answer; False if there was none."""
        self.tally.questions += 1
        self.tally.asked += len(provider_ids)
        me = asyncio.current_task()
        try:
            reply = await self._calendars.ask(ReadNextFree(provider_ids, KEPT))
            view = accepted(reply, NextFreeView)
        except SchedulingError:
            return False
        except Exception:
            log.exception("next starts cannot be read")
            return False
        for one in provider_ids:
            # Those that changed since they were asked are asked again.
            if self._asking.get(one) is me:
                self._take(one, *_said(view, one, self._position.get(one, (0, 0))))
        return True

    # --- in the background ---------------------------------------------------------

    async def run(self) -> None:
        """Ask what is to be asked, until cancelled; may be run again."""
        while True:
            if self.live.roster is not None:
                self.pass_time()
                await self._look_into_gaps()
                await self._sweep()
            began = self._now()
            asked = await self._ask_some()
            took = self._now() - began
            await asyncio.sleep(min(max(took * REST, 0.001), 1.0) if asked else LOOK_S)

    async def _ask_some(self) -> bool:
        """One question to each shard; whether there was one."""
        shards = set(self._links.shards())
        some: dict[ShardId, list[ProviderId]] = defaultdict(list)
        for one in list(self._to_ask)[:WALKED_AT_ONCE]:
            shard = self._links.shard_of(one)
            is_dormant = shard not in shards
            if is_dormant or not self._is_due(one):
                self._to_ask.pop(one, None)
                if is_dormant:  # it changes nothing while nothing activates it
                    self._doubted.discard(one)
            elif len(some[shard]) < ASKED_AT_ONCE:
                some[shard].append(one)
        wanted = [one for part in some.values() for one in part]
        silent = await self._ask(wanted)
        for one in wanted:
            self._to_ask.pop(one, None)
            # One that changed while it was asked is still due.
            if one in silent or self._is_due(one):
                self._to_ask[one] = None  # at the end
        return bool(set(wanted) - silent)

    def _is_due(self, provider_id: ProviderId) -> bool:
        row = self._row(provider_id)
        if row is None:
            return False
        is_asked_for = provider_id in self._doubted or provider_id in self._again
        return is_asked_for or not self.live.services.is_known(row)

    async def _look_into_gaps(self) -> None:
        while self._lost:
            shard = next(iter(self._lost))
            for number, one in enumerate(self.live.ids(), 1):
                if self._links.shard_of(one) == shard:
                    self._doubted.add(one)
                    self._to_ask[one] = None
                if number % WALKED_AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._lost.discard(shard)

    async def _sweep(self) -> None:
        """Ask calendars again that said all the starts they had."""
        roster = self.live.roster
        if roster is None or self._now() - self._swept_at < DRY_S:
            return
        self._swept_at = self._now()
        for number, row in enumerate(roster.services.short_rows().tolist(), 1):
            if roster.alive[row]:
                self._again.add(roster.ids[row])
                self._to_ask[roster.ids[row]] = None
            if number % WALKED_AT_ONCE == 0:
                await asyncio.sleep(0)


def _nothing() -> None:
    """No feeds are followed."""


def _is_answered(task: asyncio.Task[bool]) -> bool:
    return not task.cancelled() and task.result()


def _said(
    view: NextFreeView, provider_id: ProviderId, known: tuple[int, int]
) -> tuple[tuple[int, int], NextStarts]:
    """What an answer says of a provider, and at which position."""
    position = view.positions.get(provider_id, known)
    if provider_id in view.next_starts:
        return position, view.next_starts[provider_id]
    # A shard of a former version says the first start only.
    start = view.starts.get(provider_id)
    kind = view.visit_types.get(provider_id)
    if start is None or kind is None:
        return position, {}
    return position, {VisitTypeId(kind): (start,)}
