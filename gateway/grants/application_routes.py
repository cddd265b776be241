"""Applications of doctors: from a licence to a calendar."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request
from pydantic import ConfigDict, Field, StringConstraints

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.messages.answers import Done
from actors.domain.messages.commands import RegisterProvider, SetRetired
from actors.domain.rules import Profile
from care.accounts.ids import AccountId
from care.grants.licences import compared_licence
from care.grants.ports import DoctorApplications
from care.grants.values import ApplicationStatus, DoctorApplication
from gateway.access.rights import Action
from gateway.accounts.needs import RandomIds
from gateway.config import GatewayPorts
from gateway.grants.member_routes import ClinicParam, GrantsDep
from gateway.grants.service import LicenceTaken, RoleExists, granted
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    RequestError,
    accepted,
)
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1", tags=["clinics"])

ApplicationParam = Annotated[str, Path(description="Which one.", max_length=100)]
TextField = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class ApplicationDecided(RequestError):
    """The application was decided or withdrawn already."""

    code = "application_decided"


class ApplicationExists(RequestError):
    """The account has applied to this clinic with this licence."""

    code = "application_exists"


class TooManyApplications(RequestError):
    """The account has as many open applications as it may: withdraw one first."""

    code = "too_many_applications"


class ApplicationBody(Body):
    """A doctor who wants to work at a clinic. ``documents`` say where papers are."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "clinic_id": "cln_1",
                "name": "Dr. Ada Weiß",
                "specialty": "Cardiology",
                "country": "DE",
                "licence": "LANR 123456789",
                "documents": ["https://papers.example.org/ada.pdf"],
            }
        }
    )

    clinic_id: Annotated[str, StringConstraints(pattern=r"^cln_[A-Za-z0-9_.\-]{1,96}$")]
    name: TextField
    specialty: TextField
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    licence: TextField
    registry: Annotated[
        str, StringConstraints(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")
    ] = Field("", description="Who keeps the licences, if the country has several.")
    documents: tuple[TextField, ...] = Field((), max_length=20)


class RejectBody(Body):
    """Why; the applicant reads it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reason": "The licence has expired."}}
    )

    reason: str = Field(min_length=3, max_length=1_000)


class ApplicationAnswer(Answer):
    """An application of a doctor."""

    application_id: str
    account_id: str
    clinic_id: str
    provider_id: str
    name: str
    specialty: str
    country: str
    licence: str
    registry: str
    documents: list[str]
    status: ApplicationStatus
    submitted_at: str
    decided_at: str | None
    reason: str

    @classmethod
    def of(cls, one: DoctorApplication) -> ApplicationAnswer:
        """The answer of an application."""
        decided = None if one.decided_at is None else millis_text(one.decided_at)
        return cls(
            application_id=one.application_id,
            account_id=one.account_id,
            clinic_id=one.clinic_id,
            provider_id=one.provider_id,
            name=one.name,
            specialty=one.specialty,
            country=one.country,
            licence=one.licence,
            registry=one.registry,
            documents=list(one.documents),
            status=one.status,
            submitted_at=millis_text(one.submitted_at),
            decided_at=decided,
            reason=one.reason,
        )


class ApplicationsAnswer(Answer):
    """Applications; at most 200."""

    items: list[ApplicationAnswer]


@router.post(
    "/me/applications",
    right=Action.APPLY_AS_DOCTOR,
    status_code=201,
    refusals=["clinic_not_found", "application_exists", "too_many_applications"],
)
async def apply_as_doctor(
    request: Request, body: ApplicationBody, caller: CallerDep, grants: GrantsDep
) -> ApplicationAnswer:
    """Apply to work at a clinic, which decides."""
    ports, random = _ports(request), RandomIds()
    if not compared_licence(body.licence):
        raise InvalidRequest("", FieldError("licence", "must have letters or digits"))
    await request.app.state.services.clinics.record(ClinicId(body.clinic_id))
    made = DoctorApplication(
        application_id=random.id("app"),
        account_id=AccountId(caller.account),
        clinic_id=ClinicId(body.clinic_id),
        provider_id=random.id("prv"),
        name=body.name,
        specialty=body.specialty,
        country=body.country,
        licence=body.licence,
        registry=body.registry,
        documents=body.documents,
        status=ApplicationStatus.SUBMITTED,
        submitted_at=ports.clock.now(),
    )
    await granted(
        applications_of(request).submit(made),
        "not_found",
        exists=ApplicationExists,
        full=TooManyApplications,
    )
    await grants.audited(
        caller, Action.APPLY_AS_DOCTOR, made.clinic_id, application=made.application_id
    )
    return ApplicationAnswer.of(made)


@router.get("/me/applications", right=Action.APPLY_AS_DOCTOR)
async def list_own_applications(
    request: Request, caller: CallerDep
) -> ApplicationsAnswer:
    """The caller's applications, the newest first."""
    found = await applications_of(request).of_account(AccountId(caller.account))
    return ApplicationsAnswer(items=[ApplicationAnswer.of(one) for one in found])


@router.delete(
    "/me/applications/{application_id}",
    right=Action.APPLY_AS_DOCTOR,
    status_code=204,
    refusals=["application_not_found", "application_decided"],
)
async def withdraw_application(
    request: Request, application_id: ApplicationParam, caller: CallerDep
) -> None:
    """Withdraw one's own application."""
    account = AccountId(caller.account)
    mine = await applications_of(request).of_account(account)
    if application_id not in {one.application_id for one in mine}:
        raise NotFound(code="application_not_found")
    await _decide(request, application_id, ApplicationStatus.WITHDRAWN, account)


@router.get("/clinics/{clinic_id}/applications", right=Action.DECIDE_APPLICATION)
async def list_applications(
    request: Request, clinic_id: ClinicParam
) -> ApplicationsAnswer:
    """A clinic's applications, those to be decided first, the oldest first."""
    found = await applications_of(request).of_clinic(ClinicId(clinic_id))
    return ApplicationsAnswer(items=[ApplicationAnswer.of(one) for one in found])


@router.post(
    "/clinics/{clinic_id}/applications/{application_id}/approve",
    right=Action.DECIDE_APPLICATION,
    refusals=[
        "application_not_found",
        "application_decided",
        "role_exists",
        "licence_taken",
        "clinic_retired",
    ],
)
async def approve_application(
    request: Request,
    clinic_id: ClinicParam,
    application_id: ApplicationParam,
    caller: CallerDep,
    grants: GrantsDep,
) -> ApplicationAnswer:
    """Begin the doctor's calendar, and give the account its role.

    The calendar first: repeated after a failure, this completes what is missing.
    """
    found = await _found(request, clinic_id, application_id)
    if found.status is not ApplicationStatus.SUBMITTED:
        raise ApplicationDecided
    await granted(
        applications_of(request).check(application_id),
        "application_not_found",
        ApplicationDecided,
    )
    services = request.app.state.services
    clinic = await services.clinics.record(ClinicId(clinic_id))
    await services.clinics.check_open(clinic.clinic_id)
    key = f"approve {application_id}"
    profile = Profile(name=found.name, specialty=found.specialty, clinic=clinic)
    provider_id = ProviderId(found.provider_id)
    stamp = services.commands.stamp(caller, key, "approve", application_id)
    command = RegisterProvider(provider_id=provider_id, profile=profile, **stamp)
    accepted(await services.commands.send(command), Done)
    try:
        made = await _decide(
            request,
            application_id,
            ApplicationStatus.APPROVED,
            AccountId(caller.account),
        )
    except (ApplicationDecided, RoleExists, LicenceTaken):
        found = await _found(request, clinic_id, application_id)
        if found.status is not ApplicationStatus.APPROVED:
            # Decided otherwise, or not to be approved now: its calendar is not found.
            stamp = services.commands.stamp(caller, None, "undo", application_id)
            undo = SetRetired(provider_id=provider_id, retired=True, **stamp)
            accepted(await services.commands.send(undo), Done)
        raise
    await grants.audited(
        caller, Action.DECIDE_APPLICATION, clinic_id, application=application_id
    )
    return ApplicationAnswer.of(made)


@router.post(
    "/clinics/{clinic_id}/applications/{application_id}/reject",
    right=Action.DECIDE_APPLICATION,
    refusals=["application_not_found", "application_decided"],
)
async def reject_application(
    request: Request,
    clinic_id: ClinicParam,
    application_id: ApplicationParam,
    body: RejectBody,
    caller: CallerDep,
    grants: GrantsDep,
) -> ApplicationAnswer:
    """Reject an application, with the reason."""
    await _found(request, clinic_id, application_id)
    made = await _decide(
        request,
        application_id,
        ApplicationStatus.REJECTED,
        AccountId(caller.account),
        body.reason,
    )
    await grants.audited(
        caller, Action.DECIDE_APPLICATION, clinic_id, application=application_id
    )
    return ApplicationAnswer.of(made)


async def _decide(
    request: Request,
    application_id: str,
    status: ApplicationStatus,
    by: AccountId,
    reason: str = "",
) -> DoctorApplication:
    return await granted(
        applications_of(request).decide(
            application_id,
            status,
            by=by,
            reason=reason,
            membership_id=RandomIds().id("mem"),
            now=_ports(request).clock.now(),
        ),
        "application_not_found",
        ApplicationDecided,
    )


async def _found(
    request: Request, clinic_id: str, application_id: str
) -> DoctorApplication:
    found = await applications_of(request).find(
        application_id, clinic_id=ClinicId(clinic_id)
    )
    if found is None:
        raise NotFound(code="application_not_found")
    return found


def _ports(request: Request) -> GatewayPorts:
    ports: GatewayPorts = request.app.state.ports
    return ports


def applications_of(request: Request) -> DoctorApplications:
    """The store of applications."""
    grants = _ports(request).grants
    assert grants is not None, "mounted only where there are grants"
    return grants.applications
