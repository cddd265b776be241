"""Says who sends a push message: VAPID (RFC 8292), a token for each service."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)

from actors.domain.ids import Millis
from persistence.notices.push.sealing import public_point

TOKEN_S: Final = 12 * 3_600
"""How long a token holds; services take a day at most."""
_FRESH_S: Final = TOKEN_S // 2
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256's group."""
_TOKENS_MAX: Final = 64
"""Services whose tokens are kept: browsers have a handful."""


def vapid_key(secret: bytes) -> EllipticCurvePrivateKey:
    """The key pair of a site from its secret of 32 random bytes."""
    number = int.from_bytes(secret) % (_ORDER - 1) + 1
    return derive_private_key(number, SECP256R1())


def public_text(key: EllipticCurvePrivateKey) -> str:
    """The public key as browsers and services take it."""
    return urlsafe_b64encode(public_point(key)).decode().rstrip("=")


class Vapid:
    """Makes the header of requests to push services.

    ``contact`` is where their operators find the site's: mailto or https.
    """

    def __init__(self, key: EllipticCurvePrivateKey, contact: str) -> None:
        self._key = key
        self._contact = contact
        self._public = public_text(key)
        self._tokens: dict[str, tuple[int, str]] = {}

    def header(self, endpoint: str, now: Millis) -> str:
        """The Authorization header for an endpoint."""
        parts = urlsplit(endpoint)
        origin, at = f"{parts.scheme}://{parts.netloc}", now // 1000
        made, token = self._tokens.get(origin, (0, ""))
        if not made <= at < made + _FRESH_S:
            claims = {"aud": origin, "exp": at + TOKEN_S, "sub": self._contact}
            # Imported with the first message: most sites send none, and the worker
            # stays small.
            import jwt

            token = jwt.encode(claims, self._key, algorithm="ES256")
            if len(self._tokens) >= _TOKENS_MAX:
                self._tokens.clear()
            self._tokens[origin] = (at, token)
        return f"vapid t={token}, k={self._public}"
