"""Leave ends with every patient resolved: real calendars, records, outbox and jobs.

One file because the crash of each step is told beside what the step is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from actors.domain.ids import BookingId, Millis, Minute, ProviderId
from actors.domain.messages.answers import BookingStatus, BookingView, ScheduleView
from actors.domain.messages.commands import CommandBase
from actors.domain.messages.reads import ReadBooking, ReadSchedule
from actors.ports import Request
from care.jobs.periodic import current_jobs
from care.leave.carrying import Carrier
from care.leave.visits import (
    Choice,
    Chooser,
    Equivalent,
    LeaveVisit,
    Resolution,
    RowState,
    VisitOutcome,
)
from care.notices.links import ChooseLink
from cluster.work.leave import CARRIED_AFTER_MS, LEAVE_PERIODIC
from persistence.directory.leave.models import LeaveVisitRecord
from persistence.notices.links import SealedChooseLinks
from persistence.privacy.erasing import erase
from tests import factories as make
from tests.fixtures.told import SITE, Killed, ToldSite, told_site

NINE, TEN = make.at(9, day=7), make.at(10, day=7)
"""A week ahead."""
DAY = {"start": make.at(0, day=7), "end": make.at(24, day=7)}
AFTER = make.at(9, day=8)
BOOKING = make.a_booking_id(1)
LEAVE = make.a_time_off_id(1)
OTHER = ProviderId("prv_2")


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site(request.param, request, tmp_path) as made:
        await _with_people(made)
        yield made


@pytest.fixture
async def here(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site("sqlite", request, tmp_path) as made:
        await _with_people(made)
        yield made


async def _with_people(site: ToldSite) -> None:
    """Two patients with a visit each on the day of the leave; a colleague."""
    await site.add_patient(1)
    await site.add_patient(2)
    profile = make.a_profile(2)
    await site.ask(make.register(2, provider_id=OTHER, profile=profile))
    await site.ask(make.set_availability(number=2, provider_id=OTHER))
    await site.ask(make.book_slot(1, NINE, reason="as before"))
    await site.ask(make.book_slot(2, TEN))
    await site.work()  # they have heard of their visits


async def rows(site: ToldSite, leave: str = LEAVE) -> Sequence[LeaveVisit]:
    return await site.leave.visits(leave)  # type: ignore[arg-type]


async def row(site: ToldSite, booking: str = BOOKING) -> LeaveVisit:
    found = await site.leave.of_booking(BookingId(booking))
    assert found is not None
    return found


async def later(site: ToldSite, seconds: float = 3_600.0) -> None:
    """Time goes on, and the worker does what is due, its periodic jobs too."""
    site.clock.step(seconds)
    now = site.clock.now()
    await site.jobs.add(current_jobs(LEAVE_PERIODIC, now), now=now)
    await site.work()


def to(start: Minute, provider: str = make.PROVIDER) -> Equivalent:
    end = Minute(start + 30)
    return Equivalent(ProviderId(provider), make.CONSULT, start, end)


def choice(where: Equivalent | None, token: str = "chosen") -> Choice:
    return Choice(token, where, Chooser.PATIENT, "pat_1")


async def choose(
    site: ToldSite, where: Equivalent | None, token: str = "chosen"
) -> LeaveVisit:
    held = await site.leave.choose(BOOKING, choice(where, token), now=site.clock.now())
    assert held is not None
    return held


async def carried(site: ToldSite, held: LeaveVisit) -> Resolution | None:
    return await Carrier(site.leave, site.calendars.ask, site.clock).carry(held)


async def live_visits(site: ToldSite, patient: str = "pat_1") -> list[tuple[str, int]]:
    """Provider and start of each visit of the patient that is booked."""
    found = []
    for provider in (make.PROVIDER, OTHER):
        view = await site.calendars.ask(
            ReadSchedule(provider, make.at(0), make.at(0, day=60))
        )
        assert isinstance(view, ScheduleView)
        found += [
            (str(provider), int(one.start))
            for one in view.bookings
            if one.patient_id == patient and one.status is BookingStatus.BOOKED
        ]
    return found


# --- rows come and go -------------------------------------------------------------


async def test_each_affected_visit_has_a_row_and_its_patient_a_link(
    site: ToldSite,
) -> None:
    """By start, once however often the worker does it; the mail leads to a page that
    needs no sign-in, and opens as this visit's alone."""
    await site.ask(make.book_slot(3, AFTER))
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    await site.work()
    first, second = await rows(site)
    assert [first.booking_id, second.booking_id] == [BOOKING, make.a_booking_id(2)]
    assert (first.state, first.start) == (RowState.OPEN, NINE)
    (progress,) = await site.leave.leaves(make.PROVIDER, now=site.clock.now(), limit=9)
    assert (progress.total, progress.resolved, progress.is_closed) == (2, 0, False)
    mails = [one.message for one in site.mail.got if one.message.kind == "stranded"]
    (mail,) = [one for one in mails if "09:00" in one.subject]
    before, _, secret = mail.text.partition(f"{SITE}/#/choose?token=")
    assert before
    assert f"{SITE}/#/choose?token=" in mail.html
    link = await SealedChooseLinks(site.ring).read(secret.split()[0])
    assert link == ChooseLink(BOOKING, NINE, is_proxy=False)
    told = await site.leave.told([BOOKING])
    assert told[BOOKING].status == "sent"
    for word in (make.CONSULT, make.a_profile().specialty, "as before"):
        assert word not in mail.text + mail.html


async def test_who_has_no_address_is_known_once_a_worker_has_told(
    here: ToldSite,
) -> None:
    """Before that nothing is said of messages; then that there is none: staff call."""
    other = make.a_booking_id(3)
    await here.ask(make.book_slot(3, make.at(11, day=7)))
    await here.ask(make.add_time_off(**DAY))
    assert await here.leave.told([BOOKING, other]) == {}
    await here.work()
    told = await here.leave.told([BOOKING, other])
    assert (told[BOOKING].status, told[other].status) == ("sent", None)


async def test_a_leave_without_visits_leaves_no_trace(site: ToldSite) -> None:
    """A doctor's own calendar makes hundreds of them."""
    await site.ask(make.add_time_off(start=make.at(0, day=9), end=make.at(24, day=9)))
    await site.work()
    assert await site.leave.leave(LEAVE) is None
    assert await rows(site) == []


async def test_a_visit_that_two_leaves_affect_has_a_row_in_each(
    site: ToldSite,
) -> None:
    """Given back, the first leaves the visit to the second; chosen once, both end."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    await site.ask(make.add_time_off(2, **DAY))
    await site.work()
    second = make.a_time_off_id(2)
    assert len(await rows(site, second)) == 2
    await site.ask(make.remove_time_off(1))
    await site.work()
    assert {one.outcome for one in await rows(site)} == {VisitOutcome.WITHDRAWN}
    assert {one.state for one in await rows(site, second)} == {RowState.OPEN}
    held = await choose(site, to(AFTER))
    assert held.time_off_id == second
    await carried(site, held)
    assert [one.outcome for one in await rows(site, second)] == [
        VisitOutcome.MOVED,
        None,
    ]


async def test_what_is_given_back_withdraws_what_is_open(site: ToldSite) -> None:
    """The patients hear that their visits take place; what was moved stays moved."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    await carried(site, await choose(site, to(AFTER)))
    await site.ask(make.remove_time_off(1))
    await site.work()
    first, second = await rows(site)
    assert (first.outcome, second.outcome) == (
        VisitOutcome.MOVED,
        VisitOutcome.WITHDRAWN,
    )
    leave = await site.leave.leave(LEAVE)
    assert leave is not None
    assert leave.withdrawn_at == site.clock.now()
    assert "covered" in site.mail.kinds(make.a_booking_id(2))
    (progress,) = await site.leave.leaves(make.PROVIDER, now=site.clock.now(), limit=9)
    assert progress.is_closed


async def test_a_leave_that_is_gone_before_its_news_is_read_has_no_open_row(
    site: ToldSite,
) -> None:
    """Both events wait while the worker is away, in whatever order it takes them."""
    await site.ask(make.add_time_off(**DAY))
    await site.ask(make.remove_time_off(1))
    await site.work()
    assert [one for one in await rows(site) if one.state is RowState.OPEN] == []


async def test_visits_that_are_settled_elsewhere_are_resolved(site: ToldSite) -> None:
    """Moved by its patient as any other, cancelled: each as its calendar has it."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    await site.ask(make.reschedule_booking(1, start=AFTER))
    await site.ask(make.cancel_booking(2))
    await site.work()
    first, second = await rows(site)
    assert (first.outcome, first.chooser) == (VisitOutcome.MOVED, Chooser.ELSEWHERE)
    assert first.moved_to == to(AFTER)
    assert (second.outcome, second.chooser) == (
        VisitOutcome.CANCELLED,
        Chooser.ELSEWHERE,
    )


async def test_a_visit_whose_time_has_come_is_resolved_as_past(site: ToldSite) -> None:
    """A leave does not stay open for ever because of a patient who never answered."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    site.until(make.at(1, day=8))
    await later(site, 0)
    assert {one.outcome for one in await rows(site)} == {VisitOutcome.PAST}


async def test_who_does_not_choose_is_reminded_once_and_then_staff_are_to_call(
    site: ToldSite,
) -> None:
    """Half of the time in between; not the patient who has chosen."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    await carried(site, await choose(site, to(AFTER)))
    await later(site, 35 * 3_600)
    assert "unresolved" not in site.mail.kinds()
    await later(site, 2 * 3_600)
    await later(site)
    assert site.mail.kinds(make.a_booking_id(2)).count("unresolved") == 1
    assert site.mail.kinds(BOOKING).count("unresolved") == 0
    reminder = next(one for one in site.mail.got if one.message.kind == "unresolved")
    assert f"{SITE}/#/choose?token=" in reminder.message.text
    assert not (await row(site, make.a_booking_id(2))).is_overdue(site.clock.now())
    await later(site, 35 * 3_600)
    assert (await row(site, make.a_booking_id(2))).is_overdue(site.clock.now())


async def test_of_an_erased_patient_no_row_is_left_or_made(site: ToldSite) -> None:
    """Also if the event of the leave is handled afterwards."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    assert len(await rows(site)) == 2
    keys = await site.ring.of()
    async with site.records.writing() as session:
        await erase(session, keys, make.a_patient_id(1), "acc", {}, site.clock.now())
    async with site.records.reading() as session:
        mine = LeaveVisitRecord.patient_id == "pat_1"
        assert await session.scalar(select(func.count()).where(mine)) == 0
    await site.ask(make.add_time_off(2, **DAY))
    await site.work()
    left = await rows(site, make.a_time_off_id(2))
    assert [one.patient_id for one in left] == ["pat_2"]


# --- choosing --------------------------------------------------------------------


async def test_of_two_choices_at_one_time_one_is_made(site: ToldSite) -> None:
    """The second finds what the first chose, and moves nothing."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    first = await choose(site, to(AFTER), "first")
    second = await choose(site, to(NINE, OTHER), "second")
    assert second == first
    assert second.choice is not None
    assert second.choice.token == "first"
    await carried(site, second)
    assert await live_visits(site) == [("prv_1", AFTER)]


async def test_a_time_that_was_taken_opens_the_row_again_without_it(
    site: ToldSite,
) -> None:
    """The patient keeps the visit, and is proposed others."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    times = [to(AFTER), to(NINE, OTHER)]
    await site.leave.propose({BOOKING: times})
    for where, other in ((times[0], make.PROVIDER), (times[1], OTHER)):
        taking = make.book_slot(
            7,
            where.start,
            provider_id=other,
            booking_id=make.a_booking_id(7, other),
            patient_id=make.a_patient_id(7),
        )
        await site.ask(taking)
        held = await choose(site, where, f"of-{other}")
        assert await carried(site, held) is None
        found = await row(site)
        assert (found.state, found.choice) == (RowState.OPEN, None)
        assert where not in found.proposed
    assert await live_visits(site) == [("prv_1", NINE)]


async def test_with_another_provider_the_reason_goes_along(site: ToldSite) -> None:
    """Booked there, and the old visit is cancelled: one visit at any time after."""
    await site.ask(make.add_time_off(**DAY))
    await site.work()
    held = await choose(site, to(NINE, OTHER))
    await carried(site, held)
    assert await live_visits(site) == [("prv_2", NINE)]
    new = await site.calendars.ask(ReadBooking(OTHER, BookingId("bkg_2.chosen")))
    assert isinstance(new, BookingView)
    assert new.reason == "as before"
    found = await row(site)
    assert (found.outcome, found.chooser) == (VisitOutcome.MOVED, Chooser.PATIENT)
    assert found.moved_to == to(NINE, OTHER)


async def test_a_visit_that_its_patient_moves_meanwhile_stays_one_visit(
    here: ToldSite,
) -> None:
    """The new one is booked already when the old one moves: it is given back."""
    await here.ask(make.add_time_off(**DAY))
    await here.work()
    held = await choose(here, to(NINE, OTHER))

    async def ask(request: Request) -> Any:
        answer = await here.calendars.ask(request)
        if type(request).__name__ == "BookSlot":
            await here.ask(make.reschedule_booking(1, start=AFTER))
        return answer

    how = await Carrier(here.leave, ask, here.clock).carry(held)
    assert how is not None
    assert (how.outcome, how.chooser) == (VisitOutcome.MOVED, Chooser.ELSEWHERE)
    assert await live_visits(here) == [("prv_1", AFTER)]


# --- killed between any two steps ------------------------------------------------


class Dying:
    """Asks calendars, and dies before or after the n-th step of the carrying."""

    def __init__(self, calendars: Any, queue: Any, at: int) -> None:
        self._calendars, self._queue, self._at = calendars, queue, at
        self._steps = count(1)

    def _step(self) -> None:
        if next(self._steps) == self._at:
            raise Killed

    def calendars(self) -> Any:
        dying, real = self, self._calendars

        class Asked:
            async def ask(self, request: Request) -> Any:
                dying._step()
                answer = await real.ask(request)
                if isinstance(request, CommandBase):
                    dying._step()  # done, and its answer is lost
                return answer

        return Asked()

    def queue(self) -> Any:
        """The queue, whose writes are steps too."""
        dying, real = self, self._queue

        class Queue:
            def __getattr__(self, name: str) -> Any:
                method = getattr(real, name)

                async def call(*given: Any, **named: Any) -> Any:
                    dying._step()
                    return await method(*given, **named)

                return call

        return Queue()


@pytest.mark.parametrize("steps", range(1, 12))
@pytest.mark.parametrize("other", [False, True], ids=["same", "another"])
async def test_what_was_chosen_is_done_once_wherever_its_gateway_dies(
    here: ToldSite, steps: int, other: bool
) -> None:
    """The worker goes on with it: one visit, at the chosen time, and a resolved row."""
    where = to(NINE, OTHER) if other else to(AFTER)
    await here.ask(make.add_time_off(**DAY))
    await here.work()
    held = await choose(here, where)
    dying = Dying(here.calendars, here.leave, steps)
    try:
        await Carrier(dying.queue(), dying.calendars().ask, here.clock).carry(held)
    except Killed:
        assert (await row(here)).state is RowState.CHOSEN
    await later(here, CARRIED_AFTER_MS / 1000 + 60)
    assert await live_visits(here) == [(where.provider_id, where.start)]
    found = await row(here)
    assert (found.outcome, found.chooser) == (VisitOutcome.MOVED, Chooser.PATIENT)
    assert found.moved_to == where


async def test_rows_are_made_by_whatever_worker_lives(here: ToldSite) -> None:
    """One dies when it has asked the calendar, one when it has made the rows: the
    event is taken again, and there is one row for each visit."""
    await here.ask(make.add_time_off(**DAY))
    await here.project()
    real: Any = here.calendars
    queue = here.leave
    for at in range(1, 5):
        dying = Dying(real, queue, at)
        here.leave, here.calendars = dying.queue(), dying.calendars()
        await here.work()
        here.leave, here.calendars = queue, real
        here.clock.step(61)
    await here.work()
    assert len(await rows(here)) == 2


@pytest.mark.parametrize("wait", [Millis(0), Millis(CARRIED_AFTER_MS - 1_000)])
async def test_the_worker_leaves_a_choice_to_the_gateway_that_has_it(
    here: ToldSite, wait: Millis
) -> None:
    """For a while: both would do the same, and commands need not be sent twice."""
    await here.ask(make.add_time_off(**DAY))
    await here.work()
    await choose(here, to(AFTER))
    await later(here, wait / 1000)
    assert (await row(here)).state is RowState.CHOSEN
