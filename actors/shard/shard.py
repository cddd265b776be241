"""The shard: the single writer of many calendars, as a machine of steps.

::

    opened ──► missing ─ adopt ─► begin ─► (journal the events) ─► commit ──► …
                                    └──────────────────────────► abandon, opened

Obligations of its drivers (actors/hosting/mailbox.py, the simulator):

- load and ``adopt`` what is ``missing`` before ``begin``;
- after ``begin``, journal ``batch.events`` with one append, or ask the journal who
  owns the shard if ``batch.must_check``; only then ``commit``, and only what
  ``commit`` returns may leave the shard;
- if the journal did not answer "durable", ``abandon``, then open it again;
- one batch at a time; snapshots are encoded between batches.

No clock, no I/O, no waiting: it can be stopped between any two steps. One file because
all of a batch's steps share the state between ``begin`` and ``commit``.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from actors.domain.calendar import window
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.holding import holds
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.views import next_starts
from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import Done, NextStarts, PositionsView, Reply
from actors.domain.messages.changes import CalendarChange
from actors.domain.messages.commands import (
    AdvanceWindow,
    Command,
    CommandBase,
    ExpireHolds,
    Transfer,
    TrustClock,
    postponed,
)
from actors.domain.messages.events import (
    CalendarMovedIn,
    CalendarMovedOut,
    ClockTrusted,
    Event,
    GroupAborted,
    GroupSettled,
    HoldDoubted,
    HoldExtended,
    HoldOffered,
    HoldPlaced,
    HoldReturned,
    RefusalRecorded,
    SlotBooked,
    SlotReserved,
    WaitingSet,
)
from actors.domain.messages.reads import (
    Read,
    ReadBooking,
    ReadGroups,
    ReadHold,
    ReadNextFree,
    ReadPositions,
    ReadProvider,
    ReadSchedule,
    ReadSlots,
    ReadWeek,
)
from actors.domain.messages.refusals import (
    NO_PROVIDER,
    NOT_REMEMBERED,
    Refusal,
    RefusalCode,
)
from actors.domain.rules import Policy
from actors.errors import EpochTooLow
from actors.ports import (
    Record,
    Request,
    ShardReply,
    StoredCalendar,
    Trouble,
    TroubleCode,
)
from actors.shard.batch import SHARED, Batch, providers_of
from actors.shard.clock_watch import STEP_MS, ClockReading
from actors.shard.counters import ShardCounters
from actors.shard.feed_ring import FeedRing
from actors.shard.limits import ShardLimits
from actors.shard.moving import away, epoch_to_beat, moved, transfer_answer
from actors.shard.residents import Resident, Residents
from actors.shard.views import change_after, next_free_of, view_after, view_of

_WINDOWED = (ReadSlots, ReadWeek, ReadProvider, ReadNextFree)
_WATCHING = (ReadSlots, ReadWeek, ReadPositions)
_FOLLOWING = (ReadWeek, ReadSchedule, ReadPositions)
"""Questions of gateways that show the calendar live: what they are told from now on
names the slots that changed. Each topic begins with one and is verified by the last."""

_OWNERS = (ReadHold, ReadBooking, ReadGroups, ReadSchedule, ReadPositions)
"""Questions that a former owner must not answer: a patient would read that a booking
does not exist, a gateway that its stale page is the newest, or a resolver that nothing
is owed."""

EACH_MAX = 16
"""Starts of a visit type that are published at most."""

_FREEING_NOTHING = (
    HoldPlaced,
    HoldExtended,
    WaitingSet,
    SlotReserved,
    HoldOffered,
    HoldReturned,
    HoldDoubted,
    GroupAborted,
    GroupSettled,
)
"""What a hold or a reserve takes is taken; a returned offer is reserved again."""
_UNSEEN = (RefusalRecorded, ClockTrusted)
"""Events that change nothing that watchers see."""


class Shard:
    """Many calendars, one writer; see the obligations above."""

    def __init__(self, shard: ShardId, policy: Policy, limits: ShardLimits) -> None:
        self.shard = shard
        self.policy = policy
        self.limits = limits
        self.tally = ShardCounters()
        self.epoch_to_beat = 0
        """The shard is sealed again and again until its epoch is above this."""
        self._cell_ms = policy.cell_minutes * 60_000
        self._forget_all(0, 0, 0)

    def _forget_all(self, epoch: int, last_seq: int, position: int) -> None:
        self.epoch = epoch
        self.last_seq = last_seq
        self.feed = FeedRing(epoch, last_seq, self.limits.feed_max)
        self.residents = Residents(self.policy, epoch, position)
        self._batch: Batch | None = None
        self._expiries: list[tuple[Millis, ProviderId]] = []
        self._watched: dict[ProviderId, Millis] = {}
        self._ticking: deque[ProviderId] = deque()
        self._tick_at = Millis(0)
        self._starts_wanted = 0
        """How many next starts of a calendar gateways want; 0 while none searches."""

    # --- life ------------------------------------------------------------------

    def opened(
        self, epoch: int, last_seq: int, position: int, tail: Iterable[Record]
    ) -> None:
        """The journal is sealed for this shard: begin with no calendar in memory."""
        self._forget_all(epoch, last_seq, position)
        self.residents.keep_tail(tail)

    def abandon(self) -> None:
        """Nothing in memory can be trusted any more."""
        self._forget_all(0, 0, 0)

    def missing(
        self, requests: Iterable[Request], *, may_lower: bool = False
    ) -> set[ProviderId]:
        """Calendars to load and adopt before these requests can begin."""
        needed = [
            provider for request in requests for provider in providers_of(request)
        ]
        if may_lower and self.residents.last_provider is not None:
            needed.append(self.residents.last_provider)
        return self.residents.missing(needed)

    def adopt(self, provider: ProviderId, stored: StoredCalendar | None) -> None:
        """Take a calendar in; None if it was never stored."""
        self._await_expiry(provider, self.residents.adopt(provider, stored))

    # --- the batch -------------------------------------------------------------

    def begin(
        self,
        requests: Sequence[Request],
        now: Millis | ClockReading,
        pressure: float = 0.0,
    ) -> Batch:
        """Decide all requests in order, and apply what follows in memory at once.

        Also expires holds that are due and advances watched windows, so an
        empty ``requests`` makes sense. ``pressure`` is the journal's. ``now`` is what
        a ClockWatch read, or just an instant that is to be believed.

        Raises:
            EpochTooLow: nothing was done; the shard must be opened again.
        """
        assert self._batch is None, "one batch at a time"
        self._rise_for(requests)
        batch = self._batch = Batch(requests, self._time(now), pressure)
        if batch.time.may_lower:
            self._lower(batch, self.residents.last_provider)
        for place, request in enumerate(requests):
            if not isinstance(request, CommandBase):
                self._prepare(batch, place, request)
            elif batch.time.doubt:
                batch.replies[place] = batch.not_now()
            else:
                # Deadlines were set by the machine's clock: they move along.
                apart = batch.now - batch.time.wall
                batch.replies[place] = self._judge(batch, postponed(request, apart))
        if not self._is_at_rest(batch):
            self._expire_due(batch)
            self._advance_watched(batch)
        return batch

    def commit(self, batch: Batch, seq: int) -> list[ShardReply]:
        """The batch is durable up to ``seq``: publish it, and return the replies.

        One reply per request, in order; readers see what is durable now.
        """
        assert self._batch is batch
        self._batch = None
        self.last_seq = seq
        self.feed.publish(seq, self._changes(batch, seq))
        replies = [
            reply if reply is not None else self._read(batch, request)
            for request, reply in zip(batch.requests, batch.replies, strict=True)
        ]
        self._forget_unregistered(batch)
        if batch.requests or batch.events:
            self.tally.count(replies, batch.replies.count(None), batch.events)
        return replies

    def _time(self, now: Millis | ClockReading) -> ClockReading:
        """A clock set back journals no earlier time: forgotten keys rely on it."""
        time = now if isinstance(now, ClockReading) else ClockReading(now, now)
        floor = self.residents.floor(time.wall)
        return time if time.now >= floor else replace(time, now=floor)

    def _lower(self, batch: Batch, provider: ProviderId | None) -> None:
        """Follow the clock although the journal is ahead of it, and journal that."""
        resident = self.residents.get(provider) if provider else None
        floor, wall = self.residents.floor(batch.time.wall), batch.time.wall
        if resident is None or floor - wall <= STEP_MS:
            return
        batch.now = wall
        state = resident.calendar.state
        event = ClockTrusted(
            provider_id=state.provider_id,
            at=wall,
            version=state.version,
            ahead_of=floor,
        )
        self._apply(batch, resident.calendar, (event,))
        self._tick_at = Millis(0)

    def _judge(
        self, batch: Batch, command: Command | Transfer | TrustClock
    ) -> ShardReply:
        calendar = self._resident(batch, command.provider_id).calendar
        if isinstance(command, TrustClock):
            self._lower(batch, command.provider_id)
            batch.judged = True
            return Done(command.provider_id, self.epoch, calendar.state.version)
        if isinstance(command, Transfer):
            return self._transfer(batch, calendar, command)
        trouble = away(calendar.state, self.shard)
        if trouble is not None:
            batch.judged = True
            return trouble
        self._expire(batch, calendar)
        try:
            outcome = calendar.decide(command, batch.now)
        except Exception as fault:  # noqa: BLE001 - decide changes nothing
            return batch.faulty(fault)
        if isinstance(outcome, Refusal):
            return self._refuse(batch, calendar, command, outcome)
        state = calendar.state
        if not outcome:
            batch.judged = True
            return state.answer(command.key) or view_after(state, command, None)
        if batch.is_full_for(command, self.limits):
            return Trouble(TroubleCode.JOURNAL_FULL, "the journal is nearly full", 30.0)
        self._apply(batch, calendar, outcome)
        return state.answer(command.key) or view_after(state, command, outcome[-1])

    def _rise_for(self, requests: Sequence[Request]) -> None:
        """A calendar's position never goes back: (epoch, version) is unique."""
        to_beat = epoch_to_beat(requests)
        if to_beat and to_beat >= self.epoch:
            self.epoch_to_beat = to_beat
            raise EpochTooLow

    def _transfer(
        self, batch: Batch, calendar: Calendar, command: Transfer
    ) -> ShardReply:
        seq = self.last_seq + len(batch.events) + 1
        outcome = moved(calendar.state, command, batch.now, seq)
        if not isinstance(outcome, CalendarMovedOut | CalendarMovedIn):
            batch.judged = True
            return outcome
        self._apply(batch, calendar, (outcome,))
        return transfer_answer(calendar.state, command)

    def _refuse(
        self, batch: Batch, calendar: Calendar, command: Command, refusal: Refusal
    ) -> Refusal:
        batch.judged = True
        if (
            command.key
            and refusal.code not in NOT_REMEMBERED
            and not self._is_scarce(batch)  # the room is for what is done
            and calendar.state.registered  # unknown providers leave no trace
        ):
            event = calendar.refused(command, refusal, batch.now)
            self._apply(batch, calendar, (event,))
        return refusal

    def _prepare(self, batch: Batch, place: int, read: Read) -> None:
        """What must happen before this question is answered."""
        now = batch.now
        watching = isinstance(read, _WATCHING)
        following = isinstance(read, _FOLLOWING)
        if isinstance(read, ReadNextFree):
            self._starts_wanted = max(self._starts_wanted, min(read.each, EACH_MAX))
        for provider in providers_of(read):
            resident = self._resident(batch, provider)
            calendar = resident.calendar
            if following:
                resident.followed_at = now
            trouble = away(calendar.state, self.shard)
            if trouble is not None:
                batch.judged = True
                batch.replies[place] = trouble
                continue
            self._expire(batch, calendar)
            batch.judged = batch.judged or isinstance(read, _OWNERS)
            # The window of a calendar that was not watched stood still.
            is_new = watching and provider not in self._watched
            if is_new or isinstance(read, _WINDOWED):
                self._advance(batch, calendar)
            if watching and calendar.state.registered:
                if not self._watched:
                    self._tick_at = self._after_this_cell(now)
                self._watched[provider] = now

    def _resident(self, batch: Batch, provider: ProviderId) -> Resident:
        resident = self.residents.get(provider)
        assert resident is not None, "adopt what is missing first"
        resident.used_at = batch.now
        return resident

    def _apply(self, batch: Batch, calendar: Calendar, events: Sequence[Event]) -> None:
        batch.events.extend(events)
        state = calendar.state
        batch.changed.setdefault(state.provider_id, []).extend(events)
        for event in events:
            self.residents.note_time(event)
            apply(state, event, self.epoch)

    # --- time ------------------------------------------------------------------

    def next_wakeup(self, now: Millis) -> Millis | None:
        """When a batch should begin even without requests; None if never."""
        wakeups = [self._expiries[0][0]] if self._expiries else []
        if self._ticking:
            wakeups.append(now)
        elif self._watched:
            wakeups.append(self._tick_at)
        return min(wakeups, default=None)

    def watched(self) -> Iterable[ProviderId]:
        """Calendars that were read lately."""
        return self._watched

    def _expire(self, batch: Batch, calendar: Calendar) -> None:
        self._of_its_own(batch, calendar, ExpireHolds, holds.are_due)

    def _advance(self, batch: Batch, calendar: Calendar) -> None:
        self._of_its_own(batch, calendar, AdvanceWindow, window.is_due)

    def _of_its_own(
        self,
        batch: Batch,
        calendar: Calendar,
        kind: type[ExpireHolds | AdvanceWindow],
        is_due: Callable[[CalendarState, Millis], bool],
    ) -> None:
        """Events that follow from time alone; an error in one calendar stops only it.

        Without that guard one calendar would fail every batch of its shard.
        """
        state = calendar.state
        try:
            if state.left or self._is_at_rest(batch):
                return
            if not is_due(state, batch.now):
                return
            outcome = calendar.decide(kind(provider_id=state.provider_id), batch.now)
        except Exception as fault:  # noqa: BLE001 - neither changes anything
            batch.faults.append(fault)
            return
        assert not isinstance(outcome, Refusal)
        self._apply(batch, calendar, outcome)

    def _is_at_rest(self, batch: Batch) -> bool:
        """Whether the shard does nothing of its own in this batch."""
        return bool(batch.time.doubt) or self._is_scarce(batch)

    def _is_scarce(self, batch: Batch) -> bool:
        """Whether the journal's last room is kept for what people ask.

        The shard's own events can wait: a hold that is due blocks nothing anyway.
        """
        return batch.pressure >= self.limits.full_for_bookings

    def _await_expiry(self, provider: ProviderId, resident: Resident) -> None:
        state = resident.calendar.state
        expiry = state.occupancy.next_expiry()
        if state.left:
            return
        if expiry is not None and expiry != resident.expiry:
            resident.expiry = expiry
            heapq.heappush(self._expiries, (expiry, provider))

    def _expire_due(self, batch: Batch) -> None:
        """End holds whose deadline passed, of a bounded number of calendars."""
        for _ in range(self.limits.due_max):
            if not self._expiries or self._expiries[0][0] > batch.now:
                return
            _, provider = heapq.heappop(self._expiries)
            resident = self.residents.get(provider)
            if resident is not None:
                resident.expiry = Millis(0)
                self._expire(batch, resident.calendar)
                self._await_expiry(provider, resident)

    def _after_this_cell(self, now: Millis) -> Millis:
        """The next instant at which starts pass: a start's own instant is in time."""
        return Millis(now - (now - 1) % self._cell_ms + self._cell_ms)

    def _advance_watched(self, batch: Batch) -> None:
        """Just after a cell begins watched windows move, some per batch."""
        now = batch.now
        is_due = not 0 < self._tick_at - now <= self._cell_ms
        if self._watched and is_due:
            self._tick_at = self._after_this_cell(now)
            since = now - self.limits.watched_ms
            self._watched = {
                provider: at for provider, at in self._watched.items() if at >= since
            }
            self._ticking = deque(self._watched)
        for _ in range(min(self.limits.due_max, len(self._ticking))):
            resident = self.residents.get(self._ticking.popleft())
            if resident is not None:
                self._advance(batch, resident.calendar)

    # --- publishing -----------------------------------------------------------

    def _changes(self, batch: Batch, seq: int) -> list[CalendarChange]:
        changes: list[CalendarChange] = []
        since = batch.now - self.limits.watched_ms
        for provider, events in batch.changed.items():
            self.residents.changed(provider, seq)
            resident = self.residents.get(provider)
            assert resident is not None
            self._await_expiry(provider, resident)
            seen = [event for event in events if type(event) not in _UNSEEN]
            if seen:
                shown = resident.followed_at >= since
                starts = self._starts_to_say(resident, seen)
                changes.append(
                    change_after(
                        resident.calendar.state,
                        seen,
                        seq,
                        with_slots=shown,
                        starts=starts,
                    )
                )
        return changes

    def _starts_to_say(
        self, resident: Resident, events: Iterable[Event]
    ) -> NextStarts | None:
        """Next free starts, if a gateway searches and they may have become sooner.

        What only takes a time leaves what was said a lower bound (decision 0091), so
        that a booking does not pay for its calendar's starts.
        """
        if not self._starts_wanted:
            return None
        if not any(_may_free(event) for event in events):
            # A gateway may have asked meanwhile: what was said is to be said again.
            resident.starts_said = None
            return None
        starts = next_starts(resident.calendar.state, self._starts_wanted)
        if starts == resident.starts_said:
            return None
        resident.starts_said = starts
        return starts

    def _read(self, batch: Batch, request: Request) -> ShardReply:
        assert not isinstance(request, CommandBase)
        try:
            return self._view(request)
        except Exception as fault:  # noqa: BLE001 - a view changes nothing
            return batch.faulty(fault)

    def _view(self, read: Read) -> Reply:
        if isinstance(read, SHARED):
            known = [
                resident.calendar.state
                for provider in read.provider_ids
                if (resident := self.residents.get(provider)) is not None
                and resident.calendar.state.registered
            ]
            if isinstance(read, ReadNextFree):
                return next_free_of(known, min(read.each, EACH_MAX))
            return PositionsView(
                self.epoch, {one.provider_id: one.version for one in known}
            )
        resident = self.residents.get(read.provider_id)
        if resident is None or not resident.calendar.state.registered:
            return NO_PROVIDER
        state = resident.calendar.state
        if isinstance(read, ReadSlots) and state.version < read.at_least:
            return Refusal(RefusalCode.DEADLINE_PASSED, "not there yet; try again")
        return view_of(state, read)

    def _forget_unregistered(self, batch: Batch) -> None:
        """Requests for a provider that does not exist leave nothing in memory."""
        for request in batch.requests:
            for provider in providers_of(request):
                resident = self.residents.get(provider)
                if resident is not None and not resident.calendar.state.registered:
                    self.residents.forget(provider)


def _may_free(event: Event) -> bool:
    """Whether a start may be sooner: a hold that ends may be of another slot."""
    if isinstance(event, SlotBooked):
        return event.hold_id is not None
    return not isinstance(event, _FREEING_NOTHING)
