"""The projection, pure: what an event changes in the read model, as row operations.

Rule 1: the same records give the same operations; nothing here reads a clock, a row
        or a setting other than the site's cell.
Rule 2: only bookings claim cells. Holds end within minutes and are not projected.
Rule 3: notices carry ids, never a reason for a visit or any other words of a person.
Rule 4: carried out one after another, in journal order, the operations are right;
        ``Plan`` says which may be carried out together without telling the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from actors.domain import events as ev
from actors.domain.answers import BookingStatus
from actors.domain.ids import (
    BookingId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    VisitTypeId,
)
from actors.domain.rules import Clinic, Policy, Profile, VisitType
from actors.ports import Record

CELL_MINUTES = Policy().cell_minutes
OUTBOX_VERSION = 1
"""Version of a notice's payload; a sender refuses one that it does not know."""


class PutClinic(Struct, frozen=True, gc=False):
    """A registered provider's clinic: kept unless imported or registered later.

    Providers of several shards may register one clinic, in any order of projection:
    the greatest ``(at, provider_id)`` wins, so that the order does not matter.
    """

    clinic: Clinic
    at: Millis
    provider_id: ProviderId


class PutProvider(Struct, frozen=True, gc=False):
    """Replace a provider's row and search words."""

    provider_id: ProviderId
    seq: int
    version: int
    profile: Profile


class PutVisitTypes(Struct, frozen=True, gc=False):
    """Replace all visit types of a provider."""

    provider_id: ProviderId
    visit_types: tuple[VisitType, ...]


class PutAppointment(Struct, frozen=True, gc=False):
    """A booking that the read model does not have yet."""

    booking_id: BookingId
    seq: int
    epoch: int
    version: int
    provider_id: ProviderId
    patient_id: PatientId
    status: BookingStatus
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    location_id: LocationId
    booked_at: Millis
    reason: str = ""
    cancel_reason: str = ""


class ChangeAppointment(Struct, frozen=True, gc=False):
    """A booking that must be there changes; only what ``changes`` names."""

    booking_id: BookingId
    seq: int
    epoch: int
    version: int
    changes: dict[str, Any]


class AddClaims(Struct, frozen=True, gc=False):
    """A booking takes cells ``first`` to ``last`` (excluded) of a provider's time."""

    provider_id: ProviderId
    booking_id: BookingId
    first: int
    last: int
    lane: int = 0


class DropClaims(Struct, frozen=True, gc=False):
    """A booking gives back all its cells."""

    provider_id: ProviderId
    booking_id: BookingId


class AddHistory(Struct, frozen=True, gc=False):
    """One event of a booking. ``start`` and ``end`` are given where it set them."""

    seq: int
    epoch: int
    version: int
    booking_id: BookingId
    provider_id: ProviderId
    kind: str
    at: Millis
    start: Minute | None = None
    end: Minute | None = None
    by_patient: bool | None = None
    reason: str = ""


class AddOutbox(Struct, frozen=True, gc=False):
    """A notice to send. ``event_id`` and ``kind`` name it for ever."""

    seq: int
    event_id: str
    kind: str
    at: Millis
    payload: dict[str, Any]


class Park(Struct, frozen=True, gc=False):
    """An event that the read model cannot take: kept aside for a person."""

    seq: int
    provider_id: str
    kind: str
    reason: str
    event: str
    at: Millis
    booking_id: str = ""
    other_booking_id: str = ""


Operation = (
    PutClinic
    | PutProvider
    | PutVisitTypes
    | PutAppointment
    | ChangeAppointment
    | AddClaims
    | DropClaims
    | AddHistory
    | AddOutbox
    | Park
)


class Poison(Exception):
    """An event that the projection does not know how to project."""


def event_id(shard: ShardId, seq: int) -> str:
    """The name of the event at this place, for receivers that must see it once."""
    return f"{shard}-{seq}"


def cells(
    busy_start: int, busy_end: int, cell_minutes: int = CELL_MINUTES
) -> tuple[int, int]:
    """The half-open range of cells that a busy span touches."""
    return busy_start // cell_minutes, -(-busy_end // cell_minutes)


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
    return Park(
        seq=record.seq,
        provider_id=event.provider_id,
        kind=kind,
        reason=reason[:500],
        event=msgspec.json.encode(event).decode(),
        at=event.at,
        booking_id=getattr(event, "booking_id", ""),
        other_booking_id=other,
    )


def _registered(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.ProviderRegistered", record.event)
    provider, profile = event.provider_id, event.profile
    return (
        PutClinic(profile.clinic, event.at, provider),
        PutProvider(provider, record.seq, event.version, profile),
    )


def _availability(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.AvailabilitySet", record.event)
    return (PutVisitTypes(event.provider_id, event.availability.visit_types),)


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
        ),
        AddClaims(event.provider_id, event.booking_id, first, last),
        _history(record, "booked", start=event.start, end=event.end),
        _notice(shard, record, "booked", patient_id=event.patient_id),
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
    }
    return (
        _change(record, changes),
        DropClaims(event.provider_id, event.booking_id),
        AddClaims(event.provider_id, event.booking_id, first, last),
        _history(record, "rescheduled", start=event.start, end=event.end),
        _notice(shard, record, "rescheduled"),
    )


def _cancelled(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
    event = cast("ev.BookingCancelled", record.event)
    changes = {"status": BookingStatus.CANCELLED, "cancel_reason": event.reason}
    return (
        _change(record, changes),
        DropClaims(event.provider_id, event.booking_id),
        _history(record, "cancelled", by_patient=event.by_patient, reason=event.reason),
        _notice(shard, record, "cancelled"),
    )


def _status(status: BookingStatus) -> _Handler:
    # The time stays taken: an arrived or missed visit still fills its cells.
    def handler(shard: ShardId, record: Record, cell: int) -> Sequence[Operation]:
        return (
            _change(record, {"status": status}),
            _history(record, status.value),
            _notice(shard, record, status.value),
        )

    return handler


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
    ev.SlotBooked: _booked,
    ev.BookingRescheduled: _moved,
    ev.BookingCancelled: _cancelled,
    ev.PatientArrived: _status(BookingStatus.ARRIVED),
    ev.VisitCompleted: _status(BookingStatus.FULFILLED),
    ev.NoShowMarked: _status(BookingStatus.NOSHOW),
}

_NOT_PROJECTED = frozenset(
    {
        ev.TimeOffAdded,
        ev.TimeOffRemoved,
        ev.HoldPlaced,
        ev.HoldExtended,
        ev.HoldReleased,
        ev.HoldExpired,
        ev.WindowAdvanced,
        ev.CommandRefused,
    }
)


class ClaimPhase(Struct):
    """Releases, then claims, that may be carried out as two statements."""

    drops: list[DropClaims] = []
    adds: list[AddClaims] = []


class Plan:
    """Operations of one batch, sorted into few statements with the same effect.

    Rows of different tables do not touch each other, so only two orders matter.
    Changes of a booking are folded into its new row, or into one change. Claims keep
    the order of their provider: a release and a claim of the same cell change places
    neither way, or the detector would cry wolf, or sleep. Other providers' claims
    share the same phases.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.clinics: dict[str, PutClinic] = {}
        self.providers: dict[str, PutProvider] = {}
        self.visit_types: dict[str, PutVisitTypes] = {}
        self.appointments: dict[str, PutAppointment] = {}
        self.changes: dict[str, ChangeAppointment] = {}
        self.claims: list[ClaimPhase] = []
        self.history: list[AddHistory] = []
        self.outbox: list[AddOutbox] = []
        self.parked: list[Park] = []
        self._phase_of: dict[str, int] = {}
        self._adding: set[str] = set()
        for operation in operations:
            _PLANNERS[type(operation)](self, operation)

    def _clinic(self, operation: PutClinic) -> None:
        known = self.clinics.get(operation.clinic.clinic_id)
        if known is None or newer(operation, known.at, known.provider_id):
            self.clinics[operation.clinic.clinic_id] = operation

    def _provider(self, operation: PutProvider) -> None:
        self.providers[operation.provider_id] = operation

    def _visit_types(self, operation: PutVisitTypes) -> None:
        self.visit_types[operation.provider_id] = operation

    def _appointment(self, operation: PutAppointment) -> None:
        if operation.booking_id in self.appointments:
            raise Poison(f"{operation.booking_id} is booked twice in one batch")
        self.appointments[operation.booking_id] = operation

    def _change(self, operation: ChangeAppointment) -> None:
        new = self.appointments.get(operation.booking_id)
        if new is not None:
            self.appointments[operation.booking_id] = changed(new, operation)
            return
        known = self.changes.get(operation.booking_id)
        if known is not None:
            merged = {**known.changes, **operation.changes}
            operation = msgspec.structs.replace(operation, changes=merged)
        self.changes[operation.booking_id] = operation

    def _add_claims(self, operation: AddClaims) -> None:
        provider = operation.provider_id
        self._adding.add(provider)
        self._phase(self._phase_of.get(provider, 0)).adds.append(operation)

    def _drop_claims(self, operation: DropClaims) -> None:
        provider = operation.provider_id
        if provider in self._adding:
            self._adding.discard(provider)
            self._phase_of[provider] = self._phase_of.get(provider, 0) + 1
        self._phase(self._phase_of.get(provider, 0)).drops.append(operation)

    def _phase(self, number: int) -> ClaimPhase:
        while len(self.claims) <= number:
            self.claims.append(ClaimPhase())
        return self.claims[number]

    def _history(self, operation: AddHistory) -> None:
        self.history.append(operation)

    def _outbox(self, operation: AddOutbox) -> None:
        self.outbox.append(operation)

    def _park(self, operation: Park) -> None:
        self.parked.append(operation)


_PLANNERS: dict[type, Callable[[Plan, Any], None]] = {
    PutClinic: Plan._clinic,
    PutProvider: Plan._provider,
    PutVisitTypes: Plan._visit_types,
    PutAppointment: Plan._appointment,
    ChangeAppointment: Plan._change,
    AddClaims: Plan._add_claims,
    DropClaims: Plan._drop_claims,
    AddHistory: Plan._history,
    AddOutbox: Plan._outbox,
    Park: Plan._park,
}


def newer(operation: PutClinic, at: int, provider_id: str) -> bool:
    """Whether this registration of a clinic beats one of ``(at, provider_id)``."""
    return (operation.at, operation.provider_id) >= (at, provider_id)


def changed(row: PutAppointment, change: ChangeAppointment) -> PutAppointment:
    """A booking's row after a change."""
    return msgspec.structs.replace(
        row,
        seq=change.seq,
        epoch=change.epoch,
        version=change.version,
        **change.changes,
    )
