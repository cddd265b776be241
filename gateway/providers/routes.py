"""Providers over REST: search, profile and slots, all of them public."""

from __future__ import annotations

import math
from typing import Final

from msgspec import json

from actors.domain.ids import ProviderId, is_provider_id
from actors.domain.messages.refusals import Refusal, RefusalCode
from care.readmodel import ProviderQuery
from gateway.access.rights import Action
from gateway.http.endpoint import CURSOR_QUERY, Call, Operation, Query, limit_query
from gateway.providers.schemas import ProviderBody, ProviderList, SlotsBody
from gateway.providers.search import ProviderSearch
from gateway.providers.service import Moving, ProviderService, Seen
from gateway.providers.slot_pages import tags_in
from gateway.wire.errors import FieldError, InvalidRequest, Refused
from gateway.wire.problems import Headers
from gateway.wire.replies import JSON, NO_STORE, REVALIDATE, VARY, Reply

_PAGE: Final = 20
_PAGE_MAX: Final = 100
_WORDS_MAX: Final = 200
_KM_MAX: Final = 20_100
"""Half the Earth's circumference, in km."""
_VERSION_MAX: Final = 1 << 53
_SEARCH_QUERY: Final = (
    Query("query", "Prefixes of words in names, specialties, clinics and cities."),
    Query("specialty", "Exactly this specialty."),
    Query("near", "Latitude and longitude, as 52.52,13.40: order by distance."),
    Query("within_km", "Maximum distance from near, in km.", {"type": "number"}),
    Query(
        "sort",
        "soonest: order by the next free start, among the first matches.",
        {"type": "string", "enum": ["soonest", "name"]},
    ),
    limit_query(_PAGE, _PAGE_MAX),
    CURSOR_QUERY,
)
_SPAN: Final = (
    Query("from", "A date in the clinic's zone, or an instant; today if missing."),
    Query(
        "to",
        "End of the range: a date, its whole day included, or an "
        "instant, exclusive; at most 62 days after from. Default: seven days in all.",
    ),
)


def provider_id_in(call: Call) -> ProviderId:
    """The provider in the path. Raises Refused: no provider has such an id."""
    text = call.path("provider_id")
    if not is_provider_id(text):
        raise Refused(Refusal(RefusalCode.PROVIDER_NOT_FOUND))
    return ProviderId(text)


def span_in(call: Call) -> tuple[str | None, str | None]:
    """The bounds in the query."""
    return call.query("from"), call.query("to")


def operations(search: ProviderSearch, providers: ProviderService) -> list[Operation]:
    """The public operations on providers."""
    return [_slots(providers), _search(search), _show(providers)]


def _slots(providers: ProviderService) -> Operation:
    async def slots(call: Call) -> Reply:
        moving = call.query("moving")
        found = await providers.slots(
            provider_id_in(call),
            call.query("visit_type") or "",
            span_in(call),
            Seen(
                call.query_int("at_least", 0, 0, _VERSION_MAX),
                tags_in(call.header(b"if-none-match")),
            ),
            call.query("location_id") or "",
            None if moving is None else Moving(moving, call.caller),
        )
        headers = (REVALIDATE, VARY, (b"etag", found.etag.encode()))
        page = found.page
        if page is None:
            return Reply(304, headers=headers)
        if moving is not None:  # for the caller alone
            return Reply(200, page.body, (JSON, NO_STORE))
        if found.age_s is not None:
            return Reply(200, page.body, _old(found.age_s))
        return Reply(200, page.body, (JSON, *headers), page)

    return Operation(
        method="GET",
        path="/v1/providers/{provider_id}/slots",
        action=Action.READ_SLOTS,
        name="read_slots",
        summary="Slots of one visit type, at most 62 days",
        handler=slots,
        tag="providers",
        query=(
            Query("visit_type", "The visit type; default: the first active one."),
            Query(
                "location_id",
                "Only slots at this place; dates are then those of its zone.",
            ),
            *_SPAN,
            Query(
                "at_least",
                "The version that the answer must have "
                "reached, to read your own write.",
                {"type": "integer", "minimum": 0},
            ),
            Query(
                "moving",
                "A booking of the caller: times that only it occupies count as free.",
            ),
        ),
        answers={200: SlotsBody, 304: None},
        refusals=(
            "provider_not_found",
            "visit_type_not_found",
            "booking_not_found",
            "wrong_status",
        ),
    )


def _old(age_s: int) -> Headers:
    """Headers of a page that its calendar could not confirm; it must not be cached."""
    return (
        JSON,
        NO_STORE,
        (b"age", str(age_s).encode()),
        (b"warning", b'110 - "Response is Stale"'),
    )


def _search(search: ProviderSearch) -> Operation:
    async def find(call: Call) -> Reply:
        query = _query_in(call)
        limit = call.query_int("limit", _PAGE, 1, _PAGE_MAX)
        cursor = call.query("cursor") or ""
        sort = call.query("sort") or "name"
        if sort not in ("name", "soonest"):
            raise InvalidRequest("", FieldError("sort", "must be soonest or name"))
        if sort == "soonest":
            page = await search.by_soonest(query, cursor, limit)
        else:
            page = await search.by_name(query, cursor, limit)
        return Reply(200, json.encode(page), (JSON, REVALIDATE))

    return Operation(
        method="GET",
        path="/v1/providers",
        action=Action.READ_PROVIDER,
        name="list_providers",
        summary="Find providers",
        handler=find,
        tag="providers",
        query=_SEARCH_QUERY,
        answers={200: ProviderList},
    )


def _query_in(call: Call) -> ProviderQuery:
    words, specialty = call.query("query") or "", call.query("specialty") or ""
    for name, text in (("query", words), ("specialty", specialty)):
        if len(text) > _WORDS_MAX or "\0" in text:
            message = f"must be at most {_WORDS_MAX} characters of text"
            raise InvalidRequest("", FieldError(name, message))
    near = _near_in(call)
    within = call.query("within_km")
    if within is not None and near is None:
        raise InvalidRequest("", FieldError("within_km", "requires near"))
    return ProviderQuery(
        words=words,
        specialty=specialty,
        near=near,
        within_km=None
        if within is None
        else _number(within, "within_km", 0.0, _KM_MAX),
    )


def _near_in(call: Call) -> tuple[float, float] | None:
    text = call.query("near")
    if text is None:
        return None
    latitude, comma, longitude = text.partition(",")
    if not comma:
        hint = "must be latitude,longitude, as 52.52,13.40"
        raise InvalidRequest("", FieldError("near", hint))
    return _number(latitude, "near", -90, 90), _number(longitude, "near", -180, 180)


def _number(text: str, field: str, lowest: float, highest: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not lowest <= number <= highest:
        message = f"must be a number from {lowest:g} to {highest:g}"
        raise InvalidRequest("", FieldError(field, message))
    return number


def _show(providers: ProviderService) -> Operation:
    async def show(call: Call) -> Reply:
        body = await providers.show(provider_id_in(call))
        return Reply(200, json.encode(body), (JSON, REVALIDATE))

    return Operation(
        method="GET",
        path="/v1/providers/{provider_id}",
        action=Action.READ_PROVIDER,
        name="read_provider",
        summary="One provider",
        handler=show,
        tag="providers",
        answers={200: ProviderBody},
        refusals=("provider_not_found",),
    )
