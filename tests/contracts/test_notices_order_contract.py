"""What messages and events of one visit come to, at one moment or after a wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from actors.domain.ids import TimeOffId
from actors.domain.messages.commands import SetConfidential
from care.grants.values import GuardianBasis, Guardianship
from care.jobs.jobs import Completed
from care.notices.messages import DeliveryStatus
from care.patients.profiles import PatientProfile
from persistence.accounts.store import account_stores
from persistence.grants.stores import grant_stores
from persistence.jobs.models import JobRecord
from persistence.notices.inbox import SqlInbox
from persistence.notices.models import (
    NoticeRecord,
    OutgoingMessageRecord,
    ToldVisitRecord,
)
from persistence.privacy.erasing import erase
from tests import factories as make
from tests.contracts.test_accounts_contract import KNOWN, WELCOME, _new
from tests.fixtures.told import ToldSite, told_site

HOUR_S = 3_600
NEXT = make.at(9, day=2)
LATER = make.at(14, day=2)
BOOKING = make.a_booking_id(1)
OFF = TimeOffId("off_1.1")


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site(request.param, request, tmp_path) as made:
        await made.add_patient()
        yield made


async def test_what_waited_comes_in_the_order_in_which_it_was_told(
    site: ToldSite,
) -> None:
    """Although the newer one was tried less often, and is due before the older one."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    for _ in range(8):
        site.clock.step(150)
        await site.work()
    await site.ask(make.add_time_off(time_off_id=OFF, start=NEXT - 60, end=NEXT + 60))
    site.mail.is_down = False
    await site.work()
    for _ in range(20):
        site.clock.step(60)
        await site.work()
    assert site.mail.kinds() == ["booked", "stranded"]


async def test_of_a_visit_moved_there_and_back_the_newest_comes(
    site: ToldSite,
) -> None:
    """What was told before, while the channel was away, is right again: overtaken."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    for start in (LATER, NEXT):
        await site.ask(make.reschedule_booking(1, start=start, key=f"to {start}"))
        await site.work()
    site.mail.is_down = False
    site.clock.step(HOUR_S)
    await site.work()
    assert site.mail.kinds() == ["rescheduled"]
    assert "SEQUENCE:2" in site.mail.got[0].message.calendar
    async with site.records.reading() as session:
        states = list(await session.scalars(select(OutgoingMessageRecord.status)))
    assert sorted(states) == ["sent", "superseded", "superseded"]


async def test_a_visit_moved_back_before_it_was_told_is_confirmed(
    site: ToldSite,
) -> None:
    """Its message waits while the visit is elsewhere, and nothing is told of that."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    site.mail.is_down = False
    site.clock.step(2)
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.deliver()
    assert site.mail.got == []
    await site.ask(make.reschedule_booking(1, start=NEXT, key="back"))
    site.clock.step(2)
    await site.work()
    assert site.mail.kinds() == ["booked"]


async def test_leave_that_goes_and_comes_is_told_as_it_is(site: ToldSite) -> None:
    """While the channel is away it is taken back and taken again: that comes alone."""
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    site.mail.is_down = True
    leave = make.add_time_off(time_off_id=OFF, start=NEXT - 60, end=NEXT + 60)
    await site.ask(leave)
    await site.work()
    await site.ask(make.remove_time_off(time_off_id=OFF))
    await site.work()
    again = TimeOffId("off_1.2")
    await site.ask(
        make.add_time_off(2, time_off_id=again, start=NEXT - 60, end=NEXT + 60)
    )
    await site.work()
    site.mail.is_down = False
    site.clock.step(HOUR_S)
    await site.work()
    assert site.mail.kinds() == ["booked", "stranded"]


async def a_guardian_of_pat_2(site: ToldSite) -> None:
    """Of a child without an account."""
    accounts = account_stores(site.records, site.ring)
    new, now = _new(3), site.clock.now()
    await accounts.accounts.register(new, welcome=WELCOME, known=KNOWN, now=now)
    assert await accounts.accounts.verify_email("secret 3", now=now)
    await site.work()
    site.mail.got.clear()
    child = make.a_patient_id(2)
    await site.add_patient(2, PatientProfile(given_name="Lea"))
    grants = grant_stores(site.records, site.ring)
    made = Guardianship(
        *("grd_1", new.account_id, child, "manage", GuardianBasis.PARENTAL, now)
    )
    await grants.guardianships.give(made, now=now)


def hiding(number: int) -> SetConfidential:
    return SetConfidential(
        provider_id=make.PROVIDER,
        booking_id=make.a_booking_id(number),
        owner=None,
        confidential=True,
    )


async def test_messages_to_proxies_are_held_back_once_a_visit_is_confidential(
    site: ToldSite,
) -> None:
    """What was told before and waited is not sent, a cancellation neither."""
    await a_guardian_of_pat_2(site)
    site.mail.is_down = True
    for number, start in ((1, NEXT), (2, LATER)):
        patient = make.a_patient_id(2)
        await site.ask(make.book_slot(number, start, patient_id=patient))
    await site.ask(make.cancel_booking(2))
    await site.work()
    for number in (1, 2):
        await site.ask(hiding(number))
    site.mail.is_down = False
    site.clock.step(HOUR_S)
    await site.work()
    assert site.mail.got == []


def between(site: ToldSite, happens: Callable[[], Awaitable[None]]) -> None:
    """Let something happen once, after telling has read and before it writes."""
    inner = site.telling._recipients_of
    done: list[bool] = []

    async def recipients_of(*given: Any) -> Any:
        found = await inner(*given)
        if not done:
            done.append(True)
            await happens()
        return found

    site.telling._recipients_of = recipients_of


async def hidden_by_another_worker(site: ToldSite) -> None:
    """The visit becomes confidential, and its event is worked on to the end."""
    await site.ask(hiding(1))
    await site.project()
    kind, now = "booking.confidential", site.clock.now()
    (job,) = await site.outbox.claim(
        "other", kinds={kind}, now=now, lease_ms=60_000, limit=9
    )
    await site.handlers()[0][kind](job)
    assert await site.outbox.finish([(job, Completed())], now=now) == 1


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_visit_veiled_while_it_is_told_is_hidden(
    site: ToldSite, *, is_first: bool
) -> None:
    """Its notice is of a confidential visit, whichever of both commits first, and
    whether something was told of the visit before."""
    patient = make.a_patient_id(1)
    await site.ask(make.book_slot(1, NEXT))
    if not is_first:
        await site.work()
        await site.ask(make.reschedule_booking(1, start=LATER))

    between(site, lambda: hidden_by_another_worker(site))
    await site.work()
    inbox = SqlInbox(site.records, site.ring)
    own = await inbox.page(patient, after=None, limit=9, proxy=False)
    assert [one.kind for one in own][:1] == ["booked" if is_first else "rescheduled"]
    assert await inbox.page(patient, after=None, limit=9, proxy=True) == []


async def test_a_visit_veiled_while_it_is_reminded_of_is_hidden(
    site: ToldSite,
) -> None:
    """The calendar was asked a moment before."""
    patient = make.a_patient_id(1)
    await site.ask(make.book_slot(1, NEXT))
    await site.work()

    between(site, lambda: hidden_by_another_worker(site))
    site.until(NEXT - 24 * 60)
    await site.work()
    site.clock.step(60)
    await site.work()
    inbox = SqlInbox(site.records, site.ring)
    own = await inbox.page(patient, after=None, limit=9, proxy=False)
    assert [one.kind for one in own] == ["reminder", "booked"]
    assert await inbox.page(patient, after=None, limit=9, proxy=True) == []


@pytest.mark.parametrize("is_between", [True, False])
async def test_of_an_erased_patient_nothing_is_written(
    site: ToldSite, *, is_between: bool
) -> None:
    """Their visit's events come after they were erased, or both at one moment: there
    is no notice, no message, no reminder, and nothing says that they were told."""
    patient = make.a_patient_id(1)
    await site.ask(make.book_slot(1, NEXT))

    async def erasing() -> None:
        async with site.records.writing() as session:
            keys = await site.ring.of()
            await erase(session, keys, patient, "acc_1", {}, site.clock.now())

    if is_between:
        between(site, erasing)
    else:
        await erasing()
    await site.work()
    await site.ask(hiding(1))
    await site.work()
    assert site.mail.got == []
    async with site.records.reading() as session:
        for table in (NoticeRecord, OutgoingMessageRecord, ToldVisitRecord, JobRecord):
            query = select(func.count()).select_from(table)
            assert await session.scalar(query) == 0, table.__tablename__


async def test_a_message_that_was_given_up_holds_up_no_newer_one(
    site: ToldSite,
) -> None:
    """It is a dead letter; sent again by an operator, it goes as far as it holds."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, make.at(9, day=7)))
    for _ in range(60):
        await site.work()
        site.clock.step(HOUR_S)
    (dead,) = await site.jobs.dead(after=0, limit=9)
    site.mail.is_down = False
    leave = make.add_time_off(
        time_off_id=OFF, start=make.at(8, day=7), end=make.at(10, day=7)
    )
    await site.ask(leave)
    await site.work()
    assert site.mail.kinds() == ["stranded"]
    assert await site.jobs.resend([dead.id], now=site.clock.now()) == 1
    await site.work()
    assert site.mail.kinds() == ["stranded", "booked"]
    sent = await site.messages.find([dead.key])
    assert sent[dead.key].status is DeliveryStatus.SENT
