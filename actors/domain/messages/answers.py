"""Answers to commands, and views for readers.

An answer to a command is a function of the event it caused, is remembered under the
command's key, and is repeated word for word to a retry: the epoch and the version in
it are those of the first time.

One file because a reply is one of these.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    GroupId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import (
    Availability,
    Group,
    Need,
    Profile,
    TimeOff,
    Waiting,
)


class BookingStatus(StrEnum):
    """Statuses of a booking, named as in FHIR where it has a term."""

    BOOKED = "booked"
    ARRIVED = "arrived"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    NOSHOW = "noshow"


class HoldView(Struct, frozen=True, tag="hold", gc=False):
    """A hold as its owner sees it."""

    provider_id: ProviderId
    epoch: int
    version: int
    hold_id: HoldId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    expires: Millis
    extended: bool
    location_id: LocationId
    extensions_left: int = 0
    """How often it may still be extended."""
    moving: BookingId | None = None
    stranded: str = ""
    """Why it cannot be booked any more (stranding.py)."""
    offer: bool = False
    """An offer of the waiting list: ``expires`` is its end."""
    offers: int = 0
    """How often the waiting list has offered it."""
    freed_by: BookingId | None = None
    """Of a slot of the waiting list: the visit that gave it up. Not for patients."""
    group: Group | None = None
    """The group that it is held for. Not for patients."""


class BookingView(Struct, frozen=True, tag="booking", gc=False):
    """A booking as its patient and the clinic's staff see it."""

    provider_id: ProviderId
    epoch: int
    version: int
    booking_id: BookingId
    status: BookingStatus
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    location_id: LocationId
    booked_at: Millis
    reason: str = ""
    cancel_reason: str = ""
    stranded: str = ""
    """Why rules or leaves no longer cover it (stranding.py)."""
    confidential: bool = False
    """Hidden from people who act for the patient."""
    group: Group | None = None
    """The group that it was booked, or last moved, with. Not for patients."""
    visit: BookingId | None = None
    """It is a member's part of this visit at the group's primary."""
    lane: int = 0
    """Which of the visits at its time it is: 0 the public's, from 1 on overbooked,
    below 0 a seat of a group visit (calendar/sessions.py)."""


class Affected(Struct, frozen=True, tag="affected"):
    """The visits and holds that new rules do not cover, or would not cover."""

    provider_id: ProviderId
    epoch: int
    version: int
    bookings: tuple[BookingView, ...] = ()
    holds: tuple[HoldView, ...] = ()


class TimeOffView(Struct, frozen=True, tag="time_off"):
    """A leave, and the live bookings (and their ids) and holds it affects, by start."""

    provider_id: ProviderId
    epoch: int
    version: int
    time_off: TimeOff
    affected: tuple[BookingId, ...]
    bookings: tuple[BookingView, ...] = ()
    holds: tuple[HoldView, ...] = ()


class Done(Struct, frozen=True, tag="done", gc=False):
    """Accepted, with nothing to show (release, profile, end of a leave)."""

    provider_id: ProviderId
    epoch: int
    version: int


class GroupState(StrEnum):
    """What a primary has decided about a group."""

    BOOKED = "booked"
    PENDING = "pending"
    """Its hold is live."""
    OVER = "over"


class DebtKind(StrEnum):
    """What a primary's decision asks of a member."""

    CONFIRM = "confirm"
    """``ConfirmHold(visit=…)`` of the member's hold of the group."""
    CANCEL = "cancel"
    """``CancelBooking(group=…)`` of the member's booking of the group."""


class Debt(Struct, frozen=True, array_like=True, gc=False):
    """A decision that a member has not carried out yet, as far as is known.

    ``version``: of the primary when it decided. ``by``: who asked for it.
    """

    member: ProviderId
    group_id: GroupId
    kind: DebtKind
    version: int
    by: str = ""


class Owed(Struct, frozen=True, array_like=True):
    """What a booking of a primary owes to members, to be paid in this order."""

    booking_id: BookingId
    debts: tuple[Debt, ...]


class Doubt(Struct, frozen=True, array_like=True, gc=False):
    """A member's hold past its deadline: the group's primary is to be asked."""

    hold_id: HoldId
    group: Group


class GroupView(Struct, frozen=True, tag="group"):
    """A group as its primary has decided.

    ``expires``: while it is PENDING, when its hold ends. ``booking_id`` and ``owed``:
    once it is BOOKED, the visit and what is owed of it. ``members``: as the primary was
    told them, of a group that it holds or has booked.
    """

    provider_id: ProviderId
    epoch: int
    version: int
    group_id: GroupId
    state: GroupState
    booking_id: BookingId | None = None
    expires: Millis = Millis(0)
    owed: tuple[Debt, ...] = ()
    members: tuple[ProviderId, ...] = ()


Answer = HoldView | BookingView | TimeOffView | Affected | Done | GroupView | Refusal
"""The answer to a command."""


# --- views for readers -------------------------------------------------------------

FREE, HELD, BOOKED, GONE = "f", "h", "b", "g"
"""A slot's state in one letter; ``GONE`` occurs in deltas only.

A free slot of a group visit has a letter for the number of seats that are left.
"""
CAPACITY_MAX = 500
"""Most seats of a group visit."""
_SEATS = 0xE000
"""From here on letters mean seats: characters that Unicode leaves to private use."""


def seats_letter(left: int) -> str:
    """The letter of a free slot with this many seats left."""
    return chr(_SEATS + left)


def seats_of(letter: str) -> int:
    """How many seats a slot with this letter has left; 0 if it is another letter."""
    left = ord(letter) - _SEATS
    return left if 0 < left <= CAPACITY_MAX else 0


def is_free(letter: str) -> bool:
    """Whether a slot with this letter can be booked: it, or a seat of it, is free."""
    return letter == FREE or seats_of(letter) > 0


class SlotPlace(Struct, frozen=True, array_like=True, gc=False):
    """A location as readers of slots need it."""

    location_id: LocationId
    name: str
    time_zone: str


class MembersWanted(Struct, frozen=True, gc=False):
    """The rooms and equipment that a visit type needs, and how it is asked of them.

    ``visit_type`` is the one of spans.py by which they are held.
    """

    visit_type: VisitTypeId
    needs: tuple[Need, ...]


NEEDS_MEMBERS = Refusal(
    RefusalCode.SLOT_NOT_OFFERED,
    "This visit takes rooms or equipment, which are held together with it.",
)
"""To a gateway, which holds all of them instead; patients do not see it."""


class SlotsView(Struct, frozen=True, tag="slots"):
    """Slots of one visit type: ``starts[i]`` has the state ``states[i]``.

    Starts ascend; ``minutes`` is the length of each. The letters are above; those of
    group visits say how many seats are left. The slot
    is at ``places[where[i]]``; an empty ``where`` means that all are at the first.
    """

    provider_id: ProviderId
    epoch: int
    version: int
    visit_type: VisitTypeId
    time_zone: str
    minutes: int
    starts: list[int]
    states: str
    places: tuple[SlotPlace, ...] = ()
    where: list[int] = []
    members: MembersWanted | None = None
    """What the visit takes beside its provider, who alone is in ``states``."""


class FitsView(Struct, frozen=True, tag="fits", gc=False):
    """The state of each start that was asked about, in order; ``GONE``: closed."""

    provider_id: ProviderId
    epoch: int
    version: int
    states: str


class Unchanged(Struct, frozen=True, tag="unchanged", gc=False):
    """The reader already has the newest view."""

    provider_id: ProviderId
    epoch: int
    version: int


class ScheduleView(Struct, frozen=True, tag="schedule"):
    """Bookings with patients, by start; staff only."""

    provider_id: ProviderId
    epoch: int
    version: int
    time_zone: str
    bookings: list[BookingView]
    time_off: list[TimeOff]


class ProviderView(Struct, frozen=True, tag="provider"):
    """A provider's profile, rules and leaves, with the next free start per type."""

    provider_id: ProviderId
    epoch: int
    version: int
    profile: Profile
    availability: Availability
    time_off: list[TimeOff]
    next_free: dict[VisitTypeId, Minute]
    rules_version: int = 0
    """The version at which the rules were set."""
    waiting: Waiting | None = None
    """What the calendar reserves for the waiting list; None: nothing."""


NextStarts = dict[VisitTypeId, tuple[Minute, ...]]
"""The next free starts of each active visit type that has one, ascending."""


class NextFreeView(Struct, frozen=True, tag="next_free"):
    """The soonest free start over all active visit types; None where there is none.

    Providers whose calendar does not exist are missing. ``visit_types`` says which
    type each start is of, the first in the rules' order if several start then. If
    they were asked for, ``next_starts`` has the next starts of each visit type that has
    one, and ``positions`` the (epoch, version) at which they are so.
    """

    starts: dict[ProviderId, Minute | None]
    visit_types: dict[ProviderId, VisitTypeId] = {}
    next_starts: dict[ProviderId, NextStarts] = {}
    positions: dict[ProviderId, tuple[int, int]] = {}


class PositionsView(Struct, frozen=True, tag="positions"):
    """Positions of calendars: provider to version, all in one epoch."""

    epoch: int
    versions: dict[ProviderId, int]


class CalendarLeft(Struct, frozen=True, tag="calendar_left"):
    """A whole calendar that moved out, for its new shard only.

    ``epoch`` and ``seq`` are those of its last record in the shard that it left.
    """

    provider_id: ProviderId
    epoch: int
    version: int
    to_shard: ShardId
    seq: int
    state: bytes


class GroupsView(Struct, frozen=True, tag="groups"):
    """What of a calendar's groups is not settled: doubts of its holds, and debts."""

    provider_id: ProviderId
    epoch: int
    version: int
    doubts: tuple[Doubt, ...] = ()
    owed: tuple[Owed, ...] = ()


View = (
    SlotsView
    | FitsView
    | Unchanged
    | ScheduleView
    | ProviderView
    | NextFreeView
    | PositionsView
    | HoldView
    | BookingView
    | TimeOffView
    | Affected
    | GroupsView
)
Reply = Answer | View | CalendarLeft
"""The answer to any request to a shard."""

__all__ = [
    "BOOKED",
    "CAPACITY_MAX",
    "FREE",
    "GONE",
    "HELD",
    "NEEDS_MEMBERS",
    "Affected",
    "Answer",
    "BookingStatus",
    "BookingView",
    "CalendarLeft",
    "Debt",
    "DebtKind",
    "Done",
    "Doubt",
    "FitsView",
    "GroupState",
    "GroupView",
    "GroupsView",
    "HoldView",
    "MembersWanted",
    "NextFreeView",
    "Owed",
    "PositionsView",
    "ProviderView",
    "Refusal",
    "Reply",
    "ScheduleView",
    "SlotPlace",
    "SlotsView",
    "TimeOffId",
    "TimeOffView",
    "Unchanged",
    "View",
    "is_free",
    "seats_letter",
    "seats_of",
]
