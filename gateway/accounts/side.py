"""All of signing in that one gateway holds: services, cookies, limits, work beside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from actors.errors import Unavailable
from care.accounts.breached import BreachedPasswords
from care.accounts.ids import SessionId
from care.accounts.ports import Sessions
from gateway.access.rate_budgets import Settlement, TokenBuckets
from gateway.access.revocations import RevokedTokens
from gateway.access.tokens import Identity
from gateway.accounts.clients.service import ApiClientService
from gateway.accounts.cookies import AuthCookies
from gateway.accounts.factors.checking import FactorChecks
from gateway.accounts.factors.enrolment import Enrolment
from gateway.accounts.factors.passkeys import Passkeys
from gateway.accounts.hashing import ArgonPasswords
from gateway.accounts.mails import AccountMails
from gateway.accounts.needs import AuthNeeds
from gateway.accounts.providers.issuers import Issuer
from gateway.accounts.providers.vouching import Vouching
from gateway.accounts.registration import Registration
from gateway.accounts.service import SignIn
from gateway.config import GatewayConfig, GatewayPorts
from gateway.wire.addresses import network_of
from gateway.wire.errors import TooManyRequests

SIGN_INS_AT_ONCE: Final = 60
"""Of one address: an office shares one."""
SIGN_INS_PER_S: Final = 0.1
DEPARTURES_AT_ONCE: Final = 30
"""For identity providers, of one address."""
DEPARTURES_PER_S: Final = 0.5
MAILS_AT_ONCE: Final = 10
"""Registrations and forgotten passwords of one address."""
MAILS_PER_S: Final = 10 / 3600
SEEN_MAX: Final = 10_000
"""Sessions whose newest generation is still to be noted; more are noted later, when
their next token is seen."""
_GATHER_S: Final = 0.2
_AWAY_S: Final = 2.0

log = structlog.get_logger("slotcast.gateway")


class SeenGenerations:
    """Notes, in the background, of which generations access tokens were used."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: dict[SessionId, int] = {}
        self._news = asyncio.Event()

    def saw(self, identity: Identity) -> None:
        """A token of this session and generation was used; never waits."""
        if not identity.generation:
            return  # an API client's, which are never refreshed
        session_id = SessionId(identity.session)
        known = self._waiting.get(session_id)
        if known is None and len(self._waiting) >= SEEN_MAX:
            return
        self._waiting[session_id] = max(known or 0, identity.generation)
        self._news.set()

    async def run(self) -> None:
        """Note until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(_GATHER_S)
            if not await self.note():
                await asyncio.sleep(_AWAY_S)

    async def note(self) -> bool:
        """Note what waits; False if the store does not answer."""
        batch, self._waiting = self._waiting, {}
        self._news.clear()
        if not batch:
            return True
        try:
            await self._sessions.note_seen(batch)
        except Unavailable as error:
            log.warning("used sessions were not noted", reason=str(error))
            self._waiting = {**batch, **self._waiting}
            self._news.set()
            return False
        return True


class AuthSide:
    """One per gateway process. Must be closed after use."""

    def __init__(
        self,
        ports: GatewayPorts,
        config: GatewayConfig,
        revoked: RevokedTokens,
        settlement: Settlement | None,
        monotonic_s: Callable[[], float],
    ) -> None:
        assert ports.accounts is not None, "made only where there are accounts"
        self.stores = ports.accounts
        self.public_url = config.public_url
        self.passwords = ArgonPasswords(memory_kib=config.password_memory_kib)
        site_url = config.public_url or config.site_url
        self._breached = (
            BreachedPasswords(config.breached_passwords)
            if config.breached_passwords is not None
            else None
        )
        self.mails = AccountMails(site_url)
        needs = AuthNeeds(
            stores=ports.accounts,
            passwords=self.passwords,
            clock=ports.clock,
            keys=config.token_keys,
            mails=self.mails,
            revoked=revoked,
            revocations=ports.revocations,
            staff_needs_factor=config.staff_needs_factor,
            persons=ports.persons,
            breached=self._breached,
        )
        self.key = needs.refresh_keys[0]
        self.random = needs.random
        self.sign_in = SignIn(needs)
        self.registration = Registration(needs, self.sign_in)
        passkeys = Passkeys(site_url)
        self.checks = FactorChecks(needs, self.sign_in, passkeys)
        self.enrolment = Enrolment(needs, self.sign_in, passkeys, config.sms_countries)
        self.clients = ApiClientService(needs, self.sign_in)
        issuers = {
            one.name: Issuer(one, ports.provider_transport, monotonic_s)
            for one in config.identity_providers
        }
        self.vouching = Vouching(needs, self.sign_in, issuers, site_url)
        self.cookies = AuthCookies(self.key)
        self.seen = SeenGenerations(ports.accounts.sessions)
        make = settlement.buckets if settlement else _alone
        self._is_limited = config.rate_limited
        self._sign_ins = make("sign_in", SIGN_INS_PER_S, SIGN_INS_AT_ONCE, monotonic_s)
        self._departures = make(
            "departures", DEPARTURES_PER_S, DEPARTURES_AT_ONCE, monotonic_s
        )
        self._mails = make("mails", MAILS_PER_S, MAILS_AT_ONCE, monotonic_s)

    def admit_sign_in(self, address: str) -> None:
        """Count a sign-in from an address. Raises TooManyRequests."""
        self._take(self._sign_ins, address)

    def admit_departure(self, address: str) -> None:
        """Count a browser that leaves for a provider. Raises TooManyRequests."""
        self._take(self._departures, address)

    def admit_mail(self, address: str) -> None:
        """Count a request that may send a mail. Raises TooManyRequests."""
        self._take(self._mails, address)

    def close(self) -> None:
        """Stop the threads."""
        self.passwords.close()
        if self._breached is not None:
            self._breached.close()

    def _take(self, buckets: TokenBuckets, address: str) -> None:
        if not self._is_limited:
            return
        wait_s = buckets.take(network_of(address))
        if wait_s > 0:
            raise TooManyRequests(wait_s)


def _alone(
    _kind: str, rate_per_s: float, burst: int, now: Callable[[], float]
) -> TokenBuckets:
    return TokenBuckets(rate_per_s, burst, now)
