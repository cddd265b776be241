"""Series of visits in records and calendars, with the request or the worker killed
between any two steps.

One file because every promise is about the same three steps: record, command, outcome.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, update

from actors.domain.ids import GroupId, Millis, Minute, PatientId, hold_id
from actors.domain.messages.answers import BookingView, ScheduleView
from actors.domain.messages.reads import ReadGroups, ReadSchedule
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import BookingLimits, Group
from actors.domain.spans import span_type
from actors.errors import Unavailable
from actors.ports import Calendars
from care.jobs.jobs import Completed, JobError
from care.jobs.periodic import current_jobs
from care.privacy.requests import Retention
from care.resources.settling import Settling
from care.series.ids import SeriesId, series_id
from care.series.placing import SeriesPlacing, begun
from care.series.ports import (
    TRYING_MS,
    Series,
    SeriesState,
    SeriesVisit,
    SeriesVisitState,
    Settled,
)
from care.series.preview import due_at
from cluster.work.series import SERIES_PERIODIC, series_handlers
from cluster.work.whole import WorkerVisits
from persistence.accounts.models import PatientRecord
from persistence.patients.series.models import SeriesRecord, SeriesVisitRecord
from persistence.patients.series.store import SqlSeries
from persistence.privacy.erasing import DELETED_BY_PATIENT, erase
from persistence.privacy.retaining import SqlRetention
from persistence.readmodel.queries.directory import SqlDirectory
from tests import factories as make
from tests.fixtures.scans import (
    SCAN,
    SCANS,
    add_room,
    offer_scans,
    starts_of,
    unsettled,
)
from tests.fixtures.told import Killed, ToldSite, told_site

MIRA = make.a_patient_id(1)
KIND = make.a_visit_type()
"""Its horizon is four weeks: the last of the visits lies beyond it."""
MOST_STEPS = 60


class Site:
    """Series over real calendars and records; a step may be the last one."""

    def __init__(self, site: ToldSite) -> None:
        self.site, self.store = site, SqlSeries(site.records)
        self.before_step: Callable[[], None] = lambda: None
        directory = SqlDirectory(site.readers)
        self.whole = WorkerVisits(cast("Calendars", Asked(self)), directory, site.clock)
        self.visit_type = make.CONSULT
        self._number = 1
        self._plan()

    async def next(self, clinic: int = 1) -> None:
        """Another provider and another series, from this week on."""
        self._number += 1
        self._plan()
        n, provider = self._number, self.provider
        profile = make.a_profile(n, clinic=make.a_clinic(clinic))
        for command in (
            make.register(n, provider_id=provider, profile=profile),
            make.set_availability(number=n, provider_id=provider),
        ):
            await self.site.ask(command)

    def _plan(self) -> None:
        self.provider = make.a_provider_id(self._number)
        self.name: SeriesId = series_id(self.provider, "5" * 32)
        week = (self.now() - make.NOW) // (7 * make.DAY * 60_000)
        self.room = make.a_provider_id(1_000 + self._number)
        self.weeks = tuple(make.at(9, day=7 * (week + n)) for n in (1, 2, 3, 6))

    async def next_with_room(self) -> None:
        """The same with visits that take the one room of a clinic."""
        n = self._number + 1
        await self.next(clinic=n)
        self.visit_type = SCAN
        await offer_scans(self.site, n)
        await add_room(self.site, self.room, clinic=n)

    def now(self) -> Millis:
        return self.site.clock.now()

    async def ask(self, request: Any) -> Any:
        self.before_step()
        reply = await self.site.calendars.ask(request)
        self.before_step()
        return reply

    def placing(self) -> SeriesPlacing:
        return SeriesPlacing(Killable(self), self.whole.ask, self.site.clock)

    def series(self, *, whole: bool = True, **changes: Any) -> Series:
        now = self.now()
        visits = tuple(
            SeriesVisit(
                number,
                start,
                due_at=max(at, now),
                tried_at=now if at <= now else None,
                reason=f"sealed {number}",
            )
            for number, start in enumerate(self.weeks, 1)
            for at in (due_at(start, KIND),)
        )
        state = SeriesState.PLACING if whole else SeriesState.ACTIVE
        given = {
            "series_id": self.name,
            "provider_id": self.provider,
            "patient_id": MIRA,
            "visit_type": self.visit_type,
            "visits": visits,
            "created_at": now,
            "key": "k" * 32,
            "fingerprint": 1 << 62,
            "by": "acc_1",
            "state": state,
        }
        return Series(**(given | changes))  # type: ignore[arg-type]

    async def request(self, *, whole: bool = True) -> Refusal | None:
        """What a gateway does with a request, and again when it is repeated."""
        kept = await Killable(self).begin(self.series(whole=whole), now=self.now())
        if kept.state is SeriesState.PLACING:
            return await self.placing().whole(kept)
        await self.placing().begin_each(kept)
        return None

    async def work(self) -> list[str]:
        """Run what is due, as a worker does; the reasons of failed jobs."""
        queue, failed = self.site.jobs, []
        handlers = series_handlers(
            Killable(self),
            self.whole.ask,
            queue,
            self.site.clock,
            self.site.telling,
        )
        await queue.add(current_jobs(SERIES_PERIODIC, self.now()), now=self.now())
        while kinds := await queue.due(handlers, now=self.now()):
            for job in await queue.claim(
                "w", kinds=kinds, now=self.now(), lease_ms=60_000, limit=9
            ):
                outcome: Any = Completed()
                try:
                    await handlers[job.kind](job)
                except JobError as error:
                    outcome = error.outcome
                    failed.append(outcome.reason)
                await queue.finish([(job, outcome)], now=self.now())
        return failed

    def pass_time(self, seconds: float = TRYING_MS / 1000 + 1) -> None:
        self.site.clock.step(seconds)

    def until_due(self) -> None:
        """Until the horizon reaches the last visit."""
        self.site.until(due_at(self.weeks[3], KIND) // 60_000)

    async def rival(self, start: Minute) -> None:
        """Another patient takes a time."""
        n = self._number
        command = make.book_slot(n, start, provider_id=self.provider, key=f"rival-{n}")
        name = make.a_booking_id(n, self.provider)
        await self.site.ask(
            replace(command, booking_id=name, patient_id=make.a_patient_id(99))
        )

    async def booked(self) -> list[BookingView]:
        view = await self.site.ask(
            ReadSchedule(self.provider, self.weeks[0], Minute(self.weeks[3] + 60))
        )
        assert isinstance(view, ScheduleView)
        return [one for one in view.bookings if one.status == "booked"]

    async def states(self) -> list[str]:
        found = await self.store.find(self.name)
        return [] if found is None else [one.state.value for one in found.visits]


class Killable:
    """The store; its caller may be killed before or after each call."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._site.store, name)

        async def killable(*given: Any, **more: Any) -> Any:
            self._site.before_step()
            found = await call(*given, **more)
            self._site.before_step()
            return found

        return killable


class Unsettled(Killable):
    """A store that loses what became of visits."""

    async def settle(self, *_given: Any, **_more: Any) -> list[int]:
        return []


class Asked:
    """The calendars, asked through a site."""

    def __init__(self, site: Site) -> None:
        self.ask = site.ask


class Until:
    """Kills at the step of a number; ``is_alive`` if there were fewer."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed

    @property
    def is_alive(self) -> bool:
        return self._left >= 0


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with told_site(request.param, request, tmp_path) as made:
        yield Site(made)


@pytest.fixture
async def small(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with told_site("sqlite", request, tmp_path) as made:
        yield Site(made)


async def killed_at(site: Site, step: int, work: Any) -> bool:
    """Whether the work was killed at this step."""
    until = Until(step)
    site.before_step = until
    try:
        await work
    except Killed:
        pass
    finally:
        site.before_step = lambda: None
    return not until.is_alive


async def test_a_series_is_kept_as_it_was_begun(site: Site) -> None:
    """Begun again it is the one that was kept, and its visits are the caller's again;
    another's visit of it is not to be had meanwhile."""
    series = site.series()
    assert await site.store.begin(series, now=site.now()) == series
    assert await site.store.find(site.name) == series
    site.pass_time(30)
    again = await site.store.begin(site.series(fingerprint=2), now=site.now())
    assert again.fingerprint == series.fingerprint
    assert [one.tried_at for one in again.visits] == [site.now()] * 3 + [None]
    site.pass_time(31)
    assert await site.store.claim(site.name, [1, 2], now=site.now()) == []
    assert await site.store.drop(site.name, [1, 4], now=site.now()) == [4]
    assert not await site.store.discard(series)
    site.pass_time()
    assert await site.store.claim(site.name, [1, 4], now=site.now()) == [1]
    outcomes = {
        1: Settled(SeriesVisitState.PLACED),
        2: Settled(SeriesVisitState.FAILED, "slot_unavailable"),
        4: Settled(SeriesVisitState.PLACED),
    }
    assert await site.store.settle(site.name, outcomes, now=site.now()) == [1, 2]
    found = await site.store.find(site.name)
    assert found is not None
    assert found.state is SeriesState.ACTIVE
    assert await site.states() == ["placed", "failed", "waiting", "dropped"]
    assert [one.code for one in found.visits][1] == "slot_unavailable"
    assert [one.reason for one in found.visits] == ["", "sealed 2", "sealed 3", ""]
    assert await site.store.of_patient(MIRA) == [found]
    assert await site.store.unplaced(site.provider) == [found]
    moved = SeriesVisit(2, Minute(site.weeks[1] + 60), due_at=site.now())
    assert await site.store.replan(site.name, [moved], now=site.now()) == [2]
    assert await site.store.unplaced(site.provider) == []
    assert await site.store.of_patient(PatientId("pat_9")) == []


async def test_what_is_due_is_found(site: Site) -> None:
    """Once a minute passed since it was begun, and not before its instant."""
    await site.store.begin(site.series(whole=False), now=site.now())
    assert await site.store.due(now=site.now(), limit=9) == []
    site.pass_time()
    (job,) = await site.store.due(now=site.now(), limit=9)
    assert job.payload == {"series_id": site.name}


async def test_staff_book_for_none_who_restricted_their_data_since(site: Site) -> None:
    """The rest of a series that staff placed waits until it is lifted; what patients
    placed themselves goes on."""
    await site.site.add_patient(1)
    await site.store.begin(site.series(whole=False, by_staff=True), now=site.now())
    site.pass_time()
    row = PatientRecord
    async with site.site.records.writing() as session:
        await session.execute(update(row).values(restricted_at=site.now()))
    assert await site.store.due(now=site.now(), limit=9) == []
    async with site.site.records.writing() as session:
        await session.execute(update(row).values(restricted_at=None))
    assert len(await site.store.due(now=site.now(), limit=9)) == 1


async def test_the_worker_books_what_the_horizon_reaches(site: Site) -> None:
    """At its instant, with its reason, as the series' visit; once."""
    assert await site.request() is None
    assert await site.states() == ["placed", "placed", "placed", "waiting"]
    site.until_due()
    site.pass_time(-60)
    await site.work()
    assert len(await site.booked()) == 3
    site.pass_time(60)
    for _ in range(2):
        assert await site.work() == []
        site.pass_time(60)
    last = (await site.booked())[-1]
    assert (last.start, last.reason) == (site.weeks[3], "sealed 4")
    assert last.booking_id.endswith("-04-04")
    assert await site.states() == ["placed"] * 4


async def test_what_is_taken_by_then_fails(site: Site) -> None:
    """It is not tried again by itself; the patient is told, once, as long as it is not
    booked, and the clinic finds it."""
    await site.site.add_patient(1)
    await site.request()
    await site.site.work()
    site.until_due()
    await site.rival(site.weeks[3])
    await site.work()
    found = await site.store.find(site.name)
    assert found is not None
    assert (found.visits[3].state, found.visits[3].code) == (
        SeriesVisitState.FAILED,
        "slot_unavailable",
    )
    found_by_clinic = await site.store.unplaced(site.provider)
    assert [one.series_id for one in found_by_clinic] == [site.name]
    for _ in range(2):
        site.pass_time()
        await site.work()
        await site.site.work()
    assert site.site.mail.kinds(found.booking_of(4)) == ["unplaced"]
    assert (await site.site.inbox()).count(("unplaced", found.booking_of(4))) == 1


async def test_a_horizon_that_became_nearer_postpones(site: Site) -> None:
    """The visit waits on, and is booked when the new horizon reaches it."""
    await site.request()
    nearer = make.a_visit_type(horizon=14 * make.DAY)
    rules = make.an_availability(nearer)
    await site.site.ask(make.set_availability(rules, number=2))
    site.until_due()
    await site.work()
    found = await site.store.find(site.name)
    assert found is not None
    assert found.visits[3].state is SeriesVisitState.WAITING
    assert found.visits[3].due_at == due_at(site.weeks[3], nearer)
    site.site.until(due_at(site.weeks[3], nearer) // 60_000)
    await site.work()
    assert await site.states() == ["placed"] * 4


async def test_a_request_killed_at_any_step_leaves_all_or_nothing(small: Site) -> None:
    """The worker finds out what its calendar did: all are placed, or the series is
    gone and none is booked. The request repeated, before the worker or after, places
    each visit once."""
    seen, is_over = set(), False
    for step in range(MOST_STEPS):
        for heals in (True, False):
            await small.next()
            was_killed = await killed_at(small, step, small.request())
            is_over = not was_killed
            if heals:
                small.pass_time()
                await small.work()
                count = len(await small.booked())
                states = await small.states()
                seen.add((count, tuple(states)))
                assert (count, len(states)) in ((0, 0), (3, 4))
                assert states in ([], ["placed"] * 3 + ["waiting"])
            assert await small.request() is None
            assert len(await small.booked()) == 3
            assert await small.states() == ["placed"] * 3 + ["waiting"]
        if is_over:
            break
    assert len(seen) == 2  # both ends were seen
    assert step > 5


async def test_each_by_itself_killed_at_any_step_is_finished(small: Site) -> None:
    """The worker goes on where the request was: each visit once, and each told as it
    is, the one that was taken as failed."""
    for step in range(MOST_STEPS):
        await small.next()
        await small.rival(small.weeks[1])
        was_killed = await killed_at(small, step, small.request(whole=False))
        is_begun = await small.states() != []
        small.pass_time()
        await small.work()
        wanted = ["placed", "failed", "placed", "waiting"] if is_begun else []
        assert await small.states() == wanted
        assert len(await small.booked()) == (3 if is_begun else 1)
        if not was_killed:
            break
    assert step > 5


async def test_a_worker_killed_at_any_step_books_once(small: Site) -> None:
    """Another one goes on after a minute; what was dropped meanwhile is not booked."""
    for step in range(MOST_STEPS):
        await small.next()
        await small.request()
        small.until_due()
        was_killed = await killed_at(small, step, small.work())
        small.pass_time()
        await small.work()
        small.pass_time()
        await small.work()
        assert await small.states() == ["placed"] * 4
        assert len(await small.booked()) == 4
        if not was_killed:
            break
    assert step > 5


async def settle(site: Site) -> None:
    """What resolvers do once the holds of a dead coordinator are doubtful."""
    site.pass_time(600)
    await site.whole.close()
    settling = Settling(site.site.calendars, site.now)
    for calendar in (site.provider, site.room):
        for owed in (await site.site.ask(ReadGroups(calendar))).owed:
            await settling.pay(calendar, owed.booking_id)
        await settling.resolve_all(calendar)


async def test_a_due_visit_has_its_room_whenever_the_worker_is_killed(
    small: Site,
) -> None:
    """Once, and the room once; another worker goes on after a minute, with what the
    dead one holds."""
    for step in range(0, 3 * MOST_STEPS, 3):
        await small.next_with_room()
        await small.request()
        small.until_due()
        was_killed = await killed_at(small, step, small.work())
        small.pass_time()
        await small.work()
        assert await small.states() == ["placed"] * 4
        await settle(small)
        booked = await starts_of(small.site, small.provider, small.weeks[0])
        assert booked == list(small.weeks)
        assert await starts_of(small.site, small.room, small.weeks[0]) == booked
        assert await unsettled(small.site, small.provider, small.room) == 0
        if not was_killed:
            break
    assert step > 20


async def test_a_due_visit_without_a_room_fails(site: Site) -> None:
    """The room is another visit's by then: it is not booked without it."""
    await site.next_with_room()
    await site.request()
    site.until_due()
    taken = make.place_hold(
        7,
        site.weeks[3],
        provider_id=site.room,
        hold_id=hold_id(site.room, "other"),
        patient_id=PatientId(""),
        visit_type=span_type(SCANS),
        by_staff=True,
        group=Group(GroupId("other"), site.provider),
    )
    await site.site.ask(taken)
    await site.work()
    assert await site.states() == ["placed"] * 3 + ["failed"]
    await settle(site)
    assert await starts_of(site.site, site.room, site.weeks[0]) == list(site.weeks[:3])
    assert await unsettled(site.site, site.provider, site.room) == 0


async def test_a_series_is_kept_until_its_last_date_is_past(site: Site) -> None:
    """For the days of what people are told, counted from its last date; then all of it
    goes, and its visits are as they were. One that is never booked goes as well."""
    await site.request()
    rival = replace(site.series(), series_id=series_id(site.provider, "6" * 32))
    await site.store.begin(replace(rival, visits=rival.visits[:1]), now=site.now())
    retention = SqlRetention(site.site.records, Retention(messages=30))

    async def left() -> list[int]:
        await retention.apply(now=site.now())
        async with site.site.records.reading() as session:
            rows = (SeriesRecord, SeriesVisitRecord)
            counts = [select(func.count()).select_from(row) for row in rows]
            return [int(await session.scalar(one) or 0) for one in counts]

    assert await left() == [2, 5]
    site.site.until(site.weeks[0] + 30 * make.DAY + 1)
    assert await left() == [1, 4]
    site.site.until(site.weeks[3] + 30 * make.DAY)
    assert await left() == [1, 4]
    site.site.until(site.weeks[3] + 30 * make.DAY + 1)
    for _ in range(2):
        assert await left() == [0, 0]
    assert len(await site.booked()) == 3


async def test_a_refusal_that_is_remembered_does_not_stand_for_ever(
    small: Site,
) -> None:
    """A failed visit that is planned for the same time again is booked once it is
    free."""
    await small.rival(small.weeks[1])
    await small.request(whole=False)
    assert (await small.states())[1] == "failed"
    name = make.a_booking_id(1, small.provider)
    await small.site.ask(make.cancel_booking(1, booking_id=name))
    again = SeriesVisit(2, small.weeks[1], due_at=small.now())
    await small.store.replan(small.name, [again], now=small.now())
    small.pass_time(1)
    await small.work()
    assert (await small.states())[1] == "placed"


async def test_a_repeated_request_is_not_refused_for_what_it_has_booked(
    small: Site,
) -> None:
    """The patient is at the limit by the visits of this very series: they are placed,
    whatever a calendar says of booking them again."""
    limits = BookingLimits(upcoming=3)
    rules = replace(make.an_availability(), booking_limits=limits)
    await small.site.ask(make.set_availability(rules, number=2))
    series = await small.store.begin(small.series(whole=False), now=small.now())
    forgetful = SeriesPlacing(Unsettled(small), small.ask, small.site.clock)
    await forgetful.each(series, begun(series))
    assert await small.states() == ["waiting"] * 4
    small.pass_time(1)
    await small.request(whole=False)
    assert await small.states() == ["placed"] * 3 + ["waiting"]


async def test_calendars_that_do_not_answer_are_asked_again(small: Site) -> None:
    """Nothing is recorded as failed for it."""
    await small.request()
    small.until_due()

    def away() -> None:
        raise Unavailable("away")

    placing = SeriesPlacing(small.store, small.ask, small.site.clock)
    small.before_step = away
    with pytest.raises(Unavailable):
        await placing.go_on(small.name)
    small.before_step = lambda: None
    assert (await small.states())[3] == "waiting"
    small.pass_time()
    await small.work()
    assert (await small.states())[3] == "placed"


async def test_erasing_a_patient_ends_their_series(site: Site) -> None:
    """Nothing of it is left, and nothing is booked of it any more."""
    assert {"visit_series", "visit_series_date"} <= set(DELETED_BY_PATIENT)
    await site.site.add_patient(1)
    await site.request()
    keys = await site.site.ring.of()
    async with site.site.records.writing() as session:
        await erase(session, keys, MIRA, "acc_1", {}, site.now())
    async with site.site.records.reading() as session:
        for row in (SeriesRecord, SeriesVisitRecord):
            assert await session.scalar(select(func.count()).select_from(row)) == 0
    site.until_due()
    await site.work()
    assert len(await site.booked()) == 3
