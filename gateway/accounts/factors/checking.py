"""Finishing a sign-in with a factor, or proving an identity again with one."""

from __future__ import annotations

import hmac
from typing import Any

from msgspec import structs

from actors.domain.ids import Millis
from care.accounts.accounts import AccountStatus
from care.accounts.factors.phones import new_sms_code
from care.accounts.factors.totp import step_of
from care.accounts.factors.values import (
    FLOW_MS,
    SMS_CODE_MS,
    Factor,
    FactorKind,
    Method,
)
from care.accounts.flows import AwaitedStep, FlowKind, FlowOver
from care.accounts.ids import AccountId, SessionId
from care.notices.messages import Message
from gateway.access.rights import LEVEL_TWO_FACTORS
from gateway.access.tokens import Caller
from gateway.accounts.factors.awaiting import Awaiting, await_proof, awaiting_of
from gateway.accounts.factors.passkeys import CHALLENGE_BYTES, Passkeys, credential_of
from gateway.accounts.needs import (
    AuthNeeds,
    Device,
    FactorAwaited,
    SignInProof,
    SignInResult,
)
from gateway.accounts.refusals import (
    FactorRequired,
    FlowEnded,
    InvalidCode,
    InvalidCredentials,
    SessionEnded,
    VerificationRequired,
)
from gateway.accounts.service import SignIn
from gateway.wire.errors import NotFound, TooManyRequests

SMS_WAIT_S = 60.0
"""The refusal when a phone, or the site, has reached its limit of codes."""


class FactorChecks:
    """Checks factors of flows. One per gateway."""

    def __init__(self, needs: AuthNeeds, sign_in: SignIn, passkeys: Passkeys) -> None:
        self._it = needs
        self._sign_in = sign_in
        self._passkeys = passkeys
        self._flows, self._factors = needs.stores.flows, needs.stores.factors

    async def waiting(self, flow: str) -> tuple[AccountId, Awaiting]:
        """Whose sign-in a flow is, and what it waits for. Raises FlowEnded."""
        return _parts(await self._flows.find(flow, FlowKind.SIGN_IN, now=self._now()))

    async def by_totp(self, flow: str, code: str) -> SignInResult:
        """Finish with a code of an authenticator app; each code works once.

        Raises:
            InvalidCode: it is wrong, or was used.
            FlowEnded, TooManyRequests: no more codes are checked.
        """
        account_id, waiting = await self._tried(flow)
        await self._check_totp(account_id, code)
        return await self.finish(flow, waiting, Method.TOTP)

    async def by_recovery_code(self, flow: str, code: str) -> SignInResult:
        """Finish with a recovery code, and tell the owner. Raises as by_totp."""
        account_id, waiting = await self._tried(flow)
        account = await self._it.accounts.find(account_id)
        if account is None:
            raise FlowEnded
        notice = self._it.mails.recovery_code_used(account.email)
        if not await self._factors.use_code(
            account_id, code, notice=notice, now=self._now()
        ):
            raise InvalidCode
        return await self.finish(flow, waiting, Method.RECOVERY)

    async def send_sms(self, flow: str) -> None:
        """Send a code to the account's phone; it replaces the one before.

        Raises:
            FlowEnded: the flow has ended.
            NotFound: the account has no phone.
            TooManyRequests: the phone, or the site, had as many as it may.
        """
        account_id, waiting = await self.waiting(flow)
        phone = await self._one(account_id, FactorKind.SMS)
        code = new_sms_code()
        waiting = structs.replace(
            waiting,
            sms_code=code,
            sms_factor=phone.factor_id,
            sms_until=self._now() + SMS_CODE_MS,
        )
        message = self._it.mails.sms_code(phone.secret, code)
        if not await self._keep(flow, waiting, message):
            raise TooManyRequests(SMS_WAIT_S)

    async def by_sms(self, flow: str, code: str) -> SignInResult:
        """Finish with the code that was sent. Raises as by_totp."""
        account_id, waiting = await self._tried(flow)
        phone = await self._one(account_id, FactorKind.SMS)
        is_right = (
            bool(waiting.sms_code)
            and hmac.compare_digest(waiting.sms_code.encode(), code.encode())
            and waiting.sms_factor == phone.factor_id
            and self._now() < waiting.sms_until
        )
        if not is_right or not await self._factors.note_use(
            phone.factor_id, now=self._now()
        ):
            raise InvalidCode
        return await self.finish(flow, waiting, Method.SMS)

    async def passkey_options(self, flow: str) -> dict[str, Any]:
        """What to ask the browser for, to finish with a passkey. Raises FlowEnded."""
        account_id, waiting = await self.waiting(flow)
        await self._passkeys.ready()
        challenge = self._it.random.bytes(CHALLENGE_BYTES)
        known = [
            one
            for one in await self._factors.of_account(account_id)
            if one.kind is FactorKind.PASSKEY
        ]
        if not known:
            raise NotFound(code="factor_not_found")
        waiting = structs.replace(waiting, challenge=challenge)
        await self._keep(flow, waiting)
        return self._passkeys.authentication(challenge, known)

    async def by_passkey(self, flow: str, answer: dict[str, Any]) -> SignInResult:
        """Finish with a passkey of the account.

        Raises:
            InvalidCredentials: it does not hold, or is another account's.
            FlowEnded, TooManyRequests: no more are checked.
        """
        account_id, waiting = await self._tried(flow)
        factor = await self._check_passkey(answer, waiting.challenge)
        if factor.account_id != account_id:
            raise InvalidCredentials
        return await self.finish(flow, waiting, Method.PASSKEY)

    async def begin_passkey(
        self, device: Device, context: str | None
    ) -> tuple[str, dict[str, Any]]:
        """Begin to sign in without a name: the flow, and what to ask the browser."""
        await self._passkeys.ready()
        challenge = self._it.random.bytes(CHALLENGE_BYTES)
        secret, now = self._it.random.secret(), self._now()
        waiting = Awaiting(
            delivery=device.delivery,
            agent=device.agent,
            is_remembered=device.is_remembered,
            context=context,
            challenge=challenge,
        )
        step = AwaitedStep(
            FlowKind.PASSKEY, None, waiting.text(), Millis(now + FLOW_MS)
        )
        await self._flows.begin(secret, step, now=now)
        return secret, self._passkeys.authentication(challenge)

    async def passkey_delivery(self, flow: str) -> Awaiting:
        """What a sign-in by passkey waits for. Raises FlowEnded."""
        found = await self._flows.find(flow, FlowKind.PASSKEY, now=self._now())
        if found is None:
            raise FlowEnded
        return awaiting_of(found)

    async def sign_in_by_passkey(
        self, flow: str, answer: dict[str, Any]
    ) -> SignInResult:
        """Sign in with a passkey, which says whose it is. The challenge works once.

        Raises:
            InvalidCredentials: it does not hold.
            FlowEnded: the challenge was used, or is too old.
            VerificationRequired, AccountDisabled: it holds.
        """
        step = await self._flows.use(flow, FlowKind.PASSKEY, now=self._now())
        if step is None:
            raise FlowEnded
        waiting = awaiting_of(step)
        factor = await self._check_passkey(answer, waiting.challenge, is_nameless=True)
        account = await self._it.accounts.find(factor.account_id)
        if account is not None and account.status is AccountStatus.PENDING:
            raise VerificationRequired
        return await self._sign_in.open(
            factor.account_id,
            waiting.device,
            waiting.context,
            SignInProof((Method.PASSKEY,), LEVEL_TWO_FACTORS),
        )

    async def begin_proof(self, caller: Caller) -> FactorAwaited:
        """Begin to prove the identity of a caller again, with one of their factors.

        Raises:
            FactorRequired: they have none; they prove it by their password.
        """
        session = await self._sign_in.session_of(caller)
        factors = await self._factors.of_account(session.account_id)
        if not factors:
            raise FactorRequired("This account has no factor: send its password.")
        context = caller.context
        return await await_proof(self._it, session, factors, context)

    async def prove_by_code(self, caller: Caller, code: str) -> SignInResult:
        """Prove the identity of a caller again with an app's code.

        Raises:
            InvalidCode, TooManyRequests: it is wrong, or too many were.
        """
        session = await self._sign_in.session_of(caller)
        await self._count(session.account_id)
        await self._check_totp(session.account_id, code)
        await self._factors.forget_tries(session.account_id)
        return await self._sign_in.proved_again(
            session,
            caller.context,
            level=LEVEL_TWO_FACTORS,
            method=Method.TOTP,
        )

    async def finish(
        self, flow: str, waiting: Awaiting, method: Method
    ) -> SignInResult:
        """Use the flow and sign in, or prove a session's identity again.

        Raises:
            FlowEnded: another request has used it, or the password was replaced.
        """
        step = await self._flows.use(flow, FlowKind.SIGN_IN, now=self._now())
        account_id, _ = _parts(step)
        await self._factors.forget_tries(account_id)
        if not waiting.session:
            methods = (*waiting.methods, method)
            proof = SignInProof(methods, LEVEL_TWO_FACTORS, waiting.password)
            try:
                return await self._sign_in.open(
                    account_id, waiting.device, waiting.context, proof
                )
            except InvalidCredentials:
                raise FlowEnded from None
        session = await self._it.sessions.session(SessionId(waiting.session))
        if session is None or session.ended_at is not None:
            raise SessionEnded
        return await self._sign_in.proved_again(
            session, waiting.context, level=LEVEL_TWO_FACTORS, method=method
        )

    async def _tried(self, flow: str) -> tuple[AccountId, Awaiting]:
        step = await self._flows.count_try(flow, FlowKind.SIGN_IN, now=self._now())
        account_id, waiting = _parts(step)
        await self._count(account_id)
        return account_id, waiting

    async def _count(self, account_id: AccountId) -> None:
        wait_ms = await self._factors.count_try(account_id, now=self._now())
        if wait_ms:
            raise TooManyRequests(wait_ms / 1000)

    async def _check_totp(self, account_id: AccountId, code: str) -> None:
        now = self._now()
        for factor in await self._factors.of_account(account_id):
            if factor.kind is not FactorKind.TOTP:
                continue
            step = step_of(factor.secret, code, now)
            if step is not None and await self._factors.use_step(
                factor.factor_id, step, now=now
            ):
                return
        raise InvalidCode

    async def _check_passkey(
        self, answer: dict[str, Any], challenge: bytes, *, is_nameless: bool = False
    ) -> Factor:
        await self._passkeys.ready()
        factor = await self._factors.by_credential(credential_of(answer))
        if factor is None or not challenge:
            raise InvalidCredentials
        count = self._passkeys.proved(
            answer, challenge, factor, is_nameless=is_nameless
        )
        if not await self._factors.use_passkey(
            factor.factor_id, count, now=self._now()
        ):
            raise InvalidCredentials
        return factor

    async def _keep(
        self, flow: str, waiting: Awaiting, message: Message | None = None
    ) -> bool:
        """Store what a flow waits for; False beyond the limit. Raises FlowEnded."""
        try:
            return await self._flows.keep(
                flow, waiting.text(), message=message, now=self._now()
            )
        except FlowOver:
            raise FlowEnded from None

    async def _one(self, account_id: AccountId, kind: FactorKind) -> Factor:
        for factor in await self._factors.of_account(account_id):
            if factor.kind is kind:
                return factor
        raise NotFound(code="factor_not_found")

    def _now(self) -> Millis:
        return self._it.clock.now()


def _parts(step: AwaitedStep | None) -> tuple[AccountId, Awaiting]:
    """Raises FlowEnded."""
    if step is None or step.account_id is None:
        raise FlowEnded
    return step.account_id, awaiting_of(step)
