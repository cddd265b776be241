"""``/v1/me/…``: what people ask about their own data."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Depends, Path, Query, Request
from starlette.responses import JSONResponse, Response

from actors.domain.ids import PatientId
from care.accounts.ids import AccountId
from care.privacy.readable import readable_page
from care.privacy.requests import Consent, RequestKind
from gateway.access.rights import Action
from gateway.http.features import CallerDep, FeatureRouter, Page, PageDep
from gateway.patients.privacy import PrivacyService, own_person
from gateway.patients.privacy_schemas import (
    AccessAnswer,
    AccessesAnswer,
    ConsentAnswer,
    ConsentBody,
    ConsentsAnswer,
    RequestAnswer,
    RequestBody,
    RequestsAnswer,
    RestrictionBody,
)
from gateway.wire.errors import FieldError, InvalidRequest

router = FeatureRouter(prefix="/v1/me", tags=["privacy"])
of_patient_router = FeatureRouter(prefix="/v1/patients", tags=["privacy"])
_EXPORTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/html; charset=utf-8": {"schema": {"type": "string"}},
        }
    }
}


async def privacy_of(request: Request) -> PrivacyService:
    """This gateway's service of privacy."""
    found: PrivacyService = request.app.state.privacy
    return found


PrivacyDep = Annotated[PrivacyService, Depends(privacy_of)]


@router.get(
    "/export",
    right=Action.EXPORT_OWN_DATA,
    refusals=["patient_not_found"],
    response_class=JSONResponse,
    responses=_EXPORTED,
)
async def export_own_data(
    caller: CallerDep,
    privacy: PrivacyDep,
    form: Annotated[
        Literal["json", "html"], Query(alias="format", description="For whom.")
    ] = "json",
) -> Response:
    """All of the caller's data: for programs, or as a page to read."""
    return _exported(await privacy.export(own_person(caller)), form)


@router.get(
    "/account/export",
    right=Action.EXPORT_OWN_ACCOUNT,
    response_class=JSONResponse,
    responses=_EXPORTED,
)
async def export_own_account(
    caller: CallerDep,
    privacy: PrivacyDep,
    form: Annotated[
        Literal["json", "html"], Query(alias="format", description="For whom.")
    ] = "json",
) -> Response:
    """The data of the caller's account, in whatever role; a patient's are apart."""
    return _exported(await privacy.export_account(caller.account), form)


def _exported(found: dict[str, Any], form: str) -> Response:
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="my-data.{form}"',
    }
    if form == "html":
        return Response(readable_page(found), headers=headers, media_type="text/html")
    return Response(
        msgspec.json.encode(found), headers=headers, media_type="application/json"
    )


@router.get("/privacy-requests", right=Action.READ_ACCOUNT)
async def list_own_requests(caller: CallerDep, privacy: PrivacyDep) -> RequestsAnswer:
    """The caller's requests, the newest first."""
    found = await privacy.store.requests(own_person(caller))
    return RequestsAnswer(items=[RequestAnswer.of(one) for one in found])


@router.post("/privacy-requests", right=Action.READ_ACCOUNT, status_code=201)
async def make_request(
    body: RequestBody, caller: CallerDep, privacy: PrivacyDep
) -> RequestAnswer:
    """Ask for something that a person must look at; one of a kind is open at a time."""
    return RequestAnswer.of(
        await privacy.store.ask(
            own_person(caller),
            RequestKind(body.kind),
            caller.account,
            now=privacy.now(),
        )
    )


@router.post("/erasure", right=Action.REQUEST_ERASURE, status_code=201)
async def request_erasure(caller: CallerDep, privacy: PrivacyDep) -> RequestAnswer:
    """Ask to be erased; an administrator decides, within the time that it says."""
    return RequestAnswer.of(
        await privacy.store.ask(
            own_person(caller), RequestKind.ERASE, caller.account, now=privacy.now()
        )
    )


@router.get("/account/privacy-requests", right=Action.READ_ACCOUNT)
async def list_account_requests(
    caller: CallerDep, privacy: PrivacyDep
) -> RequestsAnswer:
    """The requests about the caller's account with all its roles, the newest first."""
    found = await privacy.store.requests_of_account(AccountId(caller.account))
    return RequestsAnswer(items=[RequestAnswer.of(one) for one in found])


@router.post(
    "/account/erasure",
    right=Action.REQUEST_ACCOUNT_ERASURE,
    status_code=201,
    refusals=["last_admin"],
)
async def request_account_erasure(
    caller: CallerDep, privacy: PrivacyDep
) -> RequestAnswer:
    """Ask that one's account be erased, with all its roles and its patient.

    An administrator of the platform decides, within the time that it says. The last
    administrator of a clinic, or of the platform, names another one first.
    """
    return RequestAnswer.of(await privacy.ask_about_account(caller))


@router.put(
    "/restriction",
    right=Action.RESTRICT_OWN_DATA,
    status_code=204,
    refusals=["patient_not_found"],
)
async def restrict_own_data(
    body: RestrictionBody, caller: CallerDep, privacy: PrivacyDep
) -> None:
    """Restrict the use of one's data (GDPR, article 18), or lift that.

    Staff then read, change and book nothing for the patient; visits that are booked
    stay.
    """
    await privacy.restrict(caller, restricted=body.restricted)


@router.get("/consents", right=Action.READ_ACCOUNT)
async def list_consents(caller: CallerDep, privacy: PrivacyDep) -> ConsentsAnswer:
    """What the caller agreed to and took back."""
    found = await privacy.store.consents(own_person(caller))
    return ConsentsAnswer(items=[ConsentAnswer.of(one) for one in found])


@router.post("/consents", right=Action.WRITE_CONSENT, status_code=201)
async def record_consent(
    body: ConsentBody, caller: CallerDep, privacy: PrivacyDep
) -> ConsentAnswer:
    """Agree to something, or take it back: a further line, none is changed."""
    consent = Consent(
        own_person(caller),
        body.purpose,
        body.given,
        privacy.now(),
        body.channel,
        body.version,
        caller.account,
    )
    await privacy.store.record_consent(consent)
    return ConsentAnswer.of(consent)


@router.get("/access-log", right=Action.WHO_SAW_ME)
async def who_saw_me(
    page: PageDep, caller: CallerDep, privacy: PrivacyDep
) -> AccessesAnswer:
    """Who read about the caller, or a schedule that a visit of theirs stands on."""
    return await _seen_by(own_person(caller), page, privacy)


@of_patient_router.get("/{patient_id}/access-log", right=Action.WHO_SAW_ME)
async def who_saw_patient(
    patient_id: Annotated[str, Path(description="The caller.", max_length=100)],
    page: PageDep,
    privacy: PrivacyDep,
) -> AccessesAnswer:
    """As `/v1/me/access-log`: patients alone read it, and their own."""
    return await _seen_by(PatientId(patient_id), page, privacy)


async def _seen_by(
    patient_id: PatientId, page: Page, privacy: PrivacyService
) -> AccessesAnswer:
    """A page of who read about a patient. Raises InvalidRequest."""
    try:
        found, following = await privacy.seen_by(
            patient_id, None, page.cursor or "", page.limit
        )
    except ValueError:
        raise InvalidRequest("", FieldError("cursor", "is not valid")) from None
    return AccessesAnswer(
        items=[AccessAnswer.of(one, msgspec.json.decode(one.body)) for one in found],
        next_cursor=following,
    )
