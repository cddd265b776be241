"""``/v1/providers/{provider_id}/busy-calendar``: a doctor's own calendar elsewhere.

Its busy times become time off without a reason (``care/busy``). The address is a
secret: it is taken and sealed, and never shown again.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import ConfigDict, Field

from actors.domain.ids import Millis, ProviderId
from care.busy.ports import (
    ADDRESS_CHARACTERS_MAX,
    BusyCalendar,
    BusyFailure,
    BusyPorts,
    checked_address,
)
from gateway.access.rights import Action
from gateway.config import GatewayPorts
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.formats import millis_text, minute_text

router = FeatureRouter(
    prefix="/v1/providers/{provider_id}/busy-calendar", tags=["staff"]
)

_WRONG = "must be the https or webcal address of a calendar on the public internet"


class BusyCalendarBody(Body):
    """The address of a calendar in iCalendar format, as other programs give it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://calendar.example/secret.ics"}}
    )

    url: str = Field(min_length=1, max_length=ADDRESS_CHARACTERS_MAX)


class BusyCalendarState(Answer):
    """A calendar whose busy times are imported."""

    host: str = Field(description="The server that has it; the address is a secret.")
    set_at: str
    next_at: str = Field(description="When it is read next.")
    tried_at: str | None
    read_at: str | None = Field(
        description="When the time off was last made as the calendar is."
    )
    failure: BusyFailure | None = Field(
        description="Why the last attempt failed: then nothing was changed."
    )
    failures: int = Field(description="Failed attempts since it was read.")
    spans: int = Field(description="Times off that were made.")
    skipped: int = Field(description="Entries that cannot be read, and take no time.")
    cut_from: str | None = Field(
        description="Busy times from here on are left out, since there are too many."
    )


class BusyCalendarAnswer(Answer):
    """``calendar`` is null if none is imported."""

    calendar: BusyCalendarState | None


async def busy_of(request: Request) -> BusyPorts:
    """The gateway's busy calendars."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.busy is not None, "the router is mounted only where there are some"
    return ports.busy


BusyDep = Annotated[BusyPorts, Depends(busy_of)]
ProviderParam = Annotated[str, Path(description="Which provider.", max_length=100)]


@router.get("", right=Action.MANAGE_BUSY_TIMES, refusals=["provider_not_found"])
async def read_busy_calendar(
    provider_id: ProviderParam, busy: BusyDep
) -> BusyCalendarAnswer:
    """The calendar whose busy times are imported, and how that goes."""
    return _answer(await busy.calendars.find(ProviderId(provider_id)))


@router.put("", right=Action.MANAGE_BUSY_TIMES, refusals=["provider_not_found"])
async def put_busy_calendar(
    request: Request,
    provider_id: ProviderParam,
    body: BusyCalendarBody,
    caller: CallerDep,
    busy: BusyDep,
) -> BusyCalendarAnswer:
    """Import the busy times of a calendar, instead of an earlier one if there is."""
    ports: GatewayPorts = request.app.state.ports
    url = checked_address(body.url, is_open=busy.is_open)
    if url is None:
        raise InvalidRequest("", FieldError("url", _WRONG))
    identity = caller.identity
    assert identity is not None, "the right needs an account"
    made = await busy.calendars.put(
        ProviderId(provider_id),
        f"bsy_{ports.tokens()}",
        url,
        by=(identity.account, identity.grant),
        now=ports.clock.now(),
    )
    return _answer(made)


@router.post(
    "/refresh",
    right=Action.MANAGE_BUSY_TIMES,
    status_code=202,
    refusals=["provider_not_found"],
)
async def refresh_busy_calendar(
    request: Request, provider_id: ProviderParam, busy: BusyDep
) -> BusyCalendarAnswer:
    """Have the calendar read soon; no effect within a minute of the last attempt."""
    ports: GatewayPorts = request.app.state.ports
    await busy.calendars.refresh(ProviderId(provider_id), now=ports.clock.now())
    return _answer(await busy.calendars.find(ProviderId(provider_id)))


@router.delete(
    "",
    right=Action.MANAGE_BUSY_TIMES,
    status_code=204,
    refusals=["provider_not_found"],
)
async def remove_busy_calendar(
    request: Request, provider_id: ProviderParam, busy: BusyDep
) -> None:
    """End the import: the address is deleted, and the time is offered again soon."""
    ports: GatewayPorts = request.app.state.ports
    await busy.calendars.remove(ProviderId(provider_id), now=ports.clock.now())


def _answer(found: BusyCalendar | None) -> BusyCalendarAnswer:
    if found is None:
        return BusyCalendarAnswer(calendar=None)
    return BusyCalendarAnswer(calendar=BusyCalendarState(**_fields(found)))


def _fields(one: BusyCalendar) -> dict[str, Any]:
    return {
        "host": one.host,
        "set_at": millis_text(one.set_at),
        "next_at": millis_text(one.next_at),
        "tried_at": _text(one.tried_at),
        "read_at": _text(one.read_at),
        "failure": one.failure,
        "failures": one.failures,
        "spans": one.spans,
        "skipped": one.skipped,
        "cut_from": None if one.cut_from is None else minute_text(one.cut_from),
    }


def _text(at: Millis | None) -> str | None:
    return None if at is None else millis_text(at)
