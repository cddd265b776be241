"""How long what people were told is kept, and what is kept until it is resolved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from actors.domain.ids import Millis
from care.jobs.jobs import Failed, Job
from care.privacy.requests import DAY_MS, Retention
from cluster.work import retaining
from cluster.work.retaining import RETAIN, retention_handlers
from persistence.notices.models import (
    NoticeRecord,
    OutgoingMessageRecord,
    ToldVisitRecord,
)
from persistence.privacy.erasing import erase
from persistence.privacy.retaining import SqlKept
from tests import factories as make
from tests.fixtures.told import ToldSite, told_site

DAY_S = DAY_MS / 1000
KEPT = Retention(messages=30, outbox=3)
NEXT = make.at(9, day=20)


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site(request.param, request, tmp_path) as made:
        await made.add_patient()
        yield made


async def retain(site: ToldSite) -> None:
    """Run the job of retention."""
    handlers = retention_handlers(site.records, site.outbox, KEPT, site.clock)
    await handlers[RETAIN](Job(1, RETAIN, "k", {}, site.clock.now(), 1, Millis(0)))


async def rows(site: ToldSite) -> dict[str, int]:
    """How many rows there are of what people were told."""
    found = {}
    async with site.records.reading() as session:
        for table in (OutgoingMessageRecord, NoticeRecord, ToldVisitRecord):
            query = select(func.count()).select_from(table)
            found[table.__tablename__] = int(await session.scalar(query) or 0)
    found["outbox"] = (await site.outbox.counts(site.clock.now())).done
    return found


async def test_what_was_told_is_kept_for_its_days(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent events of the outbox, messages and notices, each for its own time; what was
    told of a visit until that time after its end, so that nothing is told twice. In
    portions, and again it finds nothing."""
    monkeypatch.setattr(retaining, "AT_ONCE", 1)
    await site.ask(make.book_slot(1, NEXT))
    mine = make.a_patient_id(1)
    await site.ask(make.book_slot(2, NEXT + 60, patient_id=mine))
    await site.work()
    full = {"outgoing_message": 2, "notice": 2, "told_visit": 2, "outbox": 2}
    assert await rows(site) == full
    site.clock.step(3 * DAY_S)
    await retain(site)
    assert await rows(site) == full
    site.clock.step(1)
    await retain(site)
    assert await rows(site) == full | {"outbox": 0}
    site.until(NEXT + 120)
    await retain(site)
    site.clock.step(11 * DAY_S)
    await retain(site)
    assert await rows(site) == {
        "outgoing_message": 0,
        "notice": 0,
        "told_visit": 2,
        "outbox": 0,
    }
    site.until(NEXT + 120)
    site.clock.step(30 * DAY_S)
    for _ in range(2):
        await retain(site)
        assert sum((await rows(site)).values()) == 0


async def test_dead_letters_are_kept_until_they_are_resolved(site: ToldSite) -> None:
    """A message that was given up, with its event if that was not told of: both go
    once they were resent, and a person who is erased takes theirs along."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    for _ in range(60):
        await site.work()
        site.clock.step(3_600)
    (dead,) = await site.jobs.dead(after=0, limit=9)
    site.clock.step(40 * DAY_S)
    await retain(site)
    assert list(await site.messages.find([dead.key])) == [dead.key]
    assert await site.jobs.resend([dead.id], now=site.clock.now()) == 1
    await retain(site)
    assert list(await site.messages.find([dead.key])) == [dead.key]
    await site.work()
    await retain(site)
    assert await site.messages.find([dead.key]) == {}


async def test_an_erased_person_takes_their_dead_letters_along(site: ToldSite) -> None:
    """What is resent then finds nothing to send."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    for _ in range(60):
        await site.work()
        site.clock.step(3_600)
    (dead,) = await site.jobs.dead(after=0, limit=9)
    async with site.records.writing() as session:
        keys = await site.ring.of()
        patient = make.a_patient_id(1)
        await erase(session, keys, patient, "acc_1", {}, site.clock.now())
    assert await site.messages.find([dead.key]) == {}
    site.mail.is_down = False
    assert await site.jobs.resend([dead.id], now=site.clock.now()) == 1
    await site.work()
    assert site.mail.got == []
    assert await site.jobs.dead(after=0, limit=9) == []


async def test_events_that_were_given_up_stay_in_the_outbox(site: ToldSite) -> None:
    """Until they are resent and done, however old they are."""
    await site.ask(make.book_slot(1, NEXT))
    await site.project()
    now = site.clock.now()
    (job,) = await site.outbox.claim(
        "w", kinds={"booking.booked"}, now=now, lease_ms=60_000, limit=1
    )
    failed = Failed("no use", final=True)
    assert await site.outbox.finish([(job, failed)], now=now) == 1
    site.clock.step(40 * DAY_S)
    await retain(site)
    (dead,) = await site.outbox.dead(after=0, limit=9)
    await site.outbox.resend([dead.id], now=site.clock.now())
    await site.work()
    site.clock.step(4 * DAY_S)
    await retain(site)
    counts = await site.outbox.counts(site.clock.now())
    assert (counts.waiting, counts.done, counts.dead) == (0, 0, 0)


async def test_ages_of_what_is_kept_are_known(site: ToldSite) -> None:
    """From when the oldest of each is; of a visit its end. Nothing of empty tables."""
    kept = SqlKept(site.records, site.readers)
    assert await kept.oldest() == {}
    now = site.clock.now()
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    found = await kept.oldest()
    end = (NEXT + make.a_visit_type().minutes) * 60_000
    wanted = dict.fromkeys(("outgoing_message", "notice", "outbox"), now)
    assert found == {**wanted, "told_visit": end}
