"""``/v1/me/dependants`` and ``…/guardians``: who acts for whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request

from actors.domain.ids import PatientId
from care.grants.values import GuardianBasis
from gateway.access.rights import Action, Of
from gateway.config import GatewayPorts
from gateway.grants.member_routes import GrantsDep
from gateway.grants.schemas import (
    DependantBody,
    GuardianshipAnswer,
    GuardianshipsAnswer,
    InvitationAnswer,
    InviteGuardianBody,
)
from gateway.http.features import CallerDep, FeatureRouter
from gateway.patients.routes import PatientPath, PatientsDep
from gateway.patients.service import own_patient
from gateway.wire.errors import FieldError, InvalidRequest

router = FeatureRouter(prefix="/v1", tags=["patients"])

GuardianParam = Annotated[str, Path(description="Which guardianship.", max_length=100)]


@router.post(
    "/me/dependants",
    right=Action.ADD_DEPENDANT,
    status_code=201,
    refusals=["too_many_dependants"],
)
async def add_dependant(
    body: DependantBody, caller: CallerDep, grants: GrantsDep, patients: PatientsDep
) -> GuardianshipAnswer:
    """Add a person whom the caller cares for.

    The next refresh has the context to act for them: `guardian pat_…`.
    """
    if not body.family_name:
        raise InvalidRequest("", FieldError("family_name", "is needed"))
    profile = patients.new_profile(body)
    basis = GuardianBasis(body.basis)
    return GuardianshipAnswer.of(await grants.add_dependant(caller, profile, basis))


@router.get("/me/guardians", right=Action.READ_PROFILE)
async def list_own_guardians(
    caller: CallerDep, grants: GrantsDep
) -> GuardianshipsAnswer:
    """Those who act for the patient."""
    found = await grants.guardians(own_patient(caller))
    return GuardianshipsAnswer(items=[GuardianshipAnswer.of(one) for one in found])


@router.post("/me/guardians", right=Action.INVITE_GUARDIAN, status_code=201)
async def invite_own_guardian(
    request: Request, body: InviteGuardianBody, caller: CallerDep, grants: GrantsDep
) -> InvitationAnswer:
    """Offer an address to act for oneself."""
    made = await grants.invite_guardian(
        caller, own_patient(caller), body.email, body.scope, GuardianBasis.CONSENT
    )
    return InvitationAnswer.of(made, _now(request))


@router.delete(
    "/me/guardians/{guardianship_id}",
    right=Action.END_GUARDIANSHIP,
    of=Of.PATIENT,
    status_code=204,
    refusals=["guardianship_not_found"],
)
async def end_own_guardianship(
    guardianship_id: GuardianParam, caller: CallerDep, grants: GrantsDep
) -> None:
    """End it: a patient any of theirs, a guardian the one they act by."""
    await grants.end_guardianship(caller, own_patient(caller), guardianship_id)


@router.get("/patients/{patient_id}/guardians", right=Action.READ_PROFILE)
async def list_guardians(
    patient_id: PatientPath, grants: GrantsDep
) -> GuardianshipsAnswer:
    """Those who act for a patient of the caller's clinic."""
    found = await grants.guardians(PatientId(patient_id))
    return GuardianshipsAnswer(items=[GuardianshipAnswer.of(one) for one in found])


@router.post(
    "/patients/{patient_id}/guardians", right=Action.INVITE_GUARDIAN, status_code=201
)
async def invite_guardian(
    request: Request,
    patient_id: PatientPath,
    body: InviteGuardianBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> InvitationAnswer:
    """Offer an address to act for a patient, whose papers were shown."""
    made = await grants.invite_guardian(
        caller, PatientId(patient_id), body.email, body.scope, GuardianBasis(body.basis)
    )
    return InvitationAnswer.of(made, _now(request))


@router.delete(
    "/patients/{patient_id}/guardians/{guardianship_id}",
    right=Action.END_GUARDIANSHIP,
    status_code=204,
    refusals=["guardianship_not_found"],
)
async def end_guardianship(
    patient_id: PatientPath,
    guardianship_id: GuardianParam,
    caller: CallerDep,
    grants: GrantsDep,
) -> None:
    """End a guardianship of a patient of the clinic."""
    await grants.end_guardianship(caller, PatientId(patient_id), guardianship_id)


def _now(request: Request) -> int:
    ports: GatewayPorts = request.app.state.ports
    return ports.clock.now()
