"""Directory, booking history and progress answer alike: memory, SQLite, MariaDB.

One file because each test runs against the same four read models.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from actors.domain.ids import (
    BookingId,
    ClinicId,
    LocationId,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.events import Event
from actors.domain.rules import Clinic, Resource, ResourceKind, VisitType
from care.readmodel import (
    BookingHistory,
    Directory,
    ProjectionProgress,
    ProviderQuery,
)
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import Offset, ProjectionStore
from persistence.readmodel.queries.bookings import SqlBookingHistory
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.queries.progress import SqlProgress
from persistence.sql.engine import open_engine
from tests.fixtures.read_model import EVERYWHERE, empty_read_model
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal, a_clinic


class Model:
    """The ports of one read model."""

    def __init__(
        self,
        store: ProjectionStore,
        directory: Directory,
        bookings: BookingHistory,
        progress: ProjectionProgress,
    ) -> None:
        self.store = store
        self.directory = directory
        self.bookings = bookings
        self.progress = progress

    async def tell(self, *stories: tuple[Story, Sequence[Event]]) -> None:
        journal = StoryJournal()
        for _, events in stories:
            journal.tell(SHARD, *events)
        await Projector(journal, self.store, FixedClock()).step()

    async def names(self, query: ProviderQuery, limit: int = 100) -> list[str]:
        page, _ = await self.directory.find(query, after="", limit=limit)
        return [listing.profile.name for listing in page]


@pytest.fixture(params=EVERYWHERE)
async def model(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Model]:
    if request.param == "memory":
        twin = MemoryReadModel()
        yield Model(twin, twin, twin, twin)
        return
    url = empty_read_model(request.param, request, tmp_path)
    projector = open_engine(url, "projector")
    readers, writer = open_engine(url, "reader"), open_engine(url, "writer")
    yield Model(
        SqlProjectionStore(projector),
        SqlDirectory(readers, writer),
        SqlBookingHistory(readers),
        SqlProgress(readers),
    )
    for engine in (projector, readers, writer):
        await engine.dispose()


LEEDS = a_clinic(
    1, name="St. Mary's Practice", city="Leeds", latitude=53.80, longitude=-1.55
)
LODZ = a_clinic(2, name="Przychodnia", city="Łódź", latitude=51.77, longitude=19.46)
YORK = a_clinic(3, name="Minster Surgery", city="York", latitude=53.96, longitude=-1.08)
NOWHERE = a_clinic(4, name="Telehealth", city="")


async def region(model: Model) -> None:
    """Five providers at four clinics."""
    people = [
        (Story(1, LEEDS), "Zoë O'Brien", "General practice"),
        (Story(2, LODZ), "Łukasz Żak", "Dermatology"),
        (Story(3, YORK), "Ada Müller-Weiß", "General practice"),
        (Story(4, NOWHERE), "Bo Ng", "Dermatology"),
        (Story(5, LEEDS), "Ada Müller-Weiß", "Cardiology"),
    ]
    await model.tell(
        *((story, [story.registered(name, field)]) for story, name, field in people)
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["1", "2", "3", "4", "5"]),
        ("zoe", ["1"]),
        ("OBR", ["1"]),
        ("o'brien", ["1"]),
        ("lodz", ["2"]),
        ("zak łuk", ["2"]),
        ("muller", ["3", "5"]),
        ("weiss card", ["5"]),
        ("gen york", ["3"]),
        ("mary", ["1", "5"]),
        ("marys", ["1", "5"]),
        ("ary", []),
        ("ada lodz", []),
        ("...", []),
        ("%", []),
        ("' OR 1=1 --", []),
    ],
)
async def test_words_find_beginnings(
    model: Model, words: str, found: list[str]
) -> None:
    """All words match beginnings, whatever their case and accents."""
    await region(model)
    ids = await model.directory.ids(ProviderQuery(words=words), limit=10)
    assert sorted(i[4:] for i in ids) == found


async def test_lists_are_ordered_by_name_then_id(model: Model) -> None:
    """Order is stable: by plain name, equal names by id."""
    await region(model)
    ids = await model.directory.ids(ProviderQuery(), limit=10)
    assert ids == ["prv_3", "prv_5", "prv_4", "prv_2", "prv_1"]


async def test_the_nearest_come_first_and_the_placeless_last(model: Model) -> None:
    """By distance, then id; unknown places last, and not within any distance."""
    await region(model)
    here = (53.80, -1.55)
    query = ProviderQuery(near=here)
    page, _ = await model.directory.find(query, after="", limit=10)
    assert [one.provider_id for one in page] == [
        "prv_1",
        "prv_5",
        "prv_3",
        "prv_2",
        "prv_4",
    ]
    distances = [one.distance_km for one in page]
    assert distances[0] == 0.0
    assert distances[2] == pytest.approx(35.6, abs=0.5)
    assert distances[4] is None
    near = ProviderQuery(near=here, within_km=40)
    assert await model.directory.ids(near, limit=10) == ["prv_1", "prv_5", "prv_3"]
    few = ProviderQuery(near=here, within_km=40, words="ada", specialty="cardiology")
    assert await model.directory.ids(few, limit=10) == ["prv_5"]


async def test_a_search_from_far_away_finds_the_nearest_in_order(model: Model) -> None:
    """Beyond every ring, and over several pages: the order is by distance alone."""
    rng = random.Random(5)
    stories = []
    for number in range(40):
        place = {"latitude": rng.uniform(50, 58), "longitude": rng.uniform(-6, 1)}
        stories.append(Story(number, a_clinic(number, **place)))
    await model.tell(*((story, [story.registered()]) for story in stories))
    query = ProviderQuery(near=(-40.0, 170.0))
    seen: list[float] = []
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = await model.directory.find(query, after=cursor, limit=7)
        seen += [one.distance_km or 0.0 for one in page]
    assert len(seen) == 40
    assert seen == sorted(seen)
    assert seen[0] > 15_000


async def test_filters_by_specialty_and_clinic(model: Model) -> None:
    """A specialty is compared without case and accents; a clinic by its id."""
    await region(model)
    found = await model.directory.ids(ProviderQuery(specialty="DERMATOLOGY"), limit=9)
    assert found == ["prv_4", "prv_2"]
    found = await model.directory.ids(
        ProviderQuery(clinic_id=ClinicId("cln_1")), limit=9
    )
    assert found == ["prv_5", "prv_1"]


@pytest.mark.parametrize("near", [None, (51.0, 3.0)])
async def test_pages_join_up_to_the_whole_list(
    model: Model, near: tuple[float, float] | None
) -> None:
    """Page after page gives each provider once, in the order of the whole list."""
    chance = random.Random(4)
    told: list[tuple[Story, Sequence[Event]]] = []
    for number in range(60):
        place = (
            {"latitude": 50 + number % 7, "longitude": number % 5 * 1.5}
            if number % 9
            else {}
        )
        story = Story(number, a_clinic(number, **place))
        name = f"Dr {chance.choice(['Ann', 'Bob', 'Ännä', 'Cy'])}"
        told.append((story, [story.registered(name)]))
    await model.tell(*told)
    query = ProviderQuery(words="dr", near=near)
    whole = await model.directory.ids(query, limit=1_000)
    seen: list[ProviderId] = []
    after, pages = "", 0
    while True:
        page, cursor = await model.directory.find(query, after=after, limit=7)
        seen += [one.provider_id for one in page]
        pages += 1
        if cursor is None:
            break
        after = cursor
    assert seen == whole
    assert len(set(seen)) == 60
    assert pages == 9


@pytest.mark.parametrize("cursor", ["rubbish", "bm90IG91cnM", "WyJkIiwxLjAsImEiXQ"])
async def test_foreign_cursors_are_refused(model: Model, cursor: str) -> None:
    """A cursor that is not ours, or of another list, is a ValueError."""
    with pytest.raises(ValueError, match="cursor"):
        await model.directory.find(ProviderQuery(), after=cursor, limit=3)


async def test_listings_show_active_visit_types_in_order(model: Model) -> None:
    """What is not offered now is not shown; a new set of rules replaces the old."""
    story = Story(1, LEEDS)
    long = VisitType(
        VisitTypeId("long"), "Long", 60, 5, 10, locations=(LocationId("l"),)
    )
    old = VisitType(VisitTypeId("old"), "Old", 30, active=False)
    short = VisitType(VisitTypeId("short"), "Short", 15)
    await model.tell(
        (
            story,
            [story.registered(), story.offers(short), story.offers(long, old, short)],
        )
    )
    found = await model.directory.listings([story.provider_id, ProviderId("prv_x")])
    assert list(found) == [story.provider_id]
    listing = found[story.provider_id]
    assert listing.visit_types == (long, short)
    assert listing.profile.clinic == LEEDS
    assert listing.profile.languages == ("de", "en")


async def test_a_profile_is_replaced_as_a_whole(model: Model) -> None:
    """After a new registration the old words do not find the provider."""
    story = Story(1, LEEDS)
    first = story.registered("Old Name")
    story.clinic = YORK
    await model.tell((story, [first, story.registered("New Name", "surgery")]))
    assert await model.names(ProviderQuery(words="old")) == []
    assert await model.names(ProviderQuery(words="leeds")) == []
    assert await model.names(ProviderQuery(words="new york surg")) == ["New Name"]


@pytest.mark.parametrize("field", ["retired", "suspended"])
async def test_who_does_not_work_is_found_only_when_asked_for(
    model: Model, field: str
) -> None:
    """By a clinic that lists its calendars; never by a search as patients make it."""
    story, colleague = Story(1, LEEDS), Story(2, LEEDS)
    at_work = story.registered("Ada")
    profile = msgspec.structs.replace(at_work.profile, **{field: True})
    away = story.registered("Ada")
    away = msgspec.structs.replace(away, profile=profile)
    await model.tell(
        (story, [at_work, away]), (colleague, [colleague.registered("Bo")])
    )
    clinic = ClinicId("cln_1")
    assert await model.names(ProviderQuery(clinic_id=clinic)) == ["Bo"]
    everyone = ProviderQuery(clinic_id=clinic, with_retired=True)
    assert await model.names(everyone) == ["Ada", "Bo"]


async def test_rooms_are_no_providers(model: Model) -> None:
    """Only who asks for a clinic's resources finds them, with what they are fit for."""
    story, doctor = Story(1, LEEDS), Story(2, LEEDS)
    room = story.registered("Room 1")
    what = Resource(ResourceKind.ROOM, ("ultrasound",))
    profile = msgspec.structs.replace(room.profile, resource=what)
    room = msgspec.structs.replace(room, profile=profile)
    await model.tell((story, [room]), (doctor, [doctor.registered("Ada")]))
    clinic = ClinicId("cln_1")
    for query in (ProviderQuery(), ProviderQuery(words="room"), ProviderQuery("1")):
        assert "Room 1" not in await model.names(query)
    assert await model.names(ProviderQuery(clinic_id=clinic)) == ["Ada"]
    near = ProviderQuery(near=(53.8, -1.55), with_retired=True)
    assert await model.names(near) == ["Ada"]
    asked = ProviderQuery(clinic_id=clinic, resources=True)
    page, _ = await model.directory.find(asked, after="", limit=9)
    assert [(one.profile.name, one.profile.resource) for one in page] == [
        ("Room 1", what)
    ]


async def test_clinics_are_counted_as_new_changed_or_same(model: Model) -> None:
    """A second import of the same clinics changes nothing."""
    clinics = [a_clinic(n, city="Leeds") for n in range(1_203)]
    assert await model.directory.put_clinics(clinics) == (1_203, 0, 0)
    assert await model.directory.put_clinics(clinics) == (0, 0, 1_203)
    altered = [a_clinic(1, city="Hull"), a_clinic(2, city="Leeds"), a_clinic(9_999)]
    assert await model.directory.put_clinics(altered) == (1, 1, 1)
    assert await model.directory.clinic_count() == 1_204
    twice = [a_clinic(7_000), a_clinic(7_000), a_clinic(7_000, city="Hull")]
    assert await model.directory.put_clinics(twice) == (1, 1, 1)


async def test_clinics_are_found_and_kept(model: Model) -> None:
    """By id and by words, in pages by name; one that exists is kept as it is."""
    clinics = [a_clinic(n, name=f"Haus {n}", city="Leeds") for n in range(5)]
    await model.directory.put_clinics([*clinics, a_clinic(9, name="Ort", city="Hull")])
    ids = [clinic.clinic_id for clinic in clinics]
    assert await model.directory.clinics([*ids, ClinicId("cln_none")]) == dict(
        zip(ids, clinics, strict=True)
    )
    seen: list[Clinic] = []
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = await model.directory.find_clinics(
            "haus leed", after=cursor, limit=2
        )
        seen += page
    assert seen == clinics
    assert await model.directory.find_clinics("!", after="", limit=2) == ([], None)
    with pytest.raises(ValueError, match="cursor"):
        await model.directory.find_clinics("", after="x", limit=2)
    other = a_clinic(1, name="Other")
    assert await model.directory.keep_clinic(other) == clinics[1]
    new = a_clinic(70, name="New")
    assert await model.directory.keep_clinic(new) == new
    story = Story(1, a_clinic(70, name="Poorer"))
    await model.tell((story, [story.registered()]))
    assert (await model.directory.clinics([new.clinic_id]))[new.clinic_id] == new


async def test_a_clinic_is_replaced_only_as_it_was_read(model: Model) -> None:
    """Read back it is what was put, places included; a stranger is not added."""
    clinic = a_clinic(1, name="Haus", latitude=52.123456789, longitude=-0.1)
    directory = model.directory
    assert not await directory.replace_clinic(clinic, clinic)
    await directory.put_clinics([clinic])
    read = (await directory.clinics([clinic.clinic_id]))[clinic.clinic_id]
    assert read == clinic
    moved = a_clinic(1, name="Haus", city="Hull")
    assert await directory.replace_clinic(moved, read)
    assert not await directory.replace_clinic(clinic, read)
    assert (await directory.clinics([clinic.clinic_id]))[clinic.clinic_id] == moved


@pytest.mark.parametrize("import_first", [True, False])
async def test_an_imported_clinic_wins(model: Model, import_first: bool) -> None:
    """What the operator imported stands, before and after a registration."""
    official = a_clinic(1, name="Official", city="Hull", phone="1")
    story = Story(1, LEEDS)
    if import_first:
        await model.directory.put_clinics([official])
    await model.tell((story, [story.registered()]))
    if not import_first:
        assert await model.directory.put_clinics([official]) == (0, 1, 0)
    listing = (await model.directory.listings([story.provider_id]))[story.provider_id]
    assert listing.profile.clinic == official
    assert await model.names(ProviderQuery(words="official hull")) == ["Ada Weiß"]
    assert await model.names(ProviderQuery(words="leeds")) == []
    assert await model.directory.clinic_count() == 1


async def bookings(model: Model) -> Story:
    story = Story(1)
    await model.tell(
        (
            story,
            [
                story.booked(1, NINE + 600),
                story.booked(2, NINE),
                story.booked(3, NINE + 60, patient=2),
                story.booked(4, NINE + 120),
                story.cancelled(4, "ill"),
            ],
        )
    )
    return story


async def test_a_patient_sees_their_own_bookings(model: Model) -> None:
    """By start, filtered by time and status, page by page."""
    await bookings(model)

    async def ids(
        first: int | None = None,
        last: int | None = None,
        status: BookingStatus | None = None,
    ) -> list[str]:
        seen: list[str] = []
        after = ""
        while True:
            page, cursor = await model.bookings.of_patient(
                PatientId("pat_1"),
                first=None if first is None else Minute(first),
                last=None if last is None else Minute(last),
                status=status,
                after=after,
                limit=1,
            )
            seen += [view.booking_id for view in page]
            if cursor is None:
                return seen
            after = cursor

    assert await ids() == ["bkg_1.2", "bkg_1.4", "bkg_1.1"]
    assert await ids(first=NINE + 120) == ["bkg_1.4", "bkg_1.1"]
    assert await ids(last=NINE + 120) == ["bkg_1.2"]
    assert await ids(status=BookingStatus.CANCELLED) == ["bkg_1.4"]
    assert await ids(first=NINE + 999) == []


async def test_a_clinic_knows_the_patients_of_its_providers(model: Model) -> None:
    """A patient who ever booked there, cancelled or not; no other, nowhere else."""
    story = Story(1)
    await model.tell(
        (
            story,
            [story.registered(), story.booked(1, NINE), story.cancelled(1, "ill")],
        )
    )
    listing = (await model.directory.listings([story.provider_id]))[story.provider_id]
    clinic_id = listing.profile.clinic.clinic_id
    assert await model.bookings.is_known(clinic_id, PatientId("pat_1"))
    assert not await model.bookings.is_known(clinic_id, PatientId("pat_none"))
    assert not await model.bookings.is_known(ClinicId("cln_none"), PatientId("pat_1"))


async def test_a_booking_is_shown_as_its_events_left_it(model: Model) -> None:
    """Status, reasons, version and epoch are those of the booking's last event."""
    await bookings(model)
    view = await model.bookings.booking(BookingId("bkg_1.4"))
    assert view is not None
    assert view.status is BookingStatus.CANCELLED
    assert (view.cancel_reason, view.reason) == ("ill", "a private reason")
    assert (view.version, view.epoch, view.booked_at) == (5, 1, 4_000)
    assert (view.start, view.end) == (NINE + 120, NINE + 150)
    assert await model.bookings.booking(BookingId("bkg_1.9")) is None


async def test_a_booking_says_its_seat_or_its_lane(model: Model) -> None:
    """As the calendar has it, after a move and a cancellation too."""
    story = Story()
    lanes = {1: -1, 2: 1, 3: -2}
    booked = [
        msgspec.structs.replace(story.booked(number, NINE), lane=lane)
        for number, lane in lanes.items()
    ]
    moved = msgspec.structs.replace(story.moved(1, NINE + 600), lane=-3)
    rest = (moved, story.cancelled(1), story.moved(2, NINE + 60))
    await model.tell((story, [*booked, *rest]))
    rows, _ = await model.bookings.of_patient(
        booked[0].patient_id, first=None, last=None, status=None, after="", limit=9
    )
    shown = {one.booking_id: one.lane for one in rows}
    assert shown == {"bkg_1.1": -3, "bkg_1.2": 0, "bkg_1.3": -2}
    for name, lane in shown.items():
        view = await model.bookings.booking(name)
        assert view is not None
        assert view.lane == lane


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "WyJuIiwiYSIsImIiXQ",
        "WyJiIiwxMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLCJ4Il0",
        "WyJiIiwtMTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwieCJd",
    ],
)
async def test_foreign_booking_cursors_are_refused(model: Model, cursor: str) -> None:
    """A cursor of another list, or with a number no column holds, is a ValueError."""
    with pytest.raises(ValueError, match="cursor"):
        await model.bookings.of_patient(
            PatientId("pat_1"),
            first=None,
            last=None,
            status=None,
            after=cursor,
            limit=1,
        )


async def test_who_waits_is_told_when_it_is_reached(model: Model) -> None:
    """Waiters return once the projection is there, and not before."""
    progress, shard = model.progress, ShardId("s0003")
    assert not await progress.reached(shard, 1, timeout_s=0.01)
    async with asyncio.TaskGroup() as group:
        waits = [
            group.create_task(progress.reached(shard, seq, timeout_s=20))
            for seq in (1, 2, 2, 5)
        ]
        late = group.create_task(progress.reached(shard, 6, timeout_s=0.2))
        await model.store.apply(shard, 0, Offset(2, 1), [])
        await model.store.apply(shard, 2, Offset(5, 1), [])
    assert [wait.result() for wait in waits] == [True] * 4
    assert not late.result()
    assert await progress.offsets() == {shard: 5}


async def test_conflicts_are_counted(model: Model) -> None:
    """A slot given twice is counted; nothing else is."""
    story = Story()
    assert await model.progress.conflicts() == 0
    await model.tell((story, [story.booked(1), story.booked(2), story.arrived(9)]))
    assert await model.progress.conflicts() == 1
