"""A provider's profile, opening rules and visit types, and the site's policy.

These are values: parts of commands, events and snapshots. Wall-clock times are
minutes since local midnight in the location's zone; ``time/openings.py`` alone
turns them into instants.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from actors.domain.ids import (
    ClinicId,
    GroupId,
    LocationId,
    Minute,
    ProviderId,
    TimeOffId,
    VisitTypeId,
)


class Clinic(Struct, frozen=True, omit_defaults=True):
    """A clinic: its address, and its time zone."""

    clinic_id: ClinicId
    name: str
    time_zone: str  # IANA name, for instance "Europe/Berlin"
    address: str = ""
    city: str = ""
    postcode: str = ""
    country: str = ""  # ISO 3166-1 alpha-2
    latitude: float | None = None
    longitude: float | None = None
    phone: str = ""


class ResourceKind(StrEnum):
    """What a visit may need besides its provider."""

    EQUIPMENT = "equipment"
    ROOM = "room"


class Resource(Struct, frozen=True, omit_defaults=True):
    """What a calendar is of that is no person: a room, or a piece of equipment.

    ``tags`` say what it is fit for, as ``ultrasound``; needs name them.
    """

    kind: ResourceKind
    tags: tuple[str, ...] = ()


class Need(Struct, frozen=True, omit_defaults=True):
    """``count`` resources of a kind that a visit takes, with this tag if one is given.

    They are of the provider's clinic; which ones, is chosen when the visit is held.
    """

    kind: ResourceKind
    tag: str = ""
    count: int = 1


class Profile(Struct, frozen=True, omit_defaults=True):
    """A provider's profile, for the directory and for checks of rights."""

    name: str
    specialty: str
    clinic: Clinic
    languages: tuple[str, ...] = ()
    about: str = ""
    retired: bool = False
    """The provider offers nothing any more and no search finds it; bookings stay."""
    suspended: bool = False
    """As retired, by the administration: holds cannot be booked any more either."""
    resource: Resource | None = None
    """The calendar is of a room or a piece of equipment: no search finds it, and it is
    held and booked only as a member of a visit with a provider."""


class AlignedFrom(StrEnum):
    """From where the steps of an alignment are counted."""

    MIDNIGHT = "midnight"
    OPENING = "opening"


class VisitType(Struct, frozen=True, omit_defaults=True):
    """A visit type. All lengths in minutes, whole multiples of the cell.

    ``alignment``: starts fall where local minutes since midnight, or since the
    opening, are a multiple of it. Rules from before there was a choice mean midnight.
    ``notice``: the least time between now and a start. ``horizon``: the greatest.
    Buffers take time but need not lie inside opening hours. ``locations``:
    where it is offered; empty means everywhere. ``needs``: the rooms and equipment that
    it takes, with its buffers.
    """

    visit_type: VisitTypeId
    title: str
    minutes: int
    buffer_before: int = 0
    buffer_after: int = 0
    alignment: int = 15
    notice: int = 60
    horizon: int = 60 * 24 * 90
    active: bool = True
    locations: tuple[LocationId, ...] = ()
    aligned_from: AlignedFrom = AlignedFrom.MIDNIGHT
    needs: tuple[Need, ...] = ()
    capacity: int = 1
    """Seats of a session: how many patients visit together; 1 is no group visit."""


class Hours(Struct, frozen=True, array_like=True):
    """Open from ``opens`` to ``closes``, local minutes since a date's midnight.

    ``opens < closes``; ``closes`` beyond 1440 is on the next date, so that a night
    shift belongs to the date on which it begins.
    """

    opens: int
    closes: int


class Location(Struct, frozen=True, omit_defaults=True):
    """Weekly hours at one place: seven tuples, Monday first.

    ``exceptions`` maps a local date ``YYYY-MM-DD`` to the hours that replace the
    weekly ones on that date: empty is closed, others are extra or changed hours.
    """

    location_id: LocationId
    time_zone: str
    weekly: tuple[tuple[Hours, ...], ...]
    exceptions: dict[str, tuple[Hours, ...]] = {}
    name: str = ""


class BookingLimits(Struct, frozen=True, omit_defaults=True):
    """Limits of one patient with one provider; 0 lifts a limit.

    Staff are exempt: they may book for a patient beyond all of them.
    """

    upcoming: int = 3
    """Visits of one patient that are still ahead."""
    renewals: int = 2
    """Times that one patient may hold the same time again within an hour without
    booking it."""


class Availability(Struct, frozen=True, omit_defaults=True):
    """All opening rules and visit types of one provider, set as a whole.

    ``change_notice``: minutes before its start until which a patient may cancel or move
    a visit; staff always may. Without ``booking_limits``, and without ``lanes``, those
    of the site hold. ``lanes``: how many visits staff may book at one time; 1 is no
    overbooking.
    """

    locations: tuple[Location, ...] = ()
    visit_types: tuple[VisitType, ...] = ()
    change_notice: int = 0
    booking_limits: BookingLimits | None = None
    lanes: int | None = None


class TimeOff(Struct, frozen=True, omit_defaults=True):
    """Leave: nothing is offered from ``start`` (included) to ``end`` (excluded)."""

    time_off_id: TimeOffId
    start: Minute
    end: Minute
    reason: str = ""


class Waiting(Struct, frozen=True, omit_defaults=True):
    """What the waiting list of a calendar waits for: slots that become free are kept.

    Visits of ``visit_types`` that start from ``first`` (included) to ``until``
    (excluded); ``most`` of them are reserved at a time, no more than people wait.
    """

    visit_types: tuple[VisitTypeId, ...]
    first: Minute
    until: Minute
    most: int = 1


class Group(Struct, frozen=True, array_like=True, gc=False):
    """Several calendars that are booked as one: decision 0100.

    ``primary``: the calendar whose hold and booking decide for all. ``members``: the
    others (rooms, equipment, further providers), as the primary's hold and booking
    name them; a member's own hold and booking name none.
    """

    group_id: GroupId
    primary: ProviderId
    members: tuple[ProviderId, ...] = ()


class Policy(Struct, frozen=True):
    """Rules of the site that hold for every calendar. Fixed for a running site."""

    cell_minutes: int = 5
    hold_ms: int = 120_000
    """How long a hold lasts, from its placing and from each extension on."""
    hold_extensions: int = 10
    """How often a hold may be extended: WCAG 2.2.1 asks for ten times."""
    hold_total_ms: int = 20 * 60_000
    """How long a hold lasts at most, all extensions included."""
    booking_limits: BookingLimits = BookingLimits()
    """Limits of calendars whose rules set none."""
    lanes: int = 1
    """Visits that staff may book at one time, of calendars whose rules do not say: 1 is
    no overbooking."""
    holds_per_patient: int = 3
    """Live holds of one patient on one calendar at a time."""
    reserve_ms: int = 30 * 60_000
    """How long a slot that became free is kept for the waiting list, and how long it is
    kept after an offer of it has ended."""
    reserve_cutoff_ms: int = 2 * 3_600_000
    """Visits that begin sooner are not reserved: they are offered to all at once."""
    offer_ms_max: int = 24 * 3_600_000
    """How long an offer may last at most."""
    early_outcomes: bool = False
    """Whether staff may record outcomes of visits whose time has not come: for replays
    of what happened, and for training."""
    key_retention_ms: int = 24 * 3_600_000
    """How long a key's answer is kept: longer than any client retries."""
    keys_max: int = 20_000
    """Bound on remembered keys of one calendar; the oldest are dropped first."""
