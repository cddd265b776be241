"""Feeds for calendar programs: whose visits, until when; icalendar is the judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import event, insert, select, update
from sqlalchemy.engine import Engine

from care.accounts.accounts import SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from care.feeds.ports import EVENTS_MAX, FEEDS_MAX, FeedLimit, FeedOf, NewFeed
from persistence.accounts.models import AccountRecord, MembershipRecord, PatientRecord
from persistence.accounts.store import account_stores
from persistence.notices.links import NoticeLinks
from persistence.patients.feeds import SqlFeeds
from persistence.readmodel import tables as t
from persistence.sql.engine import writing
from tests import factories as make
from tests.fixtures.told import SITE, ToldSite, told_site

NEXT, LATER = make.at(9, day=2), make.at(14, day=2)
MIRA, DOCTOR = AccountId("acc_1"), AccountId("acc_2")


class Feeding:
    """A patient and a doctor with accounts, and their feeds."""

    def __init__(self, site: ToldSite) -> None:
        self.site = site
        self.feeds = SqlFeeds(site.records, site.telling._read_model, NoticeLinks(SITE))

    async def add(self, number: int = 1, of: FeedOf = FeedOf.PATIENT) -> None:
        patient = of is FeedOf.PATIENT
        account = MIRA if patient else DOCTOR
        subject = "pat_1" if patient else make.PROVIDER
        new = NewFeed(f"fed_{number}", account, of, subject, "Mine", f"hash {number}")
        await self.feeds.add(new, now=self.site.clock.now())

    async def events(self, number: int = 1) -> list[Any] | None:
        text = await self.feeds.text(f"hash {number}", now=self.site.clock.now())
        return None if text is None else list(Calendar.from_ical(text).walk("VEVENT"))


@pytest.fixture(params=("sqlite", "asyncmy"))
async def feeding(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Feeding]:
    async with told_site(request.param, request, tmp_path) as site:
        stores = account_stores(site.records, site.ring)
        for account, context in (
            (MIRA, SignInContext("patient", "pat_1")),
            (DOCTOR, SignInContext("doctor", make.PROVIDER, "mem_1", "cln_1")),
        ):
            made = DemoAccount(account, f"{account}@example.org", context)
            await stores.accounts.demo_account(made, now=make.NOW)
        yield Feeding(site)


async def test_a_feed_shows_visits_as_they_are(feeding: Feeding) -> None:
    """Their times in UTC, under the ids and with the sequences of the invitations; a
    cancelled visit is not there. The same visits give the same text."""
    site = feeding.site
    await feeding.add()
    await site.ask(make.book_slot(1, NEXT, reason="a private reason"))
    await site.ask(make.book_slot(2, LATER, patient_id=make.a_patient_id(1)))
    await site.work()
    await site.ask(make.reschedule_booking(1, start=make.at(10, day=2)))
    await site.ask(make.cancel_booking(2))
    await site.work()
    found = await feeding.events()
    assert found is not None
    (event,) = found
    assert event["DTSTART"].dt == datetime(2026, 8, 12, 10, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2026, 8, 12, 10, 30, tzinfo=UTC)
    assert event["UID"] == f"{make.a_booking_id(1)}@clinic.test"
    assert event["SEQUENCE"] == 1
    text = await feeding.feeds.text("hash 1", now=site.clock.now())
    site.clock.step(60)
    assert text == await feeding.feeds.text("hash 1", now=site.clock.now())
    assert text is not None
    for word in ("private", make.a_profile().specialty, make.a_visit_type().title):
        assert word.casefold() not in text.casefold()


async def test_a_doctors_feed_names_no_patient(feeding: Feeding) -> None:
    """Times and places alone: another company's server keeps it."""
    site = feeding.site
    await site.add_patient(2)
    await feeding.add(1, FeedOf.PROVIDER)
    await site.ask(make.book_slot(2, NEXT))
    await site.work()
    found = await feeding.events()
    assert found is not None
    assert [str(one["SUMMARY"]) for one in found] == ["Visit"]
    text = await feeding.feeds.text("hash 1", now=site.clock.now())
    assert text is not None
    assert "pat_2" not in text
    assert "Mira" not in text


@pytest.mark.parametrize("how", ["revoked", "disabled", "role", "erased"])
async def test_a_feed_ends_with_what_it_stands_on(feeding: Feeding, how: str) -> None:
    """It is revoked, or its account, the doctor's role or the patient is no more; then
    it is as one that never was."""
    of = FeedOf.PROVIDER if how == "role" else FeedOf.PATIENT
    await feeding.add(1, of)
    assert await feeding.events() == []
    now = feeding.site.clock.now()
    change: Any = {
        "disabled": update(AccountRecord).values(status="disabled"),
        "role": update(MembershipRecord).values(ended_at=now, ended_key="mem_1"),
        "erased": update(PatientRecord).values(erased_at=now),
    }.get(how)
    if change is None:
        assert not await feeding.feeds.revoke(DOCTOR, "fed_1", now=now)
        assert await feeding.feeds.revoke(MIRA, "fed_1", now=now)
        assert await feeding.feeds.of_account(MIRA) == []
    else:
        async with feeding.site.records.writing() as session:
            await session.execute(change)
    assert await feeding.events() is None
    assert await feeding.events(2) is None


async def test_an_account_has_few_feeds(feeding: Feeding) -> None:
    """One more is refused; when a program read one is kept to the hour."""
    for number in range(FEEDS_MAX):
        await feeding.add(number)
    with pytest.raises(FeedLimit):
        await feeding.add(FEEDS_MAX)
    await feeding.events(0)
    first = feeding.site.clock.now()
    feeding.site.clock.step(3_000)
    await feeding.events(0)
    (entry, *_) = await feeding.feeds.of_account(MIRA)
    assert entry.read_at == first


async def test_a_full_feed_costs_a_few_statements(feeding: Feeding) -> None:
    """As many for five hundred visits as for one; each is there with its own time, and
    the same visits give the same text, by whose hash programs are told that nothing
    changed."""
    await feeding.add()
    await feeding.site.ask(make.book_slot(1, NEXT))
    await feeding.site.work()
    of_one = await _statements(feeding)
    row = t.appointment
    async with writing(feeding.site.writer) as connection:
        first = dict((await connection.execute(select(row))).mappings().one())
        spans = ("start_minute", "end_minute", "busy_start", "busy_end")
        copies = [
            first
            | {"booking_id": f"bkg_1.copy{n}", "seq": 1_000 + n}
            | {name: first[name] + 60 * n for name in spans}
            for n in range(1, EVENTS_MAX + 5)
        ]
        await connection.execute(insert(row), copies)
    assert await _statements(feeding) == of_one
    found = await feeding.events()
    assert found is not None
    starts = [one["DTSTART"].dt.timestamp() // 60 for one in found]
    assert starts == [NEXT + 60 * n for n in range(EVENTS_MAX)]
    now = feeding.site.clock.now()
    texts = {await feeding.feeds.text("hash 1", now=now) for _ in range(2)}
    assert len(texts) == 1


async def _statements(feeding: Feeding) -> int:
    """How many it takes to make the text, once it is known when it was read last."""
    await feeding.events()
    heard: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        heard.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        await feeding.events()
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    return len(heard)
