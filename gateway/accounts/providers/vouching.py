"""Signing in as whom a provider vouches for, and linking providers to an account."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, json

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import VERIFY_MS, Account, AccountStatus
from care.accounts.addresses import InvalidAddress, written_address
from care.accounts.factors.ports import Removal
from care.accounts.factors.values import Method
from care.accounts.flows import AwaitedStep, FlowKind
from care.accounts.identities import IdentityId, LinkedIdentity, VouchedAccount
from care.accounts.ids import AccountId, SessionId
from care.accounts.providers import IdentityProvider
from gateway.access.tokens import Caller
from gateway.accounts.needs import (
    AuthNeeds,
    FactorAwaited,
    SignInProof,
    SignInResult,
)
from gateway.accounts.providers.departing import BrowserDeparture, departure_url
from gateway.accounts.providers.id_tokens import LEEWAY_S, Claims, Expected
from gateway.accounts.providers.issuers import Issuer, VouchedTokens
from gateway.accounts.providers.returning import (
    RETURN_MS,
    AwaitedReturn,
    Returned,
    own_path,
)
from gateway.accounts.refusals import (
    AccountDisabled,
    EmailMissing,
    FlowEnded,
    IdentityRefused,
    IdentityRequired,
    IdentityTaken,
    LinkRequired,
    SessionEnded,
    VerificationRequired,
)
from gateway.accounts.service import SignIn, identity_of
from gateway.wire.errors import NotFound

_CODE_CHARACTERS_MAX: Final = 4096
_TRUE: Final = (True, "true")
"""LinkedIn says it as a text."""


class Wish(Struct, frozen=True):
    """What someone wants who leaves for a provider."""

    return_to: str
    language: str = "en"
    agent: str = ""
    is_remembered: bool = True


class LinkedNow(Struct, frozen=True):
    """A provider was linked to this account."""

    account_id: AccountId
    provider: str


class ProvedNow(Struct, frozen=True):
    """The owner of this account signed in at their provider again."""

    account_id: AccountId
    provider: str


class Vouching:
    """Signs in by providers. One per gateway.

    ``site_url``: where browsers come back to, whatever name a request gave.
    """

    def __init__(
        self,
        needs: AuthNeeds,
        sign_in: SignIn,
        issuers: Mapping[str, Issuer],
        site_url: str,
    ) -> None:
        self._it = needs
        self._sign_in = sign_in
        self._issuers = issuers
        self._site_url = site_url.rstrip("/")
        self._flows, self._identities = needs.stores.flows, needs.stores.identities

    @property
    def profiles(self) -> Sequence[IdentityProvider]:
        """The providers that can be signed in by, as they were configured."""
        return [one.profile for one in self._issuers.values()]

    async def depart(
        self,
        name: str,
        wish: Wish,
        caller: Caller | None = None,
        *,
        is_proof: bool = False,
    ) -> BrowserDeparture:
        """Begin to sign in, or for a caller to link a provider to their account.

        ``is_proof``: or to prove who they are, by signing in there again.

        Raises:
            NotFound: there is no such provider.
            Unavailable: it does not say where to go.
        """
        issuer = self._issuer(name)
        endpoints = await issuer.endpoints()
        random, now = self._it.random, self._it.clock.now()
        session = None if caller is None else await self._sign_in.session_of(caller)
        waiting = AwaitedReturn(
            provider=name,
            state=random.secret(),
            nonce=random.secret() if issuer.profile.nonce == "required" else "",
            verifier=random.secret(),
            redirect_uri=f"{self._site_url}/v1/auth/oidc/{name}/callback",
            return_to=own_path(wish.return_to),
            language=wish.language,
            agent=wish.agent,
            is_remembered=wish.is_remembered,
            account="" if session is None else session.account_id,
            session="" if session is None else session.session_id,
            is_proof=is_proof,
            left_at=now,
        )
        secret = random.secret()
        step = AwaitedStep(
            FlowKind.PROVIDER,
            # So that a change of the password ends what was begun before it.
            None if session is None else session.account_id,
            json.encode(waiting).decode(),
            Millis(now + RETURN_MS),
        )
        await self._flows.begin(secret, step, now=now)
        return BrowserDeparture(
            departure_url(issuer.profile, endpoints, waiting), secret
        )

    async def awaited(self, secret: str, name: str, state: str) -> AwaitedReturn:
        """What a browser that comes back left for; it comes back once.

        ``secret`` is in its cookie, ``state`` went by the provider: a stranger who
        makes a browser open the address of their own sign-in has only one of them.

        Raises:
            FlowEnded: this browser did not leave for it, or came back already.
        """
        now = self._it.clock.now()
        found = await self._flows.find(secret, FlowKind.PROVIDER, now=now)
        if found is None:
            raise FlowEnded
        waiting = json.decode(found.payload, type=AwaitedReturn)
        if waiting.provider != name or not _is_same(waiting.state, state):
            raise FlowEnded
        if await self._flows.use(secret, FlowKind.PROVIDER, now=now) is None:
            raise FlowEnded
        return waiting

    async def arrive(
        self, waiting: AwaitedReturn, returned: Returned
    ) -> SignInResult | FactorAwaited | LinkedNow | ProvedNow:
        """Sign in, ask for a second factor, link or prove, by what is vouched for.

        Raises:
            IdentityRefused: what it says does not hold.
            LinkRequired: its address has an account already.
            VerificationRequired: a mail asks to confirm the address.
            IdentityTaken, EmailMissing, AccountDisabled: as they say.
            Unavailable: the provider, or the store, does not answer.
        """
        issuer = self._issuer(waiting.provider)
        await _check_sender(issuer, returned)
        if returned.error or not 0 < len(returned.code) <= _CODE_CHARACTERS_MAX:
            raise IdentityRefused
        tokens = await issuer.exchange(
            returned.code, waiting.verifier, waiting.redirect_uri
        )
        expected = Expected(issuer.profile, waiting.nonce, self._it.clock.now())
        claims = await issuer.claims(tokens.id_token, expected)
        if waiting.is_proof:
            return await self._proved(waiting, issuer, claims)
        if waiting.account:
            return await self._link(waiting, issuer, tokens, claims)
        account_id = await self._identities.account_of(
            issuer.profile.issuer, claims["sub"]
        )
        if account_id is None:
            account_id = await self._registered(waiting, issuer, tokens, claims)
        await self._check_confirmed(account_id, issuer.profile)
        return await self._sign_in.admit(
            account_id, waiting.device, None, SignInProof((Method.PROVIDER,))
        )

    async def of_caller(self, caller: Caller) -> Sequence[LinkedIdentity]:
        """The identities that are linked to a caller's account."""
        return await self._identities.of_account(AccountId(identity_of(caller).account))

    async def unlink(self, caller: Caller, identity_id: IdentityId) -> None:
        """Unlink an identity; its owner is told.

        Raises:
            NotFound: the account has no such identity.
            IdentityRequired: it is the last way to sign in.
        """
        account = await self._account(AccountId(identity_of(caller).account))
        done = await self._identities.unlink(
            account.account_id,
            identity_id,
            notice=self._it.mails.identity_unlinked(account.email),
            now=self._it.clock.now(),
        )
        if done is Removal.UNKNOWN:
            raise NotFound(code="identity_not_found")
        if done is Removal.LAST:
            raise IdentityRequired

    async def _link(
        self,
        waiting: AwaitedReturn,
        issuer: Issuer,
        tokens: VouchedTokens,
        claims: Claims,
    ) -> LinkedNow:
        session = await self._it.sessions.session(SessionId(waiting.session))
        if session is None or session.ended_at is not None:
            raise SessionEnded
        account = await self._account(AccountId(waiting.account))
        told = await _with_email(issuer, tokens, claims)
        identity = self._identity(
            issuer.profile, claims["sub"], _email(told), account.account_id
        )
        if not await self._identities.link(
            identity,
            notice=self._it.mails.identity_linked(account.email, issuer.profile.title),
            now=self._it.clock.now(),
        ):
            raise IdentityTaken
        return LinkedNow(account.account_id, waiting.provider)

    async def _proved(
        self, waiting: AwaitedReturn, issuer: Issuer, claims: Claims
    ) -> ProvedNow:
        """Let the session count as proved now.

        Raises:
            IdentityRefused: another identity, or not signed in since the browser left.
            SessionEnded: it was signed out meanwhile.
        """
        session = await self._it.sessions.session(SessionId(waiting.session))
        if session is None or session.ended_at is not None:
            raise SessionEnded
        account = await self._account(AccountId(waiting.account))
        found = await self._identities.account_of(issuer.profile.issuer, claims["sub"])
        if found != account.account_id or not _signed_in_since(waiting, claims):
            raise IdentityRefused
        methods = tuple(dict.fromkeys((*session.methods, Method.PROVIDER)))
        await self._it.sessions.prove(
            session.session_id,
            level=session.level,
            methods=methods,
            now=self._it.clock.now(),
        )
        return ProvedNow(account.account_id, waiting.provider)

    async def _registered(
        self,
        waiting: AwaitedReturn,
        issuer: Issuer,
        tokens: VouchedTokens,
        claims: Claims,
    ) -> AccountId:
        """A new account of whom no account knows yet; raises as arrive.

        An account with the same address is never signed in to, however sure the
        provider is: whose address it is there and whose account it is here may differ.
        """
        profile, now = issuer.profile, self._it.clock.now()
        told = await _with_email(issuer, tokens, claims)
        email = _email(told)
        if not email:
            raise EmailMissing
        is_confirmed = profile.email_trusted and told.get("email_verified") in _TRUE
        random, mails = self._it.random, self._it.mails
        account_id = AccountId(random.id("acc"))
        secret = random.secret()
        new = VouchedAccount(
            identity=self._identity(profile, claims["sub"], email, account_id),
            patient_id=PatientId(random.id("pat")),
            email=email,
            language=waiting.language,
            verify_secret="" if is_confirmed else secret,
            verify_until=Millis(now + VERIFY_MS),
        )
        made = await self._identities.register(
            new,
            welcome=mails.vouched(email, profile.title, secret),
            known=mails.known(email),
            now=now,
        )
        if not is_confirmed and made in (None, account_id):
            # Alike with and without an account: the mail tells its recipient.
            raise VerificationRequired
        if made is None:
            raise LinkRequired
        return made

    async def _check_confirmed(
        self, account_id: AccountId, profile: IdentityProvider
    ) -> None:
        """Raises VerificationRequired, and sends the mail once more."""
        account = await self._account(account_id)
        if account.status is not AccountStatus.PENDING:
            return
        secret, now = self._it.random.secret(), self._it.clock.now()
        step = AwaitedStep(
            FlowKind.VERIFY_EMAIL, account_id, "", Millis(now + VERIFY_MS)
        )
        message = self._it.mails.vouched(account.email, profile.title, secret)
        await self._flows.begin(secret, step, message=message, now=now)
        raise VerificationRequired

    async def _account(self, account_id: AccountId) -> Account:
        account = await self._it.accounts.find(account_id)
        if account is None or account.status is AccountStatus.DISABLED:
            raise AccountDisabled
        return account

    def _identity(
        self, profile: IdentityProvider, subject: str, label: str, account_id: AccountId
    ) -> LinkedIdentity:
        return LinkedIdentity(
            identity_id=IdentityId(self._it.random.id("idn")),
            account_id=account_id,
            provider=profile.name,
            issuer=profile.issuer,
            subject=subject,
            label=label,
            linked_at=self._it.clock.now(),
        )

    def _issuer(self, name: str) -> Issuer:
        issuer = self._issuers.get(name)
        if issuer is None:
            raise NotFound
        return issuer


def _signed_in_since(waiting: AwaitedReturn, claims: Claims) -> bool:
    """Whether the person signed in at the provider after the browser left for it."""
    at = claims.get("auth_time")
    if not isinstance(at, int | float) or isinstance(at, bool):
        return False
    return at >= waiting.left_at // 1000 - LEEWAY_S


async def _check_sender(issuer: Issuer, returned: Returned) -> None:
    """RFC 9207: the answer is of the provider that was asked.

    Raises:
        IdentityRefused: it is another's, or does not say although it always does.
    """
    says = (await issuer.endpoints()).says_issuer
    if (says or returned.issuer) and returned.issuer != issuer.profile.issuer:
        raise IdentityRefused


async def _with_email(issuer: Issuer, tokens: VouchedTokens, claims: Claims) -> Claims:
    """The claims with an address: some providers tell it on request alone."""
    if "email" in claims:
        return claims
    told = await issuer.userinfo(tokens.access_token, claims["sub"])
    return {**told, **claims}


def _email(claims: Claims) -> str:
    """The address; empty without one that mail could be sent to."""
    try:
        return written_address(str(claims.get("email", "")))
    except InvalidAddress:
        return ""


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
