"""What routes of signing in share: their gateway's side, and answers with cookies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from care.accounts.accounts import Delivery
from care.accounts.addresses import compared_address
from care.accounts.devices import remembered
from gateway.access.tokens import Caller
from gateway.accounts.needs import SignInResult
from gateway.accounts.schemas import SignedInAnswer
from gateway.accounts.side import AuthSide
from gateway.http.auditing import note
from gateway.http.features import caller_of


async def auth_of(request: Request) -> AuthSide:
    """This gateway's side of signing in."""
    side: AuthSide = request.app.state.auth
    return side


AuthDep = Annotated[AuthSide, Depends(auth_of)]
MaybeCallerDep = Annotated[Caller | None, Depends(caller_of)]


def address_of(request: Request) -> str:
    """Where a request came from; the server resolves trusted proxies."""
    return request.client.host if request.client else ""


def set_cookies(auth: AuthSide, response: Response, signed: SignInResult) -> bool:
    """Put a new refresh token into its cookie, if it belongs there; whether it does."""
    in_cookie = signed.session.delivery is Delivery.COOKIE
    if in_cookie and signed.refresh:
        kept_s = signed.session.idle_ms // 1000
        auth.cookies.set_refresh(
            response, signed.refresh, kept_s if signed.session.is_remembered else None
        )
    response.headers["cache-control"] = "no-store"
    return in_cookie


def answered(
    auth: AuthSide, response: Response, signed: SignInResult
) -> SignedInAnswer:
    """The answer with its tokens, the refresh token in its cookie if it goes there."""
    in_cookie = set_cookies(auth, response, signed)
    return SignedInAnswer.of(signed, in_body=not in_cookie)


async def entered(
    auth: AuthSide, request: Request, response: Response, signed: SignInResult
) -> None:
    """Record the account that signed in: for the audit, and in the device cookie."""
    session = signed.session
    note(request, actor=session.account_id, session=session.session_id)
    if signed.session.delivery is not Delivery.COOKIE:
        return
    account = await auth.stores.accounts.find(signed.session.account_id)
    if account is None:
        return
    cookie = request.cookies.get(auth.cookies.device, "")
    new = auth.random.id("dev").removeprefix("dev_")
    address = compared_address(account.email)
    auth.cookies.set_device(response, remembered(auth.key, cookie, address, new))
