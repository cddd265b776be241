"""What becomes of an account's living sockets when its sessions end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.service import SignIn
from persistence.accounts import sessions
from persistence.accounts.store import account_stores
from persistence.grants.stores import grant_stores
from persistence.keys.ring import KeyRing
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.patients.notes import SqlMedicalNotes
from persistence.patients.store import SqlPatients
from persistence.shared.memory import MemoryRevocations
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fixtures.accounts import KEKS, AccountApi, bearer
from tests.fixtures.read_model import empty_records


@asynccontextmanager
async def _live_accounts(
    request: pytest.FixtureRequest, folder: Path
) -> AsyncIterator[tuple[LiveApi, AccountApi]]:
    """A gateway with a port, and accounts in a file."""
    clock = SteppedClock(make.NOW)
    records = Records(empty_records("sqlite", request, folder))
    ring = KeyRing(records, KEKS, clock)
    outgoing = SqlOutgoingMessages(records, ring)
    shared = {
        "accounts": account_stores(records, ring),
        "grants": grant_stores(records, ring),
        "patients": SqlPatients(records, ring),
        "notes": SqlMedicalNotes(records, ring),
        "outgoing": outgoing,
        "revocations": MemoryRevocations(clock),
    }
    settings = {"clock": clock, "password_memory_kib": 64, "demo": True}
    try:
        async with open_live_api(shared=shared, **settings) as live:
            yield live, AccountApi(live.api, outgoing)
    finally:
        await records.close()


@pytest.fixture
async def live(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[LiveApi, AccountApi]]:
    """Mira is registered."""
    async with _live_accounts(request, tmp_path) as (opened, site):
        await site.register()
        yield opened, site


async def test_a_changed_password_closes_other_devices_alone(
    live: tuple[LiveApi, AccountApi],
) -> None:
    """Their sockets with 4501; the one of the device that changed it lives."""
    opened, site = live
    here, there = await site.sign_in(), await site.sign_in()
    async with opened.client() as mine, opened.client() as other:
        for socket, signed in ((mine, here), (other, there)):
            answer = await socket.ask("auth", token=signed["access_token"])
            assert answer["t"] == "result"
        body = {"password": "seven quiet harbours"}
        changed = await site.post("password/change", body, bearer(here))
        assert changed.status_code == 204, changed.text
        assert (await other.until("bye"))["code"] == 4501
        assert await other.closed() == 4501
        assert (await mine.ask("ping"))["t"] == "pong"


async def _disable(site: AccountApi, signed: dict[str, Any]) -> None:
    """An administrator disables the account of this sign-in."""
    admin = await site.post("demo", {"persona": "admin", "delivery": "body"})
    account = (await site.me(signed)).json()["account_id"]
    path = f"/v1/accounts/{account}/disable"
    done = await site.client.post(path, headers=bearer(admin.json()))
    assert done.status_code == 200, done.text


@pytest.mark.parametrize("end", ["sign-out", "disabled", ""])
async def test_a_session_that_ends_gets_no_answer_any_more(
    live: tuple[LiveApi, AccountApi],
    monkeypatch: pytest.MonkeyPatch,
    *,
    end: str,
) -> None:
    """Not even to a command that was in flight; without the end it comes (control).

    Attack 10: neither for an account that is disabled meanwhile.
    """
    opened, site = live
    signed = await site.sign_in()
    calendars: Any = opened.api.ports.calendars
    asked, answer_now, ask = asyncio.Event(), asyncio.Event(), calendars.ask

    async def slow(command: Any) -> Any:
        asked.set()
        await answer_now.wait()
        return await ask(command)

    async with opened.client() as mine:
        await mine.ask("auth", token=signed["access_token"])
        monkeypatch.setattr(calendars, "ask", slow)
        number = await mine.send("book", key="k", **slot())
        await asked.wait()
        if end:
            if end == "disabled":
                await _disable(site, signed)
            else:
                await site.post("logout", {"everywhere": True}, bearer(signed))
            answer_now.set()
            assert await mine.closed() == 4501
            assert not [one for one in mine.frames if one.get("id") == number]
        else:
            answer_now.set()
            assert (await mine.until("result"))["id"] == number


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_session_beyond_the_bound_ends_with_its_tokens(
    live: tuple[LiveApi, AccountApi],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """The oldest one's access token is refused at once, and its socket closed.

    Unguarded (control) the token goes on until its ten minutes are over.
    """
    opened, site = live
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 2)
    if not guarded:

        async def untold(*_of: Any) -> None: ...

        monkeypatch.setattr(SignIn, "_revoke", untold)
    oldest = await site.sign_in()
    site.clock.step(1)
    newer = await site.sign_in()
    async with opened.client() as mine:
        await mine.ask("auth", token=oldest["access_token"])
        site.clock.step(1)
        await site.sign_in()
        assert (await site.me(newer)).status_code == 200
        assert (await site.me(oldest)).status_code == (401 if guarded else 200)
        if guarded:
            assert await mine.closed() == 4501
        else:
            assert (await mine.ask("ping"))["t"] == "pong"
