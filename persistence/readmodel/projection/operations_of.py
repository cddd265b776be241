"""The projection, pure: the operations that an event causes on the read model.

Rule 1: the same records give the same operations; nothing here reads a clock, a row
        or a setting other than the site's cell.
Rule 2: only bookings claim cells. Holds end within minutes and are not projected.
Rule 3: notices carry ids, never a reason for a visit or other text of a person.
Rule 4: of a visit on several calendars people are told by its primary alone; a member's
        row has no patient. What is owed and doubted is a notice for resolvers.

One file because it is one table: an event, and the rows that follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import asdict

from actors.domain.calendar.at_rest import Kept, unpack
from actors.domain.calendar.lifecycle import BLOCKING, LIVE
from actors.domain.calendar.occupancy import Booking
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import BookingId, Millis, ProviderId, ShardId
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingStatus
from actors.domain.rules import Policy
from actors.ports import Record
from persistence.readmodel.projection.operations import (
    AddClaims,
    AddHistory,
    AddOutbox,
    ChangeAppointment,
    DropClaims,
    Operation,
    Park,
    Poison,
    PutAppointment,
    PutClinic,
    PutProvider,
    PutVisitTypes,
    TakeBookings,
)

CELL_MINUTES = Policy().cell_minutes
_BOOKING = "bkg_"
"""Prefix of booking ids."""
OUTBOX_VERSION = 1
"""Version of a notice's payload; a sender refuses one that it does not know."""


def event_id(shard: ShardId, seq: int) -> str:
    """The id of the event at this position, by which receivers drop duplicates."""
    return f"{shard}-{seq}"


def cells(
    busy_start: int, busy_end: int, cell_minutes: int = CELL_MINUTES
) -> tuple[int, int]:
    """The half-open range of cells that a busy span touches."""
    return busy_start // cell_minutes, -(-busy_end // cell_minutes)


def claimed_lane(lane: int) -> int:
    """The lane of the claims of a booking in this lane of its calendar.

    The first seat of a group visit claims what a visit with its time to itself would,
    so that the two cannot share it; other seats are below, overbooked visits above.
    """
    return lane + 1 if lane < 0 else lane


def project(
    shard: ShardId, record: Record, *, cell_minutes: int = CELL_MINUTES
) -> Sequence[Operation]:
    """The operations of one record, in order; none for what the model does not show.

    Raises:
        Poison: the event is of a kind that this version does not know.
    """
    kind = type(record.event)
    if kind in _NOT_PROJECTED:
        return ()
    handler = _HANDLERS.get(kind)
    if handler is None:
        raise Poison(f"no projection for {kind.__name__}")
    return handler(shard, record, cell_minutes)


def parked(record: Record, kind: str, reason: str, other: str = "") -> Park:
    """The operation that keeps an event aside instead of projecting it."""
    event = record.event
    shown = {"event": type(event).__name__, **asdict(event)}
    return Park(
        seq=record.seq,
        provider_id=event.provider_id,
        kind=kind,
        reason=reason[:500],
        event=msgspec.json.encode(shown).decode(),
        at=event.at,
        booking_id=getattr(event, "booking_id", ""),
        other_booking_id=other,
    )


def _registered(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.ProviderRegistered", record.event)
    provider, profile = event.provider_id, event.profile
    is_closed = profile.retired or profile.suspended
    is_used = profile.resource is not None and not is_closed
    # A room that is used again may be free where none was.
    again = (_to_resolve(shard, record, "room.freed"),) if is_used else ()
    return (
        PutClinic(profile.clinic, event.at, provider),
        PutProvider(provider, record.seq, event.version, profile),
        *again,
    )


def _availability(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.AvailabilitySet", record.event)
    kinds = event.availability.visit_types
    put = PutVisitTypes(event.provider_id, kinds)
    # Rooms have no visit types; they may be free at other times now.
    hours = () if kinds else (_to_resolve(shard, record, "room.freed"),)
    return (put, *_marks(shard, record, cell), *hours)


def _marks(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    """Visits that became stranded, or stopped being so; holds have no rows.

    Each has a notice of its own, so that each patient is notified once.
    """
    event = cast("ev.AvailabilitySet | ev.TimeOffAdded", record.event)
    visits = [name for name in event.stranded if name.startswith(_BOOKING)]
    found: list[Operation] = []
    for number, name in enumerate(visits, 1):
        reason = event.stranded[name]
        found += (
            ChangeAppointment(
                BookingId(name),
                record.seq,
                record.epoch,
                event.version,
                {"stranded": reason},
            ),
            AddOutbox(
                seq=record.seq,
                event_id=f"{event_id(shard, record.seq)}.{number}",
                kind="booking.stranded" if reason else "booking.covered",
                at=event.at,
                payload={
                    "v": OUTBOX_VERSION,
                    "booking_id": name,
                    "provider_id": event.provider_id,
                    "version": event.version,
                    **({"stranded": reason} if reason else {}),
                },
            ),
        )
    return tuple(found)


def _leave(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    """A leave that was taken or given back: its visits' marks, and news of itself.

    The news comes after the marks, for the queue of affected visits.
    """
    event = record.event
    is_added = isinstance(event, ev.TimeOffAdded)
    if isinstance(event, ev.TimeOffAdded):
        leave = event.time_off.time_off_id
    else:
        leave = cast("ev.TimeOffRemoved", event).time_off_id
    news = AddOutbox(
        seq=record.seq,
        event_id=event_id(shard, record.seq),
        kind="leave.added" if is_added else "leave.removed",
        at=event.at,
        payload={
            "v": OUTBOX_VERSION,
            "time_off_id": leave,
            "provider_id": event.provider_id,
            "version": event.version,
        },
    )
    freed = () if is_added else (_to_resolve(shard, record, "room.freed"),)
    return (*_marks(shard, record, cell), news, *freed)


def _booked(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.SlotBooked", record.event)
    first, last = cells(event.busy_start, event.busy_end, cell)
    return (
        PutAppointment(
            booking_id=event.booking_id,
            seq=record.seq,
            epoch=record.epoch,
            version=event.version,
            provider_id=event.provider_id,
            patient_id=event.patient_id,
            status=BookingStatus.BOOKED,
            visit_type=event.visit_type,
            start=event.start,
            end=event.end,
            busy_start=event.busy_start,
            busy_end=event.busy_end,
            location_id=event.location_id,
            booked_at=event.at,
            reason=event.reason,
            confidential=event.confidential,
            lane=event.lane,
        ),
        AddClaims(
            event.provider_id, event.booking_id, first, last, claimed_lane(event.lane)
        ),
        _history(record, "booked", start=event.start, end=event.end),
        *_told(shard, record, "booked", patient_id=event.patient_id),
    )


def _moved(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.BookingRescheduled", record.event)
    first, last = cells(event.busy_start, event.busy_end, cell)
    changes = {
        "visit_type": event.visit_type,
        "start": event.start,
        "end": event.end,
        "busy_start": event.busy_start,
        "busy_end": event.busy_end,
        "location_id": event.location_id,
        "stranded": "",
        "lane": event.lane,
    }
    return (
        _change(record, changes),
        DropClaims(event.provider_id, event.booking_id),
        AddClaims(
            event.provider_id, event.booking_id, first, last, claimed_lane(event.lane)
        ),
        _history(record, "rescheduled", start=event.start, end=event.end),
        *_told(shard, record, "rescheduled"),
        *(_owed(shard, record) if event.left is not None else ()),
    )


def _cancelled(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.BookingCancelled", record.event)
    changes = {
        "status": BookingStatus.CANCELLED,
        "cancel_reason": event.reason,
        "stranded": "",
    }
    return (
        _change(record, changes),
        DropClaims(event.provider_id, event.booking_id),
        _history(record, "cancelled", by_patient=event.by_patient, reason=event.reason),
        *_told(shard, record, "cancelled"),
    )


def _told(shard: ShardId, record: Record, kind: str, **ids: str) -> Sequence[AddOutbox]:
    """The notice of a change of a visit, and of what its members are owed by it."""
    event = cast("ev.BookingCancelled", record.event)
    group = event.group
    if group is None:
        return (_notice(shard, record, kind, **ids),)
    if group.primary == event.provider_id:
        return (_notice(shard, record, kind, **ids), *_owed(shard, record))
    if kind != "cancelled":
        return ()
    name = event.booking_id
    return (_to_resolve(shard, record, "room.freed", booking_id=name),)


def _owed(shard: ShardId, record: Record) -> Sequence[AddOutbox]:
    event = cast("ev.BookingCancelled", record.event)
    name = event.booking_id
    return (_to_resolve(shard, record, "group.owed", booking_id=name),)


def _doubted(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.HoldDoubted", record.event)
    return (_to_resolve(shard, record, "group.doubtful", hold_id=event.hold_id),)


def _to_resolve(shard: ShardId, record: Record, kind: str, **ids: str) -> AddOutbox:
    """For resolvers of groups: this calendar has something to be settled."""
    event = record.event
    return AddOutbox(
        seq=record.seq,
        event_id=event_id(shard, record.seq),
        kind=kind,
        at=event.at,
        payload={
            "v": OUTBOX_VERSION,
            "provider_id": event.provider_id,
            "version": event.version,
            **ids,
        },
    )


def _confidential(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.ConfidentialSet", record.event)
    kind = "confidential" if event.confidential else "shown"
    change = _change(record, {"confidential": event.confidential})
    return (change, _history(record, kind), _notice(shard, record, kind))


def _status(status: BookingStatus) -> _Handler:
    # The time stays taken: an arrived or missed visit still fills its cells.
    over: dict[str, Any] = {} if status in LIVE else {"stranded": ""}

    def handler(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
        return (
            _change(record, {"status": status, **over}),
            _history(record, status.value),
            _notice(shard, record, status.value),
        )

    return handler


def _reserved(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.SlotReserved", record.event)
    payload = {
        "v": OUTBOX_VERSION,
        "hold_id": event.hold_id,
        "provider_id": event.provider_id,
        "version": event.version,
        **({"booking_id": event.booking_id} if event.booking_id else {}),
    }
    return (_waiting_notice(shard, record, "slot.freed", payload),)


def _offer_over(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.HoldReturned", record.event)
    payload = {
        "v": OUTBOX_VERSION,
        "hold_id": event.hold_id,
        "provider_id": event.provider_id,
        "version": event.version,
        "patient_id": event.patient_id,
        "declined": event.declined,
    }
    return (_waiting_notice(shard, record, "offer.over", payload),)


def _waiting_notice(
    shard: ShardId, record: Record, kind: str, payload: dict[str, Any]
) -> AddOutbox:
    """For the waiting list's worker."""
    return AddOutbox(
        seq=record.seq,
        event_id=event_id(shard, record.seq),
        kind=kind,
        at=record.event.at,
        payload=payload,
    )


def _undone(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.OutcomeUndone", record.event)
    return (
        _change(record, {"status": event.status}),
        _history(record, "undone"),
        _notice(shard, record, "undone", status=event.status.value),
    )


def _came(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.CalendarMovedIn", record.event)
    kept = unpack(event.state)[0]
    return calendar_operations(kept, record.seq, record.epoch, cell)


def calendar_operations(
    kept: Kept,
    seq: int,
    epoch: int,
    cell_minutes: int = CELL_MINUTES,
    *,
    replaces: bool = False,
) -> list[Operation]:
    """The rows of a calendar that was moved to a shard; see ``TakeBookings``."""
    provider_id = kept.provider_id
    operations = profile_operations(kept, seq)
    bookings = tuple(
        appointment_of(one, provider_id, kept.version, seq, epoch)
        for one in kept.bookings
    )
    claims = tuple(
        AddClaims(
            provider_id,
            one.booking_id,
            *cells(one.busy_start, one.busy_end, cell_minutes),
            claimed_lane(one.lane),
        )
        for one in kept.bookings
        if one.status in BLOCKING
    )
    take = TakeBookings(provider_id, seq, epoch, bookings, claims, replaces)
    return [*operations, take]


def profile_operations(stored: Kept | CalendarState, seq: int) -> list[Operation]:
    """The rows of clinic, provider and visit types of a stored calendar."""
    provider_id = stored.provider_id
    operations: list[Operation] = []
    if stored.profile is not None:
        # Instant 0: anything in the journal about this clinic is newer.
        operations.append(PutClinic(stored.profile.clinic, Millis(0), provider_id))
        put = PutProvider(provider_id, seq, stored.version, stored.profile)
        operations.append(put)
    if stored.availability is not None:
        types = stored.availability.visit_types
        operations.append(PutVisitTypes(provider_id, types))
    return operations


def appointment_of(
    booking: Booking, provider_id: ProviderId, version: int, seq: int, epoch: int
) -> PutAppointment:
    """The row of a stored calendar's booking."""
    return PutAppointment(
        booking_id=booking.booking_id,
        seq=seq,
        epoch=epoch,
        version=version,
        provider_id=provider_id,
        patient_id=booking.patient_id,
        status=booking.status,
        visit_type=booking.visit_type,
        start=booking.start,
        end=booking.end,
        busy_start=booking.busy_start,
        busy_end=booking.busy_end,
        location_id=booking.location_id,
        booked_at=booking.booked_at,
        reason=booking.reason,
        cancel_reason=booking.cancel_reason,
        stranded=booking.stranded,
        confidential=booking.confidential,
        lane=booking.lane,
    )


def _change(record: Record, changes: dict[str, Any]) -> ChangeAppointment:
    event = cast("ev.BookingCancelled", record.event)
    return ChangeAppointment(
        event.booking_id, record.seq, record.epoch, event.version, changes
    )


def _history(record: Record, kind: str, **given: Any) -> AddHistory:
    event = cast("ev.BookingCancelled", record.event)
    return AddHistory(
        seq=record.seq,
        epoch=record.epoch,
        version=event.version,
        booking_id=event.booking_id,
        provider_id=event.provider_id,
        kind=kind,
        at=event.at,
        **given,
    )


def _notice(shard: ShardId, record: Record, kind: str, **ids: str) -> AddOutbox:
    event = cast("ev.BookingCancelled", record.event)
    payload = {
        "v": OUTBOX_VERSION,
        "booking_id": event.booking_id,
        "provider_id": event.provider_id,
        "version": event.version,
        **ids,
    }
    return AddOutbox(
        seq=record.seq,
        event_id=event_id(shard, record.seq),
        kind=f"booking.{kind}",
        at=event.at,
        payload=payload,
    )


_Handler = Callable[[ShardId, Record, int], Sequence[Operation]]

_HANDLERS: dict[type, _Handler] = {
    ev.ProviderRegistered: _registered,
    ev.AvailabilitySet: _availability,
    ev.TimeOffAdded: _leave,
    ev.TimeOffRemoved: _leave,
    ev.SlotReserved: _reserved,
    ev.HoldReturned: _offer_over,
    ev.HoldDoubted: _doubted,
    ev.SlotBooked: _booked,
    ev.BookingRescheduled: _moved,
    ev.BookingCancelled: _cancelled,
    ev.ConfidentialSet: _confidential,
    ev.PatientArrived: _status(BookingStatus.ARRIVED),
    ev.VisitCompleted: _status(BookingStatus.FULFILLED),
    ev.NoShowMarked: _status(BookingStatus.NOSHOW),
    ev.OutcomeUndone: _undone,
    ev.CalendarMovedIn: _came,
}

_NOT_PROJECTED = frozenset(
    {
        ev.HoldPlaced,
        ev.HoldExtended,
        ev.HoldReleased,
        ev.HoldExpired,
        ev.WaitingSet,
        ev.HoldOffered,
        ev.GroupAborted,
        ev.GroupSettled,
        ev.WindowAdvanced,
        ev.RefusalRecorded,
        ev.ClockTrusted,
        ev.CalendarMovedOut,
    }
)
