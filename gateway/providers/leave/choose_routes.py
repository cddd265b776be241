"""Times that stand in for a visit: for its patient, signed in or with a link.

``/v1/bookings/{booking_id}/equivalents`` is the patient's and a guardian's;
``/v1/equivalents/{secret}`` is for the link of a message, which names the place and the
time and nothing medical. A GET moves nothing: mail programs and scanners follow links.
A POST acts, once.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path

from gateway.access.rights import Action, Of
from gateway.http.features import ANYONE, CallerDep, FeatureRouter
from gateway.providers.leave.schemas import ChooseBody, EquivalentsAnswer
from gateway.providers.leave.staff_routes import BookingParam, ServiceDep

router = FeatureRouter(
    prefix="/v1/bookings/{booking_id}/equivalents", tags=["bookings"]
)
link_router = FeatureRouter(
    prefix="/v1/equivalents/{secret}", tags=["bookings"], audited=False
)
"""What a link moves is in the audit trail by its calendar."""

SecretPath = Annotated[str, Path(max_length=400, description="The link's secret.")]
_REFUSALS: Final = ["already_settled", "slot_unavailable", "slot_not_offered"]


@router.get("", right=Action.CHOOSE_EQUIVALENT, refusals=["booking_not_found"])
async def read_equivalents(
    booking_id: BookingParam, caller: CallerDep, service: ServiceDep
) -> EquivalentsAnswer:
    """Three times that stand in for a visit that a leave affects."""
    return EquivalentsAnswer.of(await service.of_patient(caller, booking_id))


@router.post(
    "",
    right=Action.CHOOSE_EQUIVALENT,
    refusals=["booking_not_found", *_REFUSALS],
)
async def choose_equivalent(
    booking_id: BookingParam, body: ChooseBody, caller: CallerDep, service: ServiceDep
) -> EquivalentsAnswer:
    """Move the visit there; the old time is given up once the new one is booked."""
    to = body.chosen()
    return EquivalentsAnswer.of(await service.choose_by_patient(caller, booking_id, to))


@link_router.get("", right=ANYONE, of=Of.SECRET, refusals=["link_expired"])
async def show_choose_link(
    secret: SecretPath, service: ServiceDep
) -> EquivalentsAnswer:
    """What a link is for. Nothing is moved."""
    return EquivalentsAnswer.of(await service.of_link(secret))


@link_router.post(
    "",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["link_expired", *_REFUSALS],
)
async def choose_by_link(
    secret: SecretPath, body: ChooseBody, service: ServiceDep
) -> EquivalentsAnswer:
    """Move the visit of a link; again, it stays where it is."""
    return EquivalentsAnswer.of(await service.choose_by_link(secret, body.chosen()))
