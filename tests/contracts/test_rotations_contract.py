"""Refreshes that share a transaction are as safe as each alone, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.accounts.accounts import DAY_MS, Delivery, EndedWhy, Session, SignInContext
from care.accounts.ids import AccountId, SessionId
from care.accounts.ports import AccountStores, DemoAccount
from persistence.accounts import rotations
from persistence.accounts.models import SessionRecord
from persistence.accounts.sessions import SqlSessions
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.sql import drivers
from persistence.sql.records import Records
from tests import factories as make

NOW = make.NOW
MANY = 64


@pytest.fixture
async def stores(records: Records, ring: KeyRing) -> AccountStores:
    """One account."""
    made = account_stores(records, ring)
    wanted = DemoAccount(
        AccountId("acc_1"), "mira@example.org", SignInContext("patient", "pat_1")
    )
    await made.accounts.demo_account(wanted, now=NOW)
    return made


def _session(number: int) -> Session:
    return Session(
        session_id=SessionId(f"ses_{number}"),
        account_id=AccountId("acc_1"),
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
        agent="a browser",
    )


async def _opened(stores: AccountStores, count: int) -> list[Session]:
    sessions = [_session(number) for number in range(count)]
    for one in sessions:
        await stores.sessions.open_session(one)
    return sessions


async def _rotate(stores: AccountStores, session: Session) -> bool:
    return await stores.sessions.rotate(session, active=True, now=Millis(NOW + 5))


async def _generation(stores: AccountStores, session: Session) -> int:
    found = await stores.sessions.session(session.session_id)
    assert found is not None
    return found.generation


def _begun(stores: AccountStores) -> int:
    assert isinstance(stores.sessions, SqlSessions)
    return stores.sessions._rotations.transactions


async def test_refreshes_at_once_share_a_transaction(stores: AccountStores) -> None:
    """64 sessions are rotated, each once; one by one they take one each."""
    sessions = await _opened(stores, MANY)
    made = await asyncio.gather(*(_rotate(stores, one) for one in sessions))
    assert made == [True] * MANY
    assert _begun(stores) <= 2
    assert {await _generation(stores, one) for one in sessions} == {2}
    for one in sessions[:3]:
        assert not await _rotate(stores, one)  # of the generation before
    assert _begun(stores) >= 4  # the control


async def test_each_of_a_transaction_is_judged_by_itself(
    stores: AccountStores,
) -> None:
    """One that is behind, twice the same, an ended one: they stop no other."""
    sessions = await _opened(stores, 5)
    ended, behind, twice, idle, other = sessions
    await stores.sessions.end_session(ended.session_id, EndedWhy.REUSE, now=NOW)
    assert await _rotate(stores, behind)
    made = await asyncio.gather(
        *(_rotate(stores, one) for one in (ended, behind, twice, twice, other)),
        stores.sessions.rotate(idle, active=False, now=Millis(NOW + 5)),
    )
    assert made == [False, False, True, False, True, True]
    assert [await _generation(stores, one) for one in sessions] == [1, 2, 2, 2, 2]
    kept = await stores.sessions.session(idle.session_id)
    assert kept is not None
    assert (kept.active_at, kept.rotated_at) == (NOW, NOW + 5)


async def test_a_database_that_is_away_rotates_none(
    stores: AccountStores, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request of the transaction hears so from one attempt, no generation has
    changed, and the next go on."""
    sessions = await _opened(stores, 3)
    real = records.transact

    async def dying(work: Callable[[Connection], Any]) -> Any:
        def die(connection: Connection) -> None:
            work(connection)
            raise OSError("the disk is gone")

        return await real(die)

    with monkeypatch.context() as patched:
        patched.setattr(records, "transact", dying)
        failed = await asyncio.gather(
            *(_rotate(stores, one) for one in sessions), return_exceptions=True
        )
    assert [type(one) for one in failed] == [Unavailable] * 3
    assert len({id(one) for one in failed}) == 3
    assert _begun(stores) == 1
    assert {await _generation(stores, one) for one in sessions} == {1}
    assert await asyncio.gather(*(_rotate(stores, one) for one in sessions)) == (
        [True] * 3
    )


async def test_a_row_that_fails_fails_alone(stores: AccountStores) -> None:
    """The database refuses one value; the others of the transaction are rotated, each
    once. The next share a transaction again."""
    sessions = await _opened(stores, 5)
    beyond = Millis(2**70)  # no column holds it
    made = await asyncio.gather(
        *(_rotate(stores, one) for one in sessions[:2]),
        stores.sessions.rotate(sessions[2], active=True, now=beyond),
        *(_rotate(stores, one) for one in sessions[3:]),
        return_exceptions=True,
    )
    assert isinstance(made[2], Exception)
    assert not isinstance(made[2], Unavailable)
    assert [made[at] for at in (0, 1, 3, 4)] == [True] * 4
    assert [await _generation(stores, one) for one in sessions] == [2, 2, 1, 2, 2]
    begun = _begun(stores)
    again = [replace(one, generation=2) for one in (*sessions[:2], *sessions[3:])]
    assert await asyncio.gather(*(_rotate(stores, one) for one in again)) == [True] * 4
    assert _begun(stores) == begun + 1


async def test_a_row_that_another_transaction_holds_fails_alone(
    stores: AccountStores, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server: the others do not share its end. On SQLite a writer holds all."""
    if records.engine.dialect.name == "sqlite":
        return
    sessions = await _opened(stores, 3)
    monkeypatch.setattr(drivers, "LOCK_WAIT_S", 1)
    other = Records(records.engine.url.render_as_string(hide_password=False))
    rotating = rotations.Rotations(other)
    wanted = [rotations.Rotation(one.session_id, 1, True, NOW) for one in sessions]
    async with records.writing() as session:
        held = sessions[1].session_id
        await session.get(SessionRecord, held, with_for_update=True)
        made = await asyncio.gather(
            *(rotating.rotate(one) for one in wanted), return_exceptions=True
        )
    await other.close()
    assert [made[0], made[2]] == [True, True]
    assert isinstance(made[1], Unavailable)
    assert [await _generation(stores, one) for one in sessions] == [2, 1, 2]


@pytest.mark.parametrize("steps", [0, 1, 4])
async def test_none_waits_for_a_writing_that_was_cut_off(
    stores: AccountStores,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    """Whether it had begun or not: those in its transaction and those behind hear that
    the outcome is unknown, and asking again goes on."""
    monkeypatch.setattr(rotations, "TOGETHER_MAX", 2)
    sessions = await _opened(stores, 4)
    assert isinstance(stores.sessions, SqlSessions)
    real, never = records.transact, asyncio.Event()

    async def held(work: Callable[[Connection], Any]) -> Any:
        await never.wait()
        return await real(work)

    with monkeypatch.context() as patched:
        patched.setattr(records, "transact", held)
        waiting = [asyncio.ensure_future(_rotate(stores, one)) for one in sessions]
        for _ in range(1 + steps):
            await asyncio.sleep(0)
        writing = stores.sessions._rotations._writing
        assert writing is not None
        writing.cancel()
        made = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in made] == [Unavailable] * 4
    assert await asyncio.gather(*(_rotate(stores, one) for one in sessions)) == (
        [True] * 4
    )


async def test_none_is_answered_before_its_commit(
    stores: AccountStores, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that come meanwhile share the next one; a request that was given up
    takes nothing from the others."""
    sessions = await _opened(stores, 5)
    real, begun, go_on = records.transact, asyncio.Event(), asyncio.Event()

    async def held(work: Callable[[Connection], Any]) -> Any:
        made = await real(work)
        begun.set()
        await go_on.wait()
        return made

    monkeypatch.setattr(records, "transact", held)
    first = asyncio.ensure_future(_rotate(stores, sessions[0]))
    await begun.wait()
    later = [asyncio.ensure_future(_rotate(stores, one)) for one in sessions[1:]]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(one.done() for one in (first, *later))
    first.cancel()
    later[0].cancel()
    await asyncio.wait([first, later[0]])
    go_on.set()
    await asyncio.wait(later[1:])
    assert first.cancelled()
    assert later[0].cancelled()
    assert [one.result() for one in later[1:]] == [True] * 3
    assert _begun(stores) == 2
    # What was given up before its transaction began is not made.
    assert [await _generation(stores, one) for one in sessions] == [2, 1, 2, 2, 2]


async def test_refreshes_that_wait_are_bounded(
    stores: AccountStores, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is told to come again, at once."""
    monkeypatch.setattr(rotations, "WAITING_MAX", 2)
    sessions = await _opened(stores, 3)
    made = await asyncio.gather(
        *(_rotate(stores, one) for one in sessions), return_exceptions=True
    )
    assert made[:2] == [True, True]
    assert isinstance(made[2], Unavailable)
