"""Imported visits are history on every database: seen, never live, kept, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import BookingId, ClinicId, PatientId, ShardId
from actors.domain.messages.answers import BookingStatus, BookingView
from persistence.readmodel import tables as t
from persistence.readmodel.projection.operations import TakeBookings
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.sql_transfers import take_over
from persistence.readmodel.queries.bookings import SqlBookingHistory
from persistence.readmodel.queries.readback import projected_bookings
from persistence.readmodel.rebuilding.rebuild import rebuild
from persistence.sql.engine import open_engine, writing
from tests.fixtures.past_visits import hidden, import_rows
from tests.fixtures.read_model import empty_read_model
from tests.fixtures.story import SHARD, FixedClock, Story, StoryJournal

ROWS = (
    "v1,2016-03-01 09:30,2016-03-14 10:00,20,fulfilled,Harbour,Dr A,p1,62,1",
    "v2,2016-03-01 23:59,2016-03-02,,noshow,Harbour,Dr A,p1,62,0",
    "v3,2016-03-02 00:01,2016-03-02,,cancelled,Hill,,pat_7,,",
)
OF_PROVIDER = ("v1,2016-03-01 09:30,2016-03-14,,noshow,cln_1,prv_1,pat_77,,",)
"""A visit to a provider, and of a patient, of this site."""


@dataclass
class Past:
    url: str
    writer: AsyncEngine
    readers: AsyncEngine

    async def rows(self) -> list[dict[str, Any]]:
        """All that an import wrote, but the directory's own log."""
        found: list[dict[str, Any]] = []
        async with self.readers.connect() as connection:
            for table in (t.appointment, t.imported_visit, t.clinic):
                rows = await connection.execute(
                    select(table).order_by(*table.primary_key.columns)
                )
                found += [dict(row) for row in rows.mappings()]
        return found

    async def of(self, patient: str) -> list[BookingView]:
        visits, _ = await SqlBookingHistory(self.readers).of_patient(
            PatientId(patient), first=None, last=None, status=None, after="", limit=9
        )
        return list(visits)


@pytest.fixture(params=("sqlite", "asyncmy"))
async def past(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Past]:
    url = empty_read_model(request.param, request, tmp_path)
    writer, readers = open_engine(url, "writer"), open_engine(url, "reader")
    yield Past(url, writer, readers)
    await writer.dispose()
    await readers.dispose()


async def test_a_visit_has_its_original_instants_in_its_clinics_zone(
    past: Past,
) -> None:
    """Wall times of Berlin in winter and in summer become the instants they were."""
    winter = "v1,2016-03-26 09:30,2016-03-29 10:00,20,fulfilled,Harbour,Dr A,p1,62,1"
    await import_rows(past.writer, [winter], zone="Europe/Berlin")
    name = f"pat_h_{hidden('history|p1')[:32]}"
    (visit,) = await past.of(name)
    assert visit.booked_at == 1_458_981_000_000  # 2016-03-26T08:30Z
    assert visit.start == 1_459_238_400 // 60  # 2016-03-29T08:00Z
    assert visit.end - visit.start == 20
    assert visit.status is BookingStatus.FULFILLED


async def test_a_second_import_changes_nothing(past: Past) -> None:
    """All rows are the same, of both imports and in the tables."""
    made, reading = await import_rows(past.writer, ROWS)
    assert (made.new, made.changed, made.same, made.places) == (3, 0, 0, 2)
    assert reading.bad_count == 0
    before = await past.rows()
    again, _ = await import_rows(past.writer, ROWS)
    assert (again.new, again.changed, again.same, again.places) == (0, 0, 3, 0)
    assert await past.rows() == before


async def test_a_corrected_row_replaces_what_it_was(past: Past) -> None:
    """One visit changes, and is not there twice."""
    await import_rows(past.writer, ROWS)
    better = [ROWS[0].replace("fulfilled", "noshow"), *ROWS[1:]]
    made, _ = await import_rows(past.writer, better)
    assert (made.new, made.changed, made.same) == (0, 1, 2)
    rows = [row for row in await past.rows() if row.get("status") == "noshow"]
    assert len(rows) == 2


async def test_a_visit_with_another_provider_or_place_is_not_there_twice(
    past: Past,
) -> None:
    """Its id has the provider's in it, and changes; what it was is gone."""
    await import_rows(past.writer, ROWS)
    first = ROWS[0].replace("Dr A", "Dr B")
    made, _ = await import_rows(past.writer, [first, *ROWS[1:]])
    assert (made.new, made.changed, made.same) == (0, 1, 2)
    elsewhere = [first.replace("Harbour", "Mill").replace("p1", "pat_7"), *ROWS[1:]]
    made, _ = await import_rows(past.writer, elsewhere)
    assert (made.new, made.changed, made.same) == (0, 1, 2)
    rows = await past.rows()
    assert sum("provider_name" in row for row in rows) == 3
    assert sum(row.get("shard") == t.IMPORTED_SHARD for row in rows) == 3
    assert len(await past.of("pat_7")) == 2


async def test_a_place_that_is_written_in_several_ways_is_one_clinic(
    past: Past,
) -> None:
    """And counted as one, in one transaction too."""
    other = ROWS[1].replace("Harbour", "HARBOUR")
    made, _ = await import_rows(past.writer, [ROWS[0], other])
    assert (made.new, made.places) == (2, 1)


async def test_numbers_of_another_system_are_other_visits_and_patients(
    past: Past,
) -> None:
    """Two systems count from one."""
    await import_rows(past.writer, ROWS[:2])
    made, _ = await import_rows(past.writer, ROWS[:2], source="other")
    assert made.new == 2
    assert len(await past.of(f"pat_h_{hidden('history|p1')[:32]}")) == 2


async def test_a_known_patient_sees_it_and_no_calendar_has_it(past: Past) -> None:
    """It is in the history of the patient it names; nothing is claimed or told."""
    await import_rows(past.writer, ROWS)
    (visit,) = await past.of("pat_7")
    assert visit.status is BookingStatus.CANCELLED
    found = await SqlBookingHistory(past.readers).booking(BookingId(visit.booking_id))
    assert found == visit
    assert await projected_bookings(past.readers) == {}
    async with past.readers.connect() as connection:
        for table in (t.slot_claim, t.outbox, t.provider, t.appointment_history):
            assert await connection.scalar(select(func.count()).select_from(table)) == 0


async def test_a_rebuild_keeps_it(past: Past) -> None:
    """Projected bookings are written again, and imported rows stay as they are."""
    journal, story = StoryJournal(), Story(1)
    journal.tell(SHARD, story.registered(), story.booked(1))
    projector = open_engine(past.url, "projector")
    await Projector(journal, SqlProjectionStore(projector), FixedClock()).step()
    await import_rows(past.writer, ROWS)
    before = await past.rows()
    await rebuild(journal, projector, FixedClock())
    await projector.dispose()
    assert await past.rows() == before
    assert len(await projected_bookings(past.readers)) == 1


async def test_it_stays_where_it_is_when_its_providers_calendar_moves(
    past: Past,
) -> None:
    """Visits of the journal go to the other shard; a rebuild would lose what goes."""
    journal, story = StoryJournal(), Story(1)
    journal.tell(SHARD, story.registered(), story.booked(1))
    projector = open_engine(past.url, "projector")
    await Projector(journal, SqlProjectionStore(projector), FixedClock()).step()
    await import_rows(past.writer, OF_PROVIDER, zone="")
    take = TakeBookings(story.provider_id, 1, 2, (), (), replaces=False)
    async with writing(projector) as connection:
        await connection.run_sync(take_over, ShardId("p-9"), [take])
    await projector.dispose()
    shards = [row["shard"] for row in await past.rows() if "shard" in row]
    assert sorted(shards) == sorted(["p-9", t.IMPORTED_SHARD])


async def test_it_gives_no_clinic_a_right_to_its_patient(past: Past) -> None:
    """Although it names the clinic's provider; a visit that was booked here does."""
    journal, story = StoryJournal(), Story(1)
    journal.tell(SHARD, story.registered(), story.booked(1))
    projector = open_engine(past.url, "projector")
    await Projector(journal, SqlProjectionStore(projector), FixedClock()).step()
    await projector.dispose()
    await import_rows(past.writer, OF_PROVIDER, zone="")
    history = SqlBookingHistory(past.readers)
    assert len(await past.of("pat_77")) == 1
    assert not await history.is_known(ClinicId("cln_1"), PatientId("pat_77"))
    (booked,) = (await projected_bookings(past.readers)).values()
    assert await history.is_known(ClinicId("cln_1"), booked.patient_id)


async def test_what_is_no_history_is_told_by_line(past: Past) -> None:
    """Times to come and unknown places are bad; a late booking is odd, and taken."""
    rows = [
        *ROWS[:1],
        "v4,2016-03-01 09:30,2033-03-14 10:00,,fulfilled,Harbour,,p1,,",
        "v5,2016-03-01 09:30,2016-03-14 10:00,,fulfilled,cln_none,,p1,,",
        "v6,2016-03-15 09:30,2016-03-14,,fulfilled,Harbour,,p1,,",
        "v7,1969-03-15 09:30,2016-03-14,,fulfilled,Harbour,,p1,,",
    ]
    made, reading = await import_rows(past.writer, rows)
    assert made.new == 2
    assert [line for line, _ in reading.bad] == [3, 4, 6]
    assert "lies ahead" in reading.bad[0][1]
    assert "no clinic" in reading.bad[1][1]
    assert reading.odd == [(5, "it was booked after its day")]
