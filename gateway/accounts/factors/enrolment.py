"""Adding, listing and removing factors.

A new factor is proved before it counts: by a code, or by a passkey's answer. What is
waited for is a flow that is found by the new factor's id.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct, json, structs

from actors.domain.ids import Millis
from care.accounts.accounts import Account
from care.accounts.factors.phones import InvalidPhone, mobile_number, new_sms_code
from care.accounts.factors.ports import Removal
from care.accounts.factors.recovery import new_codes
from care.accounts.factors.totp import new_secret, provisioning_uri, step_of
from care.accounts.factors.values import (
    FACTORS_MAX,
    FLOW_MS,
    Factor,
    FactorId,
    FactorKind,
)
from care.accounts.flows import AwaitedStep, FlowKind
from care.accounts.ids import AccountId
from care.notices.messages import Message
from gateway.accounts.factors.checking import SMS_WAIT_S
from gateway.accounts.factors.passkeys import (
    CHALLENGE_BYTES,
    USER_HANDLE_BYTES,
    NewPasskey,
    Passkeys,
)
from gateway.accounts.needs import AuthNeeds
from gateway.accounts.refusals import (
    FactorLimit,
    FactorRequired,
    FlowEnded,
    InvalidCode,
    SessionEnded,
)
from gateway.accounts.service import SignIn
from gateway.wire.errors import FieldError, InvalidRequest, NotFound, TooManyRequests


class StartedTotp(Struct, frozen=True):
    """A key for an authenticator app, shown once; ``svg`` is its QR code."""

    factor_id: FactorId
    secret: str
    uri: str
    svg: str


class StartedPasskey(Struct, frozen=True):
    """What to ask the browser for."""

    factor_id: FactorId
    options: dict[str, Any]


class FactorProof(Struct, frozen=True):
    """What proves a new factor: a code, or a passkey's answer."""

    code: str = ""
    credential: dict[str, Any] | None = None
    label: str = ""


class Enrolled(Struct, frozen=True):
    """A factor that was added. ``codes`` are shown once, with the first factor."""

    factor: Factor
    codes: Sequence[str] = ()


class _Adding(Struct, frozen=True):
    """The payload of a flow ADD_FACTOR: the factor as it will be, and its proof."""

    kind: FactorKind
    secret: str = ""
    sms_code: str = ""
    challenge: bytes = b""
    user_handle: bytes = b""


class Enrolment:
    """Adds and removes factors. One per gateway.

    ``countries``: where codes are sent to, by ISO 3166; empty for everywhere.
    """

    def __init__(
        self,
        needs: AuthNeeds,
        sign_in: SignIn,
        passkeys: Passkeys,
        countries: Collection[str],
    ) -> None:
        self._it = needs
        self._sign_in = sign_in
        self._passkeys = passkeys
        self._countries = countries
        self._flows, self._factors = needs.stores.flows, needs.stores.factors

    async def of_account(self, account_id: AccountId) -> Sequence[Factor]:
        """An account's factors, the oldest first."""
        return await self._factors.of_account(account_id)

    async def start_totp(self, account_id: AccountId) -> StartedTotp:
        """Make a key for an authenticator app. Raises FactorLimit."""
        import segno

        account, _ = await self._room(account_id)
        secret = new_secret()
        factor_id = await self._begin(account_id, _Adding(FactorKind.TOTP, secret))
        uri = provisioning_uri(secret, account.email)
        svg = segno.make(uri, error="m").svg_inline(scale=4, border=2)
        return StartedTotp(factor_id, secret, uri, svg)

    async def start_sms(self, account_id: AccountId, phone: str) -> FactorId:
        """Send a code to a new phone.

        Raises:
            InvalidRequest: no codes are sent to this number.
            TooManyRequests: it, or the site, had as many codes as it may.
        """
        try:
            # In a thread: the metadata of numbers take a moment to load.
            number = await asyncio.to_thread(mobile_number, phone, self._countries)
        except InvalidPhone as error:
            raise InvalidRequest("", FieldError("phone", str(error))) from None
        await self._room(account_id)
        # Each may go to another phone, whose own bound does not hold it back.
        wait_ms = await self._factors.count_try(account_id, now=self._it.clock.now())
        if wait_ms:
            raise TooManyRequests(wait_ms / 1000)
        code = new_sms_code()
        adding = _Adding(FactorKind.SMS, number, sms_code=code)
        return await self._begin(
            account_id, adding, self._it.mails.sms_code(number, code)
        )

    async def start_passkey(self, account_id: AccountId) -> StartedPasskey:
        """Ask a browser to make a passkey. Raises FactorLimit."""
        await self._passkeys.ready()
        account, known = await self._room(account_id)
        handles = [one.user_handle for one in known if one.user_handle]
        adding = _Adding(
            FactorKind.PASSKEY,
            challenge=self._it.random.bytes(CHALLENGE_BYTES),
            # One per account: a device then replaces its passkey instead of adding one.
            user_handle=handles[0]
            if handles
            else self._it.random.bytes(USER_HANDLE_BYTES),
        )
        options = self._passkeys.registration(
            adding.challenge, adding.user_handle, account.email, known
        )
        return StartedPasskey(await self._begin(account_id, adding), options)

    async def confirm(
        self,
        account_id: AccountId,
        factor_id: FactorId,
        proof: FactorProof,
        *,
        is_first: bool,
    ) -> Enrolled:
        """Add a factor that was proved; its owner is told.

        ``is_first``: only as the account's first; its owner proved a password alone.

        Raises:
            FlowEnded: it was not begun, took too long, was tried too often, or is not
                the first.
            InvalidCode, InvalidCredentials: the proof does not hold.
            FactorLimit: there are too many, or the passkey is there already.
        """
        if proof.credential is not None:
            await self._passkeys.ready()
        now = self._it.clock.now()
        step = await self._flows.count_try(factor_id, FlowKind.ADD_FACTOR, now=now)
        if step is None or step.account_id != account_id:
            raise FlowEnded
        adding = json.decode(step.payload, type=_Adding)
        factor = self._proved(account_id, factor_id, adding, proof, now)
        if await self._flows.use(factor_id, FlowKind.ADD_FACTOR, now=now) is None:
            raise FlowEnded
        known = await self._factors.of_account(account_id)
        if is_first and known:
            raise FlowEnded
        codes = [] if known else new_codes()
        notices = await self._told(account_id, factor, known)
        if not await self._factors.add(factor, codes=codes, notices=notices):
            if codes and await self._factors.of_account(account_id):
                # Of two first ones at one time the later may come from a thief of the
                # password, who would not be asked for the other.
                raise FlowEnded
            raise FactorLimit
        return Enrolled(factor, codes)

    async def remove(self, account_id: AccountId, factor_id: FactorId) -> None:
        """Remove a factor; its owner is told.

        Raises:
            NotFound: the account has no such factor.
            FactorRequired: it is the last one, and a role of the account needs one.
        """
        account = await self._account(account_id)
        done = await self._factors.remove(
            account_id,
            factor_id,
            keep_last=await self._sign_in.needs_factor(account_id),
            notices=[self._it.mails.factor_removed(account.email)],
            now=self._it.clock.now(),
        )
        if done is Removal.UNKNOWN:
            raise NotFound(code="factor_not_found")
        if done is Removal.LAST:
            raise FactorRequired

    async def renew_codes(self, account_id: AccountId) -> Sequence[str]:
        """New recovery codes; the old ones do not work any more.

        Raises:
            FactorRequired: there is no factor that they could stand in for.
        """
        if not await self._factors.of_account(account_id):
            raise FactorRequired("Recovery codes come with a factor: add one first.")
        account, codes = await self._account(account_id), new_codes()
        await self._factors.renew_codes(
            account_id,
            codes,
            notice=self._it.mails.recovery_codes_renewed(account.email),
            now=self._it.clock.now(),
        )
        return codes

    async def _room(self, account_id: AccountId) -> tuple[Account, Sequence[Factor]]:
        known = await self._factors.of_account(account_id)
        if len(known) >= FACTORS_MAX:
            raise FactorLimit
        return await self._account(account_id), known

    async def _account(self, account_id: AccountId) -> Account:
        account = await self._it.accounts.find(account_id)
        if account is None:
            raise SessionEnded
        return account

    async def _begin(
        self, account_id: AccountId, adding: _Adding, message: Message | None = None
    ) -> FactorId:
        now = self._it.clock.now()
        factor_id = FactorId(self._it.random.id("fac"))
        step = AwaitedStep(
            FlowKind.ADD_FACTOR,
            account_id,
            json.encode(adding).decode(),
            Millis(now + FLOW_MS),
        )
        if not await self._flows.begin(factor_id, step, message=message, now=now):
            raise TooManyRequests(SMS_WAIT_S)
        return factor_id

    def _proved(
        self,
        account_id: AccountId,
        factor_id: FactorId,
        adding: _Adding,
        proof: FactorProof,
        now: Millis,
    ) -> Factor:
        """The factor of a proof that holds; raises as confirm."""
        factor = Factor(
            factor_id=factor_id,
            account_id=account_id,
            kind=adding.kind,
            label=proof.label or _LABELS[adding.kind],
            created_at=now,
            secret=adding.secret,
        )
        match adding.kind:
            case FactorKind.PASSKEY:
                made = self._passkeys.registered(
                    proof.credential or {}, adding.challenge
                )
                return _with_passkey(factor, made, adding.user_handle)
            case FactorKind.TOTP:
                step = step_of(adding.secret, proof.code, now)
                if step is None:
                    raise InvalidCode
                # The code that proved it is used: it signs in no more.
                return structs.replace(factor, last_step=step)
            case FactorKind.SMS:
                if not hmac.compare_digest(
                    adding.sms_code.encode(), proof.code.encode()
                ):
                    raise InvalidCode
                return factor

    async def _told(
        self, account_id: AccountId, factor: Factor, known: Sequence[Factor]
    ) -> list[Message]:
        """The owner by mail, and the old phone if there is a new one."""
        account = await self._account(account_id)
        told = [self._it.mails.factor_added(account.email, factor.kind.value)]
        if factor.kind is FactorKind.SMS:
            told += [
                self._it.mails.phone_replaced(one.secret)
                for one in known
                if one.kind is FactorKind.SMS and one.secret != factor.secret
            ]
        return told


_LABELS = {
    FactorKind.TOTP: "Authenticator app",
    FactorKind.SMS: "Phone",
    FactorKind.PASSKEY: "Passkey",
}


def _with_passkey(factor: Factor, made: NewPasskey, user_handle: bytes) -> Factor:
    return structs.replace(
        factor,
        credential=made.credential,
        public_key=made.public_key,
        user_handle=user_handle,
        sign_count=made.sign_count,
    )
