"""Where a browser is sent that leaves for an identity provider."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import urlencode

from msgspec import Struct

from care.accounts.providers import IdentityProvider
from gateway.accounts.providers.issuers import Endpoints
from gateway.accounts.providers.returning import AwaitedReturn


class BrowserDeparture(Struct, frozen=True):
    """How a browser leaves: where to, and with which secret in its cookie."""

    url: str
    secret: str


def departure_url(
    profile: IdentityProvider, endpoints: Endpoints, waiting: AwaitedReturn
) -> str:
    """The address at the provider that a browser is sent to."""
    asked = {
        "response_type": "code",
        "client_id": profile.client_id,
        "redirect_uri": waiting.redirect_uri,
        "scope": " ".join(profile.scopes),
        "state": waiting.state,
    }
    if profile.nonce == "required":
        asked["nonce"] = waiting.nonce
    if profile.pkce == "S256":
        hashed = sha256(waiting.verifier.encode()).digest()
        asked["code_challenge"] = urlsafe_b64encode(hashed).decode().rstrip("=")
        asked["code_challenge_method"] = "S256"
    if waiting.is_proof:
        # A session at the provider is no proof: the person signs in, and the token
        # says when (OpenID Connect Core, 3.1.2.1).
        asked |= {"prompt": "login", "max_age": "0"}
    joint = "&" if "?" in endpoints.authorization else "?"
    return f"{endpoints.authorization}{joint}{urlencode(asked)}"
