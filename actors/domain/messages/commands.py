"""Commands to a calendar, in the imperative. Any of them may be refused.

Every command names its provider, an idempotency ``key`` (unique per person and
request, at most 64 characters, made by the gateway from the client's key and its
identity), a ``fingerprint`` of its content (the same key with another fingerprint is
refused), and a ``deadline``: a calendar that sees it later refuses with
``deadline_passed``, so that a delayed attempt cannot take effect after its retry.

``owner`` is the patient who asks; None means staff, whose right to act on this
provider was checked before. A command from an owner about another patient's hold or
booking is answered "not found".

One file because it is all that a calendar can be asked to do.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    GroupId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.rules import Availability, Group, Profile, Waiting


class CommandBase(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Fields of every command. ``deadline`` 0 means none (tests, internal).

    ``by``: the account that asks, and after a space the grant that its role is from;
    without an account the subject of the token. It decides nothing; the audit trail
    reads it in the events. ``proxy``: asked by a person who acts for the patient;
    confidential bookings do not exist for them.
    """

    provider_id: ProviderId
    key: str = ""
    fingerprint: int = 0
    deadline: Millis = Millis(0)
    by: str = ""
    proxy: bool = False


class RegisterProvider(CommandBase, frozen=True, kw_only=True, tag="register"):
    """Create a calendar, or update its provider's profile.

    ``based_on``: the profile that this one was made from; refused if another has been
    set since. None: any profile, or none. Whether the provider is retired or suspended
    does not count.
    """

    profile: Profile
    based_on: Profile | None = None


class SetRetired(CommandBase, frozen=True, kw_only=True, tag="set_retired"):
    """Retire or reinstate a provider. Bookings and holds stay.

    ``suspended`` is set along with it; None leaves it as it is.
    """

    retired: bool
    suspended: bool | None = None


class SetSuspended(CommandBase, frozen=True, kw_only=True, tag="set_suspended"):
    """Suspend a provider, or end the suspension. Bookings stay; holds do not serve."""

    suspended: bool


class SetAvailability(CommandBase, frozen=True, kw_only=True, tag="availability"):
    """Replace opening rules and visit types. Bookings and holds stay as they are.

    ``known``: the calendar's version at which the rules were read that these were made
    from; refused if they have been replaced since. 0: any version.
    """

    availability: Availability
    known: int = 0


class AddTimeOff(CommandBase, frozen=True, kw_only=True, tag="time_off"):
    """Add a leave; the answer lists the affected bookings, which stay."""

    time_off_id: TimeOffId
    start: Minute
    end: Minute
    reason: str = ""


class RemoveTimeOff(CommandBase, frozen=True, kw_only=True, tag="time_on"):
    """Remove a leave; its time is offered again."""

    time_off_id: TimeOffId


class PlaceHold(CommandBase, frozen=True, kw_only=True, tag="hold"):
    """Reserve a slot for a short time.

    ``moving``: to move this visit of the patient's own, whose time is then free to it.
    ``by_staff``: limits of patients do not apply.

    ``group``: as part of a group of calendars (decision 0100). Members are asked first,
    in the order that all coordinators share, the group's primary last, which alone is
    told the ``members``. Ids follow from the group's: ``hold_id(provider_id,
    group_id)``. A member is not told the patient: its ``patient_id`` is empty, and
    ``moving`` is its own booking of the group before. Its hold is *sticky*: past its
    deadline it blocks still, and is doubtful (``HoldDoubted``) until the group's
    outcome ends it. Refused with ``hold_expired`` by a primary that has decided against
    the group.
    """

    hold_id: HoldId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    moving: BookingId | None = None
    by_staff: bool = False
    group: Group | None = None


class ExtendHold(CommandBase, frozen=True, kw_only=True, tag="extend"):
    """Extend a hold by its full duration from now, a bounded number of times."""

    hold_id: HoldId
    owner: PatientId | None


class ReleaseHold(CommandBase, frozen=True, kw_only=True, tag="release"):
    """Release a held slot.

    Of a slot that the waiting list has: its patient declines the offer, and the list
    has it again; without an ``owner``, and not offered, it is free to all.

    ``group``: of a member's hold, the group that it is of; without it such a hold is
    not released. Allowed only once the primary has answered that the group is over.
    """

    hold_id: HoldId
    owner: PatientId | None
    group: GroupId | None = None


class SetWaiting(CommandBase, frozen=True, kw_only=True, tag="waiting"):
    """Say what the waiting list waits for; None: nothing any more.

    Slots that it has stay reserved until they are released or their time is over.
    """

    waiting: Waiting | None


class ReserveSlot(CommandBase, frozen=True, kw_only=True, tag="reserve"):
    """Keep a free slot for the waiting list, as far as it waits for it.

    Of a visit that takes a room: it was not to be had until one became free. Carries no
    key: the slot is reserved, or is not free.
    """

    visit_type: VisitTypeId
    start: Minute


class OfferHold(CommandBase, frozen=True, kw_only=True, tag="offer"):
    """Offer a slot of the waiting list to a patient, who alone may book it.

    The offer ends at ``until``. ``turn``: how many offers of this slot were made
    before, as the list knows; refused if there were others, so that no late or second
    worker offers out of turn.
    """

    hold_id: HoldId
    patient_id: PatientId
    until: Millis
    turn: int = 0


class ConfirmHold(CommandBase, frozen=True, kw_only=True, tag="confirm"):
    """Turn a hold into a booking. ``by_staff``: limits do not apply.

    The hold of a group's primary: this books the group, and the primary owes it to
    the members (``Owed``). ``visit``: pays that to a member: it is the primary's
    booking, ``hold_id`` and ``booking_id`` are the member's with the group's id as
    token, ``owner`` is None. A repetition is refused with ``hold_confirmed``: paid.

    ``group``: an offer of the waiting list is booked with these members, which are
    held by now; the primary has no hold of the group's.
    """

    hold_id: HoldId
    booking_id: BookingId
    owner: PatientId | None
    reason: str = ""
    by_staff: bool = False
    confidential: bool = False
    visit: BookingId | None = None
    group: Group | None = None


class BookSlot(CommandBase, frozen=True, kw_only=True, tag="book"):
    """Book a slot that is free, or taken only by one hold of the patient's own.

    ``by_staff``: limits of patients do not apply. ``overbook``: although it is taken,
    in a lane of its own, as far as the rules allow; ``reason`` must say why.
    ``group``: with these members, as in ConfirmHold.
    """

    booking_id: BookingId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    reason: str = ""
    by_staff: bool = False
    confidential: bool = False
    overbook: bool = False
    group: Group | None = None


class BookMany(CommandBase, frozen=True, kw_only=True, tag="book_many"):
    """Book several slots for one patient: all of them, or none.

    ``starts`` ascend; ``booking_ids`` are as many, and so are ``reasons`` unless there
    are none. Answered with the last visit. ``by_staff``: limits of patients do not
    apply.
    """

    booking_ids: tuple[BookingId, ...]
    patient_id: PatientId
    visit_type: VisitTypeId
    starts: tuple[Minute, ...]
    reasons: tuple[str, ...] = ()
    by_staff: bool = False
    confidential: bool = False


class CancelBooking(CommandBase, frozen=True, kw_only=True, tag="cancel"):
    """Cancel a visit; its time is free again.

    At a group's primary the members are owed it. ``group``: pays that to a member,
    whose booking of this group is cancelled in any status; without it a member's
    booking is not. A repetition is refused with ``wrong_status``: paid.
    ``if_start``: refused if the visit does not start then any more.
    """

    booking_id: BookingId
    owner: PatientId | None
    reason: str = ""
    group: GroupId | None = None
    if_start: Minute | None = None


class RescheduleBooking(CommandBase, frozen=True, kw_only=True, tag="reschedule"):
    """Move a booking, keeping its id: to ``start``, or to the slot of ``hold_id``.

    Exactly one of the two is given. The booking's own time does not stand in the
    way of its move, and nothing changes if the move is refused. A visit with members
    moves to the hold of another group, whose members then take their place.
    ``if_start``: refused if the visit does not start then any more. ``group``: to an
    offer of the waiting list, with these members, as in ConfirmHold.
    """

    booking_id: BookingId
    owner: PatientId | None
    start: Minute | None = None
    hold_id: HoldId | None = None
    if_start: Minute | None = None
    group: Group | None = None


class AbortGroup(CommandBase, frozen=True, kw_only=True, tag="abort_group"):
    """Ask a group's primary to decide against the group, if it has not booked it.

    Answered with ``GroupView``; its ``state`` is BOOKED or OVER. A coordinator
    sends it before it releases a member's hold, but not after a refusal with
    ``idempotency_key_reused``: then the group is another request's. Carries no key: the
    state decides.
    """

    group_id: GroupId


class ResolveGroup(CommandBase, frozen=True, kw_only=True, tag="resolve_group"):
    """Ask a group's primary how the group stands, on behalf of a doubtful hold.

    Answered with ``GroupView``. What is not held or booked is decided against, in the
    journal, before it is answered. ``member``: on whose behalf; a calendar that is none
    of the members of a booked group, since two attempts chose differently, is answered
    OVER. Carries no key.
    """

    group_id: GroupId
    member: ProviderId = ProviderId("")


class SettleGroup(CommandBase, frozen=True, kw_only=True, tag="settle_group"):
    """Tell a primary that what it owed of a booking, up to a version, was paid.

    ``settled``: the version of the answer (BookingView, GroupView, GroupsView) that
    said what was owed, all of which was paid, what was owed before included. Carries
    no key; a repetition changes nothing.
    """

    booking_id: BookingId
    settled: int


class SetConfidential(CommandBase, frozen=True, kw_only=True, tag="confidential"):
    """Hide a booking from people who act for the patient, or show it again."""

    booking_id: BookingId
    owner: PatientId | None
    confidential: bool


class CheckIn(CommandBase, frozen=True, kw_only=True, tag="check_in"):
    """The patient has arrived."""

    booking_id: BookingId


class CompleteVisit(CommandBase, frozen=True, kw_only=True, tag="complete"):
    """The visit took place; ``without_check_in``: although it was not checked in."""

    booking_id: BookingId
    without_check_in: bool = False


class MarkNoShow(CommandBase, frozen=True, kw_only=True, tag="no_show"):
    """The patient did not come."""

    booking_id: BookingId


class UndoOutcome(CommandBase, frozen=True, kw_only=True, tag="undo"):
    """Undo the last check-in, completion or no-show: restore the status before it."""

    booking_id: BookingId


class ExpireHolds(CommandBase, frozen=True, kw_only=True, tag="expire"):
    """End the holds whose deadline has passed. Comes from the shard, not a person."""


class AdvanceWindow(CommandBase, frozen=True, kw_only=True, tag="advance"):
    """Advance the window: hide slots inside the notice, show those the horizon reaches.

    Comes from the shard, not a person. See docs/decisions on what a version means:
    what a calendar shows is a function of its state alone, this window included, so
    equal versions show equal slots.
    """


class MoveCalendarOut(CommandBase, frozen=True, kw_only=True, tag="move_out"):
    """Move the calendar to another shard; answered with its whole state (CalendarLeft).

    From an operator's tool. A repetition gets the same answer, since the shard keeps
    the state. Carries no key: the calendar's location says whether it was done.
    """

    to_shard: ShardId


class AdoptCalendar(CommandBase, frozen=True, kw_only=True, tag="adopt"):
    """Adopt a calendar that left another shard (see CalendarLeft).

    Done already if it is here and as new as ``state``. Carries no key either.
    """

    from_shard: ShardId
    from_epoch: int
    from_seq: int
    state: bytes


class TrustClock(CommandBase, frozen=True, kw_only=True, tag="trust_clock"):
    """Confirm that the clock is right although the shard's journal is ahead.

    From an operator's tool. Done already if the journal is not ahead. Carries no key.
    """


Transfer = MoveCalendarOut | AdoptCalendar
"""What moves a calendar between shards; decided by actors/shard/moving.py."""

Command = (
    RegisterProvider
    | SetRetired
    | SetSuspended
    | SetAvailability
    | AddTimeOff
    | RemoveTimeOff
    | PlaceHold
    | ExtendHold
    | ReleaseHold
    | SetWaiting
    | ReserveSlot
    | OfferHold
    | ConfirmHold
    | BookSlot
    | BookMany
    | CancelBooking
    | RescheduleBooking
    | AbortGroup
    | ResolveGroup
    | SettleGroup
    | SetConfidential
    | CheckIn
    | CompleteVisit
    | MarkNoShow
    | UndoOutcome
    | ExpireHolds
    | AdvanceWindow
)

_C = TypeVar("_C", bound=CommandBase)


def postponed(command: _C, by_ms: int) -> _C:
    """The command with its deadline, if it has one, so much later (or sooner)."""
    if not by_ms or not command.deadline:
        return command
    return replace(command, deadline=Millis(max(1, command.deadline + by_ms)))
