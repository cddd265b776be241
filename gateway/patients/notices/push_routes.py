"""``/v1/push``: browsers and apps that show notices while they are closed.

A browser subscribes at its maker's push service with this site's public key, and the
app says here where. An app on a phone names its token of Firebase instead. A
subscription is its session's, and ends with it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import ConfigDict, Field

from care.notices.push import (
    DEVICE_CHARACTERS_MAX,
    ENDPOINT_CHARACTERS_MAX,
    PushPorts,
    PushSubscription,
    device_subscription,
    wrong_of,
)
from gateway.access.rights import Action
from gateway.access.tokens import Caller, Identity
from gateway.config import GatewayPorts
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter
from gateway.wire.errors import FieldError, Forbidden, InvalidRequest

router = FeatureRouter(prefix="/v1/push", tags=["notices"], audited=False)


class PushKeyAnswer(Answer):
    """What a browser subscribes with (``applicationServerKey``).

    ``devices``: whether the site also sends to apps, by Firebase.
    """

    public_key: str
    devices: bool


class PushKeysBody(Body):
    """A browser's keys, in base64url."""

    p256dh: str = Field(max_length=100)
    auth: str = Field(max_length=40)


class PushSubscriptionBody(Body):
    """A subscription, as browsers write it (``PushSubscription.toJSON``)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "endpoint": "https://push.example/send/abc",
                "keys": {"p256dh": "B" + 86 * "A", "auth": 22 * "A"},
            }
        }
    )

    endpoint: str = Field(max_length=ENDPOINT_CHARACTERS_MAX)
    keys: PushKeysBody


class DeviceBody(Body):
    """The registration token that Firebase gave an app on this phone."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"token": "dGhpcyBpcyBh:" + 140 * "A"}}
    )

    token: str = Field(max_length=DEVICE_CHARACTERS_MAX)


class EndpointBody(Body):
    """Which browser."""

    endpoint: str = Field(max_length=ENDPOINT_CHARACTERS_MAX)


async def push_of(request: Request) -> PushPorts:
    """The gateway's ports of Web Push."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.push is not None, "mounted only where there is Web Push"
    return ports.push


PushDep = Annotated[PushPorts, Depends(push_of)]


@router.get("/key", right=Action.CHOOSE_NOTICES)
async def push_key(push: PushDep) -> PushKeyAnswer:
    """The public key of this site."""
    return PushKeyAnswer(public_key=push.public_key, devices=push.takes_devices)


@router.post("/subscribe", right=Action.CHOOSE_NOTICES, status_code=204)
async def subscribe_browser(
    request: Request, body: PushSubscriptionBody, caller: CallerDep, push: PushDep
) -> None:
    """Show the caller's notices in this browser, until the session ends."""
    identity = _identity(caller)
    found = PushSubscription(body.endpoint, body.keys.p256dh, body.keys.auth)
    wrong = wrong_of(found, is_open=push.is_open)
    if wrong:
        names = {"endpoint": "endpoint", "p256dh": "keys.p256dh", "auth": "keys.auth"}
        fields = [FieldError(names[name], why) for name, why in wrong.items()]
        raise InvalidRequest("", *fields)
    ports: GatewayPorts = request.app.state.ports
    await push.subscriptions.add(
        identity.account, identity.session, found, now=ports.clock.now()
    )


@router.post("/unsubscribe", right=Action.CHOOSE_NOTICES, status_code=204)
async def unsubscribe_browser(
    body: EndpointBody, caller: CallerDep, push: PushDep
) -> None:
    """Show no notices in this browser any more; again, it has no effect."""
    await push.subscriptions.remove(_identity(caller).account, body.endpoint)


@router.post("/devices", right=Action.CHOOSE_NOTICES, status_code=204)
async def register_device(
    request: Request, body: DeviceBody, caller: CallerDep, push: PushDep
) -> None:
    """Show the caller's notices in this app, until the session ends."""
    identity, found = _identity(caller), _device(body)
    if not push.takes_devices:
        raise InvalidRequest("", FieldError("token", "this site sends to no apps"))
    ports: GatewayPorts = request.app.state.ports
    await push.subscriptions.add(
        identity.account, identity.session, found, now=ports.clock.now()
    )


@router.post("/devices/remove", right=Action.CHOOSE_NOTICES, status_code=204)
async def remove_device(body: DeviceBody, caller: CallerDep, push: PushDep) -> None:
    """Show no notices in this app any more; again, it has no effect."""
    endpoint = _device(body).endpoint
    await push.subscriptions.remove(_identity(caller).account, endpoint)


def _device(body: DeviceBody) -> PushSubscription:
    found = device_subscription(body.token)
    if found is None:
        raise InvalidRequest("", FieldError("token", "must be a token of Firebase"))
    return found


def _identity(caller: Caller) -> Identity:
    if caller.identity is None:
        raise Forbidden("Sign in with an account: a browser belongs to one.")
    return caller.identity
