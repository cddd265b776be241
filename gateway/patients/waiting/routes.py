"""``/v1/waiting``: what a patient waits for, and what is offered to them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Path, Request, Response

from gateway.access.rights import Action, Of
from gateway.http.features import CallerDep, FeatureRouter
from gateway.patients.waiting.schemas import (
    OffersAnswer,
    OwnWaitingAnswer,
    PauseBody,
    WaitingBody,
    WaitingsAnswer,
    WishesBody,
)
from gateway.patients.waiting.service import WaitingService

router = FeatureRouter(prefix="/v1/waiting", tags=["waiting list"])

_BOOKING: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The booking",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/BookingBody"}}
        },
    }
}
_HOLD_REFUSALS: Final = ["hold_not_found", "hold_expired", "hold_confirmed"]


async def waiting_of(request: Request) -> WaitingService:
    """This gateway's waiting list."""
    found: WaitingService = request.app.state.waiting
    return found


WaitingDep = Annotated[WaitingService, Depends(waiting_of)]
EntryPath = Annotated[str, Path(max_length=100, description="Which entry.")]
HoldPath = Annotated[str, Path(max_length=110, description="Which offered slot.")]


@router.post(
    "",
    right=Action.WAIT,
    status_code=201,
    refusals=["waiting_limit", "provider_not_found", "booking_not_found"],
)
async def join_waiting_list(
    body: WaitingBody, caller: CallerDep, waiting: WaitingDep
) -> OwnWaitingAnswer:
    """Wait for a time. What becomes free and fits is offered in turn."""
    return await waiting.join(caller, body)


@router.get("", right=Action.WAIT)
async def list_waiting(caller: CallerDep, waiting: WaitingDep) -> WaitingsAnswer:
    """What the patient waits for."""
    return WaitingsAnswer(items=await waiting.own(caller))


@router.get("/offers", right=Action.WAIT)
async def list_offers(caller: CallerDep, waiting: WaitingDep) -> OffersAnswer:
    """What is offered to the patient now; ``me`` shows the same as holds."""
    return OffersAnswer(items=await waiting.offers(caller))


@router.post(
    "/offers/{hold_id}/accept",
    right=Action.WAIT,
    of=Of.FOUND,
    response_class=Response,
    responses=_BOOKING,
    refusals=[
        *_HOLD_REFUSALS,
        "booking_not_found",
        "booking_limit",
        "overlap",
        "slot_not_offered",
        "resource_unavailable",
        "too_late",
        "wrong_status",
    ],
)
async def accept_offer(
    hold_id: HoldPath, caller: CallerDep, waiting: WaitingDep
) -> Response:
    """Book the slot, in place of the visit that it was waited for with.

    That visit moves there, or is cancelled right after if it is with another provider.
    """
    booked = await waiting.accept(caller, hold_id)
    return Response(booked, media_type="application/json")


@router.post(
    "/offers/{hold_id}/decline",
    right=Action.WAIT,
    of=Of.FOUND,
    status_code=204,
    refusals=_HOLD_REFUSALS,
)
async def decline_offer(
    hold_id: HoldPath, caller: CallerDep, waiting: WaitingDep
) -> None:
    """Leave the slot to the next who waits. Three such answers pause an entry."""
    await waiting.decline(caller, hold_id)


@router.put(
    "/{entry_id}",
    right=Action.WAIT,
    of=Of.FOUND,
    status_code=204,
    refusals=["waiting_not_found"],
)
async def change_waiting(
    entry_id: EntryPath, body: WishesBody, caller: CallerDep, waiting: WaitingDep
) -> None:
    """Change which times are waited for. The entry keeps its place."""
    await waiting.change(caller, entry_id, body)


@router.patch(
    "/{entry_id}",
    right=Action.WAIT,
    of=Of.FOUND,
    status_code=204,
    refusals=["waiting_not_found"],
)
async def pause_waiting(
    entry_id: EntryPath, body: PauseBody, caller: CallerDep, waiting: WaitingDep
) -> None:
    """Pause an entry, which keeps its place, or go on."""
    await waiting.pause(caller, entry_id, paused=body.paused)


@router.delete(
    "/{entry_id}",
    right=Action.WAIT,
    of=Of.FOUND,
    status_code=204,
    refusals=["waiting_not_found"],
)
async def leave_waiting_list(
    entry_id: EntryPath, caller: CallerDep, waiting: WaitingDep
) -> None:
    """Wait no more."""
    await waiting.leave(caller, entry_id)
