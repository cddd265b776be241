"""Retiring, suspending and reinstating a provider over REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import json

from actors.domain.ids import ProviderId
from gateway.access.rights import Action
from gateway.access.tokens import Caller
from gateway.http.endpoint import Call, Operation
from gateway.providers.routes import provider_id_in
from gateway.providers.standing import (
    ProviderStanding,
    RetiredBody,
    SuspendedBody,
    SuspendRequest,
    SuspensionBody,
)
from gateway.wire.replies import JSON, NO_STORE, Reply

_PROVIDER: Final = "/v1/providers/{provider_id}"
Change = Callable[
    [Caller | None, str | None, ProviderId], Awaitable[RetiredBody | SuspendedBody]
]


def operations(standing: ProviderStanding) -> list[Operation]:
    """The operations on whether a provider works."""
    return [
        _change(
            standing.retire,
            "retire",
            Action.RETIRE_PROVIDER,
            RetiredBody,
            "Retire a provider; bookings stay, upcoming ones are listed",
        ),
        _change(
            standing.reinstate,
            "reinstate",
            Action.REINSTATE_PROVIDER,
            RetiredBody,
            "Reinstate a retired or suspended provider",
            "clinic_retired",
        ),
        _suspend(standing),
        _change(
            standing.unsuspend,
            "unsuspend",
            Action.SUSPEND_PROVIDER,
            SuspendedBody,
            "End a suspension, and nothing else",
        ),
        _suspension(standing),
    ]


def _change(
    change: Change,
    verb: str,
    action: Action,
    answer: type,
    summary: str,
    *refusals: str,
) -> Operation:
    async def changed(call: Call) -> Reply:
        key, provider_id = call.idempotency_key(), provider_id_in(call)
        return Reply(200, json.encode(await change(call.caller, key, provider_id)))

    return Operation(
        method="POST",
        path=f"{_PROVIDER}/{verb}",
        action=action,
        name=f"{verb}_provider",
        summary=summary,
        handler=changed,
        tag="staff",
        answers={200: answer},
        refusals=("provider_not_found", *refusals),
    )


def _suspend(standing: ProviderStanding) -> Operation:
    decoder = json.Decoder(SuspendRequest)

    async def suspend(call: Call) -> Reply:
        request = call.decode(decoder, optional=True)
        key, provider_id = call.idempotency_key(), provider_id_in(call)
        body = await standing.suspend(call.caller, key, provider_id, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="POST",
        path=f"{_PROVIDER}/suspend",
        action=Action.SUSPEND_PROVIDER,
        name="suspend_provider",
        summary="Suspend a provider: nothing is booked any more, bookings stay",
        handler=suspend,
        tag="staff",
        body=SuspendRequest,
        example={"reason": "The licence is being examined."},
        body_required=False,
        answers={200: SuspendedBody},
        refusals=("provider_not_found",),
    )


def _suspension(standing: ProviderStanding) -> Operation:
    async def suspension(call: Call) -> Reply:
        body = await standing.suspension(call.caller, provider_id_in(call))
        return Reply(200, json.encode(body), (JSON, NO_STORE))

    return Operation(
        method="GET",
        path=f"{_PROVIDER}/suspension",
        action=Action.READ_SUSPENSION,
        name="read_suspension",
        summary="Whether, why and since when a provider is suspended",
        handler=suspension,
        tag="staff",
        answers={200: SuspensionBody},
        refusals=("provider_not_found",),
    )
