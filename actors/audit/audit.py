"""An audit of a journal, independent of the calendars: which owner had which time.

It reads events alone and keeps plain spans (actors/audit/tenures.py). Used by
``slotcast verify``. A calendar that moved between shards is followed by its tenures:
each shard's journal is audited by itself, what came must be what left, and one shard
has it now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from actors.audit.tenures import AuditedBooking, Tenure, tenure_of
from actors.domain.calendar.at_rest import SnapshotUnreadable, unpack
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import BookingId, ProviderId, ShardId
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.events import (
    BookingCancelled,
    BookingRescheduled,
    CalendarMovedIn,
    CalendarMovedOut,
    ClockTrusted,
    Event,
    HoldExpired,
    HoldOffered,
    HoldPlaced,
    HoldReleased,
    HoldReturned,
    NoShowMarked,
    OutcomeUndone,
    PatientArrived,
    RefusalRecorded,
    SlotBooked,
    SlotReserved,
    VisitCompleted,
)
from actors.ports import Record

__all__ = ["PROBLEMS_MAX", "Audit", "AuditedBooking"]

PROBLEMS_MAX = 100
"""Maximum number of reported problems."""

_UNCOUNTED = (RefusalRecorded, ClockTrusted, CalendarMovedOut)
"""Events that do not change the version."""


class _Exit(NamedTuple):
    """A departure: the calendar's last record in a shard's journal."""

    provider: ProviderId
    shard: str
    seq: int


class Audit:
    """Feed it every record of each shard in order; then call ``close``.

    Problems that only all shards together can show are found by ``close``.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.events = 0
        self.holds = 0
        self.is_whole = True
        """State before the first record."""
        self._shard = ShardId("")
        self._shards: set[str] = set()
        self._seq = 0
        self._epoch = 0
        self._here: dict[ProviderId, Tenure] = {}
        self._at_home: dict[ProviderId, tuple[ShardId, Tenure]] = {}
        self._left: dict[_Exit, tuple[Tenure, ShardId]] = {}
        self._came: dict[_Exit, tuple[Tenure, ShardId]] = {}

    def feed(self, record: Record) -> None:
        """Process the next record of one shard."""
        self._count_seq(record)
        event = record.event
        tenure = self._here.get(event.provider_id)
        if isinstance(event, CalendarMovedIn):
            self._moved_in(event, record)
            return
        if tenure is None:
            if self._has_left(event.provider_id, record.seq):
                return
            tenure = self._here[event.provider_id] = Tenure()
        if record.seq > tenure.begun_seq:
            self._count_version(tenure, event)
            step = _STEPS.get(type(event))
            if step is not None:
                step(self, tenure, event)

    def _count_seq(self, record: Record) -> None:
        if record.seq != self._seq + 1:
            self._problem(f"seq {record.seq} follows {self._seq}")
        if record.epoch < self._epoch:
            self._problem(f"epoch {record.epoch} after {self._epoch}, seq {record.seq}")
        self._seq, self._epoch = record.seq, record.epoch
        self.events += 1

    def new_shard(self, after_seq: int = 0, shard: str = "") -> None:
        """The next record is the one after ``after_seq`` of another shard."""
        self._settle()
        self._seq, self._epoch = after_seq, 0
        self._shard = ShardId(shard)
        self._shards.add(shard)

    def begin(self, calendar: CalendarState, seq: int) -> None:
        """Begin a provider with a calendar at rest that holds events up to ``seq``.

        For journals whose first records were trimmed; those records that remain and
        are in the calendar already are counted, not followed again.
        """
        self.is_whole = False
        provider, left = calendar.provider_id, calendar.left
        tenure, problems = tenure_of(calendar, seq)
        for problem in problems:
            self._problem(f"{provider}: {problem}")
        if left is None:
            self._here[provider] = tenure
        else:
            place = _Exit(provider, self._shard, left.seq)
            self._left[place] = tenure, left.to_shard

    def close(self) -> None:
        """Compare the records of moved calendars, after all shards were read."""
        self._settle()
        for place, (tenure, to_shard) in self._left.items():
            if place in self._came:
                self._compare(place, tenure, to_shard)
            elif place.provider not in self._at_home:
                self._problem(
                    f"{place.provider} left {place.shard} and has not come to "
                    f"{to_shard}: run `slotcast cluster isolate` again"
                )
        for place, (_, shard) in self._came.items():
            if place not in self._left:
                self.is_whole = False
                if place.shard in self._shards:
                    self._problem(
                        f"{place.provider} came to {shard}, never left {place.shard}"
                    )

    def _compare(self, place: _Exit, left: Tenure, to_shard: ShardId) -> None:
        """A calendar must arrive as it left, and at the shard it was sent to."""
        came, shard = self._came[place]
        if shard != to_shard:
            self._problem(f"{place.provider} came to {shard}, not {to_shard}")
        if reason := left.problem_with(came):
            self._problem(f"{place.provider} came to {shard} {reason}")

    @property
    def bookings(self) -> Mapping[BookingId, AuditedBooking]:
        """Every booking after its last event."""
        found: dict[BookingId, AuditedBooking] = {}
        for tenure, _ in self._left.values():  # old visits are dropped
            found.update(tenure.bookings)
        for _, tenure in self._at_home.values():
            found.update(tenure.bookings)
        for tenure in self._here.values():
            found.update(tenure.bookings)
        return found

    @property
    def versions(self) -> Mapping[ProviderId, int]:
        """Each calendar's version after the last record."""
        home = {name: one.version for name, (_, one) in self._at_home.items()}
        return home | {name: one.version for name, one in self._here.items()}

    def _settle(self) -> None:
        """The shard's journal was read: no other shard may have its calendars."""
        here, self._here = self._here, {}
        for provider, tenure in here.items():
            other = self._at_home.get(provider)
            if other is not None:
                self._problem(f"{provider} is at {other[0]} and at {self._shard}")
            self._at_home[provider] = self._shard, tenure

    def _has_left(self, provider: ProviderId, seq: int) -> bool:
        """Whether the calendar has left this shard."""
        exits = [
            place.seq
            for place in self._left
            if place.provider == provider and place.shard == self._shard
        ]
        if not exits:
            return False
        if seq > max(exits):
            self._problem(f"{provider} left {self._shard} before seq {seq}")
        return True

    def _moved_out(self, tenure: Tenure, event: CalendarMovedOut) -> None:
        if event.seq != self._seq:
            self._problem(f"{event.provider_id} says seq {event.seq} at {self._seq}")
        del self._here[event.provider_id]
        place = _Exit(event.provider_id, self._shard, self._seq)
        self._left[place] = tenure, event.to_shard

    def _moved_in(self, event: CalendarMovedIn, record: Record) -> None:
        provider = event.provider_id
        known = self._here.get(provider)
        if known is not None and record.seq <= known.begun_seq:
            return
        if known is not None:
            self._problem(f"{provider} came to {self._shard}, where it was already")
        if record.epoch <= event.from_epoch:
            self._problem(f"{provider} came under an epoch that it had before")
        try:
            kept = unpack(event.state)[0]
        except SnapshotUnreadable as error:
            self._problem(f"{provider} came to {self._shard} unreadable: {error}")
            return
        tenure, problems = tenure_of(kept, 0)
        for problem in problems:
            self._problem(f"{provider}: {problem}")
        if event.version != tenure.version:
            self._problem(f"{provider} came at version {event.version}, says its event")
        self._here[provider] = tenure
        place = _Exit(provider, event.from_shard, event.from_seq)
        self._came[place] = tenure_of(kept, 0)[0], self._shard

    def _problem(self, text: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(text)

    def _count_version(self, tenure: Tenure, event: Event) -> None:
        before = tenure.version
        expected = before if isinstance(event, _UNCOUNTED) else before + 1
        if event.version != expected:
            self._problem(
                f"{event.provider_id}: version {event.version} follows {before}"
            )
        tenure.version = event.version

    def _take(self, tenure: Tenure, event: HoldPlaced | _Booked, owner: str) -> None:
        moving = event.moving if isinstance(event, HoldPlaced) else None
        span = event.busy_start, event.busy_end
        rival = tenure.take(owner, *span, moving or "", event.lane)
        if rival is not None:
            self._problem(
                f"{event.provider_id}: {owner} was given time that {rival} has"
            )

    def _give_back(self, tenure: Tenure, event: Event, owner: str) -> None:
        if not tenure.give_back(owner):
            self._problem(
                f"{event.provider_id}: {owner} gave back time it did not have"
            )

    def _held(self, tenure: Tenure, event: HoldPlaced) -> None:
        self.holds += 1
        self._take(tenure, event, event.hold_id)

    def _reserved(self, tenure: Tenure, event: SlotReserved) -> None:
        """The time may still be the visit's that gives it up with the next event."""
        self.holds += 1
        tenure.offers[event.hold_id] = ""
        place = event.hold_id, event.busy_start, event.busy_end, event.lane
        if event.booking_id is None:
            self._keep(tenure, event, *place)
        else:
            tenure.reserved.append(place)

    def _keep_reserved(self, tenure: Tenure, event: Event) -> None:
        """The visit has given its time up: the reserves have it."""
        for reserved in tenure.reserved:
            self._keep(tenure, event, *reserved)
        tenure.reserved.clear()

    def _keep(
        self, tenure: Tenure, event: Event, owner: str, start: int, end: int, lane: int
    ) -> None:
        rival = tenure.take(owner, start, end, lane=lane)
        if rival is not None:
            self._problem(
                f"{event.provider_id}: {owner} was given time that {rival} has"
            )

    def _offered(self, tenure: Tenure, event: HoldOffered) -> None:
        if tenure.offers.get(event.hold_id) != "":
            self._problem(f"{event.hold_id} was offered and is not the list's")
        tenure.offers[event.hold_id] = event.patient_id

    def _returned(self, tenure: Tenure, event: HoldReturned) -> None:
        if tenure.offers.get(event.hold_id) != event.patient_id:
            self._problem(f"{event.hold_id} came back from a patient without it")
        tenure.offers[event.hold_id] = ""

    def _use_hold(
        self, tenure: Tenure, event: _Booked, hold: str, patient: str
    ) -> None:
        """A hold ends by a patient's visit; a reserve is theirs if it was offered."""
        offered = tenure.offers.pop(hold, None)
        if offered is not None and offered != patient:
            self._problem(f"{event.booking_id} took {hold}, which another was offered")
        self._give_back(tenure, event, hold)

    def _unheld(self, tenure: Tenure, event: HoldReleased | HoldExpired) -> None:
        tenure.offers.pop(event.hold_id, None)
        self._give_back(tenure, event, event.hold_id)

    def _booked(self, tenure: Tenure, event: SlotBooked) -> None:
        if event.hold_id is not None:
            self._use_hold(tenure, event, event.hold_id, event.patient_id)
        if event.booking_id in tenure.bookings:
            self._problem(f"{event.booking_id} was booked twice")
        self._take(tenure, event, event.booking_id)
        tenure.bookings[event.booking_id] = AuditedBooking(
            provider_id=event.provider_id,
            patient_id=event.patient_id,
            status=BookingStatus.BOOKED,
            start=event.start,
            end=event.end,
            busy_start=event.busy_start,
            busy_end=event.busy_end,
            lane=event.lane,
        )

    def _moved(self, tenure: Tenure, event: BookingRescheduled) -> None:
        before = tenure.bookings.get(event.booking_id)
        if event.hold_id is not None:
            patient = "" if before is None else before.patient_id
            self._use_hold(tenure, event, event.hold_id, patient)
        self._give_back(tenure, event, event.booking_id)
        self._keep_reserved(tenure, event)
        self._take(tenure, event, event.booking_id)
        if before is not None:
            tenure.bookings[event.booking_id] = replace(
                before,
                start=event.start,
                end=event.end,
                busy_start=event.busy_start,
                busy_end=event.busy_end,
                lane=event.lane,
            )

    def _cancelled(self, tenure: Tenure, event: BookingCancelled) -> None:
        self._give_back(tenure, event, event.booking_id)
        self._keep_reserved(tenure, event)
        self._status(tenure, event.booking_id, BookingStatus.CANCELLED)

    def _status(
        self, tenure: Tenure, booking: BookingId, status: BookingStatus
    ) -> None:
        before = tenure.bookings.get(booking)
        if before is None:
            self._problem(f"{booking} became {status} but was never booked")
        else:
            tenure.bookings[booking] = replace(before, status=status)

    def _arrived(self, tenure: Tenure, event: PatientArrived) -> None:
        self._status(tenure, event.booking_id, BookingStatus.ARRIVED)

    def _fulfilled(self, tenure: Tenure, event: VisitCompleted) -> None:
        self._status(tenure, event.booking_id, BookingStatus.FULFILLED)

    def _noshow(self, tenure: Tenure, event: NoShowMarked) -> None:
        self._status(tenure, event.booking_id, BookingStatus.NOSHOW)

    def _undone(self, tenure: Tenure, event: OutcomeUndone) -> None:
        self._status(tenure, event.booking_id, event.status)


_Booked = SlotBooked | BookingRescheduled

_STEPS: dict[type, Callable[[Audit, Tenure, Any], None]] = {
    HoldPlaced: Audit._held,
    SlotReserved: Audit._reserved,
    HoldReleased: Audit._unheld,
    HoldExpired: Audit._unheld,
    HoldOffered: Audit._offered,
    HoldReturned: Audit._returned,
    SlotBooked: Audit._booked,
    BookingRescheduled: Audit._moved,
    BookingCancelled: Audit._cancelled,
    PatientArrived: Audit._arrived,
    VisitCompleted: Audit._fulfilled,
    NoShowMarked: Audit._noshow,
    OutcomeUndone: Audit._undone,
    CalendarMovedOut: Audit._moved_out,
}
