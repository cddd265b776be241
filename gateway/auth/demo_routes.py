"""``/v1/auth/demo``: one-click people and outgoing messages, on demo sites only."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response

from actors.domain.ids import ProviderId
from care.people.accounts import Delivery, SignInContext
from care.people.factors.values import Method
from care.readmodel import ProviderQuery
from gateway.access.rights import LEVEL_TWO_FACTORS, Access
from gateway.auth.answers import AuthDep, address_of, answered
from gateway.auth.cross_origin import check_same_origin
from gateway.auth.needs import Device
from gateway.auth.schemas import (
    DemoBody,
    DemoMessageAnswer,
    DemoMessagesAnswer,
    SignedInAnswer,
)
from gateway.config import GatewayPorts
from gateway.http.features import ANYONE, FeatureRouter
from gateway.wire.errors import NotFound
from gateway.wire.formats import millis_text

router = FeatureRouter(prefix="/v1/auth/demo", tags=["auth"])

MESSAGES_SHOWN: Final = 50
PATIENT: Final = "pat_1"
"""A patient of the demo region."""


@router.post(
    "", right=ANYONE, idempotent=False, refusals=["provider_not_found", "cross_origin"]
)
async def demo_login(
    request: Request, response: Response, body: DemoBody, auth: AuthDep
) -> SignedInAnswer:
    """Sign in as a person of the demo region, without a password."""
    if body.delivery is Delivery.COOKIE:
        check_same_origin(request, auth.public_url)
    auth.admit_sign_in(address_of(request))
    context = await _context_of(request, body.persona, auth.random.id("mem"))
    account_id = await auth.registration.demo_account(body.persona, context)
    agent = request.headers.get("user-agent", "")
    device = Device(delivery=body.delivery, agent=agent)
    # A demo's people have no factors; they may do what needs one all the same.
    signed = await auth.sign_in.open(
        account_id, device, None, level=LEVEL_TWO_FACTORS, methods=(Method.DEMO,)
    )
    return answered(auth, response, signed)


@router.get("/messages", right=ANYONE)
async def demo_messages(request: Request) -> DemoMessagesAnswer:
    """The messages that this site sent to people: a demo has no mail server."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.outgoing is not None, "mounted only where there are messages"
    return DemoMessagesAnswer(
        items=[
            DemoMessageAnswer(
                message_id=one.message_id,
                channel=one.message.channel.value,
                kind=one.message.kind,
                recipient=one.message.recipient,
                subject=one.message.subject,
                text=one.message.text,
                created_at=millis_text(one.created_at),
                sent_at=None if one.sent_at is None else millis_text(one.sent_at),
            )
            for one in await ports.outgoing.latest(MESSAGES_SHOWN)
        ]
    )


async def _context_of(request: Request, persona: str, grant: str) -> SignInContext:
    if persona == "patient":
        return SignInContext("patient", PATIENT)
    if persona == "admin":
        return SignInContext("admin", "", grant)
    provider_id, clinic_id = await _provider(request)
    subject = provider_id if persona == "doctor" else clinic_id
    return SignInContext(persona, subject, grant, clinic_id)


async def _provider(request: Request) -> tuple[ProviderId, str]:
    """The first provider of the demo region, and their clinic."""
    ports: GatewayPorts = request.app.state.ports
    access: Access = request.app.state.services.access
    for provider_id in await ports.directory.ids(ProviderQuery(), limit=1):
        facts = await access.facts(provider_id)
        if facts is not None:
            return provider_id, facts.clinic_id
    raise NotFound(code="provider_not_found")
