"""Providers over REST, for staff: profile, rules, leave and schedule."""

from __future__ import annotations

import re

from msgspec import json

from actors.domain.ids import ProviderId, is_provider_id
from gateway.access.rights import Action
from gateway.http.endpoint import Call, Operation, Query
from gateway.providers.opening_rules import (
    AvailabilityAnswer,
    AvailabilityBody,
    AvailabilityRequest,
)
from gateway.providers.routes import provider_id_in, span_in
from gateway.providers.schemas import (
    ProfileRequest,
    RegisteredBody,
    ScheduleBody,
    TimeOffAnswer,
    TimeOffEffect,
    TimeOffList,
    TimeOffRequest,
)
from gateway.providers.service import ProviderService, RulesVersion
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.replies import JSON, NO_CONTENT, NO_STORE, Reply

_PROVIDER = "/v1/providers/{provider_id}"
_RULES_EXAMPLE = {
    "locations": [
        {
            "time_zone": "Europe/Berlin",
            "weekly": {"monday": [{"opens": "09:00", "closes": "12:00"}]},
        }
    ],
    "visit_types": [{"visit_type": "consult", "title": "Consultation", "minutes": 30}],
}
_DRY_RUN = Query(
    "dry_run",
    "true: report affected bookings and holds without changing anything.",
    {"type": "string", "enum": ["true", "false"]},
)
_RULES_TAG = re.compile(r'"r([0-9]{1,18})"')


def _is_dry_run(call: Call) -> bool:
    text = call.query("dry_run") or "false"
    if text not in ("true", "false"):
        raise InvalidRequest("", FieldError("dry_run", "must be true or false"))
    return text == "true"


def _rules_tag(version: int) -> bytes:
    """The ETag of a version of the rules; ``_known_in`` reads it."""
    return b'"r%d"' % version


def _known_in(call: Call) -> int:
    """The version of the rules in If-Match; 0 for any."""
    text = (call.header(b"if-match") or "*").strip()
    if text == "*":
        return 0
    found = _RULES_TAG.fullmatch(text)
    # A tag of another kind matches no version: it counts as behind all of them.
    return max(1, int(found[1])) if found else 1


def operations(providers: ProviderService) -> list[Operation]:
    """The operations of staff on a provider."""
    return [
        _register(providers),
        _schedule(providers),
        _availability(providers),
        _set_availability(providers),
        _time_off(providers),
        _add_time_off(providers),
        _remove_time_off(providers),
    ]


def _register(providers: ProviderService) -> Operation:
    decoder = json.Decoder(ProfileRequest)

    async def register(call: Call) -> Reply:
        request = call.decode(decoder)
        key, provider_id = call.idempotency_key(), _new_provider_id(call)
        body = await providers.register(call.caller, key, provider_id, request)
        return Reply(200, json.encode(body))

    return Operation(
        method="PUT",
        path=_PROVIDER,
        action=Action.REGISTER_PROVIDER,
        name="register_provider",
        summary="Create a provider's calendar, or change their profile",
        handler=register,
        tag="staff",
        body=ProfileRequest,
        example={
            "name": "Dr. Ada Weiß",
            "specialty": "Cardiology",
            "clinic_id": "cln_1",
        },
        answers={200: RegisteredBody},
        refusals=("provider_not_found", "clinic_not_found", "clinic_retired"),
    )


def _new_provider_id(call: Call) -> ProviderId:
    text = call.path("provider_id")
    if not is_provider_id(text):
        message = "must be prv_ and 1 to 64 letters, digits, - and _"
        raise InvalidRequest("", FieldError("provider_id", message))
    return ProviderId(text)


def _schedule(providers: ProviderService) -> Operation:
    async def schedule(call: Call) -> Reply:
        body = await providers.schedule(
            call.caller, provider_id_in(call), span_in(call)
        )
        return Reply(200, json.encode(body))

    return Operation(
        method="GET",
        path=f"{_PROVIDER}/schedule",
        action=Action.READ_SCHEDULE,
        name="read_schedule",
        summary="Bookings with patients, at most 62 days",
        handler=schedule,
        tag="staff",
        query=(
            Query("from", "A date in the clinic's zone, or an instant; else today."),
            Query(
                "to",
                "End of the range: a date, its whole day included, or an "
                "instant, exclusive. Default: seven days in all.",
            ),
        ),
        answers={200: ScheduleBody},
        refusals=("provider_not_found",),
    )


def _availability(providers: ProviderService) -> Operation:
    async def availability(call: Call) -> Reply:
        body, version = await providers.availability(call.caller, provider_id_in(call))
        etag = (b"etag", _rules_tag(version))
        return Reply(200, json.encode(body), (JSON, NO_STORE, etag))

    return Operation(
        method="GET",
        path=f"{_PROVIDER}/availability",
        action=Action.READ_AVAILABILITY,
        name="read_availability",
        summary="Opening rules and visit types",
        handler=availability,
        tag="staff",
        answers={200: AvailabilityBody},
        refusals=("provider_not_found",),
    )


def _set_availability(providers: ProviderService) -> Operation:
    decoder = json.Decoder(AvailabilityRequest)

    async def set_availability(call: Call) -> Reply:
        request = call.decode(decoder)
        key, provider_id = call.idempotency_key(), provider_id_in(call)
        version = RulesVersion(_known_in(call), _is_dry_run(call))
        body = await providers.set_availability(
            call.caller, key, provider_id, request, version
        )
        if version.dry_run:
            return Reply(200, json.encode(body))
        etag = (b"etag", _rules_tag(body.version))
        return Reply(200, json.encode(body), (JSON, NO_STORE, etag))

    return Operation(
        method="PUT",
        path=f"{_PROVIDER}/availability",
        action=Action.SET_AVAILABILITY,
        name="set_availability",
        summary="Replace opening rules and visit types; "
        "affected bookings stay and are listed",
        handler=set_availability,
        tag="staff",
        query=(_DRY_RUN,),
        body=AvailabilityRequest,
        example=_RULES_EXAMPLE,
        answers={200: AvailabilityAnswer},
        refusals=("provider_not_found", "version_behind"),
    )


def _time_off(providers: ProviderService) -> Operation:
    async def time_off(call: Call) -> Reply:
        body = await providers.time_off(call.caller, provider_id_in(call))
        return Reply(200, json.encode(body))

    return Operation(
        method="GET",
        path=f"{_PROVIDER}/time-off",
        action=Action.READ_TIME_OFF,
        name="list_time_off",
        summary="All leave of a provider",
        handler=time_off,
        tag="staff",
        answers={200: TimeOffList},
        refusals=("provider_not_found",),
    )


def _add_time_off(providers: ProviderService) -> Operation:
    decoder = json.Decoder(TimeOffRequest)

    async def add(call: Call) -> Reply:
        request = call.decode(decoder)
        key, provider_id = call.idempotency_key(), provider_id_in(call)
        if _is_dry_run(call):
            would = await providers.try_time_off(call.caller, provider_id, request)
            return Reply(200, json.encode(would))
        body = await providers.add_time_off(call.caller, key, provider_id, request)
        return Reply(201, json.encode(body))

    return Operation(
        method="POST",
        path=f"{_PROVIDER}/time-off",
        action=Action.ADD_TIME_OFF,
        name="add_time_off",
        summary="Add a leave; the answer lists the affected bookings",
        handler=add,
        tag="staff",
        query=(_DRY_RUN,),
        body=TimeOffRequest,
        answers={201: TimeOffAnswer, 200: TimeOffEffect},
        refusals=("provider_not_found",),
    )


def _remove_time_off(providers: ProviderService) -> Operation:
    async def remove(call: Call) -> Reply:
        key, provider_id = call.idempotency_key(), provider_id_in(call)
        leave = call.path("time_off_id")
        await providers.remove_time_off(call.caller, key, provider_id, leave)
        return NO_CONTENT

    return Operation(
        method="DELETE",
        path=f"{_PROVIDER}/time-off/{{time_off_id}}",
        action=Action.REMOVE_TIME_OFF,
        name="remove_time_off",
        summary="Remove a leave; its time is offered again",
        handler=remove,
        tag="staff",
        answers={204: None},
        refusals=("provider_not_found", "time_off_not_found"),
    )
