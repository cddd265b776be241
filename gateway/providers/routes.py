"""Providers over REST: search, profile and slots, all of them public."""

from __future__ import annotations

import math
from typing import Final

from msgspec import json

from actors.domain.calendar.validation import LANGUAGE_MAX
from actors.domain.ids import ClinicId, ProviderId, VisitTypeId, is_provider_id
from actors.domain.messages.refusals import Refusal, RefusalCode
from care.directory.entries import INSURANCE_CHARACTERS_MAX, PRICE_MAX
from gateway.access.rights import Action
from gateway.directory.lists.names import ID_MAX, KM_MAX, RATING, TEXT_MAX
from gateway.directory.roster.matching import Order, Search
from gateway.http.endpoint import CURSOR_QUERY, Call, Operation, Query, limit_query
from gateway.providers.schemas import ProviderBody, ProviderList, SlotsBody
from gateway.providers.search import ProviderSearch
from gateway.providers.service import Moving, ProviderService, Seen
from gateway.providers.slot_pages import tags_in
from gateway.wire.errors import FieldError, InvalidRequest, Refused
from gateway.wire.problems import Headers
from gateway.wire.replies import JSON, NO_STORE, REVALIDATE, VARY, Reply

PAGE: Final = 20
_PAGE_MAX: Final = 100
_VERSION_MAX: Final = 1 << 53
_SEARCH_QUERY: Final = (
    Query(
        "query",
        "Words in names, specialties with their synonyms, clinics and towns; all must "
        "match. The beginning of a word is enough, and it may be misspelt.",
    ),
    Query("specialty", "This specialty, by its id, title or one of its synonyms."),
    Query("clinic_id", "Only providers of this clinic."),
    Query("visit_type", "Only providers who offer it; next_free is then its own."),
    Query("insurance", "Accepted by the provider or their clinic."),
    Query("language", "Spoken by the provider, as de; de finds de-CH too."),
    Query(
        "telehealth",
        "true: only remote visits; next_free is then of these.",
        {"type": "boolean"},
    ),
    Query("accepts_new", "true: only who takes new patients.", {"type": "boolean"}),
    Query(
        "price_max",
        "Greatest price in minor units, as cents; without a price none is found.",
        {"type": "integer", "minimum": 0, "maximum": PRICE_MAX},
    ),
    Query(
        "rating_min",
        "Least mean rating; without ratings none is found.",
        {"type": "number", "minimum": 1, "maximum": 5},
    ),
    Query("near", "Latitude and longitude, as 52.52,13.40."),
    Query("within_km", "Maximum distance from near, in km.", {"type": "number"}),
    Query(
        "sort",
        "soonest: by the next free start, over all matches; distance: needs near; "
        "match: by how well the words match. Default: distance if there is near, else "
        "match if there are words, else name.",
        {"type": "string", "enum": list(Order)},
    ),
    limit_query(PAGE, _PAGE_MAX),
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
        wanted = _wanted_in(call)
        limit = call.query_int("limit", PAGE, 1, _PAGE_MAX)
        order = order_of(call.query("sort"), wanted)
        page = await search.find(wanted, order, call.query("cursor") or "", limit)
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


def _wanted_in(call: Call) -> Search:
    near = near_of(call.query("near"))
    within = _number_in(call, "within_km", 0.0, KM_MAX)
    if within is not None and near is None:
        raise InvalidRequest("", FieldError("within_km", "requires near"))
    price = call.query("price_max")
    clinic, kind = _text_in(call, "clinic_id", ID_MAX), _text_in(call, "visit_type")
    return Search(
        words=_text_in(call, "query"),
        specialty=_text_in(call, "specialty"),
        clinic_id=ClinicId(clinic) if clinic else None,
        visit_type=VisitTypeId(kind) if kind else None,
        insurance=_text_in(call, "insurance", INSURANCE_CHARACTERS_MAX),
        language=_text_in(call, "language", LANGUAGE_MAX),
        telehealth=_flag_in(call, "telehealth"),
        accepts_new=_flag_in(call, "accepts_new"),
        price_max=call.query_int("price_max", 0, 0, PRICE_MAX) if price else None,
        rating_min=_number_in(call, "rating_min", *RATING),
        near=near,
        within_km=within,
    )


def order_of(text: str | None, wanted: Search) -> Order:
    """An order by its name; without one, what fits the search.

    Raises InvalidRequest.
    """
    if text is None:
        if wanted.near is not None:
            return Order.DISTANCE
        return Order.MATCH if wanted.words else Order.NAME
    if text not in set(Order):
        message = f"must be one of {', '.join(Order)}"
        raise InvalidRequest("", FieldError("sort", message))
    if text == Order.DISTANCE and wanted.near is None:
        raise InvalidRequest("", FieldError("sort", "distance requires near"))
    return Order(text)


def _text_in(call: Call, name: str, most: int = TEXT_MAX) -> str:
    text = call.query(name) or ""
    if len(text) > most or "\0" in text:
        message = f"must be at most {most} characters of text"
        raise InvalidRequest("", FieldError(name, message))
    return text


def _flag_in(call: Call, name: str) -> bool:
    text = call.query(name) or "false"
    if text not in ("true", "false"):
        raise InvalidRequest("", FieldError(name, "must be true or false"))
    return text == "true"


def _number_in(call: Call, name: str, lowest: float, highest: float) -> float | None:
    text = call.query(name)
    return None if text is None else _number(text, name, lowest, highest)


def near_of(text: str | None) -> tuple[float, float] | None:
    """A place in words, as 52.52,13.40. Raises InvalidRequest."""
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
