"""The queue of visits that a leave affects: a row of it, and what becomes of it; pure.

Rule 1: a row is open, then chosen, then resolved; chosen goes back to open if the time
        was taken. A resolved row never changes.
Rule 2: what the calendar says decides. The row says what people proposed and chose.
Rule 3: a visit that several leaves affect has a row in each. They are chosen together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus, BookingView

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
EQUIVALENTS: Final = 3
"""Times that are proposed for a visit."""
ANSWER_MS: Final = 72 * HOUR_MS
"""How long a patient may take to choose before staff are asked to call."""
BEFORE_VISIT_MS: Final = 24 * HOUR_MS
"""That ends at least this long before the visit."""
REMIND_LEAST_MS: Final = 6 * HOUR_MS
"""No reminder in a shorter time than this after the first message."""
TELLING_MS: Final = 15 * 60_000
"""A message is written within this time; if not, workers are away, and staff call."""
VISITS_MAX: Final = 2_000
"""Rows of one leave; the calendar has room for no more visits in it."""


class RowState(StrEnum):
    """How far a row is."""

    OPEN = "open"
    CHOSEN = "chosen"
    """What was chosen is being carried out."""
    RESOLVED = "resolved"


class VisitOutcome(StrEnum):
    """How a row was resolved."""

    MOVED = "moved"
    """To another time, of the same provider or of another."""
    CANCELLED = "cancelled"
    KEPT = "kept"
    """Staff say that it takes place all the same."""
    WITHDRAWN = "withdrawn"
    """The leave was given back, or the hours cover the visit again."""
    PAST = "past"
    """Its time came with nothing decided, or it took place."""


class Chooser(StrEnum):
    """Through whom a row was resolved."""

    PATIENT = "patient"
    """The patient or a guardian, signed in."""
    LINK = "link"
    """The link of a message."""
    STAFF = "staff"
    ELSEWHERE = "elsewhere"
    """Not through the queue."""


class Equivalent(Struct, frozen=True):
    """A time that stands in for a visit."""

    provider_id: ProviderId
    visit_type: VisitTypeId
    start: Minute
    end: Minute


class Choice(Struct, frozen=True):
    """What was chosen for a visit; ``to`` is None: to cancel it.

    ``token`` makes the keys and the new booking's id, so that it is carried out once by
    however many. ``by`` is who asked, as commands say it. ``is_booked``: the visit with
    another provider is booked, and the cancellation of the old one is owed.
    ``gives_back``: the old one was moved meanwhile, and the new one is to be cancelled.
    """

    token: str
    to: Equivalent | None
    chooser: Chooser
    by: str = ""
    is_booked: bool = False
    gives_back: bool = False


class TakenLeave(Struct, frozen=True):
    """A leave with affected visits."""

    time_off_id: TimeOffId
    provider_id: ProviderId
    start: Minute
    end: Minute
    added_at: Millis
    withdrawn_at: Millis | None = None
    """When it was given back."""


class LeaveVisit(Struct, frozen=True):
    """A row of the queue."""

    time_off_id: TimeOffId
    booking_id: BookingId
    provider_id: ProviderId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    opened_at: Millis
    answer_by: Millis
    """When staff are asked to call."""
    state: RowState = RowState.OPEN
    proposed: tuple[Equivalent, ...] = ()
    choice: Choice | None = None
    outcome: VisitOutcome | None = None
    chooser: Chooser | None = None
    resolved_at: Millis | None = None
    moved_to: Equivalent | None = None
    changed_at: Millis = Millis(0)

    @property
    def is_resolved(self) -> bool:
        """Whether nothing is left to do."""
        return self.state is RowState.RESOLVED

    def is_being_told(self, now: Millis) -> bool:
        """Whether a worker may still be about to tell the patient."""
        return not self.is_resolved and now < self.opened_at + TELLING_MS

    def is_overdue(self, now: Millis) -> bool:
        """Whether staff are to call the patient."""
        return self.state is RowState.OPEN and now >= self.answer_by


class Resolution(Struct, frozen=True):
    """How a row ends."""

    outcome: VisitOutcome
    chooser: Chooser
    moved_to: Equivalent | None = None


class LeaveProgress(Struct, frozen=True):
    """How far a leave's queue is; closed once all are resolved."""

    leave: TakenLeave
    total: int
    resolved: int
    overdue: int

    @property
    def is_closed(self) -> bool:
        """Whether each patient's visit is resolved."""
        return self.resolved == self.total


def new_row(leave: TakenLeave, view: BookingView, now: Millis) -> LeaveVisit:
    """The row of a visit that a leave affects."""
    return LeaveVisit(
        time_off_id=leave.time_off_id,
        booking_id=view.booking_id,
        provider_id=view.provider_id,
        patient_id=view.patient_id,
        visit_type=view.visit_type,
        start=view.start,
        end=view.end,
        opened_at=now,
        answer_by=answer_by(view.start, now),
        changed_at=now,
    )


def answer_by(start: Minute, now: Millis) -> Millis:
    """Until when a patient may choose; ``now`` for a visit that is near."""
    until = min(now + ANSWER_MS, start * MINUTE_MS - BEFORE_VISIT_MS)
    return Millis(max(now, until))


def remind_at(row: LeaveVisit) -> Millis | None:
    """When a patient who has not chosen is reminded; None: there is no time for it."""
    half = (row.answer_by - row.opened_at) // 2
    return Millis(row.opened_at + half) if half >= REMIND_LEAST_MS else None


def is_affected(leave: TakenLeave, view: BookingView, now: Millis) -> bool:
    """Whether a visit needs another time because of a leave."""
    return (
        view.status is BookingStatus.BOOKED
        and view.visit is None  # a room's part of it moves with the visit
        and view.end * MINUTE_MS > now
        and view.start < leave.end
        and leave.start < view.end
        and bool(view.stranded)
    )


def settled_by_calendar(
    row: LeaveVisit, view: BookingView | None, now: Millis
) -> Resolution | None:
    """How an open row ends by what its calendar says of the visit; None: it is open.

    ``view`` is None if the calendar has no such visit any more.
    """
    by = Chooser.ELSEWHERE
    if view is None:
        is_over = row.end * MINUTE_MS <= now
        return Resolution(VisitOutcome.PAST if is_over else VisitOutcome.CANCELLED, by)
    if view.status is BookingStatus.CANCELLED:
        return Resolution(VisitOutcome.CANCELLED, by)
    if view.status is not BookingStatus.BOOKED:
        return Resolution(VisitOutcome.PAST, by)
    if view.start != row.start:
        return Resolution(VisitOutcome.MOVED, by, where(view))
    if not view.stranded:
        return Resolution(VisitOutcome.WITHDRAWN, by)
    if row.end * MINUTE_MS <= now:
        return Resolution(VisitOutcome.PAST, by)
    return None


def where(view: BookingView) -> Equivalent:
    """The time of a visit."""
    return Equivalent(view.provider_id, view.visit_type, view.start, view.end)
