"""Identity providers that vouch for people, by OpenID Connect: one profile for each.

Providers differ in what they keep of the standard, so each is described; what is not
said is strict. ``PRESETS`` has the departures of well-known ones.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

PROVIDERS_MAX: Final = 20
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|\d+")
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class IdentityProvider(Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's profile.

    ``issuer`` is compared byte by byte with what the provider says of itself. Without
    the three endpoints they are read from its discovery document. ``pkce``: a code is
    bound to the sign-in that asked for it. ``nonce``: so is the ID token.
    ``email_trusted``: an address that the provider calls verified needs no mail of
    ours to confirm it. ``client_auth``: where the secret goes.
    """

    name: str
    issuer: str
    client_id: str
    secret: str
    title: str = ""
    scopes: tuple[str, ...] = ("openid", "email")
    pkce: Literal["S256", "off"] = "S256"
    nonce: Literal["required", "absent"] = "required"
    email_trusted: bool = False
    client_auth: Literal["basic", "post"] = "basic"
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    jwks_uri: str = ""

    @property
    def has_endpoints(self) -> bool:
        """Whether no discovery document is needed."""
        return bool(self.token_endpoint)

    def __repr__(self) -> str:
        """Without the secret: a trace may be logged."""
        return f"IdentityProvider({self.name!r}, {self.issuer!r})"


PRESETS: Final = MappingProxyType[str, dict[str, Any]](
    {
        "google": {
            "issuer": "https://accounts.google.com",
            "title": "Google",
            "client_auth": "post",
            "email_trusted": True,
        },
        # Its discovery document has no token endpoint; its ID token does not say
        # whether the address is verified, so a mail of ours confirms it.
        "facebook": {
            "issuer": "https://www.facebook.com",
            "title": "Facebook",
            "client_auth": "post",
            "authorization_endpoint": "https://www.facebook.com/v23.0/dialog/oauth",
            "token_endpoint": "https://graph.facebook.com/v23.0/oauth/access_token",
            "jwks_uri": "https://www.facebook.com/.well-known/oauth/openid/jwks/",
        },
        # Its ID token has no nonce, and a code_verifier gives invalid_client.
        "linkedin": {
            "issuer": "https://www.linkedin.com/oauth",
            "title": "LinkedIn",
            "client_auth": "post",
            "email_trusted": True,
            "pkce": "off",
            "nonce": "absent",
        },
    }
)
"""Departures of well-known providers from the strict profile."""


def parsed_providers(text: str) -> tuple[IdentityProvider, ...]:
    """The profiles of a JSON list; ``preset`` names one of ``PRESETS``.

    Raises:
        ValueError: it is not understood, or not safe; without what it says.
    """
    if not text:
        return ()
    try:
        listed = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.MsgspecError:
        raise ValueError("must be a JSON list of objects") from None
    if len(listed) > PROVIDERS_MAX:
        raise ValueError(f"has more than {PROVIDERS_MAX} providers")
    found = tuple(_profile(one) for one in listed)
    if len({one.name for one in found}) < len(found):
        raise ValueError("names a provider twice")
    return found


def _profile(given: dict[str, Any]) -> IdentityProvider:
    preset = given.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"presets are {', '.join(PRESETS)}")
    fields = {"name": preset} | PRESETS[preset] if preset is not None else {}
    try:
        profile = msgspec.convert(fields | given, IdentityProvider)
    except msgspec.ValidationError as error:
        # The path of a field and the types; never its value.
        raise ValueError(f"a provider does not fit: {error}") from None
    _check(profile)
    return profile if profile.title else structs.replace(profile, title=profile.name)


def _check(profile: IdentityProvider) -> None:
    """Raises ValueError."""
    if not _NAME.fullmatch(profile.name):
        raise ValueError("a name has 1 to 32 of a-z, 0-9 and -, a letter first")
    if not profile.client_id or not profile.secret:
        raise ValueError(f"{profile.name} needs client_id and secret")
    if "openid" not in profile.scopes:
        raise ValueError(f"{profile.name} needs the scope openid")
    given = [getattr(profile, one) for one in _ENDPOINTS if getattr(profile, one)]
    if given and len(given) < len(_ENDPOINTS):
        raise ValueError(f"{profile.name} needs all of {', '.join(_ENDPOINTS)}")
    for url in (profile.issuer, *given):
        if not is_safe_url(url, profile.issuer):
            raise ValueError(f"{profile.name}: URLs begin with https://")


def is_safe_url(url: str, issuer: str) -> bool:
    """Whether this URL of an issuer may be called.

    ``https`` only, ``http`` for an issuer on this machine. An address in place of a
    name must be the issuer's own: a document must not send us to another machine of
    the inner network.
    """
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
        host, own_host = parts.hostname or "", own.hostname or ""
        if not host or parts.username or parts.fragment:
            return False
        if host == own_host:
            same_scheme = parts.scheme == own.scheme == "http"
            return parts.scheme == "https" or (same_scheme and _is_here(host))
    except ValueError:
        return False
    return parts.scheme == "https" and not _is_address(host) and not _is_here(host)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    # A last label that is a number makes an address to a resolver: 0x7f.1, 2130706433.
    last = host.rstrip(".").rpartition(".")[2]
    return ":" in host or _NUMBER.fullmatch(last) is not None
