"""Watched lists over REST: a search becomes the topic on which its list is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct, json
from msgspec.structs import replace

from actors.domain.calendar.validation import LANGUAGE_MAX
from actors.domain.ids import ClinicId, VisitTypeId
from care.directory.entries import INSURANCE_CHARACTERS_MAX, PRICE_MAX
from gateway.access.rights import Action
from gateway.directory.lists.names import (
    ID_MAX,
    KM_MAX,
    MEMBERS_MAX,
    RATING,
    TEXT_MAX,
    BadListName,
    ListQuery,
    list_name,
)
from gateway.directory.roster.matching import Order
from gateway.http.endpoint import Call, Operation
from gateway.providers.routes import PAGE, near_of, order_of
from gateway.wire.bodies import shaped
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.replies import JSON, Reply

_PLAIN: Final = r"^[^\x00]*$"


def _text(most: int) -> Meta:
    return shaped(_PLAIN, "text", max_length=most)


class SearchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A search, by the parameters of GET /v1/providers.

    ``limit``: how many of the first are members of the list.
    """

    query: Annotated[str, _text(TEXT_MAX)] = ""
    specialty: Annotated[str, _text(TEXT_MAX)] = ""
    clinic_id: Annotated[str, _text(ID_MAX)] = ""
    visit_type: Annotated[str, _text(TEXT_MAX)] = ""
    insurance: Annotated[str, _text(INSURANCE_CHARACTERS_MAX)] = ""
    language: Annotated[str, _text(LANGUAGE_MAX)] = ""
    telehealth: bool = False
    accepts_new: bool = False
    price_max: Annotated[int, Meta(ge=0, le=PRICE_MAX)] | None = None
    rating_min: Annotated[float, Meta(ge=RATING[0], le=RATING[1])] | None = None
    near: Annotated[str, Meta(max_length=TEXT_MAX, examples=["52.52,13.40"])] | None = (
        None
    )
    within_km: Annotated[float, Meta(ge=0, le=KM_MAX)] | None = None
    sort: Order | None = None
    limit: Annotated[int, Meta(ge=1, le=MEMBERS_MAX)] = PAGE


class SearchTopic(Struct, frozen=True):
    """The topic of the search's list, for the live socket and the stream."""

    topic: Annotated[str, Meta(examples=["search/eyJvcmRlciI6Im5hbWUifQ"])]


_DECODER: Final = json.Decoder(SearchRequest)


def operations() -> Sequence[Operation]:
    """The operation on watched lists."""
    return [
        Operation(
            method="POST",
            path="/v1/searches",
            action=Action.READ_PROVIDER,
            name="watch_providers",
            summary="The topic on which the list of a search is kept current",
            handler=_topic_of,
            tag="providers",
            body=SearchRequest,
            body_required=False,
            answers={200: SearchTopic},
            example={"query": "dermatologist", "sort": "soonest", "limit": 12},
        )
    ]


async def _topic_of(call: Call) -> Reply:
    asked = call.decode(_DECODER, optional=True)
    near = near_of(asked.near or None)
    if asked.within_km is not None and near is None:
        raise InvalidRequest("", FieldError("within_km", "requires near"))
    wanted = ListQuery(
        words=asked.query,
        specialty=asked.specialty,
        clinic_id=ClinicId(asked.clinic_id) if asked.clinic_id else None,
        visit_type=VisitTypeId(asked.visit_type) if asked.visit_type else None,
        insurance=asked.insurance,
        language=asked.language,
        telehealth=asked.telehealth,
        accepts_new=asked.accepts_new,
        price_max=asked.price_max,
        rating_min=asked.rating_min,
        near=near,
        within_km=asked.within_km,
        order=Order.NAME,
        count=asked.limit,
    )
    return Reply(200, json.encode(SearchTopic(_topic(wanted, asked.sort))), (JSON,))


def _topic(wanted: ListQuery, sort: Order | None) -> str:
    order = order_of(sort, wanted)
    try:
        return f"search/{list_name(replace(wanted, order=order))}"
    except BadListName as error:
        raise InvalidRequest("", FieldError("query", str(error))) from None
