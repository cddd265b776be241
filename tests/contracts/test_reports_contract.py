"""Reports count the same on every database: a small trace by an oracle of its own, and
the published no-show trace, where it is on this machine, by its known table.

One file because each test asks the same small site another question.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ClinicId
from actors.domain.zones import day_named
from care.reports.answers import ReportAnswer, lead_figures
from care.reports.ports import ReportTooLarge
from care.reports.questions import (
    AgeGroup,
    By,
    Filters,
    Measure,
    Period,
    ReportQuestion,
)
from persistence.directory.leave.models import LeaveVisitRecord
from persistence.patients.waiting_models import SlotOfferRecord
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.records.reports import answered, queries
from persistence.records.reports.queries import SqlReports
from persistence.sql.engine import open_engine
from persistence.sql.records import Records
from tests.fixtures.past_visits import NOW, TRACE, import_file, import_rows
from tests.fixtures.read_model import empty_read_model, empty_records
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal, a_clinic

VITORIA = "America/Sao_Paulo"


@dataclass
class Counting:
    url: str
    writer: AsyncEngine
    reports: SqlReports
    engine: AsyncEngine
    records: Records

    async def ask(
        self,
        measure: Measure,
        by: By,
        days: tuple[str, str],
        filters: Filters | None = None,
        clinic: str = "",
    ) -> ReportAnswer:
        first, last = (day_named(day) or 0 for day in days)
        return await self.reports.answer(
            ReportQuestion(
                measure=measure,
                by=by,
                period=Period(first, last),
                filters=filters or Filters(),
                clinic=ClinicId(clinic) if clinic else None,
                now=NOW // 60_000,
            )
        )

    async def shares(
        self, by: By, days: tuple[str, str], filters: Filters | None = None
    ) -> dict[str, tuple[int, int]]:
        """Visits with an outcome, and missed ones, by label or key."""
        found = await self.ask(Measure.NO_SHOWS, by, days, filters)
        return {
            row.label or row.key: (row.group.ended.visits, row.group.missed)
            for row in found.rows
        }


@pytest.fixture(params=("sqlite", "asyncmy"))
async def counting(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Counting]:
    url = empty_read_model(request.param, request, tmp_path)
    writer, engine = open_engine(url, "writer"), open_engine(url, "reports")
    records = Records(empty_records(request.param, request, tmp_path))
    yield Counting(url, writer, SqlReports(engine, records), engine, records)
    await writer.dispose()
    await engine.dispose()
    await records.close()


@dataclass
class Made:
    """A visit of the small trace, in the clock of its clinic."""

    booked: datetime
    start: datetime
    status: str
    place: str
    age: int
    reminded: int

    @property
    def lead(self) -> int:
        return (self.start.date() - self.booked.date()).days

    def row(self, number: int) -> str:
        booked, start = (f"{at:%Y-%m-%d %H:%M}" for at in (self.booked, self.start))
        return (
            f"v{number},{booked},{start},30,{self.status},{self.place},Dr {self.place},"
            f"p{number % 40},{self.age},{self.reminded}"
        )


def small_trace() -> list[Made]:
    """500 visits around both changes of the clock in 2016, most near midnight."""
    dice = Random(15)
    made = []
    for _ in range(500):
        day = date(2016, 3, 20) + timedelta(days=dice.randrange(230))
        start = datetime.combine(day, datetime.min.time()) + timedelta(
            minutes=dice.choice((5, 35, 9 * 60, 15 * 60 + 30, 23 * 60, 23 * 60 + 55))
        )
        ahead = timedelta(minutes=dice.choice((1, 30, 61, 1_441, 9_000, 60_000)))
        missed = dice.random() < (0.4 if ahead > timedelta(days=5) else 0.1)
        status = "noshow" if missed else dice.choice(("fulfilled", "cancelled"))
        place = dice.choice(("Harbour", "Hill", "Mill"))
        made.append(
            Made(start - ahead, start, status, place, dice.randrange(99), missed)
        )
    return made


DAYS = ("2016-01-01", "2016-12-31")


def ended(made: list[Made]) -> dict[str, list[Made]]:
    found = defaultdict(list)
    for one in made:
        if one.status != "cancelled":
            found[one.place].append(one)
    return found


def lead_name(lead: int) -> str:
    return "0" if not lead else "1-6" if lead < 7 else "7-30" if lead < 31 else "31+"


async def test_a_small_trace_is_counted_as_by_hand(counting: Counting) -> None:
    """By whatever visits can be counted by, in Berlin's clock."""
    made = small_trace()
    rows = [one.row(number) for number, one in enumerate(made)]
    await import_rows(counting.writer, rows, zone="Europe/Berlin")
    keys: dict[By, Callable[[Made], str]] = {
        By.PLACE: lambda one: one.place,
        By.DAY: lambda one: f"{one.start:%Y-%m-%d}",
        By.WEEK: lambda one: f"{one.start:%G-W%V}",
        By.MONTH: lambda one: f"{one.start:%Y-%m}",
        By.WEEKDAY: lambda one: str(one.start.isoweekday()),
        By.HOUR: lambda one: f"{one.start:%H}",
        By.LEAD: lambda one: lead_name(one.lead),
        By.PROVIDER: lambda one: f"Dr {one.place}",
        By.VISIT_TYPE: lambda one: "visit",
        By.REMINDED: lambda one: "yes" if one.reminded else "no",
        By.AGE: lambda one: next(
            name
            for least, name in ((65, "65+"), (40, "40-64"), (18, "18-39"), (0, "0-17"))
            if one.age >= least
        ),
    }
    for by, key in keys.items():
        expected: dict[str, tuple[int, int]] = {}
        for one in made:
            if one.status != "cancelled":
                visits, missed = expected.get(key(one), (0, 0))
                expected[key(one)] = visits + 1, missed + (one.status == "noshow")
        shares = await counting.shares(by, DAYS)
        assert {k: v for k, v in shares.items() if v[0]} == expected, by


async def test_leads_cancellations_and_totals_are_those_of_the_trace(
    counting: Counting,
) -> None:
    """Lead figures are of all visits that were not cancelled."""
    made = small_trace()
    await import_rows(
        counting.writer,
        [one.row(n) for n, one in enumerate(made)],
        zone="Europe/Berlin",
    )
    leads = await counting.ask(Measure.LEAD_TIME, By.PLACE, DAYS)
    for row in leads.rows:
        counted = Counter(one.lead for one in ended(made)[row.label])
        assert row.group.leads == counted
        assert lead_figures(row.group.leads) == lead_figures(counted)
    found = await counting.ask(Measure.CANCELLATIONS, By.MONTH, DAYS)
    assert found.total.cancelled == sum(one.status == "cancelled" for one in made)
    assert found.total.visits + found.total.cancelled == len(made)
    assert found.total.minutes == 30 * found.total.visits


async def test_filters_and_periods_are_dates_of_the_clinic(counting: Counting) -> None:
    """A day's first and last minute are in it; each filter leaves what it says."""
    rows = [
        "v1,2016-03-01 09:30,2016-03-14 00:00,,fulfilled,Harbour,,p1,62,1",
        "v2,2016-03-01 09:30,2016-03-14 23:59,,noshow,Harbour,,p1,17,0",
        "v3,2016-03-01 09:30,2016-03-15 00:00,,fulfilled,Harbour,,p1,62,1",
        "v4,2016-03-13 23:59,2016-03-14 12:00,,fulfilled,Hill,,p1,,",
    ]
    await import_rows(counting.writer, rows, zone="Pacific/Auckland")
    day = ("2016-03-14", "2016-03-14")
    assert await counting.shares(By.PLACE, day) == {"Harbour": (2, 1), "Hill": (1, 0)}

    async def total(filters: Filters) -> int:
        found = await counting.ask(Measure.VISITS, By.ALL, day, filters)
        return found.total.visits

    assert await total(Filters(lead_from=1, lead_to=1)) == 1
    assert await total(Filters(lead_to=12)) == 1
    assert await total(Filters(lead_from=13)) == 2
    assert await total(Filters(weekdays=(1,))) == 3
    assert await total(Filters(weekdays=(2, 7))) == 0
    assert await total(Filters(ages=(AgeGroup.CHILDREN,))) == 1
    assert await total(Filters(reminded=True)) == 1
    places = await counting.ask(Measure.VISITS, By.PLACE, day)
    (harbour,) = [row.key for row in places.rows if row.label == "Harbour"]
    assert await total(Filters(clinics=(ClinicId(harbour),))) == 2
    of_one = await counting.ask(Measure.VISITS, By.ALL, day, clinic=harbour)
    assert of_one.total.visits == 2
    assert (await counting.ask(Measure.VISITS, By.ALL, day, clinic="cln_no")).rows == ()


async def test_projected_visits_count_beside_imported_ones(counting: Counting) -> None:
    """By status; who cancelled, and how late, comes from the history. Rooms do not
    count, and of another clinic nothing does."""
    clinic, other = a_clinic(1, time_zone="UTC"), a_clinic(2, time_zone="UTC")
    story, elsewhere = Story(1, clinic), Story(2, other)
    journal = StoryJournal()
    journal.tell(
        SHARD,
        story.registered("Dr A"),
        *(story.booked(number, NINE + 60 * number) for number in range(1, 5)),
        story.arrived(1),
        story.fulfilled(1),
        story.noshow(2),
        story.cancelled(3),
        elsewhere.registered("Dr B"),
        elsewhere.booked(9, NINE),
    )
    projector = open_engine(counting.url, "projector")
    await Projector(journal, SqlProjectionStore(projector), FixedClock()).step()
    await projector.dispose()
    day = ("2025-02-20", "2025-02-22")
    found = await counting.ask(Measure.VISITS, By.PROVIDER, day, clinic="cln_1")
    (row,) = found.rows
    assert row.label == "Dr A"
    group = row.group
    assert (group.visits, group.seen, group.missed, group.open) == (3, 1, 1, 1)
    gone = await counting.ask(Measure.CANCELLATIONS, By.ALL, day, clinic="cln_1")
    assert (gone.total.cancelled, gone.total.visits) == (1, 3)
    assert gone.total.by_patient + gone.total.by_clinic == 1
    assert (await counting.ask(Measure.VISITS, By.ALL, day)).total.visits == 4


async def test_use_is_of_calendars_and_of_a_session_once(counting: Counting) -> None:
    """However many patients have seats in it; imported visits took no time here."""
    story, journal = Story(1, a_clinic(1, time_zone="UTC")), StoryJournal()
    journal.tell(
        SHARD,
        story.registered(),
        *(replace(story.booked(n, NINE, patient=n), lane=-n) for n in range(1, 5)),
        story.booked(9, NINE + 60),
        story.cancelled(1),
    )
    projector = open_engine(counting.url, "projector")
    await Projector(journal, SqlProjectionStore(projector), FixedClock()).step()
    await projector.dispose()
    past = "v1,2025-02-01 09:30,2025-02-21 12:00,30,fulfilled,cln_1,prv_1,p1,,"
    await import_rows(counting.writer, [past])
    day = ("2025-02-20", "2025-02-22")
    used = await counting.ask(Measure.UTILISATION, By.PROVIDER, day, clinic="cln_1")
    assert (used.total.visits, used.total.minutes) == (4, 60)
    visits = await counting.ask(Measure.VISITS, By.PROVIDER, day, clinic="cln_1")
    assert (visits.total.visits, visits.total.minutes) == (5, 150)


async def test_answers_are_of_the_clinics_own_providers(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others have is in no row, and does not exhaust the bound on rows."""
    journal = StoryJournal()
    clinics = [a_clinic(number, time_zone="UTC") for number in (1, 2)]
    told = [Story(n, one).registered() for n, one in enumerate(clinics, start=1)]
    journal.tell(SHARD, *told)
    projector = open_engine(counting.url, "projector")
    await Projector(journal, SqlProjectionStore(projector), FixedClock()).step()
    await projector.dispose()
    at = NINE * 60_000
    async with counting.records.writing() as session:
        for number in range(12):
            session.add(an_offer(number, "prv_1" if number < 2 else "prv_2", at))
            session.add(a_visit_hit(number, "prv_2" if number > 1 else "prv_1", at))
    monkeypatch.setattr(answered, "ROWS_READ_MAX", 2)
    day = ("2025-02-20", "2025-02-22")
    offers = await counting.ask(Measure.WAITING, By.PROVIDER, day, clinic="cln_1")
    assert [(r.key, r.group.offers) for r in offers.rows] == [("prv_1", {"over": 2})]
    waits = await counting.ask(Measure.RESPONSE_TIME, By.ALL, day, clinic="cln_1")
    assert (waits.total.waits, waits.total.unanswered) == ([5], 1)


def an_offer(number: int, provider: str, at: int) -> SlotOfferRecord:
    return SlotOfferRecord(
        hold_id=f"hld_{number}",
        turn=1,
        provider_id=provider,
        patient_id=f"pat_{number}",
        entry_id=f"wte_{number}",
        place=1,
        ahead="{}",
        visit_type="consult",
        start_minute=NINE,
        end_minute=NINE + 30,
        until=at + 1,
        made_at=at,
        status="over" if number < 7 else "declined",
    )


def a_visit_hit(number: int, provider: str, at: int) -> LeaveVisitRecord:
    return LeaveVisitRecord(
        time_off_id="off_1.1",
        booking_id=f"bkg_1.{number}",
        provider_id=provider,
        patient_id=f"pat_{number}",
        visit_type="consult",
        start_minute=NINE,
        end_minute=NINE + 30,
        opened_at=at,
        answer_by=at,
        state="open",
        proposed=[],
        resolved_at=at + 5 * 60_000 if number % 2 else None,
        changed_at=at,
    )


async def test_what_was_booked_after_its_day_is_left_out_of_leads_and_told(
    counting: Counting,
) -> None:
    """It is a visit all the same."""
    rows = [
        "v1,2016-03-14 09:30,2016-03-14,,fulfilled,Harbour,,p1,,",
        "v2,2016-03-15 09:30,2016-03-14,,noshow,Harbour,,p1,,",
    ]
    await import_rows(counting.writer, rows)
    by_lead = await counting.ask(Measure.NO_SHOWS, By.LEAD, DAYS)
    assert (len(by_lead.rows), by_lead.total.visits, by_lead.left_out) == (1, 1, 1)
    by_place = await counting.ask(Measure.NO_SHOWS, By.PLACE, DAYS)
    assert (by_place.total.visits, by_place.total.booked_after) == (2, 1)
    for by in (By.PLACE, By.LEAD):
        leads = await counting.ask(Measure.LEAD_TIME, by, DAYS)
        assert (leads.total.visits, leads.total.leads) == (1, {0: 1})
        assert leads.left_out == 1, "a mean of one visit is not that of two"


async def test_a_report_ends_when_its_time_is_over(counting: Counting) -> None:
    """The database stops counting; the connection is good for the next report."""
    endless = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
        "100000000000) SELECT count(*) FROM n"
    )
    impatient = SqlReports(counting.engine, counting.records, limit_s=0.05)

    async def ask() -> None:
        async with impatient._asking() as connection:
            if connection.dialect.name != "sqlite":
                for setting in (
                    "statement_time = 0.05",
                    "recursive_iterations = 4000000000",
                ):
                    await connection.execute(text(f"SET SESSION max_{setting}"))
            await connection.execute(endless)

    with pytest.raises(ReportTooLarge):
        await ask()
    await counting.engine.dispose()
    assert (await counting.ask(Measure.VISITS, By.ALL, DAYS)).rows == ()


async def test_too_many_groups_are_refused(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added up in memory is bounded."""
    await import_rows(
        counting.writer, [one.row(n) for n, one in enumerate(small_trace())]
    )
    monkeypatch.setattr(queries, "GROUPS_MAX", 20)
    with pytest.raises(ReportTooLarge):
        await counting.ask(Measure.LEAD_TIME, By.DAY, DAYS)


LEADS = {"0": (12_752, 421), "1-6": (11_515, 2_682)}
LEADS |= {"7-30": (12_048, 3_920), "31+": (3_280, 1_115)}
FINE = {"0": (12_752, 421), "1": (1_604, 339), "2-3": (3_947, 953)}
FINE |= {"4-6": (5_964, 1_390), "7-13": (5_597, 1_634), "14-30": (6_451, 2_286)}
FINE |= {"31-60": (2_985, 1_007), "61+": (295, 108)}
WEEKDAYS = {"1": (8_078, 1_710), "2": (9_498, 1_914), "3": (7_803, 1_630)}
WEEKDAYS |= {"4": (5_730, 1_113), "5": (8_487, 1_772)}
AGES = {"0-17": (9_589, 2_166), "18-39": (11_925, 2_796)}
AGES |= {"40-64": (13_553, 2_505), "65+": (4_529, 672)}
PLACES = {"RESISTÊNCIA": (2_893, 650), "MARIA ORTIZ": (1_830, 348)}
PLACES |= {"JESUS DE NAZARETH": (1_736, 430), "ROMÃO": (1_472, 306)}
PLACES |= {"SANTA MARTHA": (1_394, 235)}
REMINDED = {"yes": (12_129, 3_377), "no": (27_467, 4_762)}
MAY = ("2016-04-29", "2016-05-31")


@pytest.mark.skipif(not TRACE.is_file(), reason="the no-show trace is not here")
async def test_the_published_trace_has_its_published_table(counting: Counting) -> None:
    """Every row of the table, and the sign that turns."""
    made, reading = await import_file(counting.writer, TRACE, zone=VITORIA)
    assert (made.new, made.places, reading.bad_count) == (39_596, 79, 0)
    assert reading.odd_count == 1
    assert await counting.shares(By.LEAD, MAY) == LEADS
    assert await counting.shares(By.LEAD_FINE, MAY) == FINE
    assert await counting.shares(By.WEEKDAY, MAY) == WEEKDAYS
    assert await counting.shares(By.AGE, MAY) == AGES
    assert await counting.shares(By.REMINDED, MAY) == REMINDED
    places = await counting.shares(By.PLACE, MAY)
    assert {name: places[name] for name in PLACES} == PLACES
    assert len(places) == 79
    assert len(await counting.shares(By.DAY, MAY)) == 20
    later = await counting.shares(By.REMINDED, MAY, Filters(lead_from=3))
    assert later["no"][0] == 10_210
    assert round(100 * later["no"][1] / 10_210, 4) == 32.38
    assert later["yes"] == REMINDED["yes"]
    found = await counting.ask(Measure.NO_SHOWS, By.REMINDED, MAY)
    assert (found.total.ended.visits, found.total.missed) == (39_596, 8_139)
    for row in found.rows:
        assert row.comparison is not None
        assert row.comparison.turns
    leads = await counting.ask(Measure.LEAD_TIME, By.ALL, MAY)
    figures = lead_figures(leads.total.leads)
    assert figures is not None
    assert (figures.median, figures.p90, figures.longest) == (4, 28, 176)
    assert round(figures.mean, 3) == 9.287
    again, _ = await import_file(counting.writer, TRACE, zone=VITORIA)
    assert (again.new, again.changed, again.same) == (0, 0, 39_596)
