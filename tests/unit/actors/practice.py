"""Commands of a small practice: open every day, 8 to 18 UTC, visits of 30 minutes."""

from actors.domain.ids import (
    ClinicId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    hold_id,
)
from actors.domain.messages.commands import (
    BookSlot,
    CancelBooking,
    Command,
    ConfirmHold,
    PlaceHold,
    RegisterProvider,
    SetAvailability,
)
from actors.domain.messages.reads import ReadSlots
from actors.domain.rules import (
    Availability,
    Clinic,
    Hours,
    Location,
    Profile,
    VisitType,
)

ANA = ProviderId("prv_ana")
BEN = ProviderId("prv_ben")
CONSULT = VisitTypeId("consult")
NINE = Minute(29_819_520 + 9 * 60 - (29_819_520 % 1440))
"""Nine o'clock UTC of the practice's first day."""
NOW = Millis((NINE - 24 * 60) * 60_000)
"""A day earlier."""


def opened(provider: ProviderId = ANA) -> list[Command]:
    """What makes a calendar bookable."""
    clinic = Clinic(ClinicId("cln_1"), "Practice", "UTC")
    week = ((Hours(8 * 60, 18 * 60),),) * 7
    rules = Availability(
        (Location(LocationId("loc_1"), "UTC", week),),
        (VisitType(CONSULT, "Consultation", 30, alignment=30),),
    )
    return [
        RegisterProvider(
            provider_id=provider, key="reg", profile=Profile("Ana", "GP", clinic)
        ),
        SetAvailability(provider_id=provider, key="hours", availability=rules),
    ]


def hold(
    token: str,
    place: int = 0,
    *,
    provider: ProviderId = ANA,
    patient: str = "pat_1",
    key: str | None = None,
    deadline: int = 0,
) -> PlaceHold:
    """A hold of the slot ``place`` half hours after nine."""
    return PlaceHold(
        provider_id=provider,
        key=f"h-{token}" if key is None else key,
        hold_id=hold_id(provider, token),
        patient_id=PatientId(patient),
        visit_type=CONSULT,
        start=Minute(NINE + 30 * place),
        deadline=Millis(deadline),
    )


def confirm(token: str, *, provider: ProviderId = ANA) -> ConfirmHold:
    """The booking of what ``hold`` held."""
    return ConfirmHold(
        provider_id=provider,
        key=f"c-{token}",
        hold_id=hold_id(provider, token),
        booking_id=booking_id(provider, token),
        owner=None,
    )


def book(
    token: str,
    place: int = 0,
    *,
    provider: ProviderId = ANA,
    patient: str = "pat_1",
    key: str | None = None,
) -> BookSlot:
    """A booking of the slot ``place`` half hours after nine."""
    return BookSlot(
        provider_id=provider,
        key=f"b-{token}" if key is None else key,
        booking_id=booking_id(provider, token),
        patient_id=PatientId(patient),
        visit_type=CONSULT,
        start=Minute(NINE + 30 * place),
    )


def cancel(token: str, *, provider: ProviderId = ANA) -> CancelBooking:
    """The end of what ``book`` booked."""
    return CancelBooking(
        provider_id=provider,
        key=f"x-{token}",
        booking_id=booking_id(provider, token),
        owner=None,
    )


def slots(provider: ProviderId = ANA) -> ReadSlots:
    """The practice's first day."""
    return ReadSlots(provider, CONSULT, Minute(NINE - 60), Minute(NINE + 9 * 60))
