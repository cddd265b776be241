"""What can be asked of a calendar, in the imperative. Any of them may be refused.

Every command names its provider, an idempotency ``key`` (unique per person and
request, at most 64 characters, made by the gateway from the client's key and its
identity), a ``fingerprint`` of its content (the same key with another fingerprint is
refused), and a ``deadline``: a calendar that sees it later refuses with
``deadline_passed``, so that an attempt thought lost cannot act after its successor.

``owner`` is the patient who asks; None means staff, whose right to act on this
provider was checked before. A command from an owner about another patient's hold or
booking is answered "not found".
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.rules import Availability, Profile


class CommandBase(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every command carries. ``deadline`` 0 means none (tests, internal).

    ``by``: the account that asks, and after a space the grant that its role is from;
    without an account the subject of the token. It decides nothing; the audit trail
    reads it in the events.
    """

    provider_id: ProviderId
    key: str = ""
    fingerprint: int = 0
    deadline: Millis = Millis(0)
    by: str = ""


class RegisterProvider(CommandBase, frozen=True, kw_only=True, tag="register"):
    """Create a calendar, or update its provider's profile."""

    profile: Profile


class SetRetired(CommandBase, frozen=True, kw_only=True, tag="set_retired"):
    """Let a provider offer nothing any more, or again. Bookings and holds stay."""

    retired: bool


class SetAvailability(CommandBase, frozen=True, kw_only=True, tag="availability"):
    """Replace opening rules and visit types. Bookings and holds stay as they are.

    ``known``: the calendar's version at which the rules were read that these were made
    from; refused if they have been replaced since. 0: whatever they are.
    """

    availability: Availability
    known: int = 0


class AddTimeOff(CommandBase, frozen=True, kw_only=True, tag="time_off"):
    """Add a leave; the answer lists the bookings it hits, which stay as they are."""

    time_off_id: TimeOffId
    start: Minute
    end: Minute
    reason: str = ""


class RemoveTimeOff(CommandBase, frozen=True, kw_only=True, tag="time_on"):
    """Give back the time of a leave."""

    time_off_id: TimeOffId


class PlaceHold(CommandBase, frozen=True, kw_only=True, tag="hold"):
    """Reserve a slot for a short while.

    ``moving``: to move this visit of the patient's own, whose time is then free to it.
    ``by_staff``: limits of patients do not apply.
    """

    hold_id: HoldId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    moving: BookingId | None = None
    by_staff: bool = False


class ExtendHold(CommandBase, frozen=True, kw_only=True, tag="extend"):
    """Let a hold last as long again from now, a bounded number of times."""

    hold_id: HoldId
    owner: PatientId | None


class ReleaseHold(CommandBase, frozen=True, kw_only=True, tag="release"):
    """Give a held slot back."""

    hold_id: HoldId
    owner: PatientId | None


class ConfirmHold(CommandBase, frozen=True, kw_only=True, tag="confirm"):
    """Turn a hold into a booking. ``by_staff``: limits do not apply."""

    hold_id: HoldId
    booking_id: BookingId
    owner: PatientId | None
    reason: str = ""
    by_staff: bool = False


class BookSlot(CommandBase, frozen=True, kw_only=True, tag="book"):
    """Book a slot that is free, or free but for one hold of the patient's own.

    ``by_staff``: limits of patients do not apply.
    """

    booking_id: BookingId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    reason: str = ""
    by_staff: bool = False


class CancelBooking(CommandBase, frozen=True, kw_only=True, tag="cancel"):
    """Cancel a visit; its time is free again."""

    booking_id: BookingId
    owner: PatientId | None
    reason: str = ""


class RescheduleBooking(CommandBase, frozen=True, kw_only=True, tag="reschedule"):
    """Move a booking, keeping its id: to ``start``, or to the slot of ``hold_id``.

    Exactly one of the two is given. The booking's own time does not stand in the
    way of its move, and nothing changes if the move is refused.
    """

    booking_id: BookingId
    owner: PatientId | None
    start: Minute | None = None
    hold_id: HoldId | None = None


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
    """The last check-in, completion or no-show was a mistake: the status before it."""

    booking_id: BookingId


class ExpireHolds(CommandBase, frozen=True, kw_only=True, tag="expire"):
    """End the holds whose deadline has passed. Comes from the shard, not a person."""


class AdvanceWindow(CommandBase, frozen=True, kw_only=True, tag="advance"):
    """Let slots pass that notice now rules out, and those in that the horizon reaches.

    Comes from the shard, not a person. See docs/decisions on what a version means:
    what a calendar shows is a function of its state alone, this window included, so
    equal versions show equal slots.
    """


class MoveCalendarOut(CommandBase, frozen=True, kw_only=True, tag="move_out"):
    """Give the calendar to another shard; answered with all of it (CalendarLeft).

    From an operator's tool. Asked again it is answered the same, for the shard keeps
    what it gave. Carries no key: where the calendar is says whether it was done.
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
    """The machine's clock is right, and the journal of this calendar's shard is ahead.

    From an operator's tool. Done already if the journal is not ahead. Carries no key.
    """


Transfer = MoveCalendarOut | AdoptCalendar
"""What moves a calendar between shards; decided by actors/shard/moving.py."""

Command = (
    RegisterProvider
    | SetRetired
    | SetAvailability
    | AddTimeOff
    | RemoveTimeOff
    | PlaceHold
    | ExtendHold
    | ReleaseHold
    | ConfirmHold
    | BookSlot
    | CancelBooking
    | RescheduleBooking
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
