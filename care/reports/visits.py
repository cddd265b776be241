"""A visit of another system's past, which is history and in no calendar."""

from __future__ import annotations

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    ClinicId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus


class ImportedVisit(Struct, frozen=True):
    """A visit as it was: all instants are the original ones.

    ``day_only``: the file says the day alone, so that ``start`` is no time of the day.
    ``age`` and ``reminded`` (whether the patient was reminded) are None where the file
    does not say.
    """

    booking_id: BookingId
    clinic_id: ClinicId
    provider_id: ProviderId
    provider_name: str
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    booked_at: Millis
    status: BookingStatus
    cancelled_at: Millis | None = None
    by_patient: bool | None = None
    age: int | None = None
    reminded: bool | None = None
    day_only: bool = False


class ImportCount(Struct, frozen=True):
    """What became of some visits."""

    new: int = 0
    changed: int = 0
    same: int = 0
