"""``/v1/auth/factors``: the caller's second factors, passkeys and recovery codes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response

from care.accounts.factors.values import FactorId
from care.accounts.ids import AccountId, SessionId
from gateway.access.rights import LEVEL_TWO_FACTORS, Action
from gateway.access.tokens import Caller
from gateway.accounts.answers import AuthDep, address_of
from gateway.accounts.factors.enrolment import FactorProof
from gateway.accounts.factors.schemas import (
    ConfirmBody,
    EnrolledAnswer,
    FactorAnswer,
    FactorsAnswer,
    PasskeyStartedAnswer,
    PhoneBody,
    RecoveryCodesAnswer,
    SmsStartedAnswer,
    TotpStartedAnswer,
)
from gateway.accounts.service import identity_of
from gateway.accounts.side import AuthSide
from gateway.http.features import CallerDep, FeatureRouter
from gateway.wire.errors import SecondFactorRequired

router = FeatureRouter(prefix="/v1/auth", tags=["auth"])

FactorPath = Annotated[str, Path(max_length=100, description="Which factor.")]
_PROOFS = ["reauthentication_required", "second_factor_required"]
_BEGIN = [*_PROOFS, "factor_limit", "session_ended"]


async def _may_add(caller: Caller, auth: AuthSide) -> AccountId:
    """Whose factor it is. Raises SecondFactorRequired: there is one, not proved here.

    Otherwise the password alone would add a factor to an account that has one.
    """
    identity = identity_of(caller)
    account_id = AccountId(identity.account)
    if identity.level < LEVEL_TWO_FACTORS and await auth.enrolment.of_account(
        account_id
    ):
        raise SecondFactorRequired
    return account_id


@router.get("/factors", right=Action.READ_ACCOUNT)
async def list_factors(caller: CallerDep, auth: AuthDep) -> FactorsAnswer:
    """The caller's factors; their secrets are not shown again."""
    account_id = AccountId(identity_of(caller).account)
    found = await auth.enrolment.of_account(account_id)
    return FactorsAnswer(
        items=[FactorAnswer.of(one) for one in found],
        recovery_codes_left=await auth.stores.factors.codes_left(account_id),
        required=await auth.sign_in.needs_factor(account_id),
    )


@router.post(
    "/factors/totp",
    right=Action.ADD_FACTOR,
    idempotent=False,
    refusals=_BEGIN,
)
async def add_totp(
    response: Response, caller: CallerDep, auth: AuthDep
) -> TotpStartedAnswer:
    """Begin to add an authenticator app; confirm it with a code."""
    response.headers["cache-control"] = "no-store"
    account_id = await _may_add(caller, auth)
    return TotpStartedAnswer.of(await auth.enrolment.start_totp(account_id))


@router.post(
    "/factors/sms",
    right=Action.ADD_FACTOR,
    idempotent=False,
    refusals=_BEGIN,
)
async def add_sms(
    request: Request, body: PhoneBody, caller: CallerDep, auth: AuthDep
) -> SmsStartedAnswer:
    """Begin to add a phone, or to replace it; confirm it with the code that is sent."""
    auth.admit_mail(address_of(request))
    account_id = await _may_add(caller, auth)
    factor_id = await auth.enrolment.start_sms(account_id, body.phone)
    return SmsStartedAnswer(factor_id=factor_id)


@router.post(
    "/factors/passkey",
    right=Action.ADD_FACTOR,
    idempotent=False,
    refusals=_BEGIN,
)
async def add_passkey(caller: CallerDep, auth: AuthDep) -> PasskeyStartedAnswer:
    """Begin to add a passkey; confirm it with what the browser answers."""
    account_id = await _may_add(caller, auth)
    return PasskeyStartedAnswer.of(await auth.enrolment.start_passkey(account_id))


@router.post(
    "/factors/{factor_id}/confirm",
    right=Action.ADD_FACTOR,
    idempotent=False,
    refusals=["invalid_code", "invalid_credentials", "flow_ended", *_BEGIN],
)
async def confirm_factor(
    factor_id: FactorPath,
    request: Request,
    response: Response,
    body: ConfirmBody,
    caller: CallerDep,
    auth: AuthDep,
) -> EnrolledAnswer:
    """Prove that a new factor works; it counts from now on, also for this session."""
    auth.admit_sign_in(address_of(request))
    account_id = await _may_add(caller, auth)
    enrolled = await auth.enrolment.confirm(
        account_id,
        FactorId(factor_id),
        FactorProof(body.code, body.credential, body.label),
        is_first=identity_of(caller).level < LEVEL_TWO_FACTORS,
    )
    session_id = SessionId(identity_of(caller).session)
    await auth.sign_in.raise_level(session_id, enrolled.factor.kind)
    response.headers["cache-control"] = "no-store"
    return EnrolledAnswer.of(enrolled)


@router.delete(
    "/factors/{factor_id}",
    right=Action.REMOVE_FACTOR,
    status_code=204,
    refusals=["factor_not_found", "factor_required", "session_ended", *_PROOFS],
)
async def remove_factor(
    factor_id: FactorPath, caller: CallerDep, auth: AuthDep
) -> None:
    """Remove a factor; its owner is told. The last one goes with its recovery codes.

    Refused for the last one of an account whose role needs a factor.
    """
    account_id = AccountId(identity_of(caller).account)
    await auth.enrolment.remove(account_id, FactorId(factor_id))


@router.post(
    "/recovery-codes",
    right=Action.ADD_FACTOR,
    idempotent=False,
    refusals=["factor_required", "session_ended", *_PROOFS],
)
async def renew_recovery_codes(
    response: Response, caller: CallerDep, auth: AuthDep
) -> RecoveryCodesAnswer:
    """Ten new recovery codes; those before do not work any more."""
    account_id = await _may_add(caller, auth)
    response.headers["cache-control"] = "no-store"
    codes = await auth.enrolment.renew_codes(account_id)
    return RecoveryCodesAnswer(recovery_codes=list(codes))
