"""Signing in and out: from a password to tokens, and from one token to the next."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from msgspec import Struct, structs

from actors.domain.ids import Millis
from actors.ports import Clock
from care.people.accounts import (
    ACCESS_MS,
    PROOF_MS,
    Account,
    AccountStatus,
    Delivery,
    EndedWhy,
    Session,
    SignInContext,
    lives_of,
)
from care.people.ids import RANDOM_BYTES, AccountId, SessionId
from care.people.passwords import PasswordNotText, prepared
from care.people.ports import Accounts, AccountStores, Credentials, Passwords, Sessions
from care.people.refreshing import (
    Judgement,
    is_genuine,
    judge,
    parsed_token,
    reason_to_end,
    refresh_token,
)
from care.sharing import Revocation, RevocationKind, Revocations
from gateway.access.revocations import RevokedTokens
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from gateway.auth.mails import AccountMails
from gateway.auth.refusals import (
    AccountDisabled,
    InvalidCredentials,
    SessionEnded,
    VerificationRequired,
    password_refused,
)
from gateway.wire.errors import (
    AccountRequired,
    Forbidden,
    ReauthenticationRequired,
    TooManyRequests,
)

LEVEL_PASSWORD: Final = 1
"""One factor was proved."""
AGENT_CHARACTERS_MAX: Final = 200
SALT_BYTES: Final = 16
SECRET_BYTES: Final = 32
_REVOKED_SLACK_MS: Final = 60_000
"""Revocations are kept this much longer than the tokens they are about."""
_ROLES: Final = frozenset(role.value for role in Role)
"""Roles that this version knows; a newer one may have stored others."""
_ROUNDS: Final = 4
"""Tries of a refresh that other refreshes of the same session overtake."""


class RandomIds:
    """Random ids, salts and secrets of links."""

    def id(self, prefix: str) -> str:
        """A new id, which cannot be guessed from another."""
        return f"{prefix}_{secrets.token_urlsafe(RANDOM_BYTES)}"

    def salt(self) -> bytes:
        """A new salt of a session."""
        return secrets.token_bytes(SALT_BYTES)

    def secret(self) -> str:
        """What a link is made of: 256 bits."""
        return secrets.token_urlsafe(SECRET_BYTES)


@dataclass(frozen=True, kw_only=True)
class AuthNeeds:
    """What signing in needs from its surroundings."""

    stores: AccountStores
    passwords: Passwords
    clock: Clock
    keys: tuple[bytes, ...]
    """Keys of tokens: the first signs, all verify."""
    mails: AccountMails
    revoked: RevokedTokens
    """This gateway's own; it hears of an end at once."""
    revocations: Revocations | None = None
    random: RandomIds = field(default_factory=RandomIds)
    refresh_keys: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        made = tuple(hmac.digest(one, b"slotcast refresh", sha256) for one in self.keys)
        object.__setattr__(self, "refresh_keys", made)

    @property
    def accounts(self) -> Accounts:
        """The store of accounts."""
        return self.stores.accounts

    @property
    def credentials(self) -> Credentials:
        """The store of passwords."""
        return self.stores.credentials

    @property
    def sessions(self) -> Sessions:
        """The store of sessions."""
        return self.stores.sessions


class Device(Struct, frozen=True):
    """From where someone signs in. ``is_known``: they did so before."""

    delivery: Delivery
    agent: str = ""
    is_known: bool = False


class SignInResult(Struct, frozen=True):
    """What a client gets. ``refresh`` goes into the cookie or the body."""

    access: str
    expires_at: Millis
    context: SignInContext
    contexts: Sequence[SignInContext]
    session: Session
    refresh: str = ""


class SignIn:
    """Signs people in and out. One per gateway."""

    def __init__(self, needs: AuthNeeds) -> None:
        self._it = needs

    async def by_password(
        self, email: str, password: str, device: Device, context: str | None
    ) -> SignInResult:
        """Sign in with address and password.

        An address without an account costs the same and is answered the same.

        Raises:
            InvalidCredentials: address or password is wrong.
            TooManyRequests: too many wrong passwords were tried.
            VerificationRequired, AccountDisabled: the password is right.
        """
        account = await self._proved(email, password, is_known=device.is_known)
        if account.status is AccountStatus.PENDING:
            raise VerificationRequired
        return await self.open(account.account_id, device, context)

    async def open(
        self, account_id: AccountId, device: Device, context: str | None
    ) -> SignInResult:
        """Open a session of an account that has proved who it is."""
        now, random = self._it.clock.now(), self._it.random
        contexts = await self._it.accounts.contexts(account_id)
        chosen = _chosen(contexts, context)
        lives = lives_of([one.role for one in contexts])
        session = Session(
            session_id=SessionId(random.id("ses")),
            account_id=account_id,
            salt=random.salt(),
            generation=1,
            seen_generation=0,
            rotated_at=now,
            created_at=now,
            authenticated_at=now,
            level=LEVEL_PASSWORD,
            active_at=now,
            idle_ms=lives.idle_ms,
            ends_at=Millis(now + lives.whole_ms),
            delivery=device.delivery,
            agent=device.agent[:AGENT_CHARACTERS_MAX],
        )
        await self._it.sessions.open_session(session)
        return self._signed_in(session, contexts, chosen)

    async def refresh(
        self, token: str, *, active: bool, context: str | None
    ) -> SignInResult:
        """The next tokens of a session.

        Raises:
            SessionEnded: there is no such session any more; nothing is said of why.
        """
        presented = parsed_token(token)
        if presented is None:
            raise SessionEnded
        for _ in range(_ROUNDS):
            session = await self._it.sessions.session(presented.session_id)
            if session is None or not any(
                is_genuine(key, presented, session) for key in self._it.refresh_keys
            ):
                raise SessionEnded
            now = self._it.clock.now()
            verdict = judge(session, presented.generation, now)
            if verdict is Judgement.REPEAT:
                return await self._again(session, context)
            if verdict is not Judgement.ROTATE:
                await self._end_refused(session, verdict, now)
                raise SessionEnded
            if await self._it.sessions.rotate(session, active=active, now=now):
                rotated = structs.replace(session, generation=session.generation + 1)
                return await self._again(rotated, context)
        raise SessionEnded

    async def switch(self, caller: Caller, context: str) -> SignInResult:
        """An access token for another context of the same session."""
        session = await self.session_of(caller)
        return structs.replace(await self._again(session, context), refresh="")

    async def reauthenticate(self, caller: Caller, password: str) -> SignInResult:
        """A token of someone who has just proved again who they are.

        Raises:
            InvalidCredentials: the password is wrong.
        """
        session = await self.session_of(caller)
        account = await self._it.accounts.find(session.account_id)
        if account is None:
            raise SessionEnded
        await self._proved(account.email, password, is_known=True)
        now = self._it.clock.now()
        await self._it.sessions.prove(session.session_id, now=now)
        proved = structs.replace(session, authenticated_at=now)
        current = f"{caller.role.value} {caller.subject}"
        return structs.replace(await self._again(proved, current), refresh="")

    async def session_of(self, caller: Caller) -> Session:
        """The session of a signed-in caller. Raises SessionEnded."""
        identity = identity_of(caller)
        found = await self._it.sessions.session(SessionId(identity.session))
        if found is None or found.ended_at is not None:
            raise SessionEnded
        return found

    def check_fresh(self, caller: Caller) -> None:
        """Raises ReauthenticationRequired: the proof of identity is too old."""
        proved_at = identity_of(caller).proved_at
        if self._it.clock.now() - proved_at >= PROOF_MS:
            raise ReauthenticationRequired

    async def sign_out(self, session_id: SessionId, why: EndedWhy) -> None:
        """End a session: its tokens are refused everywhere within a second.

        Repeating it completes what a failure left: both steps may be done twice.
        """
        now = self._it.clock.now()
        await self._it.sessions.end_session(session_id, why, now=now)
        await self._revoke([session_id], now)

    async def sign_out_everywhere(
        self, account_id: AccountId, why: EndedWhy, spare: SessionId | None = None
    ) -> None:
        """End all sessions of an account but one."""
        now = self._it.clock.now()
        ended = await self._it.sessions.end_sessions(
            account_id, why, spare=spare, now=now
        )
        await self._revoke(ended, now)

    async def sign_out_by_token(self, token: str) -> None:
        """End the session of a refresh token, if it is genuine."""
        presented = parsed_token(token)
        if presented is None:
            return
        session = await self._it.sessions.session(presented.session_id)
        keys = self._it.refresh_keys
        if session and any(is_genuine(key, presented, session) for key in keys):
            await self.sign_out(session.session_id, EndedWhy.SIGNED_OUT)

    async def _proved(self, email: str, password: str, *, is_known: bool) -> Account:
        """The account of an address, its password checked; raises as by_password."""
        try:
            secret = prepared(password)
        except PasswordNotText as error:
            raise password_refused(error.weakness) from None
        attempt = await self._it.credentials.attempt(
            email, known_device=is_known, now=self._it.clock.now()
        )
        if attempt.wait_ms:
            raise TooManyRequests(attempt.wait_ms / 1000)
        is_right = await self._it.passwords.verify(secret, attempt.password_hash)
        if not is_right or attempt.account is None:
            raise InvalidCredentials
        await self._it.credentials.succeeded(email, known_device=is_known)
        if attempt.account.status is AccountStatus.DISABLED:
            raise AccountDisabled
        return attempt.account

    async def _again(self, session: Session, context: str | None) -> SignInResult:
        contexts = await self._it.accounts.contexts(session.account_id)
        return self._signed_in(session, contexts, _chosen(contexts, context))

    async def _end_refused(
        self, session: Session, verdict: Judgement, now: Millis
    ) -> None:
        if verdict is Judgement.ENDED:
            # The end may have been stored, and its revocation have failed.
            if session.ended_at is not None and now - session.ended_at < ACCESS_MS:
                await self._revoke([session.session_id], now)
            return
        why, notice = reason_to_end(session, now), None
        if why is EndedWhy.REUSE:
            account = await self._it.accounts.find(session.account_id)
            if account is not None:
                notice = self._it.mails.reused(account.email)
        await self._it.sessions.end_session(
            session.session_id, why, notice=notice, now=now
        )
        await self._revoke([session.session_id], now)

    async def _revoke(self, sessions: Sequence[SessionId], now: Millis) -> None:
        until = Millis(now + ACCESS_MS + _REVOKED_SLACK_MS)
        for session_id in sessions:
            if self._it.revoked.has_session(session_id):
                continue
            gone = Revocation(RevocationKind.SESSION, session_id, now, until)
            if self._it.revocations is not None:
                await self._it.revocations.add(gone)
            self._it.revoked.learn([gone])

    def _signed_in(
        self,
        session: Session,
        contexts: Sequence[SignInContext],
        context: SignInContext,
    ) -> SignInResult:
        now = self._it.clock.now()
        expires_at = Millis((now // 1000) * 1000 + ACCESS_MS)
        identity = Identity(
            account=session.account_id,
            session=session.session_id,
            grant=context.grant,
            generation=session.generation,
            level=session.level,
            proved_at=session.authenticated_at,
        )
        caller = Caller(
            Role(context.role),
            context.subject,
            expires_at,
            now,
            self._it.random.id("tok"),
            identity,
        )
        return SignInResult(
            access=issue_access_token(self._it.keys[0], caller),
            expires_at=expires_at,
            context=context,
            contexts=contexts,
            session=session,
            refresh=refresh_token(
                self._it.refresh_keys[0], session, session.generation
            ),
        )


def identity_of(caller: Caller) -> Identity:
    """The account and session behind a token. Raises AccountRequired: it has none."""
    if caller.identity is None:
        raise AccountRequired
    return caller.identity


def _chosen(contexts: Sequence[SignInContext], wanted: str | None) -> SignInContext:
    """The context with this name, or the first."""
    known = [one for one in contexts if one.role in _ROLES]
    for one in known:
        if wanted is None or one.name == wanted:
            return one
    raise Forbidden("This account does not have this role here.")
