"""Events of a calendar, in the past tense. Events are never refused.

An event carries everything ``apply`` needs, including time spans, so that a replay
reads neither clock nor rules nor tzdata. ``version`` is the calendar's version after
it: the count of its events so far, refused commands aside (those leave the version as
it is). ``key`` and ``fingerprint`` are those of the command, so that a retry finds its
answer after any crash; several events of one command carry the key on the last one
only. A calendar that moves between shards is no change of what it shows: those two
events leave the version as it is, too.

``start``/``end`` is the visit, ``busy_start``/``busy_end`` the visit with its
buffers; spans are half-open. ``lane``: which of the visits at that time it is (see
calendar/sessions.py); 0 is the one that the public may take.

One file because it is the journal's vocabulary.
"""

from __future__ import annotations

from typing import TypedDict

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
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.commands import CommandBase
from actors.domain.messages.recorded import KEYS, TAG_KEY
from actors.domain.rules import Availability, Group, Profile, TimeOff, Waiting


class EventBase(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    gc=False,
    rename=KEYS.__getitem__,
    tag_field=TAG_KEY,
):
    """Fields of every event; ``at`` is the instant of the decision.

    ``by``: who asked, as in the command; older journals do not say. Encoded by msgspec,
    an event has its short names of the journal, and its class's number as the tag.
    """

    provider_id: ProviderId
    at: Millis
    version: int
    key: str = ""
    fingerprint: int = 0
    by: str = ""


class EventHead(TypedDict):
    """The fields of ``EventBase``, for an event that a command causes."""

    provider_id: ProviderId
    at: Millis
    version: int
    key: str
    fingerprint: int
    by: str


def head(command: CommandBase, now: Millis, version: int) -> EventHead:
    """The head of an event that follows from ``command``.

    The frequent decisions (holds, bookings) write the fields out instead: building and
    unpacking a dict adds about a microsecond, a sixth of deciding and applying one.
    """
    return {
        "provider_id": command.provider_id,
        "at": now,
        "version": version,
        "key": command.key,
        "fingerprint": command.fingerprint,
        "by": command.by,
    }


class ProviderRegistered(EventBase, frozen=True, kw_only=True, tag=1):
    """The calendar was created, or its profile changed, retirement included."""

    profile: Profile


class AvailabilitySet(EventBase, frozen=True, kw_only=True, tag=2):
    """Opening rules and visit types were replaced; see stranding.py for the marks."""

    availability: Availability
    stranded: dict[str, str] = {}


class TimeOffAdded(EventBase, frozen=True, kw_only=True, tag=3):
    """A leave was added; see stranding.py for the marks."""

    time_off: TimeOff
    stranded: dict[str, str] = {}


class TimeOffRemoved(EventBase, frozen=True, kw_only=True, tag=4):
    """A leave was removed; see stranding.py for the marks."""

    time_off_id: TimeOffId
    stranded: dict[str, str] = {}


class HoldPlaced(EventBase, frozen=True, kw_only=True, tag=5):
    """A slot is reserved until ``expires``.

    ``moving`` names the patient's own visit that it is to move, whose time it may meet.
    ``group``: it is part of one (decision 0100). A member's hold blocks until the
    group's outcome is known here; ``expires`` is when it becomes doubtful.
    """

    hold_id: HoldId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    expires: Millis
    location_id: LocationId
    moving: BookingId | None = None
    group: Group | None = None
    lane: int = 0


class HoldExtended(EventBase, frozen=True, kw_only=True, tag=6):
    """A hold was extended."""

    hold_id: HoldId
    expires: Millis


class HoldReleased(EventBase, frozen=True, kw_only=True, tag=7):
    """A hold was released by its owner, whom older journals do not name."""

    hold_id: HoldId
    patient_id: PatientId = PatientId("")


class HoldExpired(EventBase, frozen=True, kw_only=True, tag=8):
    """A hold's deadline passed."""

    hold_id: HoldId


class WaitingSet(EventBase, frozen=True, kw_only=True, tag=22):
    """What the waiting list waits for was set; None: nothing."""

    waiting: Waiting | None


class SlotReserved(EventBase, frozen=True, kw_only=True, tag=23):
    """A slot that becomes free with the next event is kept for the waiting list.

    It comes first, so that at no version the slot is free to others. ``booking_id``:
    the visit whose time it has until then, if it is a visit that gives it up. It comes
    alone for a free slot that can be had again, since a room is free (ReserveSlot).
    """

    hold_id: HoldId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    expires: Millis
    location_id: LocationId
    booking_id: BookingId | None = None
    lane: int = 0


class HoldOffered(EventBase, frozen=True, kw_only=True, tag=24):
    """A slot of the waiting list is offered to a patient until ``offered``.

    The list has it until ``expires``, whatever becomes of the offer.
    """

    hold_id: HoldId
    patient_id: PatientId
    offered: Millis
    expires: Millis


class HoldReturned(EventBase, frozen=True, kw_only=True, tag=25):
    """An offer ended, ``declined`` or by its time: the list has the slot again."""

    hold_id: HoldId
    patient_id: PatientId
    declined: bool = False


class HoldDoubted(EventBase, frozen=True, kw_only=True, tag=26):
    """A member's hold is past its deadline: its group's primary is to be asked.

    It blocks as before.
    """

    hold_id: HoldId
    group: Group


class GroupAborted(EventBase, frozen=True, kw_only=True, tag=27):
    """This primary has decided against a group that it did not hold.

    The end of a group's hold here, other than by its booking, decides the same.
    """

    group_id: GroupId


class GroupSettled(EventBase, frozen=True, kw_only=True, tag=28):
    """What a booking owed to its members up to version ``settled`` was paid."""

    booking_id: BookingId
    settled: int


class SlotBooked(EventBase, frozen=True, kw_only=True, tag=9):
    """A visit is booked; ``hold_id`` names the patient's own hold that ends, if any.

    Its slot is that hold's, or one that only this hold stood in the way of. ``group``:
    it is booked as part of one; at its primary this decides for all. ``visit``: here
    it is a member's part of this visit at the primary; ``patient_id`` is empty.
    """

    booking_id: BookingId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    location_id: LocationId
    hold_id: HoldId | None = None
    reason: str = ""
    confidential: bool = False
    group: Group | None = None
    visit: BookingId | None = None
    lane: int = 0


class BookingCancelled(EventBase, frozen=True, kw_only=True, tag=10):
    """A visit was cancelled, by its patient or by staff.

    ``group`` as in SlotBooked: the members are owed it, or it was owed to this one.
    """

    booking_id: BookingId
    by_patient: bool
    reason: str = ""
    group: Group | None = None
    patient_id: PatientId = PatientId("")
    """Older journals do not name them."""


class BookingRescheduled(EventBase, frozen=True, kw_only=True, tag=11):
    """A visit moved; ``hold_id`` names the hold whose time it took, if any.

    ``group``: the one that it moves with; its members take the place of those before.
    ``left``: the one whose members it leaves, if it moves with none.
    """

    booking_id: BookingId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    location_id: LocationId
    hold_id: HoldId | None = None
    group: Group | None = None
    patient_id: PatientId = PatientId("")
    """Older journals do not name them."""
    lane: int = 0
    left: Group | None = None


class ConfidentialSet(EventBase, frozen=True, kw_only=True, tag=21):
    """A booking is hidden from people who act for the patient, or is no more."""

    booking_id: BookingId
    patient_id: PatientId
    confidential: bool


class PatientArrived(EventBase, frozen=True, kw_only=True, tag=12):
    """The patient checked in."""

    booking_id: BookingId
    patient_id: PatientId = PatientId("")
    """Older journals do not name them."""


class VisitCompleted(EventBase, frozen=True, kw_only=True, tag=13):
    """The visit took place."""

    booking_id: BookingId
    patient_id: PatientId = PatientId("")
    """Older journals do not name them."""


class NoShowMarked(EventBase, frozen=True, kw_only=True, tag=14):
    """The patient did not come."""

    booking_id: BookingId
    patient_id: PatientId = PatientId("")
    """Older journals do not name them."""


class OutcomeUndone(EventBase, frozen=True, kw_only=True, tag=20):
    """An outcome was undone; ``status`` is the one before it."""

    booking_id: BookingId
    status: BookingStatus
    patient_id: PatientId = PatientId("")
    """Older journals do not name them."""


class WindowAdvanced(EventBase, frozen=True, kw_only=True, tag=15):
    """Time passed as far as the calendar's watchers can see; ``until`` is its now."""

    until: Minute


class RefusalRecorded(EventBase, frozen=True, kw_only=True, tag=16):
    """A keyed command was refused; kept so that its retry is answered the same.

    Changes nothing else, and leaves the version as it was. ``group_id``: the hold of a
    group's primary was refused, which decides against the group.
    """

    group_id: GroupId | None = None
    code: str
    detail: str = ""
    about: str = ""


class ClockTrusted(EventBase, frozen=True, kw_only=True, tag=19):
    """The clock was confirmed although the journal was ahead of it: time goes back.

    ``at`` is the clock's time, before that of earlier events; ``ahead_of`` the newest
    instant that the journal had. Changes nothing else, and leaves the version.
    """

    ahead_of: Millis


class CalendarMovedOut(EventBase, frozen=True, kw_only=True, tag=17):
    """The calendar belongs to another shard from now on: its last record here.

    ``seq`` is this record's own place in the journal that it leaves.
    """

    to_shard: ShardId
    seq: int


class CalendarMovedIn(EventBase, frozen=True, kw_only=True, tag=18):
    """The whole calendar came from another journal: its first record here.

    ``state`` is all of it as it stood there after ``from_seq`` (snapshot.py), so that
    this journal needs no other. Its epoch is above ``from_epoch``.
    """

    from_shard: ShardId
    from_epoch: int
    from_seq: int
    state: bytes


Event = (
    ProviderRegistered
    | AvailabilitySet
    | TimeOffAdded
    | TimeOffRemoved
    | HoldPlaced
    | HoldExtended
    | HoldReleased
    | HoldExpired
    | WaitingSet
    | SlotReserved
    | HoldOffered
    | HoldReturned
    | HoldDoubted
    | GroupAborted
    | GroupSettled
    | SlotBooked
    | BookingCancelled
    | BookingRescheduled
    | ConfidentialSet
    | PatientArrived
    | VisitCompleted
    | NoShowMarked
    | OutcomeUndone
    | WindowAdvanced
    | RefusalRecorded
    | ClockTrusted
    | CalendarMovedOut
    | CalendarMovedIn
)

Outcome = PatientArrived | VisitCompleted | NoShowMarked
"""A visit's outcome, as recorded by staff."""
