"""Reads of a calendar. They change none of its decisions.

Readers see durable state only: a shard answers them between batches. Reading slots
marks the calendar as watched and first lets its window advance (see AdvanceWindow).
"""

from __future__ import annotations

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
    VisitTypeId,
)
from actors.domain.rules import Availability


class ReadSlots(Struct, frozen=True, tag="read_slots", gc=False):
    """Slots of a visit type from ``first`` to ``last``.

    Each bound is a local date ``YYYY-MM-DD`` (in the zone of the calendar's first
    location) or an instant as a Minute. Dates are whole local days, the last one
    included; an instant is exclusive.
    An empty ``visit_type`` means the first active one. With a ``location_id`` only
    slots of that location are meant, and dates are those of its zone. ``at_least``
    is the version that the reader must see: a calendar that is behind answers
    ``deadline_passed``. With ``moving`` the time of that booking, which must be the
    ``owner``'s if there is one, is shown as free if nothing else takes it. ``known`` is
    the (epoch, version) at which the reader has had the answer to this question: a
    calendar that still stands there answers Unchanged, without making the view.
    """

    provider_id: ProviderId
    visit_type: VisitTypeId
    first: str | Minute
    last: str | Minute
    at_least: int = 0
    location_id: LocationId = LocationId("")
    moving: BookingId | None = None
    owner: PatientId | None = None
    known: tuple[int, int] | None = None
    proxy: bool = False
    """Asked by a person who acts for the patient (see CommandBase)."""


class ReadFits(Struct, frozen=True, tag="read_fits"):
    """Whether a resource is free for visits that begin at ``starts``, in order.

    ``visit_type`` is one of spans.py. Answered by FitsView, whatever the window; from a
    gateway only, of calendars that patients do not know. The time of the booking
    ``moving`` counts as free.
    """

    provider_id: ProviderId
    visit_type: VisitTypeId
    starts: tuple[Minute, ...]
    moving: BookingId | None = None


class ReadWeek(Struct, frozen=True, tag="read_week", gc=False):
    """Slots of a visit type that start in an ISO week, ``2026-W49``, local dates."""

    provider_id: ProviderId
    visit_type: VisitTypeId
    week: str


class ReadSchedule(Struct, frozen=True, tag="read_schedule", gc=False):
    """Bookings with a part between ``first`` and ``last`` (as in ReadSlots)."""

    provider_id: ProviderId
    first: str | Minute
    last: str | Minute


class ReadHold(Struct, frozen=True, tag="read_hold", gc=False):
    """One live hold; with an ``owner``, other patients' holds count as missing."""

    provider_id: ProviderId
    hold_id: HoldId
    owner: PatientId | None = None
    proxy: bool = False
    """Asked by a person who acts for the patient (see CommandBase)."""


class ReadBooking(Struct, frozen=True, tag="read_booking", gc=False):
    """One booking, any status."""

    provider_id: ProviderId
    booking_id: BookingId


class ReadGroups(Struct, frozen=True, tag="read_groups", gc=False):
    """What of a calendar's groups is not settled (GroupsView); for resolvers.

    With a ``group_id``: how that group stands at its primary, undecided or not
    (GroupView).
    """

    provider_id: ProviderId
    group_id: GroupId | None = None


class ReadProvider(Struct, frozen=True, tag="read_provider", gc=False):
    """The provider's profile, rules and next free starts."""

    provider_id: ProviderId


class ReadEffect(Struct, frozen=True, tag="read_effect"):
    """Dry run of new rules, or of a leave from ``start`` to ``end``, at ``now``.

    Answered as these would be (Affected), and nothing changes. Without rules it is
    the leave that is meant.
    """

    provider_id: ProviderId
    now: Millis
    availability: Availability | None = None
    start: Minute = Minute(0)
    end: Minute = Minute(0)
    known: int = 0


class ReadNextFree(Struct, frozen=True, tag="read_next_free"):
    """The soonest free start of each of these providers, all of one shard.

    ``each``: the number of next starts wanted of each visit type. If it is not 0 the
    shard also publishes these as they change (CalendarChange.starts).
    """

    provider_ids: tuple[ProviderId, ...]
    each: int = 0


class ReadPositions(Struct, frozen=True, tag="read_positions"):
    """Positions of these calendars, all of one shard; keeps them watched."""

    provider_ids: tuple[ProviderId, ...]


Read = (
    ReadSlots
    | ReadWeek
    | ReadFits
    | ReadSchedule
    | ReadHold
    | ReadBooking
    | ReadGroups
    | ReadProvider
    | ReadEffect
    | ReadNextFree
    | ReadPositions
)
