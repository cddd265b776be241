"""An audit of a journal that trusts no calendar: who had which time, and when.

It reads events alone and keeps plain spans, so that a fault in the calendar's
bitmaps cannot hide itself. Used by ``slotcast verify``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from actors.domain.answers import BookingStatus
from actors.domain.events import (
    BookingCancelled,
    BookingRescheduled,
    CommandRefused,
    Event,
    HoldExpired,
    HoldPlaced,
    HoldReleased,
    NoShowMarked,
    PatientArrived,
    SlotBooked,
    VisitCompleted,
)
from actors.domain.ids import BookingId, PatientId, ProviderId
from actors.domain.state import CalendarState
from actors.ports import Record

PROBLEMS_MAX = 100
"""Problems named at most: a broken journal would name millions."""


@dataclass(frozen=True, slots=True)
class AuditedBooking:
    """A booking as the events tell it; spans in minutes, half-open."""

    provider_id: ProviderId
    patient_id: PatientId
    status: BookingStatus
    start: int
    end: int
    busy_start: int
    busy_end: int


@dataclass(slots=True)
class _Taken:
    """One provider's taken time: spans that never overlap, by start."""

    spans: list[tuple[int, int, str]] = field(default_factory=list)
    by_owner: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take(self, owner: str, start: int, end: int) -> str | None:
        """Note that ``owner`` has [start, end); the name of who has it already."""
        at = bisect_left(self.spans, (start, end, owner))
        near = self.spans[max(0, at - 1) : at + 1]
        rival = next((s[2] for s in near if s[0] < end and start < s[1]), None)
        insort(self.spans, (start, end, owner))
        self.by_owner[owner] = (start, end)
        return rival

    def give_back(self, owner: str) -> bool:
        """Free what ``owner`` has; False if it had nothing."""
        span = self.by_owner.pop(owner, None)
        if span is None:
            return False
        del self.spans[bisect_left(self.spans, (*span, owner))]
        return True


class Audit:
    """Feed it every record of a shard in order; then ask for problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.bookings: dict[BookingId, AuditedBooking] = {}
        self.events = 0
        self.holds = 0
        self._taken: dict[ProviderId, _Taken] = {}
        self._versions: dict[ProviderId, int] = {}
        self._begun: dict[ProviderId, int] = {}
        self._seq = 0
        self._epoch = 0

    def feed(self, record: Record) -> None:
        """Take in the next record of one shard."""
        if record.seq != self._seq + 1:
            self._problem(f"seq {record.seq} follows {self._seq}")
        if record.epoch < self._epoch:
            self._problem(f"epoch {record.epoch} after {self._epoch}, seq {record.seq}")
        self._seq, self._epoch = record.seq, record.epoch
        self.events += 1
        event = record.event
        if record.seq <= self._begun.get(event.provider_id, 0):
            return
        self._count_version(event)
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)

    def new_shard(self, after_seq: int = 0) -> None:
        """The next record is the one after ``after_seq`` of another shard."""
        self._seq, self._epoch = after_seq, 0

    def begin(self, calendar: CalendarState, seq: int) -> None:
        """Begin a provider with a calendar at rest that holds events up to ``seq``.

        For journals whose first records were trimmed; those records that remain and
        are in the calendar already are counted, not followed again.
        """
        provider = calendar.provider_id
        self._begun[provider] = seq
        self._versions[provider] = calendar.version
        for hold in calendar.holds.values():
            self._take(provider, hold.hold_id, hold.busy_start, hold.busy_end)
        for booking in calendar.bookings.values():
            self.bookings[booking.booking_id] = AuditedBooking(
                provider_id=provider,
                patient_id=booking.patient_id,
                status=booking.status,
                start=booking.start,
                end=booking.end,
                busy_start=booking.busy_start,
                busy_end=booking.busy_end,
            )
            if booking.status is not BookingStatus.CANCELLED:
                self._take(
                    provider, booking.booking_id, booking.busy_start, booking.busy_end
                )

    @property
    def versions(self) -> dict[ProviderId, int]:
        """Where each calendar stands after the last record."""
        return self._versions

    def _problem(self, text: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(text)

    def _count_version(self, event: Event) -> None:
        before = self._versions.get(event.provider_id, 0)
        expected = before if isinstance(event, CommandRefused) else before + 1
        if event.version != expected:
            self._problem(
                f"{event.provider_id}: version {event.version} follows {before}"
            )
        self._versions[event.provider_id] = event.version

    def _take(self, provider: ProviderId, owner: str, start: int, end: int) -> None:
        taken = self._taken.setdefault(provider, _Taken())
        rival = taken.take(owner, start, end)
        if rival is not None:
            self._problem(f"{provider}: {owner} was given time that {rival} has")

    def _give_back(self, provider: ProviderId, owner: str) -> None:
        taken = self._taken.get(provider)
        if taken is None or not taken.give_back(owner):
            self._problem(f"{provider}: {owner} gave back time it did not have")

    def _held(self, event: HoldPlaced) -> None:
        self.holds += 1
        self._take(event.provider_id, event.hold_id, event.busy_start, event.busy_end)

    def _unheld(self, event: HoldReleased | HoldExpired) -> None:
        self._give_back(event.provider_id, event.hold_id)

    def _booked(self, event: SlotBooked) -> None:
        if event.hold_id is not None:
            self._give_back(event.provider_id, event.hold_id)
        if event.booking_id in self.bookings:
            self._problem(f"{event.booking_id} was booked twice")
        self._take(
            event.provider_id, event.booking_id, event.busy_start, event.busy_end
        )
        self.bookings[event.booking_id] = AuditedBooking(
            provider_id=event.provider_id,
            patient_id=event.patient_id,
            status=BookingStatus.BOOKED,
            start=event.start,
            end=event.end,
            busy_start=event.busy_start,
            busy_end=event.busy_end,
        )

    def _moved(self, event: BookingRescheduled) -> None:
        if event.hold_id is not None:
            self._give_back(event.provider_id, event.hold_id)
        self._give_back(event.provider_id, event.booking_id)
        self._take(
            event.provider_id, event.booking_id, event.busy_start, event.busy_end
        )
        before = self.bookings.get(event.booking_id)
        if before is not None:
            self.bookings[event.booking_id] = replace(
                before,
                start=event.start,
                end=event.end,
                busy_start=event.busy_start,
                busy_end=event.busy_end,
            )

    def _cancelled(self, event: BookingCancelled) -> None:
        self._give_back(event.provider_id, event.booking_id)
        self._status(event.booking_id, BookingStatus.CANCELLED)

    def _status(self, booking: BookingId, status: BookingStatus) -> None:
        before = self.bookings.get(booking)
        if before is None:
            self._problem(f"{booking} became {status} but was never booked")
        else:
            self.bookings[booking] = replace(before, status=status)

    def _arrived(self, event: PatientArrived) -> None:
        self._status(event.booking_id, BookingStatus.ARRIVED)

    def _fulfilled(self, event: VisitCompleted) -> None:
        self._status(event.booking_id, BookingStatus.FULFILLED)

    def _noshow(self, event: NoShowMarked) -> None:
        self._status(event.booking_id, BookingStatus.NOSHOW)


_STEPS: dict[type, Callable[[Audit, Any], None]] = {
    HoldPlaced: Audit._held,
    HoldReleased: Audit._unheld,
    HoldExpired: Audit._unheld,
    SlotBooked: Audit._booked,
    BookingRescheduled: Audit._moved,
    BookingCancelled: Audit._cancelled,
    PatientArrived: Audit._arrived,
    VisitCompleted: Audit._fulfilled,
    NoShowMarked: Audit._noshow,
}
