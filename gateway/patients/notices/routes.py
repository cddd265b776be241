"""``/v1/notices`` and ``/v1/preferences``: what people were told, and want to be."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Path, Request

from actors.domain.ids import Millis
from care.notices.ports import NoticeStores, PersonErased
from gateway.access.rights import Access, Action, Of, Relation
from gateway.access.tokens import Caller
from gateway.config import GatewayPorts
from gateway.http.features import CallerDep, FeatureRouter, PageDep
from gateway.patients.notices.schemas import (
    NoticeAnswer,
    NoticesPage,
    PreferencesAnswer,
    PreferencesBody,
)
from gateway.patients.service import own_patient
from gateway.wire.errors import FieldError, InvalidRequest, NotFound, VersionBehind

router = FeatureRouter(prefix="/v1", tags=["notices"], audited=False)


async def stores_of(request: Request) -> NoticeStores:
    """The gateway's stores of notices."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.notices is not None, "the router is mounted only where there are some"
    return ports.notices


INSTANT_DIGITS_MAX: Final = 15
"""Of the instant in a cursor; more would not fit the column."""
StoresDep = Annotated[NoticeStores, Depends(stores_of)]
NoticePath = Annotated[str, Path(max_length=100)]


@router.get("/notices", right=Action.READ_NOTICES)
async def list_notices(
    page: PageDep, caller: CallerDep, stores: StoresDep
) -> NoticesPage:
    """The inbox of the patient whom the caller is or acts for, the newest first."""
    patient_id, proxy = own_patient(caller), caller.is_proxy
    after = _after(page.cursor)
    found = await stores.inbox.page(
        patient_id, after=after, limit=page.limit, proxy=proxy
    )
    last = found[-1] if len(found) == page.limit else None
    return NoticesPage(
        items=[NoticeAnswer.of(one) for one in found],
        unread=await stores.inbox.unread(patient_id, proxy=proxy),
        next_cursor=f"{last.created_at}.{last.notice_id}" if last else None,
    )


@router.post(
    "/notices/{notice_id}/read",
    right=Action.READ_NOTICES,
    of=Of.FOUND,
    idempotent=False,
    refusals=["notice_not_found"],
)
async def mark_notice_read(
    request: Request, notice_id: NoticePath, caller: CallerDep, stores: StoresDep
) -> NoticeAnswer:
    """Mark a notice as read; again, it stays as it is."""
    access: Access = request.app.state.services.access
    access.decide(caller, Action.READ_NOTICES, Relation.OWN)
    found = await stores.inbox.mark_read(
        own_patient(caller), notice_id, proxy=caller.is_proxy, now=_now(request)
    )
    if found is None:
        raise NotFound(code="notice_not_found")
    return NoticeAnswer.of(found)


@router.get("/preferences", right=Action.CHOOSE_NOTICES)
async def read_preferences(caller: CallerDep, stores: StoresDep) -> PreferencesAnswer:
    """What the caller hears of. A guardian's choices are their own, not the child's."""
    return PreferencesAnswer.of(*await stores.choices.find(_person(caller)))


@router.put(
    "/preferences",
    right=Action.CHOOSE_NOTICES,
    refusals=["patient_not_found", "version_behind"],
)
async def put_preferences(
    request: Request, body: PreferencesBody, caller: CallerDep, stores: StoresDep
) -> PreferencesAnswer:
    """Choose what to hear of, and when phones stay silent."""
    chosen = body.chosen()
    try:
        version = await stores.choices.save(
            _person(caller), chosen, version=body.version, now=_now(request)
        )
    except PersonErased:
        raise NotFound(code="patient_not_found") from None
    if version is None:
        raise VersionBehind
    return PreferencesAnswer.of(chosen, version)


def _person(caller: Caller) -> str:
    """The id that the caller's choices are kept under."""
    if caller.is_proxy and caller.identity is not None:
        return caller.identity.account
    return own_patient(caller)


def _now(request: Request) -> Millis:
    ports: GatewayPorts = request.app.state.ports
    return ports.clock.now()


def _after(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    at, dot, notice_id = cursor.partition(".")
    if not dot or not at.isascii() or not at.isdigit() or len(at) > INSTANT_DIGITS_MAX:
        message = "is not valid; start again without one"
        raise InvalidRequest("", FieldError("cursor", message))
    return int(at), notice_id
