"""``/v1/providers/{provider_id}/leaves``: visits that leave affects, for staff.

A leave is closed once each patient's visit is resolved: moved, cancelled, kept, or
settled elsewhere. Of two choices at one time one is carried out.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Path, Request

from actors.domain.ids import BookingId, ProviderId, TimeOffId
from care.leave.visits import LeaveVisit
from gateway.access.rights import Action
from gateway.http.auditing import note
from gateway.http.features import CallerDep, FeatureRouter
from gateway.providers.leave.schemas import (
    ChooseBody,
    LeaveProgressAnswer,
    LeaveQueueAnswer,
    LeavesAnswer,
)
from gateway.providers.leave.service import LeaveService

router = FeatureRouter(prefix="/v1/providers/{provider_id}/leaves", tags=["staff"])

_VISIT: Final = "/{time_off_id}/visits/{booking_id}"
_REFUSALS: Final = [
    "provider_not_found",
    "time_off_not_found",
    "booking_not_found",
    "already_settled",
    "data_restricted",
]
ProviderParam = Annotated[str, Path(description="Which provider.", max_length=100)]
LeaveParam = Annotated[str, Path(description="Which leave.", max_length=110)]
BookingParam = Annotated[str, Path(description="Which visit.", max_length=110)]


async def leave_service(request: Request) -> LeaveService:
    """The gateway's queue of visits that leave affects."""
    service: LeaveService = request.app.state.leave
    return service


ServiceDep = Annotated[LeaveService, Depends(leave_service)]


async def row_of(
    request: Request,
    provider_id: ProviderParam,
    time_off_id: LeaveParam,
    booking_id: BookingParam,
    service: ServiceDep,
) -> LeaveVisit:
    """The row that the path names; its patient is in the audit trail's entry."""
    row = await service.row(
        ProviderId(provider_id), TimeOffId(time_off_id), BookingId(booking_id)
    )
    note(request, persons=[row.patient_id])
    return row


RowDep = Annotated[LeaveVisit, Depends(row_of)]


@router.get("", right=Action.READ_LEAVE_VISITS, refusals=["provider_not_found"])
async def list_leaves(provider_id: ProviderParam, service: ServiceDep) -> LeavesAnswer:
    """How far each leave with affected visits is."""
    found = await service.leaves(ProviderId(provider_id))
    return LeavesAnswer(items=[LeaveProgressAnswer.of(one) for one in found])


@router.get(
    "/{time_off_id}/visits",
    right=Action.READ_LEAVE_VISITS,
    refusals=["provider_not_found", "time_off_not_found"],
)
async def read_leave_visits(
    request: Request,
    provider_id: ProviderParam,
    time_off_id: LeaveParam,
    caller: CallerDep,
    service: ServiceDep,
) -> LeaveQueueAnswer:
    """The visits that a leave affects, with times that stand in for each."""
    return await _queue(request, service, caller, provider_id, time_off_id)


@router.post(
    f"{_VISIT}/choose",
    right=Action.SETTLE_LEAVE_VISIT,
    refusals=[*_REFUSALS, "slot_unavailable", "slot_not_offered"],
)
async def choose_for_patient(
    request: Request, body: ChooseBody, row: RowDep, caller: CallerDep, svc: ServiceDep
) -> LeaveQueueAnswer:
    """Move a visit to a proposed time of this clinic, as the patient wishes."""
    await svc.choose_by_staff(caller, row, body.chosen())
    return await _queue(request, svc, caller, row.provider_id, row.time_off_id)


@router.post(f"{_VISIT}/cancel", right=Action.SETTLE_LEAVE_VISIT, refusals=_REFUSALS)
async def cancel_leave_visit(
    request: Request, row: RowDep, caller: CallerDep, svc: ServiceDep
) -> LeaveQueueAnswer:
    """Cancel a visit, as the patient wishes."""
    await svc.cancel_by_staff(caller, row)
    return await _queue(request, svc, caller, row.provider_id, row.time_off_id)


@router.post(f"{_VISIT}/keep", right=Action.SETTLE_LEAVE_VISIT, refusals=_REFUSALS)
async def keep_leave_visit(
    request: Request, row: RowDep, caller: CallerDep, svc: ServiceDep
) -> LeaveQueueAnswer:
    """Say that a visit takes place all the same; nothing is moved."""
    await svc.keep(caller, row)
    return await _queue(request, svc, caller, row.provider_id, row.time_off_id)


async def _queue(
    request: Request,
    service: LeaveService,
    caller: Any,
    provider_id: str,
    time_off_id: str,
) -> LeaveQueueAnswer:
    shown = await service.queue(caller, ProviderId(provider_id), TimeOffId(time_off_id))
    if request.method == "GET":
        note(request, persons=sorted({one.patient_id for one in shown.rows}))
    return LeaveQueueAnswer.shown(shown)
