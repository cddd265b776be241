"""Speaks to one identity provider: discovery, keys, codes and who someone is.

Nothing that a provider does may hurt the gateway: every answer has a deadline and a
greatest size, no redirect is followed, and the requests in flight are bounded.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from actors.errors import Unavailable
from care.accounts.providers import IdentityProvider, is_safe_url
from gateway.accounts.providers.id_tokens import (
    Claims,
    Expected,
    IdTokenRefused,
    UnknownKey,
    checked_claims,
)
from gateway.accounts.refusals import IdentityRefused

ANSWER_S: Final = 10.0
"""How long one answer may take, from the connection to its last byte."""
ANSWER_BYTES_MAX: Final = 256 * 1024
REQUESTS_MAX: Final = 32
"""Requests to one provider at one time; more are refused, so that a slow provider
holds neither memory nor connections."""
KNOWN_S: Final = 3600.0
"""How long a discovery document and keys are believed."""
KEYS_APART_S: Final = 60.0
"""Keys are fetched at most once in this time, however many unknown ones are named."""
FAILED_S: Final = 5.0
"""How long a provider that could not be read is not asked again: requests that waited
for the one that failed fail with it, instead of one after the other."""
KEYS_MAX: Final = 100
"""Keys of a provider that are read."""
_OK: Final = 200
_REFUSED: Final = frozenset({400, 401, 403})

Read = TypeVar("Read")

log = structlog.get_logger("slotcast.gateway")


class Endpoints(Struct, frozen=True):
    """Where a provider is spoken to. ``says_issuer``: the browser brings ``iss``."""

    authorization: str
    token: str
    jwks: str
    userinfo: str = ""
    says_issuer: bool = False


class VouchedTokens(Struct, frozen=True):
    """What a code was exchanged for."""

    id_token: str
    access_token: str = ""


class Issuer:
    """One provider, as one gateway knows it.

    ``transport``: how it is reached; None: over the network.
    """

    def __init__(
        self,
        profile: IdentityProvider,
        transport: httpx.AsyncBaseTransport | None,
        monotonic_s: Callable[[], float],
    ) -> None:
        self.profile = profile
        self._transport = transport
        self._now = monotonic_s
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asking = asyncio.Lock()
        self._in_flight = 0
        self._failed_at: float | None = None

    async def endpoints(self) -> Endpoints:
        """Where it is spoken to; remembered for an hour. Raises Unavailable."""
        one = self.profile
        if one.has_endpoints:
            return Endpoints(
                one.authorization_endpoint, one.token_endpoint, one.jwks_uri
            )
        async with self._asking:
            known = self._endpoints
            if known is None or self._now() - known[0] >= KNOWN_S:
                known = self._now(), await self._read_once(self._discovered())
                self._endpoints = known
            return known[1]

    async def exchange(
        self, code: str, verifier: str, redirect_uri: str
    ) -> VouchedTokens:
        """Exchange a code for tokens.

        Raises:
            IdentityRefused: the provider does not take the code.
            Unavailable: it does not answer as it should.
        """
        one = self.profile
        where = (await self.endpoints()).token
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
        }
        if one.pkce == "S256":
            form["code_verifier"] = verifier
        auth = None
        if one.client_auth == "post":
            form |= {"client_id": one.client_id, "client_secret": one.secret}
        else:
            # RFC 6749, section 2.3.1: both are form-encoded first.
            auth = httpx.BasicAuth(quote(one.client_id, ""), quote(one.secret, ""))
        status, told = await self._asked("POST", where, data=form, auth=auth)
        if status in _REFUSED:
            raise self._refusal(f"token endpoint: {_word(told.get('error'))}")
        id_token, access = told.get("id_token"), told.get("access_token", "")
        if status != _OK or not isinstance(id_token, str):
            raise self._away(f"token endpoint: status {status}")
        return VouchedTokens(id_token, access if isinstance(access, str) else "")

    async def claims(self, id_token: str, expected: Expected) -> Claims:
        """What an ID token says, if it holds.

        Keys are fetched once more if it names an unknown one.

        Raises:
            IdentityRefused: it does not hold.
            Unavailable: the provider's keys cannot be read.
        """
        keys = await self._known_keys(KNOWN_S)
        try:
            try:
                return checked_claims(id_token, keys, expected)
            except UnknownKey:
                newer = await self._known_keys(KEYS_APART_S)
                if newer is keys:
                    raise
                return checked_claims(id_token, newer, expected)
        except IdTokenRefused as error:
            raise self._refusal(f"ID token: {error}") from None

    async def userinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """What else it says of the same person; empty if it says nothing more.

        Raises:
            IdentityRefused: it speaks of another person.
            Unavailable: it does not answer as it should.
        """
        where = (await self.endpoints()).userinfo
        if not where or not access_token:
            return {}
        bearer = {"authorization": f"Bearer {access_token}"}
        status, told = await self._asked("GET", where, headers=bearer)
        if status != _OK:
            raise self._away(f"userinfo: status {status}")
        if told.get("sub") != subject:
            raise self._refusal("userinfo: of another person")
        return told

    async def _discovered(self) -> Endpoints:
        issuer = self.profile.issuer
        where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        status, told = await self._asked("GET", where)
        if status != _OK or told.get("issuer") != issuer:
            raise self._away(f"discovery: status {status}, or another issuer")
        found = Endpoints(
            authorization=str(told.get("authorization_endpoint", "")),
            token=str(told.get("token_endpoint", "")),
            jwks=str(told.get("jwks_uri", "")),
            userinfo=str(told.get("userinfo_endpoint", "")),
            says_issuer=told.get("authorization_response_iss_parameter_supported")
            is True,
        )
        called = [found.authorization, found.token, found.jwks]
        called += [found.userinfo] if found.userinfo else []
        if not all(is_safe_url(one, issuer) for one in called):
            raise self._away("discovery: an endpoint is missing or not safe")
        return found

    async def _known_keys(self, at_most_s: float) -> KeySet:
        """Its keys, fetched again if they are older than this."""
        where = (await self.endpoints()).jwks
        async with self._asking:
            known = self._keys
            if known is None or self._now() - known[0] >= at_most_s:
                known = self._now(), await self._read_once(self._fetched_keys(where))
                self._keys = known
            return known[1]

    async def _read_once(self, reading: Coroutine[Any, Any, Read]) -> Read:
        """Read what is remembered, unless that failed just now. Raises Unavailable."""
        failed_at = self._failed_at
        if failed_at is not None and self._now() - failed_at < FAILED_S:
            reading.close()
            raise Unavailable(f"{self.profile.name}: not usable a moment ago")
        try:
            found = await reading
        except Unavailable:
            self._failed_at = self._now()
            raise
        self._failed_at = None
        return found

    async def _fetched_keys(self, where: str) -> KeySet:
        status, told = await self._asked("GET", where)
        try:
            return KeySet.import_key_set({"keys": _public(told)})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            reason = f"keys: status {status}, {type(error).__name__}"
            raise self._away(reason) from None

    async def _asked(
        self, method: str, url: str, **options: Any
    ) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON of an answer. Raises Unavailable."""
        if self._in_flight >= REQUESTS_MAX:
            raise self._away("too many sign-ins wait for it")
        self._in_flight += 1
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                httpx.AsyncClient(
                    transport=self._transport,
                    verify=_trusted(),
                    timeout=ANSWER_S,
                    trust_env=False,
                    follow_redirects=False,
                ) as client,
            ):
                return await self._read(client, method, url, options)
        except TimeoutError:
            raise self._away("no answer in time") from None
        except httpx.HTTPError as error:
            raise self._away(type(error).__name__) from None
        finally:
            self._in_flight -= 1

    async def _read(
        self, client: httpx.AsyncClient, method: str, url: str, options: dict[str, Any]
    ) -> tuple[int, Mapping[str, Any]]:
        # Not compressed: a small answer could be made to grow without bound.
        sent = {"accept": "application/json", "accept-encoding": "identity"}
        sent |= options.pop("headers", {})
        auth = options.pop("auth", None)
        async with client.stream(method, url, headers=sent, auth=auth, **options) as it:
            if it.has_redirect_location or "content-encoding" in it.headers:
                raise self._away("it redirects, or compresses")
            body = bytearray()
            async for chunk in it.aiter_raw():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise self._away("its answer is too large")
        try:
            return it.status_code, msgspec.json.decode(bytes(body), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return it.status_code, {}

    def _away(self, reason: str) -> Unavailable:
        log.warning("provider not usable", provider=self.profile.name, reason=reason)
        return Unavailable(f"{self.profile.name}: {reason}")

    def _refusal(self, reason: str) -> IdentityRefused:
        log.warning(
            "provider's word refused", provider=self.profile.name, reason=reason
        )
        return IdentityRefused()


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities of this machine; reading them takes a while."""
    return ssl.create_default_context()


def _public(told: Mapping[str, Any]) -> list[Any]:
    """Signing keys of a set. Raises TypeError: it is none."""
    keys = told.get("keys")
    if not isinstance(keys, list):
        raise TypeError("no list of keys")
    signing = [one for one in keys if isinstance(one, dict) and one.get("use") != "enc"]
    return signing[:KEYS_MAX]


def _word(error: Any) -> str:
    """A provider's error code, for the log; anything else may hold a person's data."""
    plain = isinstance(error, str) and error.replace("_", "").isalnum()
    return error[:40] if plain else "refused"
