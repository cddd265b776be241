"""The state of a sign-in that waits for a factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct, json

from actors.domain.ids import Millis
from care.accounts.accounts import Delivery
from care.accounts.factors.phones import shown_number
from care.accounts.factors.values import FLOW_MS, Factor, FactorKind
from care.accounts.flows import AwaitedStep, FlowKind
from care.accounts.ids import AccountId
from gateway.accounts.needs import AuthNeeds, Device, FactorAwaited, SignInProof
from gateway.accounts.refusals import InvalidCredentials

if TYPE_CHECKING:
    from care.accounts.accounts import Session

ADDABLE: Final = (FactorKind.PASSKEY, FactorKind.TOTP, FactorKind.SMS)
"""Kinds that an account may add, the safest first."""


class Awaiting(Struct, frozen=True):
    """The payload of a flow SIGN_IN or PASSKEY.

    ``methods`` were proved already, of them the password of the stamp ``password``.
    ``session``: the identity of this open session is
    proved again, none is opened. ``challenge`` is what a passkey signs; ``sms_code``
    was sent to the phone of ``sms_factor`` and is good until ``sms_until``.
    """

    delivery: Delivery
    agent: str = ""
    is_remembered: bool = True
    context: str | None = None
    methods: tuple[str, ...] = ()
    is_new: bool = False
    session: str = ""
    challenge: bytes = b""
    sms_code: str = ""
    sms_factor: str = ""
    sms_until: int = 0
    password: str = ""

    @property
    def device(self) -> Device:
        """The origin of the sign-in."""
        return Device(
            delivery=self.delivery,
            agent=self.agent,
            is_remembered=self.is_remembered,
        )

    def text(self) -> str:
        """The payload as it is stored."""
        return json.encode(self).decode()


def awaiting_of(step: AwaitedStep) -> Awaiting:
    """The state in a stored step."""
    return json.decode(step.payload, type=Awaiting)


async def await_factor(
    needs: AuthNeeds,
    account_id: AccountId,
    factors: Sequence[Factor],
    device: Device,
    context: str | None,
    proof: SignInProof,
) -> FactorAwaited:
    """Begin to wait for the second factor of a sign-in, or for a new one.

    Raises:
        InvalidCredentials: the password was replaced since it was proved.
    """
    waiting = Awaiting(
        delivery=device.delivery,
        agent=device.agent,
        is_remembered=device.is_remembered,
        context=context,
        methods=proof.methods,
        password=proof.password,
        is_new=not factors,
    )
    return await _begin(needs, account_id, factors, waiting)


async def await_proof(
    needs: AuthNeeds, session: Session, factors: Sequence[Factor], context: str
) -> FactorAwaited:
    """Begin to wait for a factor that proves an open session's identity again."""
    waiting = Awaiting(
        delivery=session.delivery, context=context, session=session.session_id
    )
    return await _begin(needs, session.account_id, factors, waiting)


async def _begin(
    needs: AuthNeeds,
    account_id: AccountId,
    factors: Sequence[Factor],
    waiting: Awaiting,
) -> FactorAwaited:
    now, secret = needs.clock.now(), needs.random.secret()
    expires_at = Millis(now + FLOW_MS)
    step = AwaitedStep(FlowKind.SIGN_IN, account_id, waiting.text(), expires_at)
    if not await needs.stores.flows.begin(
        secret, step, password=waiting.password, now=now
    ):
        raise InvalidCredentials
    had = {one.kind for one in factors}
    phones = [one.secret for one in factors if one.kind is FactorKind.SMS]
    return FactorAwaited(
        account_id=account_id,
        flow=secret,
        expires_at=expires_at,
        factors=[one for one in ADDABLE if waiting.is_new or one in had],
        is_new=waiting.is_new,
        phone=shown_number(phones[0]) if phones else "",
    )
