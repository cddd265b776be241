"""``/v1/unsubscribe/{secret}``: the links of messages that stop more of them.

A GET shows and changes nothing: mail programs and scanners follow links. A POST acts,
from the app's page or from the mail program itself (RFC 8058); its body is not read.
Of a person who was erased nothing is kept: their links answer as those of a person who
has stopped these messages before.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Request

from care.notices.links import Stop
from care.notices.ports import NoticeStores, PersonErased
from gateway.access.rights import Of
from gateway.config import GatewayPorts
from gateway.http.features import ANYONE, FeatureRouter
from gateway.patients.notices.routes import StoresDep
from gateway.patients.notices.schemas import StopAnswer
from gateway.wire.errors import NotFound, VersionBehind

router = FeatureRouter(prefix="/v1/unsubscribe", tags=["notices"], audited=False)

SecretPath = Annotated[str, Path(max_length=400, description="The link's secret.")]
DEAD_LINK: Final = "This link is not one of this site's messages."
TRIES: Final = 3
"""The person may be choosing in the app at the same time."""


@router.get("/{secret}", right=ANYONE, of=Of.SECRET, refusals=["link_expired"])
async def show_stop(secret: SecretPath, stores: StoresDep) -> StopAnswer:
    """What a link stops. Nothing changes."""
    stop = await _stop_of(stores, secret)
    chosen, _ = await stores.choices.find(stop.person)
    return StopAnswer.of(stop, wanted=chosen.wants(stop.kind, stop.channel))


@router.post(
    "/{secret}",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["link_expired", "version_behind"],
)
async def stop_messages(
    request: Request, secret: SecretPath, stores: StoresDep
) -> StopAnswer:
    """Stop these messages; again, they stay stopped. The inbox goes on."""
    stop = await _stop_of(stores, secret)
    ports: GatewayPorts = request.app.state.ports
    for _ in range(TRIES):
        chosen, version = await stores.choices.find(stop.person)
        if not chosen.wants(stop.kind, stop.channel):
            return StopAnswer.of(stop, wanted=False)
        without = chosen.with_choice(stop.kind, stop.channel, wanted=False)
        try:
            saved = await stores.choices.save(
                stop.person, without, version=version, now=ports.clock.now()
            )
        except PersonErased:  # in this moment; no message is sent to them either way
            return StopAnswer.of(stop, wanted=False)
        if saved is not None:
            return StopAnswer.of(stop, wanted=False)
    raise VersionBehind


async def _stop_of(stores: NoticeStores, secret: str) -> Stop:
    stop = await stores.stops.read(secret)
    if stop is None:
        raise NotFound(DEAD_LINK, code="link_expired")
    return stop
