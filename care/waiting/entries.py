"""Values of the waiting list: what patients wait for, and the offers they get."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)

ENTRIES_MAX: Final = 10
"""Entries of one patient at a time."""
DECLINES_MAX: Final = 3
"""Declined offers at which an entry is paused, until its patient resumes it."""
OFFER_MS: Final = 30 * 60_000
"""How long a patient has to answer, quiet hours not counted."""
FIRST_COME_MAX: Final = 50
"""Patients who are told of one slot that is free to all."""
KEEP_OFFERS_MS: Final = 180 * 24 * 3_600_000
"""How long it is kept who was offered what."""
DAY_MINUTES: Final = 24 * 60
REMOVED: Final = -128
"""``WaitingMove.after`` of an entry that staff removed: no priority is as low."""


class WaitingScope(StrEnum):
    """Whose times are waited for."""

    PROVIDER = "provider"
    SPECIALTY = "specialty"
    CLINIC = "clinic"


class WaitingEntry(Struct, frozen=True, kw_only=True):
    """What one patient waits for.

    ``subject``: the provider, the specialty or the clinic. ``days``: ISO weekdays, and
    ``opens`` to ``closes`` minutes of the day, on the wall of the place; ``last_day``
    there, ``YYYY-MM-DD``, or empty. ``notice``: the least time in minutes from the
    offer to the visit. ``booking_id``: the patient's visit that an earlier slot would
    take the place of, with whatever provider.
    """

    entry_id: str
    patient_id: PatientId
    scope: WaitingScope
    subject: str
    since: Millis
    visit_type: VisitTypeId = VisitTypeId("")
    days: tuple[int, ...] = ()
    opens: int = 0
    closes: int = DAY_MINUTES
    last_day: str = ""
    notice: int = 0
    booking_id: BookingId | None = None
    priority: int = 0
    paused: bool = False
    declines: int = 0


class WaitingMove(Struct, frozen=True):
    """A change of an entry's priority by staff, or its removal, with the reason."""

    entry_id: str
    by: str
    at: Millis
    before: int
    after: int
    reason: str


class FreedSlot(Struct, frozen=True, kw_only=True):
    """A reserved slot, and what decides who is offered it."""

    hold_id: HoldId
    provider_id: ProviderId
    clinic_id: ClinicId
    specialty: str
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    location_id: LocationId
    time_zone: str


class OpenSlot(Struct, frozen=True, kw_only=True):
    """A slot that became free too near to be offered in turn: the first to come has it.

    ``version``: of the event that freed it.
    """

    provider_id: ProviderId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    location_id: LocationId
    version: int


class OfferStatus(StrEnum):
    """What became of an offer."""

    ASKED = "asked"
    """Written down; the calendar is asked."""
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    OVER = "over"
    """Not answered in time."""


OUTSTANDING: Final = (OfferStatus.ASKED, OfferStatus.OFFERED)


class SlotOffer(Struct, frozen=True, kw_only=True):
    """One offer of a slot to a patient.

    ``turn`` counts the offers of the slot. ``rank`` is the entry's place in the list,
    ``ahead`` why those before it were passed over: reason to number.
    """

    hold_id: HoldId
    turn: int
    provider_id: ProviderId
    patient_id: PatientId
    entry_id: str
    rank: int
    ahead: Mapping[str, int]
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    until: Millis
    made_at: Millis
    booking_id: BookingId | None = None
    """The patient's visit that it would take the place of."""
    status: OfferStatus = OfferStatus.ASKED

    @property
    def offer_id(self) -> str:
        """Its id, which is the key of what is asked of the calendar, too."""
        return f"{self.hold_id}.{self.turn}"
