"""Which calendars are in memory, and what of them is not yet in a snapshot.

A calendar comes from its snapshot and the journal's tail when first asked for, and
leaves when idle. Snapshots go in rounds, a few calendars at a time: each at its own
seq, and when the round is through, the position moves to where the shard stood when
it began. Nothing here waits or reads a clock.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import SnapshotUnreadable, decode, encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis, ProviderId
from actors.domain.messages.answers import NextStarts
from actors.domain.messages.events import (
    Event,
    HoldOffered,
    HoldPlaced,
    RefusalRecorded,
    SlotReserved,
)
from actors.domain.rules import Policy
from actors.errors import JournalCorrupt
from actors.ports import Record, StoredCalendar

REFUSAL_LIFTS_MS = 60_000
"""Longer than the life of any command from a gateway."""
REFUSAL_ALONE_MS = 600_000
"""Where nothing but a refusal was read of the journal, it counts if it is not further
ahead of the clock than this."""


class Resident:
    """A calendar in memory. ``seq`` is that of its last batch; 0 if none."""

    __slots__ = (
        "calendar",
        "expiry",
        "followed_at",
        "saved_seq",
        "seq",
        "starts_said",
        "used_at",
    )

    def __init__(self, calendar: Calendar, seq: int, saved_seq: int) -> None:
        self.calendar = calendar
        self.seq = seq
        self.saved_seq = saved_seq
        self.used_at = Millis(0)
        self.followed_at = Millis(0)
        """When a gateway that shows it live last asked; 0 if none did."""
        self.expiry = Millis(0)
        """The deadline the shard was last told to watch for."""
        self.starts_said: NextStarts | None = None
        """The next free starts as they were last published; None if never."""


class Residents:
    """The calendars of one shard that are in memory, and the tails of the rest."""

    def __init__(self, policy: Policy, epoch: int, position: int) -> None:
        self._policy = policy
        self._epoch = epoch
        self.position = position
        self._loaded: dict[ProviderId, Resident] = {}
        self._tails: dict[ProviderId, list[Record]] = {}
        self._dirty: set[ProviderId] = set()
        self.last_provider: ProviderId | None = None
        """Whose event is the last in the journal."""
        self._decided_at = self._refused_at = Millis(0)
        self._round: deque[ProviderId] | None = None
        self._round_seq = 0

    def __len__(self) -> int:
        return len(self._loaded)

    def keep_tail(self, records: Iterable[Record]) -> None:
        """Records after the position: applied when their calendar is adopted."""
        for record in records:
            self.note_time(record.event)
            self._tails.setdefault(record.event.provider_id, []).append(record)

    def note_time(self, event: Event) -> None:
        """An event is in the journal. Only ClockTrusted lets time go back."""
        self.last_provider = event.provider_id
        if type(event) is RefusalRecorded:
            self._refused_at = event.at
        else:
            self._decided_at = event.at

    def floor(self, wall: Millis) -> Millis:
        """The instant that the shard's time must not go back behind.

        It is that of the newest event. A refusal counts for as much as keeps late
        commands from acting: what was refused while the clock was wrong must not
        carry the shard's time into the future.
        """
        decided, refused = self._decided_at, self._refused_at
        if decided:
            return max(decided, Millis(min(refused, decided + REFUSAL_LIFTS_MS)))
        return refused if refused <= wall + REFUSAL_ALONE_MS else Millis(0)

    def lately_held(self, since: Millis) -> list[ProviderId]:
        """Calendars of the tail that may have live holds, to be ended in time."""
        return [
            provider
            for provider, records in self._tails.items()
            if any(_is_waited_for(record.event, since) for record in records)
        ]

    def missing(self, providers: Iterable[ProviderId]) -> set[ProviderId]:
        """Those that must be loaded and adopted before they can be asked."""
        return {provider for provider in providers if provider not in self._loaded}

    def get(self, provider: ProviderId) -> Resident | None:
        """The resident, if it is in memory."""
        return self._loaded.get(provider)

    def adopt(self, provider: ProviderId, stored: StoredCalendar | None) -> Resident:
        """Bring a calendar into memory: its snapshot, then its part of the tail."""
        known = self._loaded.get(provider)
        if known is not None:
            return known
        if stored is None:
            state, seq = CalendarState(provider, self._policy), 0
        else:
            state, seq = _read(provider, stored, self._policy), stored.seq
        resident = Resident(Calendar(state), seq, seq)
        for record in self._tails.pop(provider, ()):
            if record.seq > seq:
                apply(state, record.event, record.epoch)
                resident.seq = record.seq
        # What is shown from now on is shown under the present ownership.
        state.epoch = self._epoch
        self._loaded[provider] = resident
        if resident.seq > resident.saved_seq:
            self._dirty.add(provider)
        return resident

    def changed(self, provider: ProviderId, seq: int) -> None:
        """Its batch is durable up to ``seq``."""
        self._loaded[provider].seq = seq
        self._dirty.add(provider)

    def forget(self, provider: ProviderId) -> None:
        """Drop a calendar that does not exist: it must cost nothing."""
        del self._loaded[provider]

    # --- snapshots -------------------------------------------------------------

    @property
    def is_saving(self) -> bool:
        """Whether a round is under way."""
        return self._round is not None

    @property
    def unsaved(self) -> int:
        """How many calendars have changed since they were stored."""
        return len(self._dirty) + len(self._tails)

    def begin_round(self, seq: int) -> None:
        """Everything changed up to ``seq`` is to be stored."""
        self._round = deque(sorted({*self._dirty, *self._tails}))
        self._round_seq = seq

    def next_chunk(self, limit: int) -> list[ProviderId]:
        """The calendars to store next; load and adopt those that are missing."""
        assert self._round is not None
        return [self._round.popleft() for _ in range(min(limit, len(self._round)))]

    def encoded(
        self, providers: Sequence[ProviderId], seq: int, bytes_max: int = sys.maxsize
    ) -> dict[ProviderId, StoredCalendar]:
        """Their snapshots at the shard's ``seq``; call between batches only.

        Once they have ``bytes_max``, the rest waits for the next chunk of the round.
        """
        chunk: dict[ProviderId, StoredCalendar] = {}
        size = 0
        for place, provider in enumerate(providers):
            if size >= bytes_max:
                assert self._round is not None
                self._round.extendleft(reversed(providers[place:]))
                break
            resident = self._loaded.get(provider)
            if resident is not None and resident.seq > resident.saved_seq:
                resident.seq = seq
                blob = encode(resident.calendar.state)
                chunk[provider] = StoredCalendar(seq, blob)
                size += len(blob)
        return chunk

    def saved(self, chunk: Mapping[ProviderId, StoredCalendar]) -> None:
        """A chunk is durable."""
        for provider, stored in chunk.items():
            resident = self._loaded[provider]  # dirty ones are never passivated
            resident.saved_seq = stored.seq
            if resident.seq == stored.seq:
                self._dirty.discard(provider)

    def round_position(self) -> int | None:
        """Where the position may move to; None while calendars remain."""
        return self._round_seq if not self._round else None

    def end_round(self, position: int) -> None:
        """The position is durable, or stays where it was if the round failed."""
        self.position = position
        self._round = None

    # --- passivation -----------------------------------------------------------

    def passivate(self, before: Millis, watched: Iterable[ProviderId]) -> int:
        """Drop calendars unused since ``before``, unless they are still needed."""
        kept = set(watched) | self._dirty
        idle = [
            provider
            for provider, resident in self._loaded.items()
            if resident.used_at < before
            and provider not in kept
            and _has_nothing_due(resident.calendar.state)
        ]
        for provider in idle:
            del self._loaded[provider]
        return len(idle)


def _is_waited_for(event: Event, since: Millis) -> bool:
    """Whether a hold of this event may be live, or asked for by its group."""
    if isinstance(event, HoldPlaced):
        return event.at >= since or event.group is not None
    return isinstance(event, SlotReserved | HoldOffered)


def _has_nothing_due(state: CalendarState) -> bool:
    """Whether no hold's deadline is waited for here."""
    return state.left is not None or state.occupancy.next_expiry() is None


def _read(
    provider: ProviderId, stored: StoredCalendar, policy: Policy
) -> CalendarState:
    """Raises JournalCorrupt: to open the shard again would not help."""
    try:
        return decode(stored.blob, policy)
    except SnapshotUnreadable as error:
        raise JournalCorrupt(
            f"the snapshot of {provider} at seq {stored.seq} cannot be read ({error}): "
            "run the program that wrote it, or a newer one"
        ) from error
