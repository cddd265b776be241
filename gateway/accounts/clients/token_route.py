"""``POST /v1/oauth/token``: client credentials, RFC 6749 section 4.4.

The body is a form and errors are JSON with ``error``, as the standard says, so that
any OAuth library can speak to it; limits answer with problems like everywhere.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final, Literal
from urllib.parse import parse_qs, unquote_plus

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from care.accounts.clients import ApiClient, ClientId
from gateway.accounts.answers import AuthDep, address_of
from gateway.accounts.clients.service import ClientToken, ScopeRefused
from gateway.accounts.side import AuthSide
from gateway.http.auditing import note
from gateway.http.features import ANYONE, Answer, FeatureRouter

router = FeatureRouter(prefix="/v1/oauth", tags=["auth"])

GRANT: Final = "client_credentials"
FIELDS_MAX: Final = 10
_FORM: Final = "application/x-www-form-urlencoded"


class OAuthTokenAnswer(Answer):
    """An access token, RFC 6749 section 5.1; there is no refresh token."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of the wire
    expires_in: int
    scope: str


class OAuthErrorAnswer(Answer):
    """An error, RFC 6749 section 5.2."""

    error: Literal[
        "invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"
    ]
    error_description: str


class _OAuthError(Exception):
    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@router.post(
    "/token",
    right=ANYONE,
    takes_token=False,
    idempotent=False,
    response_model=OAuthTokenAnswer,
    responses={400: {"model": OAuthErrorAnswer}, 401: {"model": OAuthErrorAnswer}},
    refusals=["unauthenticated"],
    openapi_extra={
        "requestBody": {
            "description": "`grant_type=client_credentials`, and `scope` if less than "
            "all is wanted; the client's id and secret by HTTP Basic.",
            "required": True,
            "content": {
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"type": "string", "enum": [GRANT]},
                            "scope": {"type": "string"},
                        },
                    },
                }
            },
        }
    },
)
async def oauth_token(request: Request, auth: AuthDep) -> Response:
    """An access token for an API client, by its id and secret (HTTP Basic)."""
    auth.admit_sign_in(address_of(request))
    try:
        client, token = await _granted(request, auth)
    except _OAuthError as error:
        return _refused(error)
    note(request, actor=client.client_id, clinic_id=client.clinic_id)
    answer = OAuthTokenAnswer(
        access_token=token.access,
        expires_in=token.expires_in_s,
        scope=" ".join(token.scopes),
    )
    return JSONResponse(answer.model_dump(), headers={"cache-control": "no-store"})


async def _granted(request: Request, auth: AuthSide) -> tuple[ApiClient, ClientToken]:
    """The client of a request, and its token. Raises _OAuthError."""
    form = await _form_of(request)
    client_id, secret = _credentials_of(request)
    scopes = form.get("scope", "").split()
    try:
        found = await auth.clients.token(ClientId(client_id), secret, scopes)
    except ScopeRefused:
        raise _OAuthError(
            "invalid_scope", "the client does not have this scope"
        ) from None
    if found is None:
        raise _OAuthError("invalid_client", "unknown client, or a wrong secret")
    return found


async def _form_of(request: Request) -> dict[str, str]:
    """The fields of the form, each given once. Raises _OAuthError."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != _FORM:
        raise _OAuthError("invalid_request", f"the body must be {_FORM}")
    try:
        found = parse_qs(
            (await request.body()).decode(),
            keep_blank_values=True,
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise _OAuthError("invalid_request", "the form cannot be read") from None
    if any(len(values) > 1 for values in found.values()):
        raise _OAuthError("invalid_request", "a field is given twice")
    form = {name: values[0] for name, values in found.items()}
    if form.get("grant_type") != GRANT:
        raise _OAuthError("unsupported_grant_type", f"only {GRANT} is supported")
    return form


def _credentials_of(request: Request) -> tuple[str, str]:
    """Id and secret of the Authorization header. Raises _OAuthError."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        text = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        text = ""
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _OAuthError(
            "invalid_client", "send the client's id and secret by HTTP Basic"
        )
    # RFC 6749, section 2.3.1: both are encoded as in a form.
    return unquote_plus(client_id), unquote_plus(secret)


def _refused(error: _OAuthError) -> Response:
    is_client = error.error == "invalid_client"
    headers = {"cache-control": "no-store"}
    if is_client:
        headers["www-authenticate"] = 'Basic realm="slotcast"'
    return JSONResponse(
        {"error": error.error, "error_description": str(error)},
        401 if is_client else 400,
        headers,
    )
