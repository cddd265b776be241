"""``/v1/auth/flows`` and ``/v1/auth/passkey``: finishing a sign-in with a factor.

A flow's id is a secret of the client that began it. Where the refresh token will go
into a cookie, pages of other origins are refused, as at the sign-in itself.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response

from care.accounts.accounts import Delivery
from care.accounts.factors.values import METHODS, FactorId
from care.accounts.ids import AccountId
from gateway.access.rights import Action, Of
from gateway.accounts.answers import (
    AuthDep,
    address_of,
    answered,
    entered,
    set_cookies,
)
from gateway.accounts.cross_origin import check_same_origin
from gateway.accounts.factors.awaiting import Awaiting
from gateway.accounts.factors.enrolment import FactorProof
from gateway.accounts.factors.schemas import (
    CodeBody,
    ConfirmBody,
    EnrolledSignedInAnswer,
    FactorAwaitedAnswer,
    PasskeyBeginBody,
    PasskeyBody,
    PasskeyOptionsAnswer,
    PasskeySignInBody,
    PasskeyStartedAnswer,
    PhoneBody,
    SentAnswer,
    SmsStartedAnswer,
    TotpStartedAnswer,
)
from gateway.accounts.needs import Device, SignInResult
from gateway.accounts.refusals import FlowEnded
from gateway.accounts.schemas import SignedInAnswer
from gateway.accounts.side import AuthSide
from gateway.http.features import ANYONE, CallerDep, FeatureRouter

router = FeatureRouter(prefix="/v1/auth", tags=["auth"])

Flow = Annotated[
    str, Path(min_length=16, max_length=128, description="`flow` of the sign-in.")
]
NewFactor = Annotated[
    str, Path(max_length=100, description="`factor_id` of the factor that was begun.")
]
_CODES = [
    "invalid_code",
    "flow_ended",
    "session_ended",
    "cross_origin",
    "account_disabled",
    "forbidden",
]
_PASSKEYS = ["invalid_credentials", *_CODES]


async def _waiting(request: Request, auth: AuthSide, flow: str) -> Awaiting:
    """What a flow waits for, if the page may go on with it; counted by address."""
    auth.admit_sign_in(address_of(request))
    _, waiting = await auth.checks.waiting(flow)
    _check_page(request, auth, waiting)
    return waiting


def _check_page(request: Request, auth: AuthSide, waiting: Awaiting) -> None:
    if waiting.delivery is Delivery.COOKIE:
        check_same_origin(request, auth.public_url)


async def _signed(
    request: Request, response: Response, auth: AuthSide, signed: SignInResult
) -> SignedInAnswer:
    await entered(auth, request, response, signed)
    return answered(auth, response, signed)


@router.post(
    "/flows/{flow}/totp", right=ANYONE, of=Of.SECRET, idempotent=False, refusals=_CODES
)
async def flow_totp(
    flow: Flow, request: Request, response: Response, body: CodeBody, auth: AuthDep
) -> SignedInAnswer:
    """Finish a sign-in with the code of an authenticator app. Each code works once."""
    await _waiting(request, auth, flow)
    signed = await auth.checks.by_totp(flow, body.code)
    return await _signed(request, response, auth, signed)


@router.post(
    "/flows/{flow}/recovery",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=_CODES,
)
async def flow_recovery(
    flow: Flow, request: Request, response: Response, body: CodeBody, auth: AuthDep
) -> SignedInAnswer:
    """Finish a sign-in with a recovery code. Each works once, and its owner is told."""
    await _waiting(request, auth, flow)
    signed = await auth.checks.by_recovery_code(flow, body.code)
    return await _signed(request, response, auth, signed)


@router.post(
    "/flows/{flow}/sms/send",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["factor_not_found", *_CODES],
)
async def flow_sms_send(flow: Flow, request: Request, auth: AuthDep) -> SentAnswer:
    """Send a code to the account's phone; at most one a minute and five a day."""
    auth.admit_mail(address_of(request))
    await _waiting(request, auth, flow)
    await auth.checks.send_sms(flow)
    return SentAnswer()


@router.post(
    "/flows/{flow}/sms",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["factor_not_found", *_CODES],
)
async def flow_sms(
    flow: Flow, request: Request, response: Response, body: CodeBody, auth: AuthDep
) -> SignedInAnswer:
    """Finish a sign-in with the code that was sent."""
    await _waiting(request, auth, flow)
    signed = await auth.checks.by_sms(flow, body.code)
    return await _signed(request, response, auth, signed)


@router.post(
    "/flows/{flow}/webauthn/options",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["factor_not_found", *_CODES],
)
async def flow_passkey_options(
    flow: Flow, request: Request, auth: AuthDep
) -> PasskeyOptionsAnswer:
    """What to ask the browser for, to finish a sign-in with a passkey."""
    await _waiting(request, auth, flow)
    options = await auth.checks.passkey_options(flow)
    return PasskeyOptionsAnswer(flow=flow, options=options)


@router.post(
    "/flows/{flow}/webauthn",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=_PASSKEYS,
)
async def flow_passkey(
    flow: Flow, request: Request, response: Response, body: PasskeyBody, auth: AuthDep
) -> SignedInAnswer:
    """Finish a sign-in with a passkey."""
    await _waiting(request, auth, flow)
    signed = await auth.checks.by_passkey(flow, body.credential)
    return await _signed(request, response, auth, signed)


# --- the first factor of an account that needs one ---


async def _newcomer(request: Request, auth: AuthSide, flow: str) -> AccountId:
    """Whose first factor a flow adds. Raises FlowEnded: the account has one."""
    waiting = await _waiting(request, auth, flow)
    account_id, _ = await auth.checks.waiting(flow)
    if not waiting.is_new or await auth.enrolment.of_account(account_id):
        raise FlowEnded
    return account_id


@router.post(
    "/flows/{flow}/factors/totp",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["flow_ended", "cross_origin"],
)
async def flow_add_totp(
    flow: Flow, request: Request, auth: AuthDep
) -> TotpStartedAnswer:
    """Begin to add an authenticator app, where the sign-in asks for a factor."""
    account_id = await _newcomer(request, auth, flow)
    return TotpStartedAnswer.of(await auth.enrolment.start_totp(account_id))


@router.post(
    "/flows/{flow}/factors/sms",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["flow_ended", "cross_origin"],
)
async def flow_add_sms(
    flow: Flow, request: Request, body: PhoneBody, auth: AuthDep
) -> SmsStartedAnswer:
    """Begin to add a phone, where the sign-in asks for a factor."""
    auth.admit_mail(address_of(request))
    account_id = await _newcomer(request, auth, flow)
    factor_id = await auth.enrolment.start_sms(account_id, body.phone)
    return SmsStartedAnswer(factor_id=factor_id)


@router.post(
    "/flows/{flow}/factors/passkey",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["flow_ended", "cross_origin"],
)
async def flow_add_passkey(
    flow: Flow, request: Request, auth: AuthDep
) -> PasskeyStartedAnswer:
    """Begin to add a passkey, where the sign-in asks for a factor."""
    account_id = await _newcomer(request, auth, flow)
    return PasskeyStartedAnswer.of(await auth.enrolment.start_passkey(account_id))


@router.post(
    "/flows/{flow}/factors/{factor_id}/confirm",
    right=ANYONE,
    of=Of.SECRET,
    idempotent=False,
    refusals=["factor_limit", *_PASSKEYS],
)
async def flow_confirm_factor(
    flow: Flow,
    factor_id: NewFactor,
    request: Request,
    response: Response,
    body: ConfirmBody,
    auth: AuthDep,
) -> EnrolledSignedInAnswer:
    """Prove the new factor, and finish the sign-in with it."""
    account_id = await _newcomer(request, auth, flow)
    _, waiting = await auth.checks.waiting(flow)
    enrolled = await auth.enrolment.confirm(
        account_id,
        FactorId(factor_id),
        FactorProof(body.code, body.credential, body.label),
        is_first=True,
    )
    method = METHODS[enrolled.factor.kind]
    signed = await auth.checks.finish(flow, waiting, method)
    await entered(auth, request, response, signed)
    in_cookie = set_cookies(auth, response, signed)
    return EnrolledSignedInAnswer.with_codes(signed, enrolled, in_body=not in_cookie)


# --- signing in without a name ---


@router.post(
    "/passkey/options", right=ANYONE, idempotent=False, refusals=["cross_origin"]
)
async def passkey_options(
    request: Request, body: PasskeyBeginBody, auth: AuthDep
) -> PasskeyOptionsAnswer:
    """Begin to sign in with a passkey, which says whose it is."""
    auth.admit_sign_in(address_of(request))
    device = Device(
        delivery=body.delivery,
        agent=request.headers.get("user-agent", ""),
        is_remembered=body.remember,
    )
    if body.delivery is Delivery.COOKIE:
        check_same_origin(request, auth.public_url)
    flow, options = await auth.checks.begin_passkey(device, body.context)
    return PasskeyOptionsAnswer(flow=flow, options=options)


@router.post(
    "/passkey",
    right=ANYONE,
    idempotent=False,
    refusals=["verification_required", *_PASSKEYS],
)
async def passkey_sign_in(
    request: Request, response: Response, body: PasskeySignInBody, auth: AuthDep
) -> SignedInAnswer:
    """Sign in with a passkey: it counts as both factors."""
    auth.admit_sign_in(address_of(request))
    _check_page(request, auth, await auth.checks.passkey_delivery(body.flow))
    signed = await auth.checks.sign_in_by_passkey(body.flow, body.credential)
    return await _signed(request, response, auth, signed)


# --- proving an identity again ---


@router.post(
    "/reauthenticate/flow",
    right=Action.READ_ACCOUNT,
    idempotent=False,
    refusals=["factor_required", "session_ended"],
)
async def reauthenticate_flow(caller: CallerDep, auth: AuthDep) -> FactorAwaitedAnswer:
    """Begin to prove the caller's identity again, with a factor, below the flow."""
    return FactorAwaitedAnswer.of(await auth.checks.begin_proof(caller))
