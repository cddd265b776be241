"""Signing in and out: from a password to tokens, and from one token to the next.

One file because every method leads from one proof to the tokens of one session.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from msgspec import structs

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import (
    ACCESS_MS,
    Account,
    AccountStatus,
    EndedWhy,
    Session,
    SignInContext,
    lives_of,
)
from care.accounts.factors.values import METHODS, FactorKind, Method
from care.accounts.ids import AccountId, SessionId
from care.accounts.passwords import PasswordNotText, prepared, stamp_of
from care.accounts.refreshing import (
    Judgement,
    is_genuine,
    judge,
    parsed_token,
    reason_to_end,
    refresh_token,
)
from care.sharing import Revocation, RevocationKind
from gateway.access.rights import LEVEL_TWO_FACTORS
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from gateway.accounts.factors.awaiting import await_factor
from gateway.accounts.needs import (
    AuthNeeds,
    Device,
    FactorAwaited,
    SignInProof,
    SignInResult,
)
from gateway.accounts.refusals import (
    AccountDisabled,
    InvalidCredentials,
    SessionEnded,
    VerificationRequired,
    password_refused,
)
from gateway.wire.errors import (
    AccountRequired,
    Forbidden,
    SecondFactorRequired,
    TooManyRequests,
)

AGENT_CHARACTERS_MAX: Final = 200
_REVOKED_SLACK_MS: Final = 60_000
"""Revocations are kept this much longer than the tokens they are about."""
_SHUT: Final = frozenset({AccountStatus.DISABLED, AccountStatus.ERASED})
"""Accounts that no session is opened for."""
_ROLES: Final = frozenset(role.value for role in Role)
"""Roles that this version knows; a newer one may have stored others."""
_ROUNDS: Final = 4
"""Tries of a refresh that other refreshes of the same session overtake."""


class SignIn:
    """Signs people in and out. One per gateway."""

    def __init__(self, needs: AuthNeeds) -> None:
        self._it = needs

    async def by_password(
        self, email: str, password: str, device: Device, context: str | None
    ) -> SignInResult | FactorAwaited:
        """Sign in with address and password.

        An address without an account costs the same and is answered the same.

        Raises:
            InvalidCredentials: address or password is wrong.
            TooManyRequests: too many wrong passwords were tried.
            VerificationRequired, AccountDisabled: the password is right.
        """
        account, stamp = await self._proved(email, password, is_known=device.is_known)
        if account.status is AccountStatus.PENDING:
            raise VerificationRequired
        proof = SignInProof((Method.PASSWORD,), password=stamp)
        return await self.admit(account.account_id, device, context, proof)

    async def admit(
        self,
        account_id: AccountId,
        device: Device,
        context: str | None,
        proof: SignInProof,
    ) -> SignInResult | FactorAwaited:
        """Sign in an account that proved one factor, or ask for its second.

        An account without one is asked to add it if one of its roles needs that.

        Raises:
            InvalidCredentials: the password was replaced since it was proved.
        """
        factors = await self._it.stores.factors.of_account(account_id)
        is_new = not factors and await self.needs_factor(account_id)
        if factors or is_new:
            return await await_factor(
                self._it, account_id, factors, device, context, proof
            )
        return await self.open(account_id, device, context, proof)

    async def needs_factor(self, account_id: AccountId) -> bool:
        """Whether a role of this account needs a second factor."""
        if not self._it.staff_needs_factor:
            return False
        contexts = await self._it.accounts.contexts(account_id)
        return any(one.role != Role.PATIENT for one in contexts)

    async def open(
        self,
        account_id: AccountId,
        device: Device,
        context: str | None,
        proof: SignInProof,
    ) -> SignInResult:
        """Open a session of an account that has proved who it is.

        Raises:
            AccountDisabled: it may not sign in any more.
            InvalidCredentials: the password was replaced since it was proved.
        """
        now, random = self._it.clock.now(), self._it.random
        account = await self._it.accounts.find(account_id)
        if account is None or account.status in _SHUT:
            raise AccountDisabled
        contexts = await self._contexts(account_id)
        chosen = self._chosen(contexts, context, proof.level)
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
            level=proof.level,
            active_at=now,
            idle_ms=lives.idle_ms,
            ends_at=Millis(now + lives.whole_ms),
            delivery=device.delivery,
            agent=device.agent[:AGENT_CHARACTERS_MAX],
            methods=proof.methods,
            is_remembered=device.is_remembered,
        )
        ended = await self._it.sessions.open_session(session, password=proof.password)
        if ended is None:  # since the account was read, or the password compared
            account = await self._it.accounts.find(account_id)
            if account is None or account.status in _SHUT:
                raise AccountDisabled
            raise InvalidCredentials
        await self._revoke(ended, now)
        return self._signed_in(session, contexts, chosen, await self._salt(chosen))

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
        return await self.proved_again(
            session,
            caller.context,
            level=session.level,
            method=Method.PASSWORD,
        )

    async def proved_again(
        self, session: Session, context: str | None, *, level: int, method: Method
    ) -> SignInResult:
        """A token of a session whose owner proved who they are with this method."""
        now = self._it.clock.now()
        level = max(level, session.level)
        methods = tuple(dict.fromkeys((*session.methods, method)))
        await self._it.sessions.prove(
            session.session_id, level=level, methods=methods, now=now
        )
        proved = structs.replace(
            session, authenticated_at=now, level=level, methods=methods
        )
        return structs.replace(await self._again(proved, context), refresh="")

    async def raise_level(self, session_id: SessionId, kind: FactorKind) -> None:
        """Let a session count as proved by a factor that it has just added."""
        session = await self._it.sessions.session(session_id)
        if session is None:
            raise SessionEnded
        methods = dict.fromkeys((*session.methods, METHODS[kind]))
        await self._it.sessions.prove(
            session_id,
            level=LEVEL_TWO_FACTORS,
            methods=tuple(methods),
            now=session.authenticated_at,
        )

    async def session_of(self, caller: Caller) -> Session:
        """The session of a signed-in caller. Raises SessionEnded."""
        identity = identity_of(caller)
        found = await self._it.sessions.session(SessionId(identity.session))
        if found is None or found.ended_at is not None:
            raise SessionEnded
        return found

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

    async def revoke_tokens_of(self, session_id: SessionId) -> None:
        """Let the tokens of what has ended be refused everywhere within a second."""
        await self._revoke([session_id], self._it.clock.now())

    async def sign_out_by_token(self, token: str) -> None:
        """End the session of a refresh token, if it is genuine."""
        presented = parsed_token(token)
        if presented is None:
            return
        session = await self._it.sessions.session(presented.session_id)
        keys = self._it.refresh_keys
        if session and any(is_genuine(key, presented, session) for key in keys):
            await self.sign_out(session.session_id, EndedWhy.SIGNED_OUT)

    async def _proved(
        self, email: str, password: str, *, is_known: bool
    ) -> tuple[Account, str]:
        """The account of an address, and the stamp of its password, which was checked.

        Raises as by_password.
        """
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
        return attempt.account, stamp_of(attempt.password_hash)

    async def _again(self, session: Session, context: str | None) -> SignInResult:
        contexts = await self._contexts(session.account_id)
        chosen = self._chosen(contexts, context, session.level)
        return self._signed_in(session, contexts, chosen, await self._salt(chosen))

    async def _contexts(self, account_id: AccountId) -> Sequence[SignInContext]:
        """What an account can act as now."""
        now = self._it.clock.now()
        found = await self._it.accounts.contexts(account_id)
        return [one for one in found if one.until is None or one.until >= now + 1_000]

    def _chosen(
        self, contexts: Sequence[SignInContext], wanted: str | None, level: int
    ) -> SignInContext:
        """The context with this name, or the first that the level is enough for.

        Raises:
            SecondFactorRequired: it needs two factors; the session has proved one.
        """
        known = [one for one in contexts if one.role in _ROLES]
        named = [one for one in known if wanted is None or one.name == wanted]
        is_enough = level >= LEVEL_TWO_FACTORS or not self._it.staff_needs_factor
        for one in named:
            if is_enough or one.role in (Role.PATIENT, Role.GUARDIAN):
                return one
        if named:
            raise SecondFactorRequired
        raise Forbidden("This account does not have this role here.")

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

    async def _salt(self, context: SignInContext) -> str:
        """The salt of the patient that a token is for; empty for other roles."""
        persons = self._it.persons
        if persons is None or not context.subject.startswith("pat_"):
            return ""
        patient_id = PatientId(context.subject)
        if not persons.knows(patient_id):
            await persons.load([patient_id])
        return urlsafe_b64encode(persons.salt_of(patient_id)).decode().rstrip("=")

    def _signed_in(
        self,
        session: Session,
        contexts: Sequence[SignInContext],
        context: SignInContext,
        salt: str,
    ) -> SignInResult:
        now = self._it.clock.now()
        whole = (now // 1000) * 1000 + ACCESS_MS
        # A token does not outlive the grant that it is from.
        expires_at = Millis(min(whole, (context.until or whole) // 1000 * 1000))
        identity = Identity(
            account=session.account_id,
            session=session.session_id,
            grant=context.grant,
            generation=session.generation,
            level=session.level,
            proved_at=session.authenticated_at,
            methods=session.methods,
            salt=salt,
        )
        caller = Caller(
            Role(context.role),
            context.subject,
            expires_at,
            now,
            self._it.random.id("tok"),
            identity,
            context.scopes,
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
