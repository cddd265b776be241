"""A booking by a signed-in person asks no database: neither records nor read model.

What follows an answer in the background (a clinic gets to know the patient, a session's
token was seen) is not on the path, and stands still here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from gateway.accounts.side import SeenGenerations
from gateway.bookings.acquaintances import Acquaintances
from persistence.accounts.store import account_stores
from persistence.grants.stores import grant_stores
from persistence.keys.ring import KeyRing
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.patients.notes import SqlMedicalNotes
from persistence.patients.store import SqlPatients
from persistence.privacy.persons import SqlPersonKeys
from persistence.privacy.store import SqlPrivacy
from persistence.shared.memory import MemoryRevocations
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import slot
from tests.fakes.audit import MemorySpool
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api
from tests.fixtures.accounts import KEKS, AccountApi, bearer
from tests.fixtures.read_model import empty_records

REASON = "a sore knee"


async def _stands_still(_background: object) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[LiveApi, AccountApi]]:
    """A gateway on a port, with all that is asked about people in a file."""
    for background in (Acquaintances, SeenGenerations, SqlPersonKeys):
        monkeypatch.setattr(background, "run", _stands_still)
    clock = SteppedClock(make.NOW)
    records = Records(empty_records("sqlite", request, tmp_path))
    ring = KeyRing(records, KEKS, clock)
    outgoing, persons = SqlOutgoingMessages(records, ring), SqlPersonKeys(records, ring)
    await persons.load([])  # the site's keys, which a gateway reads as it starts
    shared = {
        "accounts": account_stores(records, ring),
        "grants": grant_stores(records, ring),
        "patients": SqlPatients(records, ring),
        "notes": SqlMedicalNotes(records, ring),
        "privacy": SqlPrivacy(records, ring),
        "outgoing": outgoing,
        "persons": persons,
        "audit_spool": MemorySpool(),
        "revocations": MemoryRevocations(clock),
    }
    try:
        async with open_live_api(
            shared=shared, clock=clock, password_memory_kib=64, demo=True
        ) as live:
            opened = AccountApi(live.api, outgoing)
            await opened.register()
            yield live, opened
    finally:
        await records.close()


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements of this process, over all engines, while the block runs."""
    found: list[str] = []

    def heard(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.append(statement)

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", heard)


@pytest.fixture
def reads(
    site: tuple[LiveApi, AccountApi], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Names of the questions to the read model, which is in memory here."""
    read_model, found = site[0].api.read_model, []

    def counted(name: str, ask: Any) -> Any:
        async def asked(*words: Any, **named: Any) -> Any:
            found.append(name)
            return await ask(*words, **named)

        return asked

    for name in dir(read_model):
        ask = getattr(read_model, name)
        if not name.startswith("_") and iscoroutinefunction(ask):
            monkeypatch.setattr(read_model, name, counted(name, ask))
    return found


def a_start(number: int) -> str:
    return f"2026-08-10T{9 + number // 2:02}:{number % 2 * 30:02}:00Z"


async def by_rest(opened: AccountApi, signed: dict[str, Any], number: int) -> None:
    body = {**slot(start=a_start(number)), "reason": REASON}
    headers = {**bearer(signed), "Idempotency-Key": f"k{number}"}
    answer = await opened.client.post("/v1/bookings", json=body, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (201, REASON)


async def by_socket(client: LiveClient, number: int) -> None:
    wanted = slot(start=a_start(number))
    held = await client.ask("hold", key=f"h{number}", **wanted)
    assert held["t"] == "result", held
    body = {"hold_id": held["body"]["hold_id"], "reason": REASON}
    answer = await client.ask("book", key=f"k{number}", **body)
    assert (answer["status"], answer["body"]["reason"]) == (201, REASON)


async def test_a_booking_by_a_signed_in_person_has_no_statement(
    site: tuple[LiveApi, AccountApi], reads: list[str]
) -> None:
    """Over REST and the socket, the first after signing in included. The read model is
    asked once, for the visits ahead of a patient whom the gateway has not seen."""
    live, opened = site
    signed = await opened.sign_in()
    async with live.client() as client:
        with statements() as found:
            await by_rest(opened, signed, 0)
            await by_rest(opened, signed, 1)
            token = signed["access_token"]
            assert (await client.ask("auth", token=token))["status"] == 200
            await by_socket(client, 2)
        assert found == []
        assert reads == ["of_patient"]


async def test_control_a_lost_salt_and_an_ordinary_route_are_counted(
    site: tuple[LiveApi, AccountApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counter sees what is asked: the key of a person whose token did not bring
    it, and a page of the account."""
    _, opened = site
    signed = await opened.sign_in()
    with statements() as found:
        assert (await opened.me(signed)).status_code == 200
    assert found
    monkeypatch.setattr(SqlPersonKeys, "knows", lambda *_: False)
    monkeypatch.setattr(SqlPersonKeys, "_find", lambda *_: None)
    body = {**slot(), "reason": REASON}
    with statements() as found:
        await opened.client.post("/v1/bookings", json=body, headers=bearer(signed))
    assert any("key_salt" in one for one in found)
