"""The demo region: the same everywhere, whole, and safe to sow again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from actors.domain.calendar.validation import overlap_problem
from actors.domain.ids import Millis, ShardId, is_id
from actors.domain.messages.answers import BookingView, ProviderView, Reply
from actors.domain.messages.reads import ReadBooking, ReadProvider
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy
from actors.ports import Request, Trouble
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from cluster.filling.past import (
    book_past,
    has_more_than_its_past,
    past_visits,
    set_back,
    settle,
)
from cluster.filling.places import clinics
from cluster.filling.practice_providers import providers_of
from cluster.filling.region import leaves, new_providers
from cluster.filling.registering import Outcome, register
from cluster.filling.sow import Met, sow

DAY = date(2026, 12, 1)
NOON = Millis(1_796_126_400_000)  # 2026-12-01T12:00Z


class CalendarsHere:
    """All calendars in one shard of this process, without a journal."""

    def __init__(self) -> None:
        self.shard = Shard(ShardId("s0000"), Policy(), ShardLimits())
        self.shard.opened(1, 0, 0, ())
        self.now = NOON
        self.events = 0
        self.refused: Counter[str] = Counter()

    async def ask(self, request: Request) -> Reply:
        for provider in self.shard.missing([request]):
            self.shard.adopt(provider, None)
        batch = self.shard.begin([request], self.now, 0.0)
        self.events += len(batch.events)
        seq = self.shard.last_seq + len(batch.events)
        (reply,) = self.shard.commit(batch, seq)
        assert not isinstance(reply, Trouble), (request, batch.faults)
        if isinstance(reply, Refusal):
            self.refused[f"{type(request).__name__} {reply.code.value}"] += 1
        return reply


def test_the_region_is_a_dozen_clinics_and_sixty_people() -> None:
    """Twelve zones, unique names and ids, at least three lengths of visit each."""
    houses, people = clinics(), new_providers(DAY)
    assert len({house.time_zone for house in houses}) == 12
    assert len({one.provider_id for one in people}) == 60
    assert len({one.profile.name for one in people}) == 60
    assert all(is_id(one.provider_id, "prv") for one in people)
    assert all(is_id(house.clinic_id, "cln") for house in houses)
    for one in people:
        lengths = {kind.minutes for kind in one.availability.visit_types}
        assert len(lengths) >= 3


def test_the_same_day_makes_the_same_region() -> None:
    """No chance and no clock: two calls, one region."""
    assert new_providers(DAY) == new_providers(DAY)
    assert list(leaves(DAY)) == list(leaves(DAY))
    assert new_providers(DAY) != new_providers(date(2026, 12, 2))


async def test_a_sowing_is_accepted_and_a_second_one_changes_nothing() -> None:
    """Rules and leaves are never refused; sown again, no event is added."""
    calendars = CalendarsHere()
    told: list[tuple[str, int, int]] = []
    first = await sow(calendars, DAY, lambda *step: told.append(step))
    assert (first.clinics, first.providers) == (12, 60)
    assert 1_500 < first.bookings < 8_000
    # Of two wishes that overlap the first has it; nothing else may be refused.
    assert calendars.refused.keys() == {
        "BookSlot slot_unavailable",
        "ReadProvider provider_not_found",
    }
    assert told[-1] == ("bookings", 60, 60)
    events = calendars.events
    assert await sow(calendars, DAY, lambda *_: None) == first
    assert calendars.events == events


def _day(one: BookingView) -> date:
    return datetime.fromtimestamp(one.start * 60, UTC).date()


async def test_the_first_clinic_has_a_past_and_a_present() -> None:
    """Visits of every weekday behind it took place, today's too; the region follows."""
    calendars = CalendarsHere()
    calendars.now = Millis(NOON - int(set_back(DAY).total_seconds() * 1000))
    met: Met = set()
    await book_past(calendars, DAY)
    past = await past_visits(calendars, DAY, met)
    days = {_day(one) for one in past}
    first = DAY - timedelta(days=8)  # the Monday before the last one
    assert {DAY, first} <= days
    assert days <= {first + timedelta(days=n) for n in range(10)}
    doctor = [one for one in past if one.provider_id == "prv_4"]
    assert {_day(one) for one in doctor} >= {DAY, first}
    assert {("cln_1", one.patient_id) for one in past} == met
    calendars.now = NOON
    await settle(calendars, past, now=NOON)
    found = [
        await calendars.ask(ReadBooking(one.provider_id, one.booking_id))
        for one in past
    ]
    status = Counter(
        (one.status.value, one.start * 60_000 <= NOON)
        for one in found
        if isinstance(one, BookingView)
    )
    assert status["fulfilled", True] > 100
    assert status["noshow", True] > 5
    assert not status["booked", True]
    assert status["booked", False] > 5
    assert set(calendars.refused) <= {
        "BookSlot slot_unavailable",
        "ReadProvider provider_not_found",
    }
    again = await sow(calendars, DAY, lambda *_: None, met)
    assert again.bookings == (await sow(CalendarsHere(), DAY, lambda *_: None)).bookings


async def test_the_rules_hold_whatever_the_day() -> None:
    """No exception falls so that a calendar refuses it: five weeks of first days."""
    for ordinal in range(DAY.toordinal(), DAY.toordinal() + 35):
        calendars = CalendarsHere()
        for one in new_providers(date.fromordinal(ordinal)):
            places = one.availability.locations
            if len(places) > 1 or ordinal % 7 == 0:
                assert await register(calendars, one) is Outcome.NEW


async def test_rules_that_were_replaced_can_be_imported_again() -> None:
    """A, then B, then A within a day ends at A; "changed" means that it was written."""
    calendars = CalendarsHere()
    first = new_providers(DAY)[0]
    kinds = first.availability.visit_types
    other = replace(
        first, availability=replace(first.availability, visit_types=kinds[:1])
    )
    outcomes = []
    for wanted in (first, other, first, other, other):
        before = calendars.events
        outcomes.append(await register(calendars, wanted))
        assert (calendars.events > before) == (outcomes[-1] is not Outcome.SAME)
        found = await calendars.ask(ReadProvider(wanted.provider_id))
        assert isinstance(found, ProviderView)
        assert found.availability == wanted.availability
    assert outcomes == [Outcome.NEW, *[Outcome.CHANGED] * 3, Outcome.SAME]


async def test_providers_of_imported_clinics_are_registered_once() -> None:
    """New the first time, the same the second, changed when a clinic changed."""
    calendars = CalendarsHere()
    house = clinics()[0]
    (one,) = providers_of([house], 1)
    assert await register(calendars, one) is Outcome.NEW
    assert await register(calendars, one) is Outcome.SAME
    (moved,) = providers_of([replace(house, address="2 New Street")], 1)
    assert await register(calendars, moved) is Outcome.CHANGED
    assert len(list(providers_of(clinics(), 3))) == 36


def test_no_seeded_doctor_is_at_two_places_at_once() -> None:
    """The calendar does not check it; making the rules does."""
    for one in new_providers(DAY):
        assert overlap_problem(one.availability, Policy().cell_minutes, NOON) == ""


class Killed(Exception):
    """The process ended here."""


class KilledCalendars(CalendarsHere):
    """The same, whose caller is killed after a number of requests."""

    left = 1_000_000

    async def ask(self, request: Request) -> Reply:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return await super().ask(request)


async def _seeded(calendars: KilledCalendars, kills: list[int]) -> dict[str, str]:
    """Run the steps of a first start until they come to their end, killed each time
    after a number of requests; the outcome of every visit of the past."""
    for requests in kills:
        calendars.left, died = requests, []
        try:
            await _first_start(calendars)
        except (Killed, ExceptionGroup) as error:
            died.append(error)
        assert died, "killed after fewer requests than there are"
    calendars.left = 1_000_000
    await _first_start(calendars)
    past = await past_visits(calendars, DAY, set())
    return {one.booking_id: one.status.value for one in past}


async def _first_start(calendars: KilledCalendars) -> None:
    calendars.now = NOON
    if not await has_more_than_its_past(calendars, DAY):
        calendars.now = Millis(NOON - int(set_back(DAY).total_seconds() * 1000))
        await book_past(calendars, DAY)
    past = await past_visits(calendars, DAY, set())
    calendars.now = NOON
    await sow(calendars, DAY, lambda *_: None)
    await settle(calendars, past, now=NOON)


async def test_a_first_start_that_is_killed_leaves_no_past_visit_open() -> None:
    """Wherever it is killed, the next one completes the past and says what became of
    each of its visits, as one that runs through does."""
    whole = await _seeded(KilledCalendars(), [])
    assert len(set(whole.values())) >= 3
    for kills in ([3, 40, 150], [30, 1_500], [2_500]):
        assert await _seeded(KilledCalendars(), kills) == whole, kills
