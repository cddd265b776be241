"""``/v1/me/feeds``, and ``/feeds/{secret}.ics`` for calendar programs.

An address is a secret of 256 bits that is shown once and kept as a hash. Programs read
it without a token, ask again with ``If-None-Match``, and get 304 while nothing changed.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Header, Path, Request, Response
from pydantic import ConfigDict, Field

from care.feeds.ports import FeedEntry, FeedLimit, FeedOf, Feeds, NewFeed
from gateway.access.rights import Action, Of
from gateway.access.tokens import Caller, Role
from gateway.config import GatewayConfig, GatewayPorts
from gateway.http.features import ANYONE, Answer, Body, CallerDep, FeatureRouter
from gateway.patients.service import own_patient
from gateway.wire.errors import NotFound, RequestError
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1/me/feeds", tags=["feeds"])
public_router = FeatureRouter(prefix="/feeds", tags=["feeds"], audited=False)

SECRET_BYTES: Final = 32
REFRESH_S: Final = 900
"""How long a program may show a feed without asking."""
_CALENDAR: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/calendar; charset=utf-8": {"schema": {"type": "string"}}}},
    304: {"description": "It has not changed."},
}


class TooManyFeeds(RequestError):
    """The account has ten feeds already; revoke one that is not used any more."""

    code = "feed_limit"


class FeedBody(Body):
    """A feed to be made."""

    model_config = ConfigDict(json_schema_extra={"example": {"label": "My phone"}})

    label: str = Field("Slotcast", min_length=1, max_length=100)


class FeedAnswer(Answer):
    """A feed; ``read_at`` is when a program read it last, to the hour."""

    feed_id: str
    of: FeedOf
    label: str
    created_at: str
    read_at: str | None

    @classmethod
    def fields_of(cls, one: FeedEntry) -> dict[str, Any]:
        """The fields that every answer about a feed has."""
        read = one.read_at
        return {
            "feed_id": one.feed_id,
            "of": one.of,
            "label": one.label,
            "created_at": millis_text(one.created_at),
            "read_at": None if read is None else millis_text(read),
        }


class NewFeedAnswer(FeedAnswer):
    """A feed that was just made: its address, which is not shown again."""

    url: str
    webcal_url: str


class FeedsAnswer(Answer):
    """An account's feeds, the oldest first."""

    items: list[FeedAnswer]


async def feeds_of(request: Request) -> Feeds:
    """The gateway's feeds."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.feeds is not None, "the router is mounted only where there are feeds"
    return ports.feeds


FeedsDep = Annotated[Feeds, Depends(feeds_of)]
FeedPath = Annotated[str, Path(max_length=100, description="Which feed.")]


@router.post("", right=Action.MANAGE_FEEDS, status_code=201, refusals=["feed_limit"])
async def add_feed(
    request: Request, body: FeedBody, caller: CallerDep, feeds: FeedsDep
) -> NewFeedAnswer:
    """Make a feed of one's own visits, as a patient or as a doctor."""
    ports: GatewayPorts = request.app.state.ports
    config: GatewayConfig = request.app.state.config
    of, subject = _subject(caller)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    new = NewFeed(
        f"fed_{ports.tokens()}", caller.account, of, subject, body.label, _hash(secret)
    )
    try:
        made = await feeds.add(new, now=ports.clock.now())
    except FeedLimit:
        raise TooManyFeeds from None
    site = (config.public_url or config.site_url).rstrip("/")
    url = f"{site}/feeds/{secret}.ics"
    webcal = urlsplit(url)._replace(scheme="webcal").geturl()
    return NewFeedAnswer(**FeedAnswer.fields_of(made), url=url, webcal_url=webcal)


@router.get("", right=Action.MANAGE_FEEDS)
async def list_feeds(caller: CallerDep, feeds: FeedsDep) -> FeedsAnswer:
    """The account's feeds."""
    found = await feeds.of_account(caller.account)
    return FeedsAnswer(items=[FeedAnswer(**FeedAnswer.fields_of(o)) for o in found])


@router.delete(
    "/{feed_id}",
    right=Action.MANAGE_FEEDS,
    of=Of.ACCOUNT,
    status_code=204,
    refusals=["feed_not_found"],
)
async def revoke_feed(
    request: Request, feed_id: FeedPath, caller: CallerDep, feeds: FeedsDep
) -> None:
    """End a feed: its address answers 404 from now on."""
    ports: GatewayPorts = request.app.state.ports
    if not await feeds.revoke(caller.account, feed_id, now=ports.clock.now()):
        raise NotFound(code="feed_not_found")


@public_router.get(
    "/{secret}.ics",
    right=ANYONE,
    of=Of.SECRET,
    takes_token=False,
    response_class=Response,
    responses=_CALENDAR,
    refusals=["feed_not_found"],
)
async def read_feed(
    request: Request,
    secret: Annotated[str, Path(max_length=100)],
    feeds: FeedsDep,
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
) -> Response:
    """A feed, as iCalendar. Revoked and unknown addresses are answered alike."""
    ports: GatewayPorts = request.app.state.ports
    text = await feeds.text(_hash(secret), now=ports.clock.now())
    if text is None:
        raise NotFound(code="feed_not_found")
    body = text.encode()
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": f"private, max-age={REFRESH_S}"}
    known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)


def _subject(caller: Caller) -> tuple[FeedOf, str]:
    if caller.role is Role.DOCTOR:
        return FeedOf.PROVIDER, caller.subject
    return FeedOf.PATIENT, own_patient(caller)


def _hash(secret: str) -> str:
    digest = sha256(secret.encode("utf-8", "replace")).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
