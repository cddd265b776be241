"""Two transactions at one time about one account, or one clinic: one comes first.

``raced`` begins work while a transaction of the test is open and has locked its rows;
what the work may not see yet is committed when it has gone as far as it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis
from care.accounts.accounts import DAY_MS, SignInContext
from care.accounts.clients import CLIENTS_MAX, ApiClient, ClientId
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId
from care.accounts.ports import AccountStores, DemoAccount, Flow
from care.grants.values import PlatformRole
from care.notices.messages import Message
from persistence.accounts import identities
from persistence.accounts.client_models import ApiClientRecord
from persistence.accounts.clients import SqlApiClients
from persistence.accounts.factor_models import FactorResetRecord
from persistence.accounts.models import (
    AccountRecord,
    AuthFlowRecord,
    PlatformRoleRecord,
)
from persistence.accounts.rows import hashed_secret, lock_account
from persistence.accounts.store import account_stores
from persistence.grants.operating import Operated, SqlOperating
from persistence.grants.platform import SqlPlatform
from persistence.keys.ring import KeyRing
from persistence.notices.models import OutgoingMessageRecord
from persistence.sql.records import Records
from tests import factories as make
from tests.contracts.test_identities_contract import _new, _register
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS
from tests.fixtures.read_model import empty_records

NOW = make.NOW
ONE = AccountId("acc_1")
EMAIL = "acc_1@example.org"
CLINIC = ClinicId("cln_1")
LOOKS = 30
"""Other transactions that begin and end while the work goes as far as it can."""
Result = TypeVar("Result")
Step = Callable[[AsyncSession], Awaitable[Any]]


@pytest.fixture(params=("sqlite", "asyncmy"))
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Empty records."""
    opened = Records(empty_records(request.param, request, tmp_path))
    yield opened
    await opened.close()


@pytest.fixture
def ring(records: Records) -> KeyRing:
    return KeyRing(records, KEKS, SteppedClock(NOW))


@pytest.fixture
async def stores(records: Records, ring: KeyRing) -> AccountStores:
    """One account."""
    made = account_stores(records, ring)
    wanted = DemoAccount(ONE, EMAIL, SignInContext("patient", "pat_1"))
    await made.accounts.demo_account(wanted, now=NOW)
    return made


async def raced(
    records: Records, first: Step, work: Callable[[], Awaitable[Result]], last: Step
) -> Result:
    """What the work returns that begins between two steps of one transaction."""
    async with records.writing() as session:
        await first(session)
        begun = asyncio.ensure_future(work())
        for _ in range(LOOKS):
            async with records.reading() as other:
                await other.execute(text("SELECT 1"))
        await last(session)
    return await begun


async def _flushed(session: AsyncSession) -> None:
    await session.flush()


@pytest.mark.usefixtures("stores")
async def test_keeping_factors_comes_before_or_after_a_reset_that_is_asked_for(
    records: Records, ring: KeyRing
) -> None:
    """Not in its middle, where there is nothing to take back yet."""

    async def ask(session: AsyncSession) -> None:
        session.add(FactorResetRecord(account_id=ONE, asked_by="acc_9", asked_at=NOW))

    platform = SqlPlatform(records, ring)
    await raced(
        records,
        lambda session: lock_account(session, ONE),
        lambda: platform.keep_factors(ONE),
        ask,
    )
    async with records.reading() as reading:
        assert await reading.get(FactorResetRecord, ONE) is None


@pytest.mark.usefixtures("stores")
async def test_an_operator_who_comes_second_makes_no_administrator(
    records: Records, ring: KeyRing
) -> None:
    """The role was granted at that moment: it is there already, and no error."""

    async def grant(session: AsyncSession) -> None:
        role = PlatformRole.ADMIN.value
        row = PlatformRoleRecord(
            account_id=ONE, role=role, tenant="", grant_id="plr_1", since=NOW
        )
        session.add(row)
        await session.flush()

    operating = SqlOperating(records, ring)
    done = await raced(
        records,
        grant,
        lambda: operating.make_admin(EMAIL, "plr_2", now=NOW),
        _flushed,
    )
    assert done is Operated.WAS_ALREADY
    async with records.reading() as reading:
        assert list(await reading.scalars(select(PlatformRoleRecord.grant_id))) == [
            "plr_1"
        ]


async def test_no_reset_link_goes_to_an_address_that_is_being_changed(
    records: Records, stores: AccountStores
) -> None:
    """Its mailbox may be the reason of the change, and would open the account."""

    async def change(session: AsyncSession) -> None:
        row = AccountRecord
        moved = update(row).where(row.account_id == ONE).values(email_i="another")
        await session.execute(moved)

    flow = Flow(FlowKind.RESET_PASSWORD, "secret", Millis(NOW + DAY_MS))
    message = Message("reset_password", EMAIL, "Reset", "a link")
    await raced(
        records,
        change,
        lambda: stores.credentials.begin_reset(EMAIL, flow, message, now=NOW),
        _flushed,
    )
    async with records.reading() as reading:
        for table in (AuthFlowRecord, OutgoingMessageRecord):
            query = select(func.count()).select_from(table)
            assert await reading.scalar(query) == 0


def _client(name: str) -> ApiClient:
    return ApiClient(
        client_id=ClientId(name),
        clinic_id=CLINIC,
        name="Portal",
        scopes=("book",),
        created_by=ONE,
        created_at=NOW,
        expires_at=Millis(NOW + DAY_MS),
    )


@pytest.mark.usefixtures("stores")
async def test_a_clinic_has_no_more_clients_than_it_may(records: Records) -> None:
    """Also if the last place is taken at that moment, by a client that an index has
    before the others."""
    clients, row = SqlApiClients(records), ApiClientRecord
    for number in range(CLIENTS_MAX - 1):
        assert await clients.add(_client(f"cli_{number:02}"), f"secret {number}")

    async def lock(session: AsyncSession) -> None:
        query = select(row.client_id).where(row.clinic_id == CLINIC)
        await session.execute(query.with_for_update())

    async def add(session: AsyncSession) -> None:
        made = replace(_client("cli_!"), created_by="acc_2")
        fields = {name: getattr(made, name) for name in made.__struct_fields__}
        fields = {one: fields[one] for one in fields if hasattr(row, one)}
        fields["scopes"] = list(made.scopes)
        session.add(row(**fields, secret_hash=hashed_secret("another")))

    added = await raced(
        records, lock, lambda: clients.add(_client("cli_z"), "last"), add
    )
    assert added is False
    assert len(await clients.of_clinic(CLINIC)) == CLIENTS_MAX


@pytest.mark.parametrize("after", ["by_email", "_by_index"])
async def test_of_two_returns_at_once_both_find_the_account(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: str,
) -> None:
    """The other request makes it between two looks of this one, on a server, where
    each look sees what was committed before it: it is no other person's address."""
    records = Records(empty_records("asyncmy", request, tmp_path))
    store = account_stores(records, KeyRing(records, KEKS, SteppedClock(NOW)))
    inner, others = getattr(identities, after), list[int]()

    async def looked(*given: Any, **named: Any) -> Any:
        found = await inner(*given, **named)
        if not others:
            others.append(2)
            assert await _register(store, _new(2)) == "acc_2"
        return found

    monkeypatch.setattr(identities, after, looked)
    try:
        assert await _register(store, _new(1)) == "acc_2"
    finally:
        await records.close()
