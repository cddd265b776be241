"""``/v1/providers/…/waiting``: the list as staff see and order it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request

from actors.domain.ids import ProviderId
from gateway.access.rights import Action, Of
from gateway.http.auditing import note
from gateway.http.features import CallerDep, FeatureRouter
from gateway.patients.waiting.routes import EntryPath, WaitingDep
from gateway.patients.waiting.schemas import (
    PriorityBody,
    RemovalBody,
    WaitingListAnswer,
)

router = FeatureRouter(prefix="/v1/providers", tags=["waiting list"])

ProviderPath = Annotated[str, Path(max_length=100, description="Which provider.")]


@router.get(
    "/{provider_id}/waiting",
    right=Action.READ_WAITING,
    refusals=["provider_not_found"],
)
async def read_waiting_list(
    request: Request,
    provider_id: ProviderPath,
    caller: CallerDep,
    waiting: WaitingDep,
) -> WaitingListAnswer:
    """Who waits for this provider or the clinic, in order, and why in this order."""
    found = await waiting.listed(caller, ProviderId(provider_id))
    persons = sorted({one.patient_id for one in found.items})
    note(request, persons=persons, provider_id=provider_id)
    return found


@router.put(
    "/{provider_id}/waiting/{entry_id}/priority",
    right=Action.ORDER_WAITING,
    of=Of.PROVIDER,
    status_code=204,
    refusals=["provider_not_found", "waiting_not_found", "data_restricted"],
)
async def prioritise_waiting(
    request: Request,
    provider_id: ProviderPath,
    entry_id: EntryPath,
    body: PriorityBody,
    caller: CallerDep,
    waiting: WaitingDep,
) -> None:
    """Change a patient's place in the list; the reason stays with it."""
    named = ProviderId(provider_id)
    patient_id = await waiting.prioritise(caller, named, entry_id, body)
    note(request, persons=[patient_id])


@router.post(
    "/{provider_id}/waiting/{entry_id}/remove",
    right=Action.ORDER_WAITING,
    of=Of.PROVIDER,
    status_code=204,
    refusals=["provider_not_found", "waiting_not_found", "data_restricted"],
)
async def remove_waiting(
    request: Request,
    provider_id: ProviderPath,
    entry_id: EntryPath,
    body: RemovalBody,
    caller: CallerDep,
    waiting: WaitingDep,
) -> None:
    """Take a patient off the list. What is offered to them stays so until its end."""
    named = ProviderId(provider_id)
    patient_id = await waiting.remove(caller, named, entry_id, body)
    note(request, persons=[patient_id])
