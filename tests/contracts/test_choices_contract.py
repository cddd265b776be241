"""What people chose to hear of, on every database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from care.accounts.accounts import SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from care.notices.kinds import NOTHING, NoticeKind, Preferences
from care.notices.messages import Channel
from care.notices.ports import PersonErased
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.notices.choices import SqlChoices
from persistence.notices.models import NoticePreferenceRecord
from persistence.patients.recipients import was_erased
from persistence.privacy import erasing
from persistence.sql.records import Records
from tests import factories as make

PEOPLE = ("pat_1", "acc_1")
CHOSEN = Preferences().with_choice(NoticeKind.BOOKED, Channel.MAIL, wanted=False)
MEANWHILE_S = 0.5


@pytest.fixture
async def choices(records: Records, ring: KeyRing) -> SqlChoices:
    """Those of one account and its patient, who chose already."""
    context = SignInContext("patient", "pat_1")
    wanted = DemoAccount(AccountId("acc_1"), "mira@example.org", context)
    accounts = account_stores(records, ring).accounts
    await accounts.demo_account(wanted, now=make.NOW)
    made = SqlChoices(records, was_erased)
    for person in PEOPLE:
        assert await made.save(person, CHOSEN, version=0, now=make.NOW) == 1
    return made


async def _erase(records: Records, ring: KeyRing) -> None:
    keys = await ring.of()
    async with records.writing() as session:
        account = AccountId("acc_1")
        await erasing.erase_account(session, keys, account, "acc_2", {}, make.NOW)


async def _kept(records: Records) -> int:
    query = select(func.count()).select_from(NoticePreferenceRecord)
    async with records.reading() as session:
        return int(await session.scalar(query) or 0)


async def test_of_an_erased_person_no_choice_is_kept(
    choices: SqlChoices, records: Records, ring: KeyRing
) -> None:
    """As patient and as account: they want nothing, and what they choose is refused.
    Patients of demo tokens, who have no row, choose as ever."""
    await _erase(records, ring)
    for person in PEOPLE:
        assert await choices.find(person) == (NOTHING, 0)
        for version in (None, 0, 1):
            with pytest.raises(PersonErased):
                await choices.save(person, CHOSEN, version=version, now=make.NOW)
    assert await _kept(records) == 0
    assert await choices.save("pat_9", CHOSEN, version=0, now=make.NOW) == 1


@pytest.mark.parametrize("person", PEOPLE)
async def test_a_choice_in_the_moment_of_the_erasure_is_not_kept(
    choices: SqlChoices,
    records: Records,
    ring: KeyRing,
    person: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes when the choices are removed, and the end is not yet committed: it
    waits for that."""
    real, late = erasing._remove_choices, list[asyncio.Task[int | None]]()

    async def removed(session: AsyncSession, whose: str, rows: dict[str, int]) -> Any:
        await real(session, whose, rows)
        if whose == person:
            choosing = choices.save(person, CHOSEN, version=None, now=make.NOW)
            late.append(asyncio.ensure_future(choosing))
            # Unless it waits for this transaction it is done by then.
            await asyncio.wait(late, timeout=MEANWHILE_S)

    monkeypatch.setattr(erasing, "_remove_choices", removed)
    await _erase(records, ring)
    with pytest.raises(PersonErased):
        await late[0]
    assert await _kept(records) == 0
