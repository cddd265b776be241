"""Clinics over REST."""

from __future__ import annotations

from typing import Final

from msgspec import json

from actors.domain.ids import ClinicId, is_id
from gateway.access.rights import Action
from gateway.directory.clinics.schemas import (
    ClinicBody,
    ClinicDetails,
    ClinicList,
    clinic_body,
    clinic_tag,
)
from gateway.directory.clinics.service import ClinicService
from gateway.http.endpoint import CURSOR_QUERY, Call, Operation, Query, limit_query
from gateway.wire.errors import FieldError, InvalidRequest, NotFound
from gateway.wire.replies import JSON, REVALIDATE, Reply

_PAGE: Final = 20
_PAGE_MAX: Final = 100
_WORDS_MAX: Final = 200


def operations(clinics: ClinicService) -> list[Operation]:
    """The operations on clinics."""
    return [_find(clinics), _show(clinics), _put(clinics)]


def _find(clinics: ClinicService) -> Operation:
    async def find(call: Call) -> Reply:
        words = call.query("query") or ""
        if len(words) > _WORDS_MAX or "\0" in words:
            message = f"must be at most {_WORDS_MAX} characters of text"
            raise InvalidRequest("", FieldError("query", message))
        limit = call.query_int("limit", _PAGE, 1, _PAGE_MAX)
        retired = call.query("retired") or "false"
        if retired not in ("true", "false"):
            raise InvalidRequest("", FieldError("retired", "must be true or false"))
        page = await clinics.find(
            words,
            call.query("cursor") or "",
            limit,
            with_retired=retired == "true",
        )
        return Reply(200, json.encode(page), (JSON, REVALIDATE))

    return Operation(
        method="GET",
        path="/v1/clinics",
        action=Action.READ_CLINIC,
        name="list_clinics",
        summary="Find clinics",
        handler=find,
        tag="clinics",
        query=(
            Query("query", "Prefixes of words in names and cities; all must match."),
            Query(
                "retired",
                "true: retired clinics too.",
                {"type": "string", "enum": ["true", "false"]},
            ),
            limit_query(_PAGE, _PAGE_MAX),
            CURSOR_QUERY,
        ),
        answers={200: ClinicList},
    )


def _show(clinics: ClinicService) -> Operation:
    async def show(call: Call) -> Reply:
        text = call.path("clinic_id")
        if not is_id(text, "cln"):
            raise NotFound(code="clinic_not_found")
        clinic = await clinics.record(ClinicId(text))
        tag = (b"etag", clinic_tag(clinic))
        return Reply(200, json.encode(clinic_body(clinic)), (JSON, REVALIDATE, tag))

    return Operation(
        method="GET",
        path="/v1/clinics/{clinic_id}",
        action=Action.READ_CLINIC,
        name="read_clinic",
        summary="One clinic",
        handler=show,
        tag="clinics",
        answers={200: ClinicBody},
        refusals=("clinic_not_found",),
    )


def _put(clinics: ClinicService) -> Operation:
    decoder = json.Decoder(ClinicDetails)

    async def put(call: Call) -> Reply:
        details = call.decode(decoder)
        text = call.path("clinic_id")
        if not is_id(text, "cln"):
            message = "must be cln_ and 1 to 96 letters, digits, . - and _"
            raise InvalidRequest("", FieldError("clinic_id", message))
        known = (call.header(b"if-match") or "").strip()
        clinic = await clinics.put(call.caller, ClinicId(text), details, known)
        tag = (b"etag", clinic_tag(clinic))
        return Reply(200, json.encode(clinic_body(clinic)), (JSON, tag))

    return Operation(
        method="PUT",
        path="/v1/clinics/{clinic_id}",
        action=Action.PUT_CLINIC,
        name="put_clinic",
        summary="Add a clinic, or replace its record",
        handler=put,
        tag="clinics",
        body=ClinicDetails,
        example={
            "name": "Praxis am Park",
            "time_zone": "Europe/Berlin",
            "address": "Parkweg 1",
            "city": "Berlin",
        },
        answers={200: ClinicBody},
        refusals=("version_behind",),
    )
