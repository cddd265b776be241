"""``/v1/auth/oidc``: leaving for an identity provider, and coming back.

A browser opens these addresses itself, so what goes wrong is told to the page that it
comes back to: ``#error=code``, with the codes of problems.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response

from actors.errors import SchedulingError
from gateway.access.rights import Action, Of
from gateway.accounts.answers import AuthDep, address_of, entered, set_cookies
from gateway.accounts.cross_origin import check_same_origin
from gateway.accounts.needs import FactorAwaited, SignInResult
from gateway.accounts.providers.returning import START_PAGE, Returned, own_path
from gateway.accounts.providers.schemas import (
    DepartureQuery,
    IdentityProviderAnswer,
    IdentityProvidersAnswer,
    LinkBody,
    LinkStartedAnswer,
)
from gateway.accounts.providers.vouching import LinkedNow, ProvedNow, Wish
from gateway.accounts.side import AuthSide
from gateway.http.auditing import audit_act, note
from gateway.http.features import ANYONE, CallerDep, FeatureRouter
from gateway.wire.errors import NotFound, RequestError
from gateway.wire.problems import of_error

router = FeatureRouter(prefix="/v1/auth/oidc", tags=["auth"])

ProviderName = Annotated[
    str, Path(max_length=32, description="`name` of an identity provider.")
]
_FOUND: Final = 302
_GOES_ON: Final = {
    _FOUND: {
        "description": "To the provider, or to a path of this site; `#error=code` "
        "behind it says what went wrong.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}
_TEXT: Final = {"type": "string"}


@router.get("", right=ANYONE)
async def identity_providers(auth: AuthDep) -> IdentityProvidersAnswer:
    """The identity providers that one can sign in by, for the page that offers them."""
    return IdentityProvidersAnswer(
        items=[
            IdentityProviderAnswer(name=one.name, title=one.title)
            for one in auth.vouching.profiles
        ]
    )


@router.get(
    "/{provider}/start",
    right=ANYONE,
    of=Of.FOUND,
    refusals=["not_found"],
    status_code=_FOUND,
    response_class=Response,
    responses=_GOES_ON,
)
async def oidc_start(
    provider: ProviderName,
    request: Request,
    auth: AuthDep,
    asked: Annotated[DepartureQuery, Query()],
) -> Response:
    """Leave for an identity provider, to sign in by it or to register."""
    wish = Wish(
        asked.return_to,
        language=asked.language,
        agent=request.headers.get("user-agent", ""),
        is_remembered=asked.remember,
    )
    try:
        auth.admit_departure(address_of(request))
        departure = await auth.vouching.depart(provider, wish)
    except NotFound:
        raise
    except (RequestError, SchedulingError) as error:
        return _going_on(own_path(asked.return_to), error=of_error(error).code)
    response = _response(departure.url)
    auth.cookies.set_flow(response, departure.secret)
    return response


@router.get(
    "/{provider}/callback",
    right=ANYONE,
    of=Of.FOUND,
    status_code=_FOUND,
    response_class=Response,
    responses=_GOES_ON,
    any_query=True,
    openapi_extra={
        "parameters": [
            {"name": name, "in": "query", "schema": _TEXT, "description": words}
            for name, words in (
                ("code", "What the provider exchanges for tokens."),
                ("state", "As it went to the provider."),
                ("iss", "Which provider answers (RFC 9207)."),
                ("error", "Why there is no code."),
            )
        ]
    },
)
async def oidc_callback(
    provider: ProviderName, request: Request, auth: AuthDep
) -> Response:
    """Come back from an identity provider.

    Ends at a path of this site: signed in, with the refresh token in its cookie; with
    `#flow=…&status=…&factors=…` where a second factor is to follow; with `#linked=…`;
    or with `#error=code`.
    """
    sent = request.query_params
    returned = Returned(
        *(sent.get(name, "") for name in ("code", "state", "iss", "error"))
    )
    page, code = START_PAGE, ""
    try:
        auth.admit_sign_in(address_of(request))
        secret = request.cookies.get(auth.cookies.flow, "")
        waiting = await auth.vouching.awaited(secret, provider, returned.state)
        page = waiting.return_to
        arrived = await auth.vouching.arrive(waiting, returned)
        response = await _arrived(auth, request, page, arrived)
    except (RequestError, SchedulingError) as error:
        code = of_error(error).code
        response = _going_on(page, error=code)
    auth.cookies.clear_flow(response)
    await audit_act(request, "oidc_callback", code, provider=provider)
    return response


@router.post(
    "/{provider}/link",
    right=Action.LINK_IDENTITY,
    idempotent=False,
    refusals=["cross_origin", "session_ended", "not_found"],
)
async def link_identity(
    provider: ProviderName,
    request: Request,
    response: Response,
    body: LinkBody,
    caller: CallerDep,
    auth: AuthDep,
) -> LinkStartedAnswer:
    """Begin to link an identity provider to the caller's account.

    Needs a proof of identity within ten minutes: see `reauthenticate`.
    """
    check_same_origin(request, auth.public_url)
    auth.admit_departure(address_of(request))
    departure = await auth.vouching.depart(provider, Wish(body.return_to), caller)
    auth.cookies.set_flow(response, departure.secret)
    response.headers["cache-control"] = "no-store"
    return LinkStartedAnswer(url=departure.url)


@router.post(
    "/{provider}/prove",
    right=Action.READ_ACCOUNT,
    idempotent=False,
    refusals=["cross_origin", "session_ended", "not_found"],
)
async def prove_by_provider(
    provider: ProviderName,
    request: Request,
    response: Response,
    body: LinkBody,
    caller: CallerDep,
    auth: AuthDep,
) -> LinkStartedAnswer:
    """Begin to prove the caller's identity by signing in at a linked provider again.

    For accounts without a password; others see `reauthenticate`. A session at the
    provider is not enough: it must ask, and say when the person signed in.
    """
    check_same_origin(request, auth.public_url)
    auth.admit_departure(address_of(request))
    wish = Wish(body.return_to)
    departure = await auth.vouching.depart(provider, wish, caller, is_proof=True)
    auth.cookies.set_flow(response, departure.secret)
    response.headers["cache-control"] = "no-store"
    return LinkStartedAnswer(url=departure.url)


async def _arrived(
    auth: AuthSide,
    request: Request,
    page: str,
    arrived: SignInResult | FactorAwaited | LinkedNow | ProvedNow,
) -> Response:
    if isinstance(arrived, ProvedNow):
        note(request, actor=arrived.account_id)
        return _going_on(page, proved=arrived.provider)
    if isinstance(arrived, LinkedNow):
        note(request, actor=arrived.account_id)
        return _going_on(page, linked=arrived.provider)
    if isinstance(arrived, FactorAwaited):
        note(request, actor=arrived.account_id)
        status = "enrol_second_factor" if arrived.is_new else "second_factor"
        factors = ",".join(arrived.factors)
        return _going_on(page, status=status, flow=arrived.flow, factors=factors)
    response = _going_on(page)
    await entered(auth, request, response, arrived)
    set_cookies(auth, response, arrived)
    return response


def _going_on(page: str, **told: str) -> Response:
    """To a path of this site; what is told stays in the browser, behind the ``#``."""
    return _response(f"{page}#{urlencode(told, safe=',')}" if told else page)


def _response(url: str) -> Response:
    headers = {"location": url, "cache-control": "no-store"}
    return Response(status_code=_FOUND, headers=headers)
