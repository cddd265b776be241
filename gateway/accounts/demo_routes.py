"""``/v1/auth/demo``: one-click people and outgoing messages, on demo sites only."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from fastapi import Request, Response

from actors.domain.ids import Millis, PatientId, ProviderId
from care.accounts.accounts import Delivery, SignInContext
from care.accounts.factors.values import Method
from care.accounts.ids import AccountId
from care.grants.values import GrantRefused, GuardianBasis, Guardianship
from care.patients.demo import (
    DEMO_CHILD,
    DEMO_GUARDIAN,
    DEMO_PATIENT,
    DEMO_PROFILES,
)
from care.patients.ports import NewPatient
from care.readmodel import ProviderQuery
from gateway.access.rights import LEVEL_TWO_FACTORS, Access
from gateway.accounts.answers import AuthDep, address_of, answered
from gateway.accounts.cross_origin import check_same_origin
from gateway.accounts.needs import Device, RandomIds, SignInProof
from gateway.accounts.schemas import (
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
_PATIENTS: Final = {"patient": DEMO_PATIENT, "guardian": DEMO_GUARDIAN}


@router.post(
    "",
    right=ANYONE,
    idempotent=False,
    refusals=["provider_not_found", "cross_origin", "forbidden"],
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
    name = None
    if body.persona in _PATIENTS:
        name = await _with_people(request, body.persona, account_id)
    agent = request.headers.get("user-agent", "")
    device = Device(delivery=body.delivery, agent=agent)
    # A demo's people have no factors; they may do what needs one all the same.
    signed = await auth.sign_in.open(
        account_id, device, name, SignInProof((Method.DEMO,), LEVEL_TWO_FACTORS)
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
                html=one.message.html,
                calendar=one.message.calendar,
                status=one.status.value,
                created_at=millis_text(one.created_at),
                sent_at=None if one.sent_at is None else millis_text(one.sent_at),
            )
            for one in await ports.outgoing.latest(MESSAGES_SHOWN)
        ]
    )


async def _context_of(request: Request, persona: str, grant: str) -> SignInContext:
    if persona in _PATIENTS:
        return SignInContext("patient", _PATIENTS[persona])
    if persona in ("admin", "auditor"):
        return SignInContext(persona, "", grant)
    provider_id, clinic_id = await _provider(request)
    subject = provider_id if persona == "doctor" else clinic_id
    return SignInContext(persona, subject, grant, clinic_id)


async def _with_people(
    request: Request, persona: str, account_id: AccountId
) -> str | None:
    """Give patients their names, and the guardian a child; the context to begin in."""
    ports: GatewayPorts = request.app.state.ports
    if ports.patients is None or ports.grants is None:
        return None
    now = ports.clock.now()
    patient_id = _PATIENTS[persona]
    await ports.patients.salt_of(patient_id, now=now)
    found = await ports.patients.find(patient_id)
    if found is not None and not found.profile.name and found.erased_at is None:
        profile = DEMO_PROFILES[patient_id]
        await ports.patients.save_profile(patient_id, profile, version=found.version)
    if persona == "patient":
        return None
    contexts = await ports.accounts.accounts.contexts(account_id)  # type: ignore[union-attr]
    if not any(one.role == "guardian" for one in contexts):
        await _add_child(ports, account_id, now)
        contexts = await ports.accounts.accounts.contexts(account_id)  # type: ignore[union-attr]
    return next(one.name for one in contexts if one.role == "guardian")


async def _add_child(ports: GatewayPorts, account_id: AccountId, now: Millis) -> None:
    assert ports.patients is not None
    assert ports.grants is not None
    random = RandomIds()
    child = NewPatient(PatientId(random.id("pat")), DEMO_CHILD, account_id)
    await ports.patients.add(child, now=now)
    made = Guardianship(
        random.id("grd"),
        account_id,
        child.patient_id,
        "manage",
        GuardianBasis.PARENTAL,
        now,
    )
    with suppress(GrantRefused):
        await ports.grants.guardianships.give(made, now=now)


async def _provider(request: Request) -> tuple[ProviderId, str]:
    """The first provider of the demo region, and their clinic."""
    ports: GatewayPorts = request.app.state.ports
    access: Access = request.app.state.services.access
    for provider_id in await ports.directory.ids(ProviderQuery(), limit=1):
        facts = await access.facts(provider_id)
        if facts is not None:
            return provider_id, facts.clinic_id
    raise NotFound(code="provider_not_found")
