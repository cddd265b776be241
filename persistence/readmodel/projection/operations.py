"""The operations of the projection on the read model: a value per kind of change.

Executed one by one, in journal order, they are correct by themselves; plan.py decides
which may be executed together.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus
from actors.domain.rules import Clinic, Profile, VisitType


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
    stranded: str = ""
    confidential: bool = False
    lane: int = 0


class ChangeAppointment(Struct, frozen=True, gc=False):
    """Change the fields in ``changes`` of a booking that must exist."""

    booking_id: BookingId
    seq: int
    epoch: int
    version: int
    changes: dict[str, Any]


class AddClaims(Struct, frozen=True, gc=False):
    """A booking claims the cells ``first`` to ``last`` (excluded) of a provider."""

    provider_id: ProviderId
    booking_id: BookingId
    first: int
    last: int
    lane: int = 0


class DropClaims(Struct, frozen=True, gc=False):
    """A booking releases all its cells."""

    provider_id: ProviderId
    booking_id: BookingId


class TakeBookings(Struct, frozen=True):
    """A provider's bookings belong to this shard from now on; inserts missing ones.

    ``replaces``: existing rows are replaced, since they may be older. Only operations
    on providers may be in the same batch.
    """

    provider_id: ProviderId
    seq: int
    epoch: int
    bookings: tuple[PutAppointment, ...]
    claims: tuple[AddClaims, ...]
    replaces: bool = False


class AddHistory(Struct, frozen=True, gc=False):
    """One event of a booking. ``start`` and ``end`` are given if the event set them."""

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
    """A notice to send, identified by ``event_id`` and ``kind`` for ever.

    An event with several notices numbers them behind its own id: ``s0000-7.2``.
    """

    seq: int
    event_id: str
    kind: str
    at: Millis
    payload: dict[str, Any]


class Park(Struct, frozen=True, gc=False):
    """An event that does not fit the read model: kept aside for an operator."""

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
    | TakeBookings
    | AddHistory
    | AddOutbox
    | Park
)


class Poison(Exception):
    """An event that the projection does not know how to project."""


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
