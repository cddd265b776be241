"""Holds over REST."""

from __future__ import annotations

from msgspec import json

from gateway.access.rights import Action
from gateway.holds.schemas import HoldBody, HoldList, HoldRequest
from gateway.holds.service import HoldService
from gateway.http.endpoint import Call, Operation
from gateway.wire.replies import NO_CONTENT, Reply

_SLOT_REFUSALS = (
    "slot_unavailable",
    "slot_not_offered",
    "hold_limit",
    "booking_limit",
    "booking_not_found",
    "wrong_status",
    "provider_not_found",
    "patient_not_found",
    "data_restricted",
    "visit_type_not_found",
)

_HOLD_REFUSALS = ("hold_not_found", "hold_expired", "hold_confirmed")


def operations(holds: HoldService) -> list[Operation]:
    """The operations on holds."""
    decoder = json.Decoder(HoldRequest)

    async def place(call: Call) -> Reply:
        request = call.decode(decoder)
        key = call.idempotency_key()
        return Reply(201, json.encode(await holds.place(call.caller, key, request)))

    async def live(call: Call) -> Reply:
        return Reply(200, json.encode(await holds.live(call.caller)))

    async def show(call: Call) -> Reply:
        return Reply(
            200, json.encode(await holds.show(call.caller, call.path("hold_id")))
        )

    async def extend(call: Call) -> Reply:
        key = call.idempotency_key()
        body = await holds.extend(call.caller, key, call.path("hold_id"))
        return Reply(200, json.encode(body))

    async def release(call: Call) -> Reply:
        key = call.idempotency_key()
        await holds.release(call.caller, key, call.path("hold_id"))
        return NO_CONTENT

    return [
        Operation(
            method="POST",
            path="/v1/holds",
            action=Action.PLACE_HOLD,
            name="place_hold",
            summary="Hold a slot for two minutes",
            handler=place,
            tag="holds",
            body=HoldRequest,
            answers={201: HoldBody},
            refusals=_SLOT_REFUSALS,
        ),
        Operation(
            method="GET",
            path="/v1/holds",
            action=Action.LIST_HOLDS,
            name="list_holds",
            summary="The caller's own live holds, in order of placing",
            handler=live,
            tag="holds",
            answers={200: HoldList},
        ),
        Operation(
            method="GET",
            path="/v1/holds/{hold_id}",
            action=Action.READ_HOLD,
            name="read_hold",
            summary="One live hold",
            handler=show,
            tag="holds",
            answers={200: HoldBody},
            refusals=_HOLD_REFUSALS,
        ),
        Operation(
            method="DELETE",
            path="/v1/holds/{hold_id}",
            action=Action.RELEASE_HOLD,
            name="release_hold",
            summary="Release a held slot",
            handler=release,
            tag="holds",
            answers={204: None},
            refusals=(*_HOLD_REFUSALS, "wrong_status"),
        ),
        Operation(
            method="POST",
            path="/v1/holds/{hold_id}/extend",
            action=Action.EXTEND_HOLD,
            name="extend_hold",
            summary="Extend a hold; the answer says how often it can still be extended",
            handler=extend,
            tag="holds",
            answers={200: HoldBody},
            refusals=(*_HOLD_REFUSALS, "hold_limit", "wrong_status", "data_restricted"),
        ),
    ]
