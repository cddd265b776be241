"""What readers see. States over random days: tests/properties."""

from __future__ import annotations

import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import HoldId, Millis, Minute, VisitTypeId
from actors.domain.messages.answers import (
    BookingView,
    HoldView,
    ProviderView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy
from tests import factories as f
from tests.factories import CONSULT, MONDAY, a_calendar, at, play


def view(calendar: Calendar, first: str | int, last: str | int) -> SlotsView:
    low = first if isinstance(first, str) else Minute(first)
    high = last if isinstance(last, str) else Minute(last)
    found = views.slots(calendar.state, CONSULT, low, high)
    assert isinstance(found, SlotsView)
    return found


def refusal(found: object) -> str:
    assert isinstance(found, Refusal)
    return found.code.value


def test_a_day_of_slots_with_their_states() -> None:
    """Booked wins over held, held over free; buffers count."""
    kind = f.a_visit_type(buffer_before=30)
    calendar = a_calendar(f.an_availability(kind))
    play(calendar, f.book_slot(1, at(10, 30)))
    play(calendar, f.place_hold(2, at(12)))
    found = view(calendar, "2026-08-10", "2026-08-10")
    assert found.starts[:8] == list(range(at(9), at(13), 30))
    assert found.states == "ffbbbhhhffffffff"
    assert (found.time_zone, found.minutes, found.version) == ("UTC", 30, 5)


def test_dates_are_whole_days_and_instants_are_half_open() -> None:
    calendar = a_calendar()
    assert view(calendar, at(9), at(10)).starts == [at(9), at(9, 30)]
    assert view(calendar, at(9, 1), at(9, 31)).starts == [at(9, 30)]
    assert len(view(calendar, "2026-08-10", "2026-08-10").starts) == 16
    assert len(view(calendar, "2026-08-10", "2026-08-12").starts) == 48
    assert len(view(calendar, "2026-08-10", at(9, 30)).starts) == 1
    assert len(view(calendar, at(16, 30), "2026-08-11").starts) == 17
    assert view(calendar, at(9), at(9)).starts == []


def test_dates_are_those_of_the_first_location() -> None:
    """A Monday in Auckland begins on the Sunday of Greenwich."""
    place = f.a_location(time_zone="Pacific/Auckland")
    calendar = a_calendar(f.an_availability(locations=[place]), now=Millis(0))
    play(calendar, f.advance_window(), Millis((MONDAY - 1440) * 60_000))
    found = view(calendar, "2026-08-10", "2026-08-10")
    assert found.starts[0] == at(9) - 12 * 60
    assert found.time_zone == "Pacific/Auckland"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-08-10", "2026-08-09"),
        ("10.8.2026", "2026-08-10"),
        ("2026-08-10", "never"),
        ("2026-08-10", "2026-10-12"),
        (at(9), at(8)),
        (at(1, day=1), "2026-08-10"),
    ],
)
def test_spans_that_cannot_be(first: str | Minute, last: str | Minute) -> None:
    calendar = a_calendar()
    assert (
        refusal(views.slots(calendar.state, CONSULT, first, last)) == "invalid_request"
    )
    if last != "2026-10-12":
        assert refusal(views.schedule(calendar.state, first, last)) == "invalid_request"


def test_sixty_two_days_may_be_asked_for_also_when_an_hour_is_added() -> None:
    """Sydney's clocks go back in April; 62 days are an hour longer."""
    place = f.a_location(time_zone="Australia/Sydney")
    calendar = a_calendar(f.an_availability(locations=[place]))
    found = views.slots(calendar.state, CONSULT, "2027-03-01", "2027-05-02")
    assert isinstance(found, SlotsView)


def test_the_first_active_type_is_meant_when_none_is_named() -> None:
    kinds = f.a_visit_type("old", active=False), f.a_visit_type()
    calendar = a_calendar(f.an_availability(*kinds))
    found = views.slots(calendar.state, VisitTypeId(""), at(0), at(24))
    assert isinstance(found, SlotsView)
    assert found.visit_type == CONSULT
    old = views.slots(calendar.state, VisitTypeId("old"), at(0), at(24))
    assert isinstance(old, SlotsView)
    assert old.starts == []


def test_what_is_not_there_is_not_found() -> None:
    calendar = Calendar(CalendarState(f.PROVIDER, Policy()))
    assert (
        refusal(views.slots(calendar.state, CONSULT, at(0), at(1)))
        == "provider_not_found"
    )
    assert (
        refusal(views.week(calendar.state, CONSULT, "2026-W33")) == "provider_not_found"
    )
    assert refusal(views.schedule(calendar.state, at(0), at(1))) == "provider_not_found"
    assert refusal(views.provider(calendar.state)) == "provider_not_found"
    assert f.next_start(calendar) is None
    play(calendar, f.register())
    assert (
        refusal(views.slots(calendar.state, CONSULT, at(0), at(1)))
        == "visit_type_not_found"
    )
    assert refusal(views.slots(calendar.state, VisitTypeId(""), at(0), at(1))) == (
        "visit_type_not_found"
    )
    found = views.provider(calendar.state)
    assert isinstance(found, ProviderView)
    assert found.availability.visit_types == ()


def test_a_week_runs_from_monday_to_sunday_of_the_place() -> None:
    calendar = a_calendar()
    found = views.week(calendar.state, CONSULT, "2026-W33")
    assert isinstance(found, SlotsView)
    assert (found.starts[0], found.starts[-1]) == (at(9), at(16, 30, day=6))
    assert refusal(views.week(calendar.state, CONSULT, "2026-33")) == "invalid_request"
    assert refusal(views.week(calendar.state, VisitTypeId("x"), "2026-W33")) == (
        "visit_type_not_found"
    )


def test_nothing_is_shown_before_the_first_window() -> None:
    calendar = Calendar(CalendarState(f.PROVIDER, Policy()))
    play(calendar, f.register())
    play(calendar, f.set_availability())
    assert view(calendar, at(0), at(24)).starts == []
    assert f.next_start(calendar) is None
    play(calendar, f.advance_window())
    assert len(view(calendar, at(0), at(24)).starts) == 16


def test_many_weeks_are_painted_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping painted weeks changes no view."""
    calendar = a_calendar()
    before = view(calendar, at(0), at(0, day=28))
    monkeypatch.setattr("actors.domain.calendar.views._VIEWS_MAX", 1)
    assert view(calendar, at(0), at(0, day=28)) == before
    calendar.state.openings.offers[CONSULT].views.clear()
    assert view(calendar, at(0), at(0, day=28)) == before
    assert len(calendar.state.openings.offers[CONSULT].views) == 1


def test_a_visit_over_midnight_is_in_the_schedule_of_both_days() -> None:
    """Each day shows the visits with a part in it, and no others."""
    night = f.a_location(weekly=(f.ALL_DAY,) * 7)
    kind = f.a_visit_type(minutes=120)
    calendar = a_calendar(f.an_availability(kind, locations=[night]))
    play(calendar, f.book_slot(1, at(23)))
    play(calendar, f.book_slot(2, at(22, day=2)))
    seen = []
    for day in ("2026-08-10", "2026-08-11", "2026-08-12", "2026-08-13"):
        found = views.schedule(calendar.state, day, day)
        assert isinstance(found, ScheduleView)
        seen.append([booking.booking_id for booking in found.bookings])
    first, second = f.a_booking_id(1), f.a_booking_id(2)
    assert seen == [[first], [first], [second], []]


def test_the_schedule_lists_visits_and_leaves() -> None:
    """Any status, by start; leaves that the span meets."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1, at(10)))
    play(calendar, f.book_slot(2, at(9)))
    play(calendar, f.book_slot(3, at(9, day=1)))
    play(calendar, f.cancel_booking(1))
    play(calendar, f.add_time_off(1, at(23), at(25)))
    play(calendar, f.add_time_off(2, at(24), at(25)))
    found = views.schedule(calendar.state, "2026-08-10", "2026-08-10")
    assert isinstance(found, ScheduleView)
    assert [booking.start for booking in found.bookings] == [at(9), at(10)]
    assert [off.start for off in found.time_off] == [at(23)]
    wide = views.schedule(calendar.state, "2026-08-01", "2027-08-01")
    assert isinstance(wide, ScheduleView)
    assert len(wide.bookings) == 3
    assert (
        refusal(views.schedule(calendar.state, "2026-08-01", "2027-11-01"))
        == "invalid_request"
    )


def test_the_next_free_start_per_type() -> None:
    """Each type's own; the soonest over all; none when all is taken."""
    kinds = (
        f.a_visit_type(horizon=10 * 60),
        f.a_visit_type("late", notice=11 * 60, horizon=12 * 60),
        f.a_visit_type("off", active=False),
    )
    calendar = a_calendar(f.an_availability(*kinds))
    found = views.provider(calendar.state)
    assert isinstance(found, ProviderView)
    assert found.next_free == {"consult": at(9), "late": at(11)}
    assert f.next_start(calendar) == at(9)
    play(calendar, f.book_slot(1, at(9)))
    assert f.next_start(calendar) == at(9, 30)
    play(calendar, f.place_hold(2, at(9, 30)))
    assert f.next_start(calendar) == at(11)
    play(calendar, f.add_time_off(1))
    assert f.next_start(calendar) is None


def test_holds_and_bookings_can_be_read() -> None:
    calendar = a_calendar()
    play(calendar, f.place_hold(1))
    assert isinstance(views.hold(calendar.state, f.a_hold_id(1)), HoldView)
    assert refusal(views.hold(calendar.state, HoldId("hld_1.x"))) == "hold_not_found"
    play(calendar, f.expire_holds(), Millis(f.NOW + 120_000))
    assert refusal(views.hold(calendar.state, f.a_hold_id(1))) == "hold_expired"
    play(calendar, f.book_slot(1))
    assert isinstance(views.booking(calendar.state, f.a_booking_id(1)), BookingView)
    assert (
        refusal(views.booking(calendar.state, f.a_booking_id(2))) == "booking_not_found"
    )


def test_a_site_whose_zone_tzdata_lost_shows_utc() -> None:
    """Rather than nothing at all; rules of that zone are closed."""
    calendar = a_calendar()
    rules = f.an_availability(locations=[f.a_location(time_zone="Lost/Zone")])
    calendar.state.availability = rules
    calendar.state._openings = None
    assert view(calendar, at(0), at(24)).time_zone == "UTC"


def test_old_bookings_and_leaves_are_forgotten_after_a_year() -> None:
    """Whole weeks of them, with their cells, once the window is 400 days past."""
    calendar = a_calendar()
    for number, hour in enumerate((9, 10, 11), 1):
        play(calendar, f.book_slot(number, at(hour)))
    play(calendar, f.cancel_booking(3))
    play(calendar, f.add_time_off(1, at(20), at(21)))
    for day in range(30, 401, 30):
        play(calendar, f.advance_window(), f.millis(at(0, day=day)))
    play(calendar, f.advance_window(), f.millis(at(0, day=400)))
    assert len(calendar.state.occupancy.bookings) == 3
    play(calendar, f.book_slot(4, at(9, day=401)), f.millis(at(0, day=400)))
    play(calendar, f.advance_window(), f.millis(at(0, day=410)))
    assert list(calendar.state.occupancy.bookings) == [f.a_booking_id(4)]
    assert calendar.state.time_off == {}
    assert len(calendar.state.occupancy.booked.pages) == 1
