"""Emergency access (break-glass) to one patient's data, and its review."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from actors.domain.ids import ClinicId, PatientId
from care.accounts.accounts import context_name
from gateway.access.rights import Action
from gateway.access.tokens import glass_scope
from gateway.accounts.answers import AuthDep, answered
from gateway.accounts.schemas import SignedInAnswer
from gateway.grants.member_routes import ClinicParam, GrantsDep
from gateway.grants.schemas import (
    BreakGlassBody,
    GlassAnswer,
    GlassesAnswer,
    ReviewBody,
)
from gateway.http.features import CallerDep, FeatureRouter
from gateway.patients.routes import PatientPath

router = FeatureRouter(prefix="/v1", tags=["glass"])

GlassParam = Annotated[str, Path(description="Which emergency access.", max_length=100)]


@router.post(
    "/patients/{patient_id}/break-glass",
    right=Action.BREAK_GLASS,
    status_code=201,
    idempotent=False,
    refusals=["patient_not_found", "session_ended", "forbidden"],
)
async def break_glass(
    response: Response,
    patient_id: PatientPath,
    body: BreakGlassBody,
    caller: CallerDep,
    grants: GrantsDep,
    auth: AuthDep,
) -> SignedInAnswer:
    """Open one patient to the caller for 30 minutes; another person reviews it.

    The token acts in a context of its own, which `/v1/auth/context` and refreshes give
    again until the time is up.
    """
    glass = await grants.break_glass(caller, PatientId(patient_id), body.reason)
    scope = glass_scope(glass.patient_id)
    name = context_name(glass.role, glass.subject, (scope,))
    return answered(auth, response, await auth.sign_in.switch(caller, name))


@router.get("/clinics/{clinic_id}/glass", right=Action.REVIEW_GLASS)
async def list_glasses(clinic_id: ClinicParam, grants: GrantsDep) -> GlassesAnswer:
    """Emergency access by a clinic's people; by the platform's people for `site`."""
    found = await grants.glasses(ClinicId(clinic_id))
    return GlassesAnswer(items=[GlassAnswer.of(one) for one in found])


@router.post(
    "/clinics/{clinic_id}/glass/{glass_id}/review",
    right=Action.REVIEW_GLASS,
    refusals=["glass_not_found", "already_reviewed"],
)
async def review_glass(
    clinic_id: ClinicParam,
    glass_id: GlassParam,
    body: ReviewBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> GlassAnswer:
    """Say whether an emergency access had a good reason; never of one's own."""
    made = await grants.review_glass(
        caller, ClinicId(clinic_id), glass_id, body.verdict
    )
    return GlassAnswer.of(made)
