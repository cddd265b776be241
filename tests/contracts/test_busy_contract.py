"""Busy times of a doctor's own calendar become time off: real calendars, records, jobs,
and a server of another company."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select, update

from actors.domain.messages.answers import BookingView
from actors.domain.messages.commands import AddTimeOff, RemoveTimeOff
from actors.domain.messages.reads import ReadBooking
from actors.domain.messages.refusals import Refusal
from actors.errors import Unavailable
from care.busy.ports import (
    CLAIM_MS,
    REFRESH,
    BusyClaimed,
    BusyFailure,
    BusyOutcome,
)
from care.busy.spans import BusyReading, BusyWanted, is_imported
from cluster.work.busy_reader import BusyReader
from persistence.accounts.models import AccountRecord, MembershipRecord
from persistence.directory.busy.models import BusyCalendarRecord
from persistence.privacy.erasing import erase_account
from tests import factories as make
from tests.fixtures.busy_site import DOCTOR, HOST, LUNCH, Busy, busy_site
from tests.fixtures.calendar_server import entry

NEXT = make.at(9, day=2)


@pytest.fixture(params=("sqlite", "asyncmy"))
async def busy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Busy]:
    async with busy_site(request.param, request, tmp_path) as made:
        yield made


async def test_busy_times_become_time_off_and_are_given_back(busy: Busy) -> None:
    """Without a reason; nothing is sent twice, an entry that is removed gives its time
    back, and leave that was taken by hand stays what it is."""
    await busy.site.ask(make.add_time_off(1, start=NEXT, end=make.at(10, day=2)))
    await busy.put()
    assert await busy.work() == []
    wanted = [(NEXT, make.at(10, day=2)), (make.at(12, day=3), make.at(13, day=3))]
    assert await busy.spans() == wanted
    assert {
        one.reason for one in await busy.time_off() if is_imported(one.time_off_id)
    } == {""}
    assert busy.calendars.sent() == (2, 0)
    assert await busy.later() == []
    assert busy.server.statuses[-1] == 304
    busy.server.entries = [LUNCH, entry("3", "20260814T120000Z", "20260814T130000Z")]
    await busy.later()
    assert busy.calendars.sent() == (1, 1)
    assert (await busy.spans())[1] == (make.at(12, day=4), make.at(13, day=4))
    busy.server.entries = []
    await busy.later()
    assert busy.calendars.sent() == (0, 2)
    assert [one.time_off_id for one in await busy.time_off()] == [make.a_time_off_id(1)]
    state = await busy.state()
    assert (state.spans, state.failure, state.read_at) == (0, None, busy.now())


async def test_what_meets_is_one_time_off(busy: Busy) -> None:
    """Overlapping and touching times are joined, whatever entries they are from."""
    busy.server.entries = [
        entry("1", "20260812T090000Z", "20260812T100000Z"),
        entry("2", "20260812T093000Z", "20260812T103000Z"),
        entry("3", "20260812T103000Z", "20260812T110000Z"),
    ]
    await busy.put()
    await busy.work()
    assert await busy.spans() == [(NEXT, make.at(11, day=2))]
    assert (await busy.state()).spans == 1


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"status": 503, "headers": {"Retry-After": "3600"}}, BusyFailure.SERVER),
        ({"status": 404}, BusyFailure.REFUSED),
        ({"text": "<html>log in</html>"}, BusyFailure.NOT_A_CALENDAR),
        ({"body": b"x" * (6 * 1024 * 1024)}, BusyFailure.TOO_LARGE),
        ({"status": 302, "headers": {"Location": "ftp://x/y"}}, BusyFailure.PRIVATE),
        ({"headers": {"Content-Encoding": "zstd"}}, BusyFailure.SERVER),
        ({"status": 304}, BusyFailure.SERVER),
    ],
    ids=["away", "revoked", "page", "large", "led_away", "encoded", "unasked_304"],
)
async def test_a_calendar_that_cannot_be_read_changes_nothing(
    busy: Busy, answer: dict[str, Any], failure: BusyFailure
) -> None:
    """Its time off stays, the doctor sees why, and the next success forgets it."""
    await busy.put()
    await busy.work()
    before = await busy.time_off()
    busy.site.clock.step(24 * 3_600)  # read whole, without asking whether it changed
    busy.server.answers = [web.Response(**answer)]
    assert await busy.work() == []
    assert await busy.time_off() == before
    state = await busy.state()
    assert (state.failure, state.failures) == (failure, 1)
    assert state.tried_at == busy.now()
    assert state.read_at is not None
    assert state.read_at < busy.now()
    counts = await busy.store.counts()
    assert (counts.calendars, counts.failing) == (1, 1)
    assert counts.oldest_read_at == state.read_at
    busy.server.entries = [LUNCH]
    await busy.later(3_600)
    state = await busy.state()
    assert (state.failure, state.failures, state.spans) == (None, 0, 1)
    assert (await busy.store.counts()).failing == 0


async def test_a_server_that_is_away_is_asked_less_and_less(busy: Busy) -> None:
    """No attempt before its time; a person may ask for one."""
    await busy.put()
    busy.server.answers = [web.Response(status=500) for _ in range(3)]
    await busy.work()
    first = (await busy.state()).next_at - busy.now()
    await busy.later()
    second = (await busy.state()).next_at - busy.now()
    assert second > first * 1.5
    asked = len(busy.server.statuses)
    await busy.later(60)
    assert len(busy.server.statuses) == asked
    await busy.store.refresh(make.PROVIDER, now=busy.now())
    await busy.work()
    assert len(busy.server.statuses) == asked + 1
    await busy.store.refresh(make.PROVIDER, now=busy.now())  # a moment ago
    await busy.work()
    assert len(busy.server.statuses) == asked + 1


async def test_a_visit_that_becomes_stranded_is_named_and_stays(busy: Busy) -> None:
    """As with other leave: the visit is marked, the patient hears of it, nothing is
    cancelled; when the time is given back it is as before."""
    await busy.site.add_patient(1)
    await busy.site.ask(make.book_slot(1, NEXT))
    await busy.put()
    await busy.work()
    await busy.site.work()

    async def visit() -> BookingView:
        read = ReadBooking(make.PROVIDER, make.a_booking_id(1))
        found = await busy.site.ask(read)
        assert isinstance(found, BookingView)
        return found

    assert (await visit()).status == "booked"
    assert (await visit()).stranded
    assert "stranded" in [kind for kind, _ in await busy.site.inbox()]
    busy.server.entries = []
    await busy.later()
    assert not (await visit()).stranded


async def test_visits_of_this_site_in_the_doctors_calendar_take_no_time(
    busy: Busy,
) -> None:
    """Else each booked visit would strand itself."""
    uid = f"{make.a_booking_id(1)}@{HOST}"
    busy.server.entries = [entry(uid, "20260812T090000Z", "20260812T093000Z")]
    await busy.put()
    await busy.work()
    assert await busy.spans() == []
    assert (await busy.state()).skipped == 0


async def test_the_end_of_an_import_gives_its_time_back(busy: Busy) -> None:
    """The address is deleted at once, the row when that is done; leave taken by hand
    stays."""
    await busy.site.ask(make.add_time_off(1))
    await busy.put()
    await busy.work()
    await busy.store.remove(make.PROVIDER, now=busy.now())
    assert await busy.store.find(make.PROVIDER) is None
    row = BusyCalendarRecord
    async with busy.site.records.reading() as session:
        assert await session.scalar(select(row.address)) is None
    await busy.work()
    assert [one.time_off_id for one in await busy.time_off()] == [make.a_time_off_id(1)]
    async with busy.site.records.reading() as session:
        assert await session.scalar(select(func.count()).select_from(row)) == 0


@pytest.mark.parametrize("how", ["disabled", "role"])
async def test_an_import_ends_with_what_it_stands_on(busy: Busy, how: str) -> None:
    """The doctor's account or role is no more: the address is not asked again."""
    await busy.put()
    await busy.work()
    change: Any = {
        "disabled": update(AccountRecord).values(status="disabled"),
        "role": update(MembershipRecord).values(ended_at=1, ended_key="mem_1"),
    }[how]
    async with busy.site.records.writing() as session:
        await session.execute(change)
    asked = len(busy.server.statuses)
    await busy.later()
    assert len(busy.server.statuses) == asked
    assert await busy.spans() == []
    assert await busy.store.find(make.PROVIDER) is None


async def test_an_erased_account_leaves_no_address(busy: Busy) -> None:
    """It is deleted in the same transaction; the time follows, then the row."""
    await busy.put()
    await busy.work()
    keys, row = await busy.site.ring.of(), BusyCalendarRecord
    async with busy.site.records.writing() as session:
        report = await erase_account(session, keys, DOCTOR, "acc_9", {}, busy.now())
    assert report.rows["busy_calendar"] == 1
    async with busy.site.records.reading() as session:
        (left,) = (await session.scalars(select(row))).all()
    assert (left.address, left.account_id, left.grant_id) == (None, "", "")
    await busy.later(60)
    assert await busy.spans() == []
    async with busy.site.records.reading() as session:
        assert await session.scalar(select(func.count()).select_from(row)) == 0


async def test_what_is_busy_throughout_is_never_offered(busy: Busy) -> None:
    """A time that grows is added before the shorter one is removed."""
    await busy.put()
    await busy.work()
    busy.calendars.commands.clear()
    busy.server.entries = [entry("1", "20260812T090000Z", "20260812T110000Z")]
    await busy.later()
    kinds = [type(one) for one in busy.calendars.commands]
    assert kinds == [AddTimeOff, RemoveTimeOff, RemoveTimeOff]


async def test_calendars_that_are_away_are_tried_again(busy: Busy) -> None:
    """What was done stays, and what is missing follows once nothing of the attempt
    can arrive any more."""
    await busy.put()
    left = [1]

    def away() -> None:
        if left[0] == 0:
            raise Unavailable("away")
        left[0] -= 1

    busy.calendars.on_command = away
    assert set(await busy.work()) == {"a store or a calendar does not answer"}
    busy.calendars.on_command = lambda: None
    assert await busy.later(2) == ["another worker reads this calendar"]
    assert await busy.later(CLAIM_MS / 1000) == []
    assert len(await busy.spans()) == 2
    assert (await busy.state()).failure is None


@pytest.mark.parametrize("ends", ["before", "meanwhile"])
async def test_nothing_is_sent_after_the_claim(busy: Busy, ends: str) -> None:
    """A worker that is slower than its claim leaves no time off that an end of the
    import, by another worker, would not find."""
    await busy.put()
    read, ask = busy.read, busy.site.calendars.ask

    async def slow(text: bytes, wanted: BusyWanted) -> BusyReading:
        if ends == "before":
            busy.site.clock.step(CLAIM_MS / 1000)
        return await read(text, wanted)

    async def slower(request: Any) -> Any:
        if isinstance(request, AddTimeOff) and ends == "meanwhile":
            busy.site.clock.step(CLAIM_MS / 1000)
        return await ask(request)

    busy.read, busy.site.calendars.ask = slow, slower  # type: ignore[method-assign]
    assert set(await busy.work()) == {"a store or a calendar does not answer"}
    assert await busy.spans() == []
    busy.read, busy.site.calendars.ask = read, ask  # type: ignore[method-assign]
    await busy.later()
    assert len(await busy.spans()) == 2


async def test_one_worker_at_a_time_has_a_calendar(busy: Busy) -> None:
    """Until its claim ends: a worker that died keeps it no longer. What it settles
    after that has no effect."""
    await busy.put()
    task = await busy.store.claim(make.PROVIDER, now=busy.now())
    assert task is not None
    assert task.url == busy.server.url
    with pytest.raises(BusyClaimed):
        await busy.store.claim(make.PROVIDER, now=busy.now())
    assert await busy.work() == ["another worker reads this calendar"]
    busy.site.clock.step(CLAIM_MS / 1000)
    assert await busy.work() == []
    read = (await busy.state()).read_at
    assert read == busy.now()
    await busy.store.forget(task)
    await busy.store.release(task)
    assert (await busy.state()).read_at == read


async def test_a_new_address_replaces_the_old_one(busy: Busy) -> None:
    """Also while the old one is read: its outcome is not recorded."""
    await busy.put()
    task = await busy.store.claim(make.PROVIDER, now=busy.now())
    assert task is not None
    busy.site.clock.step(1)
    await busy.put()
    await busy.store.settle(task, BusyOutcome(spans=7), now=busy.now())
    assert (await busy.state()).read_at is None
    await busy.work()
    assert (await busy.state()).spans == 2


async def test_too_much_time_off_is_said(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the provider's calendar refuses is no success."""
    monkeypatch.setattr("actors.domain.calendar.staff.TIME_OFF_MAX", 1)
    await busy.put()
    await busy.work()
    assert (await busy.state()).failure is BusyFailure.NOT_TAKEN
    refused = await busy.site.calendars.ask(make.add_time_off(2))
    assert isinstance(refused, Refusal)
    monkeypatch.undo()
    await busy.later()
    assert len(await busy.spans()) == 2


async def test_what_was_removed_by_hand_comes_back(busy: Busy) -> None:
    """Within a day, or when the doctor has it read: the calendar says what is busy."""
    await busy.put()
    await busy.work()
    (first, _) = await busy.time_off()
    await busy.site.ask(
        RemoveTimeOff(provider_id=make.PROVIDER, time_off_id=first.time_off_id)
    )
    busy.site.clock.step(120)
    await busy.store.refresh(make.PROVIDER, now=busy.now())
    await busy.work()
    assert len(await busy.spans()) == 2


async def test_the_address_is_a_secret(busy: Busy) -> None:
    """It is sealed in the records, and no job has it."""
    await busy.put()
    async with busy.site.records.reading() as session:
        row = (await session.scalars(select(BusyCalendarRecord))).one()
    assert b"secret-4711" not in bytes(row.address or b"")
    shown = await busy.state()
    assert shown.host == "127.0.0.1"
    assert "secret-4711" not in repr(shown)
    jobs = await busy.site.jobs.claim(
        "w", kinds={REFRESH}, now=busy.now(), lease_ms=1, limit=9
    )
    assert [one.payload for one in jobs] == [{"provider_id": make.PROVIDER}]


async def test_a_text_is_read_in_a_process_of_its_own(busy: Busy) -> None:
    """One that takes too long to read is given up, and costs the worker nothing."""
    busy.read = BusyReader().read
    busy.server.entries = [
        LUNCH,
        entry("x", "20260812T130000Z", "20260812T140000Z", "RRULE:FREQ=WEEKLY;COUNT=3"),
    ]
    await busy.put()
    assert await busy.work() == []
    assert len(await busy.spans()) == 4
