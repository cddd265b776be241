"""Refreshing against the end of a session, in a thousand interleavings."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.ids import Millis
from care.accounts.accounts import (
    DAY_MS,
    Account,
    AccountStatus,
    Delivery,
    EndedWhy,
    Session,
    SignInContext,
)
from care.accounts.ids import AccountId, SessionId
from care.accounts.refreshing import refresh_token
from gateway.access.revocations import RevokedTokens
from gateway.access.tokens import Authenticator
from gateway.accounts.needs import AuthNeeds
from gateway.accounts.refusals import SessionEnded
from gateway.accounts.service import SignIn
from gateway.config import GatewayConfig
from gateway.wire.errors import Unauthenticated
from tests import factories as make
from tests.fakes.api import KEY
from tests.fakes.clocks import SteppedClock

INTERLEAVINGS = 1_000
NOW = make.NOW
ACCOUNT = Account(
    AccountId("acc_1"), AccountStatus.ACTIVE, "mira@example.org", "en", NOW
)


class Pauses:
    """One session and its account; before each call other work may run, or not."""

    def __init__(self, seed: int, session: Session) -> None:
        self._draw, self.row = Random(seed), session

    async def _pause(self) -> None:
        for _ in range(self._draw.randrange(4)):
            await asyncio.sleep(0)

    async def find(self, _account_id: AccountId) -> Account:
        await self._pause()
        return ACCOUNT

    async def contexts(self, _account_id: AccountId) -> list[SignInContext]:
        await self._pause()
        return [SignInContext("patient", "pat_1")]

    async def session(self, _session_id: SessionId) -> Session:
        await self._pause()
        return self.row

    async def rotate(self, session: Session, **_: Any) -> bool:
        await self._pause()
        if self.row.ended_at is not None or self.row.generation != session.generation:
            return False
        self.row = replace(self.row, generation=session.generation + 1)
        return True

    async def end_session(
        self, _session_id: SessionId, why: EndedWhy, **_: Any
    ) -> None:
        await self._pause()
        self.row = replace(self.row, ended_at=NOW, ended_why=why)


class Stores:
    """The stores of accounts that refreshing asks."""

    def __init__(self, pauses: Pauses) -> None:
        self.accounts = self.sessions = self.credentials = pauses


async def _living_tokens(seed: int) -> list[str]:
    """Tokens that work once a refresh and the session's end, run at once, are over."""
    clock = SteppedClock(NOW)
    config = GatewayConfig(token_keys=(KEY,))
    revoked = RevokedTokens(clock)
    session = Session(
        session_id=SessionId("ses_1"),
        account_id=ACCOUNT.account_id,
        salt=b"salt",
        generation=1,
        seen_generation=0,
        rotated_at=NOW,
        created_at=NOW,
        authenticated_at=NOW,
        level=1,
        active_at=NOW,
        idle_ms=DAY_MS,
        ends_at=Millis(NOW + DAY_MS),
        delivery=Delivery.BODY,
        agent="",
    )
    pauses = Pauses(seed, session)
    needs = AuthNeeds(
        stores=Stores(pauses),  # type: ignore[arg-type]
        passwords=None,  # type: ignore[arg-type]
        clock=clock,
        keys=(KEY,),
        mails=None,  # type: ignore[arg-type]
        revoked=revoked,
    )
    sign_in = SignIn(needs)
    token = refresh_token(needs.refresh_keys[0], session, 1)
    issued: list[str] = []

    async def refresh() -> None:
        await pauses._pause()
        try:
            signed = await sign_in.refresh(token, active=True, context=None)
        except SessionEnded:
            return
        issued.append(signed.access)

    await asyncio.gather(
        refresh(), sign_in.sign_out(session.session_id, EndedWhy.SIGNED_OUT), refresh()
    )
    authenticator = Authenticator(config, clock, revoked)
    return [one for one in issued if _works(authenticator, one)]


def _works(authenticator: Authenticator, token: str) -> bool:
    try:
        authenticator.verify(token)
    except Unauthenticated:
        return False
    return True


async def test_no_token_outlives_the_end_of_its_session() -> None:
    """However two refreshes and the end interleave: afterwards none works."""
    living = [
        one for seed in range(INTERLEAVINGS) for one in await _living_tokens(seed)
    ]
    assert living == []


async def test_without_revoking_tokens_outlive_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: the end in the store alone leaves tokens that work."""

    async def nothing(*_: Any) -> None:
        return

    monkeypatch.setattr(SignIn, "_revoke", nothing)
    assert any([await _living_tokens(seed) for seed in range(50)])
