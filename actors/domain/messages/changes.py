"""The changes a shard publishes for watchers, after a batch is durable."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from actors.domain.ids import HoldId, PatientId, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import (
    BookingView,
    Doubt,
    HoldView,
    NextStarts,
    Owed,
)


class SlotsChange(Struct, frozen=True, array_like=True):
    """New absolute states of some slots of one visit type in one ISO week."""

    visit_type: VisitTypeId
    week: str
    starts: list[int]
    states: str


class HoldEnding(StrEnum):
    """How a hold ended; ``BOOKED``: a visit was booked, or moved, with it."""

    BOOKED = "booked"
    EXPIRED = "expired"
    RELEASED = "released"


class HoldEnd(Struct, frozen=True, array_like=True):
    """A hold is over."""

    hold_id: HoldId
    patient_id: PatientId
    how: HoldEnding


class CalendarChange(Struct, frozen=True, omit_defaults=True):
    """One calendar moved to ``version``.

    ``reread`` means that rules changed, or that no gateway was known to show this
    calendar: one that shows it reads it again and sends its watchers the difference.
    ``seq`` is the journal position that made it durable. Bookings and holds carry
    patients: bookings are for staff and the patient only, holds for the patient only.
    ``moved_to`` is the shard whose feed tells of this calendar from now on.
    """

    provider_id: ProviderId
    version: int
    seq: int
    slots: list[SlotsChange] = []
    bookings: list[BookingView] = []
    reread: bool = False
    moved_to: ShardId = ShardId("")
    holds: list[HoldView] = []
    """Live holds that were placed or extended, or whose coverage by rules and leaves
    changed."""
    ended: list[HoldEnd] = []
    starts: NextStarts | None = None
    """The next free starts, if gateways want them and one may be sooner than was said;
    what only takes times does not say them."""
    doubts: list[Doubt] = []
    """Members' holds that became doubtful, for resolvers."""
    owed: list[Owed] = []
    """What bookings owe to members, of those for which that changed."""


class FeedBatch(Struct, frozen=True, omit_defaults=True):
    """The answer to a poll.

    ``(epoch, number)`` is the cursor to send next. ``reset`` means that changes were
    missed (new epoch, or a cursor too old): read everything watched again. ``more``
    means that the reply was cut: poll again at once. ``seq`` is the shard's durable
    journal position.
    """

    epoch: int
    number: int
    seq: int
    changes: list[CalendarChange] = []
    reset: bool = False
    more: bool = False
