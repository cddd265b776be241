"""What clients send and receive about holds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from actors.domain.ids import Millis
from actors.domain.messages.answers import HoldView
from gateway.wire.fields import (
    BookingRef,
    Epoch,
    HoldRef,
    PatientRef,
    ProviderRef,
    Stranded,
    Version,
    VisitTypeRef,
)
from gateway.wire.formats import Instant, millis_text, minute_text


class HoldRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Reserve a slot. ``patient_id`` is for staff, who hold for a patient.

    ``moving``: the patient's own booking to be moved there; its time counts as free.
    """

    provider_id: ProviderRef
    visit_type: VisitTypeRef
    start: Instant
    patient_id: PatientRef | None = None
    moving: BookingRef | None = None


class HoldBody(Struct, frozen=True, omit_defaults=True):
    """A hold: the slot is kept until ``expires_at``.

    ``expires_in_ms`` is the remaining time at the answer.

    A device with a wrong clock should count ``expires_in_ms`` down.
    ``extensions_left``: how often it can still be extended, each time from then on.
    ``offer``: the waiting list offers the slot, until ``expires_at``; releasing the
    hold declines it.
    """

    hold_id: HoldRef
    provider_id: ProviderRef
    patient_id: PatientRef
    visit_type: VisitTypeRef
    start: Instant
    end: Instant
    expires_at: Instant
    expires_in_ms: Annotated[int, Meta(ge=0)]
    extended: bool
    extensions_left: int
    location_id: str
    epoch: Epoch
    version: Version
    moving: BookingRef | None = None
    stranded: Stranded = ""
    offer: bool = False


class HoldList(Struct, frozen=True):
    """Live holds, in order of placing."""

    items: list[HoldBody]


def hold_body(view: HoldView, now: Millis) -> HoldBody:
    """The response body for a calendar's view of a hold."""
    return HoldBody(
        hold_id=view.hold_id,
        provider_id=view.provider_id,
        patient_id=view.patient_id,
        visit_type=view.visit_type,
        start=minute_text(view.start),
        end=minute_text(view.end),
        expires_at=millis_text(view.expires),
        expires_in_ms=max(0, view.expires - now),
        extended=view.extended,
        extensions_left=view.extensions_left,
        location_id=view.location_id,
        epoch=view.epoch,
        version=view.version,
        moving=view.moving,
        stranded=view.stranded,
        offer=view.offer,
    )
