"""What does not make sense is refused with a sentence that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.validation import overlap_problem
from actors.domain.messages import commands as cm
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Availability, Hours, Policy
from tests import factories as f

LONG = "x" * 5_000


def detail(command: cm.Command, calendar: Calendar | None = None) -> str:
    calendar = calendar or f.a_calendar()
    outcome = calendar.decide(command, f.NOW)
    assert isinstance(outcome, Refusal)
    assert outcome.code is RefusalCode.INVALID_REQUEST
    return outcome.detail


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "Name must have"),
        ({"name": LONG}, "Name must have"),
        ({"specialty": LONG}, "Specialty and clinic"),
        ({"about": LONG}, "About"),
        ({"languages": ("en",) * 33}, "Languages"),
        ({"languages": ("e" * 36,)}, "Languages"),
        ({"clinic": f.a_clinic(clinic_id="")}, "Clinic_id"),
        ({"clinic": f.a_clinic(name=LONG)}, "Specialty and clinic"),
        ({"clinic": f.a_clinic(city=LONG)}, "Specialty and clinic"),
        ({"clinic": f.a_clinic(time_zone="Berlin")}, "'Berlin' is not a time zone"),
    ],
)
def test_a_profile_that_cannot_be(changes: dict[str, Any], says: str) -> None:
    """Names, texts and the zone of the clinic."""
    profile = f.a_profile(**changes)
    assert detail(f.register(7, profile=profile)).startswith(says)


def _place(**changes: Any) -> Availability:
    return f.an_availability(locations=[f.a_location(**changes)])


def _kind(**changes: Any) -> Availability:
    return f.an_availability(f.a_visit_type(**changes))


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (f.an_availability(locations=[f.a_location()] * 21), "At most 20 locations"),
        (f.an_availability(*[f.a_visit_type()] * 33), "At most 32 visit types"),
        (f.an_availability(locations=[f.a_location()] * 2), "Location_id must be uni"),
        (f.an_availability(*[f.a_visit_type()] * 2), "Visit_type must be unique"),
        (_place(location_id=""), "Location_id: 1 to"),
        (_place(name=LONG), "Location_id: 1 to"),
        (_place(time_zone="Nowhere"), "Location loc_1: 'Nowhere' is not a time zone"),
        (_place(weekly=((),) * 6), "7 days from Monday, not 6"),
        (_place(exceptions={"tomorrow": ()}), "'tomorrow' is not a date"),
        (_place(exceptions={f"x{n}": () for n in range(1001)}), "at most 1000"),
        (_place(weekly=((Hours(600, 600),),) * 7), "0 <= opens < 1440"),
        (_place(weekly=((Hours(-5, 600),),) * 7), "0 <= opens < 1440"),
        (_place(weekly=((Hours(0, 1441),),) * 7), "close after that within a"),
        (_place(weekly=((Hours(0, 60), Hours(30, 90)),) * 7), "hours from 30 must"),
        (_place(weekly=((Hours(0, 60),) * 25,) * 7), "at most 24 opening spans"),
        (_place(exceptions={"2026-08-10": (Hours(9, 8),)}), "hours 9 to 8"),
        (_kind(visit_type=""), "its id must have 1 to 128 characters"),
        (_kind(visit_type="a/b"), "no slash"),
        (_kind(title=LONG), "title"),
        (_kind(minutes=0), "minutes must be 5 to 1440 minutes, in steps of 5"),
        (_kind(minutes=12), "minutes must be 5 to 1440"),
        (_kind(minutes=1445), "minutes must be 5 to 1440"),
        (_kind(buffer_before=3), "buffer_before"),
        (_kind(buffer_after=-5), "buffer_after"),
        (_kind(notice=7), "notice"),
        (_kind(horizon=551 * f.DAY), "horizon"),
        (_kind(alignment=0), "alignment must be 5 to 1440"),
        (_kind(alignment=7), "alignment must be 5 to 1440 minutes, in steps of 5"),
        (_kind(notice=28 * f.DAY), "notice must be less than horizon"),
        (_kind(locations=("loc_9",)), "locations must name locations given here"),
    ],
)
def test_rules_that_cannot_be(rules: Availability, says: str) -> None:
    """Each with the location or visit type that is meant."""
    assert says in detail(f.set_availability(rules, 7))


def test_two_places_at_once() -> None:
    """A provider cannot be at two places: the first such instant is named."""
    places = [f.a_location(1), f.a_location(2, time_zone="Europe/Berlin")]
    rules = f.an_availability(locations=places)
    says = overlap_problem(rules, 5, f.NOW)
    assert says.startswith("location loc_2 and another are both open at 20")


def test_places_that_are_open_at_different_instants() -> None:
    """Nine to five in London and in Auckland never meet; neither do none at all."""
    places = [
        f.a_location(1, time_zone="Europe/London"),
        f.a_location(2, time_zone="Pacific/Auckland"),
    ]
    for locations in (places, places[:1], []):
        rules = f.an_availability(locations=locations)
        assert overlap_problem(rules, 5, f.NOW) == ""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f.add_time_off(1, f.at(9), f.at(9)), "Start must be before end"),
        (f.add_time_off(1, 0, 733 * f.DAY), "Time off may last two years"),
        (f.add_time_off(reason=LONG), "Reason"),
        (f.book_slot(reason=LONG), "Reason"),
    ],
)
def test_a_leave_or_reason_that_cannot_be(command: cm.Command, says: str) -> None:
    """Bounds of leaves and texts."""
    assert detail(command).startswith(says)


def test_leaves_have_a_bound_and_their_own_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same id twice is refused, and one too many."""
    calendar = f.a_calendar()
    f.play(calendar, f.add_time_off(1))
    assert "already in use" in detail(f.add_time_off(1, key="other"), calendar)
    monkeypatch.setattr("actors.domain.calendar.staff.TIME_OFF_MAX", 1)
    assert "At most 1" in detail(f.add_time_off(2), calendar)


def test_the_cell_is_the_sites() -> None:
    """A policy whose cells do not divide a quarter of an hour is our bug."""
    with pytest.raises(AssertionError):
        Calendar(CalendarState(f.PROVIDER, Policy(cell_minutes=10)))
