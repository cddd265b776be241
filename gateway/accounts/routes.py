"""``/v1/auth``: registering, signing in and out, passwords."""

from __future__ import annotations

from fastapi import BackgroundTasks, Request, Response

from care.accounts.accounts import Delivery, EndedWhy
from care.accounts.addresses import compared_address
from care.accounts.devices import is_known
from care.accounts.ids import AccountId, SessionId
from care.audit.entries import address_hash
from gateway.access.rights import Action
from gateway.accounts.answers import (
    AuthDep,
    MaybeCallerDep,
    address_of,
    answered,
    entered,
)
from gateway.accounts.cross_origin import check_same_origin
from gateway.accounts.factors.schemas import FactorAwaitedAnswer
from gateway.accounts.needs import Device, FactorAwaited
from gateway.accounts.refusals import SessionEnded
from gateway.accounts.registration import email_of
from gateway.accounts.schemas import (
    AcceptedAnswer,
    ChangeBody,
    ContextBody,
    EmailChangeBody,
    ForgotBody,
    LoginBody,
    LogoutBody,
    ReauthenticateBody,
    RefreshBody,
    RegisterBody,
    ResetBody,
    SignedInAnswer,
    VerifiedAnswer,
    VerifyEmailBody,
)
from gateway.accounts.service import identity_of
from gateway.http.auditing import note
from gateway.http.features import ANYONE, CallerDep, FeatureRouter

router = FeatureRouter(prefix="/v1/auth", tags=["auth"])


@router.post(
    "/register",
    right=ANYONE,
    idempotent=False,
    status_code=202,
    refusals=["password_refused"],
)
async def register(
    request: Request, body: RegisterBody, auth: AuthDep
) -> AcceptedAnswer:
    """Register as a patient; a mail asks to confirm the address.

    The answer is the same for an address that has an account: the mail says so.
    """
    auth.admit_mail(address_of(request))
    await auth.registration.register(body.email, body.password, body.language)
    return AcceptedAnswer()


@router.post("/verify-email", right=ANYONE, idempotent=False, refusals=["link_expired"])
async def verify_email(body: VerifyEmailBody, auth: AuthDep) -> VerifiedAnswer:
    """Confirm an e-mail address with the token of the mail."""
    await auth.registration.verify_email(body.token)
    return VerifiedAnswer()


@router.post(
    "/login",
    right=ANYONE,
    idempotent=False,
    refusals=[
        "invalid_credentials",
        "verification_required",
        "account_disabled",
        "forbidden",
        "cross_origin",
        "password_refused",
    ],
)
async def login(
    request: Request, response: Response, body: LoginBody, auth: AuthDep
) -> SignedInAnswer | FactorAwaitedAnswer:
    """Sign in with address and password.

    Addresses with and without an account are answered alike. An account with a second
    factor, or that needs one, is answered with a flow to go on with.
    """
    in_cookie = body.delivery is Delivery.COOKIE
    if in_cookie:
        check_same_origin(request, auth.public_url)
    auth.admit_sign_in(address_of(request))
    address = compared_address(email_of(body.email))
    note(request, tried=address_hash(auth.key, address))
    cookie = request.cookies.get(auth.cookies.device, "") if in_cookie else ""
    device = Device(
        delivery=body.delivery,
        agent=request.headers.get("user-agent", ""),
        is_known=is_known(auth.key, cookie, address),
        is_remembered=body.remember,
    )
    signed = await auth.sign_in.by_password(
        address, body.password, device, body.context
    )
    if isinstance(signed, FactorAwaited):
        note(request, actor=signed.account_id)
        response.headers["cache-control"] = "no-store"
        return FactorAwaitedAnswer.of(signed)
    await entered(auth, request, response, signed)
    return answered(auth, response, signed)


@router.post(
    "/refresh",
    right=ANYONE,
    idempotent=False,
    audited=False,
    refusals=[
        "session_ended",
        "forbidden",
        "second_factor_required",
        "cross_origin",
    ],
)
async def refresh(
    request: Request, response: Response, body: RefreshBody, auth: AuthDep
) -> SignedInAnswer:
    """The next tokens of a session, from its refresh token.

    Of several requests at one time with the same token each gets the same successor.
    A token that was replaced ends the session if it comes again later.
    """
    token = body.refresh_token
    if token is None:
        check_same_origin(request, auth.public_url)
        token = request.cookies.get(auth.cookies.refresh, "")
    try:
        signed = await auth.sign_in.refresh(
            token, active=body.active, context=body.context
        )
    except SessionEnded:
        raise SessionEnded(headers=auth.cookies.cleared()) from None
    return answered(auth, response, signed)


@router.post(
    "/context",
    right=Action.READ_ACCOUNT,
    idempotent=False,
    refusals=["session_ended", "second_factor_required", "forbidden"],
)
async def switch_context(
    response: Response, body: ContextBody, caller: CallerDep, auth: AuthDep
) -> SignedInAnswer:
    """An access token for another of the account's contexts, in the same session."""
    return answered(auth, response, await auth.sign_in.switch(caller, body.context))


@router.post(
    "/logout",
    right=ANYONE,
    idempotent=False,
    status_code=204,
    refusals=["cross_origin"],
)
async def logout(
    request: Request,
    response: Response,
    body: LogoutBody,
    caller: MaybeCallerDep,
    auth: AuthDep,
) -> None:
    """End the session of the access token, of the refresh token, or all of them.

    The cookie counts only without an access token, so that two identities never mix.
    """
    if caller is not None and caller.identity is not None:
        identity = caller.identity
        if body.everywhere:
            await auth.sign_in.sign_out_everywhere(
                AccountId(identity.account), EndedWhy.SIGNED_OUT
            )
        else:
            await auth.sign_in.sign_out(
                SessionId(identity.session), EndedWhy.SIGNED_OUT
            )
    else:
        token = body.refresh_token
        if token is None:
            check_same_origin(request, auth.public_url)
            token = request.cookies.get(auth.cookies.refresh, "")
        await auth.sign_in.sign_out_by_token(token)
    for name, value in auth.cookies.cleared():
        response.raw_headers.append((name, value))


@router.post(
    "/reauthenticate",
    right=Action.READ_ACCOUNT,
    idempotent=False,
    refusals=[
        "invalid_credentials",
        "invalid_code",
        "session_ended",
        "second_factor_required",
        "account_disabled",
    ],
)
async def reauthenticate(
    request: Request,
    response: Response,
    body: ReauthenticateBody,
    caller: CallerDep,
    auth: AuthDep,
) -> SignedInAnswer:
    """A fresh access token for what needs a proof of identity within ten minutes.

    By the password, or by the code of an authenticator app; for other factors see
    `reauthenticate/flow`.
    """
    auth.admit_sign_in(address_of(request))
    if body.code is not None:
        signed = await auth.checks.prove_by_code(caller, body.code)
    else:
        assert body.password is not None, "one of the two is there"
        signed = await auth.sign_in.reauthenticate(caller, body.password)
    return answered(auth, response, signed)


@router.post(
    "/email/change",
    right=Action.CHANGE_EMAIL,
    idempotent=False,
    status_code=202,
    refusals=["reauthentication_required", "session_ended", "forbidden"],
)
async def change_email(
    request: Request, body: EmailChangeBody, caller: CallerDep, auth: AuthDep
) -> AcceptedAnswer:
    """Ask for another e-mail address: a mail there confirms it, the old one is told.

    The answer is the same for an address that has an account: the mail says so.
    """
    auth.admit_mail(address_of(request))
    await auth.registration.change_email(caller, body.email)
    return AcceptedAnswer()


@router.post("/password/forgot", right=ANYONE, idempotent=False, status_code=202)
async def forgot_password(
    request: Request, body: ForgotBody, auth: AuthDep, after: BackgroundTasks
) -> AcceptedAnswer:
    """Mail a link for a new password, if the address has an account.

    Looked up after the answer, so that its time tells nothing.
    """
    auth.admit_mail(address_of(request))
    after.add_task(auth.registration.forgot, email_of(body.email))
    return AcceptedAnswer()


@router.post(
    "/password/reset",
    right=ANYONE,
    idempotent=False,
    status_code=204,
    refusals=["link_expired", "password_refused"],
)
async def reset_password(request: Request, body: ResetBody, auth: AuthDep) -> None:
    """Set a new password with the token of the mail. All sessions end; sign in."""
    auth.admit_sign_in(address_of(request))
    await auth.registration.reset(body.token, body.password)


@router.post(
    "/password/change",
    right=Action.CHANGE_PASSWORD,
    idempotent=False,
    status_code=204,
    refusals=["reauthentication_required", "session_ended", "password_refused"],
)
async def change_password(body: ChangeBody, caller: CallerDep, auth: AuthDep) -> None:
    """Replace the caller's password; their other sessions end.

    Needs a proof of identity within ten minutes: see `reauthenticate`.
    """
    identity_of(caller)
    await auth.registration.change_password(caller, body.password)
