"""Controls of tokens and sessions: with its guard removed, each attack succeeds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from care.accounts.refreshing import GRACE_MS, Judgement, judge
from gateway.access import tokens
from gateway.accounts import routes, service
from gateway.accounts.service import SignIn
from gateway.http.request_log import RequestLog
from gateway.live.sessions.socket import LiveSocket
from persistence.accounts.models import SessionRecord
from persistence.accounts.sessions import SqlSessions
from tests import factories as make
from tests.fakes.api import KEY
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    AccountApi,
    account_api,
    bearer,
    code_of,
)
from tests.fixtures.factors import claims_of

RACERS = 24


def _forged(kind: str, claims: dict[str, Any]) -> str:
    if kind == "alg none":
        return jwt.encode(claims, "", algorithm="none")
    if kind == "wrong key":
        return jwt.encode(claims, b"x" * 32)
    return jwt.encode(claims | {kind: "other"}, KEY)


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("kind", ["alg none", "wrong key", "iss", "aud"])
async def test_a_gateway_that_verifies_less_takes_forged_tokens(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: str,
    guarded: bool,
) -> None:
    """Signature, algorithm, issuer and audience are what refuses each."""
    decode = jwt.decode

    def trusting(text: str, *_all: Any, **_more: Any) -> Any:
        return decode(text, options={"verify_signature": False})

    token = {"access_token": _forged(kind, claims_of(mira))}
    if not guarded:
        monkeypatch.setattr(jwt, "decode", trusting)
        monkeypatch.setattr(tokens, "_TOKEN", re.compile(".*"))
    assert (await site.me(token)).status_code == (401 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_refresh_that_compares_no_generation_loses_the_session(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """24 at once make one generation; counted by each, no successor works."""
    find, arrived, all_there = SqlSessions.session, 0, asyncio.Event()

    async def together(self: SqlSessions, session_id: Any) -> Any:
        nonlocal arrived
        found = await find(self, session_id)
        arrived += 1
        if arrived == RACERS:
            all_there.set()
        await all_there.wait()
        return found

    async def each_counts(self: SqlSessions, session: Any, **_more: Any) -> bool:
        row = SessionRecord
        async with self._records.writing() as database:
            await database.execute(
                update(row)
                .where(row.session_id == session.session_id)
                .values(generation=row.generation + 1)
            )
        return True

    monkeypatch.setattr(SqlSessions, "session", together)
    if not guarded:
        monkeypatch.setattr(SqlSessions, "rotate", each_counts)
    token = mira["refresh_token"]
    answers = await asyncio.gather(*(site.refresh(token) for _ in range(RACERS)))
    (successor,) = {one.json()["refresh_token"] for one in answers}
    assert (await site.refresh(successor)).status_code == (200 if guarded else 401)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_server_that_repeats_nothing_signs_out_who_lost_an_answer(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """That a successor was never seen is what tells a lost answer from a thief."""

    def strict(session: Any, generation: int, now: Any) -> Judgement:
        found = judge(session, generation, now)
        is_late = now - session.rotated_at >= GRACE_MS
        return Judgement.END if found is Judgement.REPEAT and is_late else found

    if not guarded:
        monkeypatch.setattr(service, "judge", strict)
    await site.refresh(mira["refresh_token"])
    site.clock.step(600)
    again = await site.refresh(mira["refresh_token"])
    assert again.status_code == (200 if guarded else 401)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_new_password_that_ends_nothing_leaves_the_thief_signed_in(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """The end of the others is a step of its own; without it their tokens work on."""
    thief = await site.sign_in()
    if not guarded:

        async def none(*_all: Any, **_more: Any) -> None:
            return None

        monkeypatch.setattr(SignIn, "sign_out_everywhere", none)
    body = {"password": "seven quiet harbours"}
    changed = await site.post("password/change", body, bearer(mira))
    assert changed.status_code == 204, changed.text
    assert (await site.me(thief)).status_code == (401 if guarded else 200)
    assert (await site.me(mira)).status_code == 200


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_log_of_addresses_would_hold_tokens(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """A token in a query is refused by its name; lines have the route's template."""
    if not guarded:
        monkeypatch.setattr(
            RequestLog,
            "_route",
            lambda _self, scope: f"{scope['path']}?{scope['query_string'].decode()}",
        )
    async with account_api(request, tmp_path, log_requests=True) as site:
        await site.register()
        mira = await site.sign_in()
        path = f"/v1/me?access_token={mira['access_token']}"
        with capture_logs() as lines:
            answer = await site.client.get(path)
        assert answer.status_code in (401, 422)
        assert (mira["access_token"] in repr(lines)) is not guarded


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("origin", ["cross-site", "same-site"])
async def test_a_server_that_asks_no_origin_signs_a_stranger_in(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch, *, origin: str, guarded: bool
) -> None:
    """A foreign page would put its own account under a person's browser."""
    if not guarded:
        monkeypatch.setattr(routes, "check_same_origin", lambda *_: None)
    body = {"email": MIRA, "password": PASSWORD}
    answer = await site.post("login", body, {"Sec-Fetch-Site": origin})
    assert ("set-cookie" in answer.headers) is not guarded
    if guarded:
        assert code_of(answer) == (403, "cross_origin")


@pytest.fixture
async def live() -> AsyncIterator[LiveApi]:
    async with open_live_api(clock=SteppedClock(make.NOW)) as opened:
        yield opened


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_socket_that_asks_no_origin_serves_foreign_pages(
    live: LiveApi, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """A handshake has no Sec-Fetch-Site: the origin alone is compared."""
    if not guarded:
        monkeypatch.setattr(LiveSocket, "_is_ours", lambda *_: True)
    async with live.client(origin="https://evil.example") as page:
        if guarded:
            assert await page.closed() == 4503
        else:
            assert (await page.ask("ping"))["t"] == "pong"
