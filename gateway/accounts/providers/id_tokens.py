"""Checks ID tokens: signature, and each claim that a sign-in rests on.

Each check is a function of its own in ``CHECKS``; a test removes them one by one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from actors.domain.ids import Millis
from care.accounts.providers import IdentityProvider

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures by a key that only the issuer has: no HMAC, and never ``none``."""
LEEWAY_S: Final = 60
"""Allowed difference between the issuer's clock and ours."""
AGE_MAX_S: Final = 3600
"""A token that was issued longer ago answers no sign-in of now."""
TOKEN_CHARACTERS_MAX: Final = 16 * 1024
_SUBJECT_CHARACTERS_MAX: Final = 255
"""OpenID Connect Core, section 2."""

Claims = dict[str, Any]


class IdTokenRefused(Exception):
    """It does not hold; says why, without anything of a person."""


class UnknownKey(IdTokenRefused):
    """No key of the issuer has this id: it may be a new one."""


class Expected(Struct, frozen=True):
    """What a token must say. ``nonce`` is empty where none was sent."""

    profile: IdentityProvider
    nonce: str
    now: Millis


def checked_claims(token: str, keys: KeySet, expected: Expected) -> Claims:
    """The claims of a token that holds.

    Raises:
        UnknownKey: it is signed with a key that is not among these.
        IdTokenRefused: it does not hold.
    """
    if not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        raise IdTokenRefused("no ID token, or too long")
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
    except InvalidKeyIdError:
        raise UnknownKey("signed with an unknown key") from None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise IdTokenRefused(f"signature: {type(error).__name__}") from None
    for check in CHECKS:
        check(claims, expected)
    return claims


def _check_issuer(claims: Claims, expected: Expected) -> None:
    if claims.get("iss") != expected.profile.issuer:
        raise IdTokenRefused("iss is another issuer")


def _check_audience(claims: Claims, expected: Expected) -> None:
    """For us, and for no other client beside us that we do not know."""
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if named != [expected.profile.client_id]:
        raise IdTokenRefused("aud is not this client alone")


def _check_party(claims: Claims, expected: Expected) -> None:
    """The party that it was issued to is us; joserfc does not look at it."""
    if claims.get("azp", expected.profile.client_id) != expected.profile.client_id:
        raise IdTokenRefused("azp is another client")


def _check_nonce(claims: Claims, expected: Expected) -> None:
    told = claims.get("nonce", "")
    if not isinstance(told, str) or not hmac.compare_digest(
        told.encode(), expected.nonce.encode()
    ):
        raise IdTokenRefused("nonce is of another sign-in")


def _check_times(claims: Claims, expected: Expected) -> None:
    now_s = expected.now // 1000
    issued, expires = claims.get("iat"), claims.get("exp")
    begins = claims.get("nbf", issued)
    if not all(type(one) in (int, float) for one in (issued, expires, begins)):
        raise IdTokenRefused("iat or exp is missing")
    assert issued is not None
    assert expires is not None
    assert begins is not None
    if expires <= now_s - LEEWAY_S:
        raise IdTokenRefused("it has expired")
    if max(issued, begins) > now_s + LEEWAY_S:
        raise IdTokenRefused("it is of the future: compare the clocks")
    if issued < now_s - AGE_MAX_S:
        raise IdTokenRefused("it was issued long ago")


def _check_subject(claims: Claims, _expected: Expected) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_CHARACTERS_MAX:
        raise IdTokenRefused("sub is missing")


CHECKS: tuple[Callable[[Claims, Expected], None], ...] = (
    _check_issuer,
    _check_audience,
    _check_party,
    _check_nonce,
    _check_times,
    _check_subject,
)
"""All of them must hold."""
