"""``/v1/applications``: applications of doctors without the clinic in the path.

What is done is that of application_routes.py; whose application it is, is found here.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request

from actors.domain.ids import ClinicId
from care.accounts.ids import AccountId
from care.grants.values import ApplicationStatus, DoctorApplication
from gateway.access.rights import Access, Action, Of, Relation
from gateway.access.tokens import Caller, Role
from gateway.grants.application_routes import (
    ApplicationAnswer,
    ApplicationBody,
    ApplicationParam,
    ApplicationsAnswer,
    RejectBody,
    applications_of,
    apply_as_doctor,
    approve_application,
    reject_application,
)
from gateway.grants.member_routes import GrantsDep
from gateway.http.features import CallerDep, FeatureRouter
from gateway.wire.errors import NotFound

router = FeatureRouter(prefix="/v1/applications", tags=["clinics"])

StatusParam = Annotated[
    ApplicationStatus | None, Query(description="Only those that stand there.")
]


@router.post(
    "",
    right=Action.APPLY_AS_DOCTOR,
    status_code=201,
    refusals=["clinic_not_found", "application_exists", "too_many_applications"],
)
async def send_application(
    request: Request, body: ApplicationBody, caller: CallerDep, grants: GrantsDep
) -> ApplicationAnswer:
    """Apply to work at a clinic, as `/v1/me/applications` does."""
    return await apply_as_doctor(request, body, caller, grants)


@router.get("", right=Action.APPLY_AS_DOCTOR, refusals=["second_factor_required"])
async def find_applications(
    request: Request, caller: CallerDep, status: StatusParam = None
) -> ApplicationsAnswer:
    """Applications that the caller may see, at most 200.

    A clinic's administrator sees those to the clinic, one of the platform all of them,
    any other role the account's own.
    """
    found = await _seen_by(request, caller, status)
    return ApplicationsAnswer(items=[ApplicationAnswer.of(one) for one in found])


async def _seen_by(
    request: Request, caller: Caller, status: ApplicationStatus | None
) -> list[DoctorApplication]:
    store, access = applications_of(request), _access(request)
    if caller.role is Role.ADMIN:
        access.decide(caller, Action.DECIDE_APPLICATION, Relation.OTHER)
        return list(await store.of_clinic(None, status))
    if caller.role is Role.CLINIC_ADMIN:
        access.decide(caller, Action.DECIDE_APPLICATION, Relation.OWN)
        return list(await store.of_clinic(await access.clinic_of(caller), status))
    own = await store.of_account(AccountId(caller.account))
    return [one for one in own if status in (None, one.status)]


@router.post(
    "/{application_id}/approve",
    right=Action.DECIDE_APPLICATION,
    of=Of.FOUND,
    refusals=[
        "application_not_found",
        "application_decided",
        "role_exists",
        "licence_taken",
        "clinic_retired",
    ],
)
async def approve_application_by_id(
    request: Request,
    application_id: ApplicationParam,
    caller: CallerDep,
    grants: GrantsDep,
) -> ApplicationAnswer:
    """Begin the doctor's calendar, and give the account its role."""
    clinic_id = await _clinic_of(request, application_id, caller)
    return await approve_application(request, clinic_id, application_id, caller, grants)


@router.post(
    "/{application_id}/reject",
    right=Action.DECIDE_APPLICATION,
    of=Of.FOUND,
    refusals=["application_not_found", "application_decided"],
)
async def reject_application_by_id(
    request: Request,
    application_id: ApplicationParam,
    body: RejectBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> ApplicationAnswer:
    """Reject an application, with the reason."""
    clinic_id = await _clinic_of(request, application_id, caller)
    return await reject_application(
        request, clinic_id, application_id, body, caller, grants
    )


async def _clinic_of(request: Request, application_id: str, caller: Caller) -> ClinicId:
    """The clinic of an application that the caller may decide about.

    Raises:
        NotFound: it is not there, or not the caller's to know of.
        Forbidden: and what else ``decide`` raises.
    """
    access = _access(request)
    found = await applications_of(request).find(application_id)
    own = found is not None and await access.clinic_of(caller) == found.clinic_id
    relation = Relation.OWN if own else Relation.OTHER
    missing = "application_not_found"
    access.decide(caller, Action.DECIDE_APPLICATION, relation, missing)
    if found is None:
        raise NotFound(code=missing)
    return found.clinic_id


def _access(request: Request) -> Access:
    access: Access = request.app.state.services.access
    return access
