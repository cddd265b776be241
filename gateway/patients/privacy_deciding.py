"""``/v1/privacy-requests``: what administrators answer."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import Path, Request

from care.accounts.ids import AccountId
from care.privacy.requests import PrivacyRequest, RequestKind
from gateway.access.rights import Access, Action, Relation
from gateway.access.tokens import Caller, Role
from gateway.http.auditing import note
from gateway.http.features import CallerDep, FeatureRouter
from gateway.patients.privacy import PrivacyService
from gateway.patients.privacy_routes import PrivacyDep
from gateway.patients.privacy_schemas import RequestAnswer, RequestsAnswer
from gateway.wire.errors import Forbidden, NotFound

router = FeatureRouter(prefix="/v1/privacy-requests", tags=["privacy"])

SHOWN_MAX = 200
"""Open requests that are shown at once."""

RequestPath = Annotated[str, Path(description="Which request.", max_length=100)]


@router.get("", right=Action.DECIDE_ERASURE)
async def list_open_requests(
    request: Request, caller: CallerDep, privacy: PrivacyDep
) -> RequestsAnswer:
    """Requests that wait for an answer, those due first first.

    An administrator of a clinic sees those of its patients; those about accounts are
    the platform's.
    """
    access: Access = request.app.state.services.access
    access.decide(caller, Action.DECIDE_ERASURE, Relation.OWN)
    found = await privacy.store.open_requests(limit=SHOWN_MAX)
    shown = [
        one
        for one in found
        if caller.role is Role.ADMIN
        or (one.patient_id and await access.stands_to_patient(caller, one.patient_id))
    ]
    note(request, persons=[one.patient_id for one in shown if one.patient_id])
    return RequestsAnswer(items=[RequestAnswer.of(one) for one in shown])


@router.post(
    "/{request_id}/approve",
    right=Action.DECIDE_ERASURE,
    refusals=["request_not_found", "erasure_refused", "last_admin"],
)
async def approve_request(
    request: Request, request_id: RequestPath, caller: CallerDep, privacy: PrivacyDep
) -> RequestAnswer:
    """Do what was asked: an erasure is done at once, other requests are noted as done.

    An administrator does not decide about themself.
    """
    found = await privacy.store.request(request_id)
    own = await _may_decide(request, caller, found)
    access: Access = request.app.state.services.access
    access.decide(
        caller,
        Action.DECIDE_ERASURE,
        Relation.OWN if own else Relation.OTHER,
        "request_not_found",
    )
    if found is None:
        raise NotFound(code="request_not_found")
    if found.asked_by == caller.account:
        raise Forbidden("Another administrator decides about you.")
    note(request, persons=[found.patient_id] if found.patient_id else [])
    if found.done_at is None:
        report: dict[str, object] = {"decided_by": caller.account}
        if found.kind is RequestKind.ERASE:
            if found.account_id:
                account_id = AccountId(found.account_id)
                done = await privacy.erase_account(account_id, caller)
            else:
                done = await privacy.erase(found.patient_id, caller)
            report |= msgspec.to_builtins(done)
            report.pop("sessions", None)
        await privacy.store.finish(request_id, report, now=privacy.now())
    return await _shown(privacy, request_id)


async def _may_decide(
    request: Request, caller: Caller, found: PrivacyRequest | None
) -> bool:
    """Whether a request is in the caller's reach; a missing one is in none's."""
    if caller.role is Role.ADMIN:
        return True
    if found is None or not found.patient_id:
        return False
    access: Access = request.app.state.services.access
    return await access.stands_to_patient(caller, found.patient_id)


async def _shown(privacy: PrivacyService, request_id: str) -> RequestAnswer:
    found = await privacy.store.request(request_id)
    if found is None:
        raise NotFound(code="request_not_found")
    return RequestAnswer.of(found)
