"""The calendar of a room: hours, visits of any length, and nothing for the public."""

from __future__ import annotations

import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.snapshot import encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import PatientId, VisitTypeId
from actors.domain.messages.answers import FitsView
from actors.domain.messages.commands import Command
from actors.domain.messages.reads import ReadFits
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import (
    Availability,
    Need,
    Policy,
    Profile,
    Resource,
    ResourceKind,
    VisitType,
)
from actors.domain.spans import span_rule, span_type
from tests import factories as make

ROOM = Resource(ResourceKind.ROOM, ("ultrasound",))
HALF_HOUR = VisitTypeId("0+30+0")
NO_PATIENT = PatientId("")
"""Members of visits name no patient."""


def a_room() -> Calendar:
    """Open 9 to 5 UTC, every day."""
    calendar = Calendar(CalendarState(make.PROVIDER, Policy()))
    profile = Profile("Room 1", "", make.a_clinic(), resource=ROOM)
    hours = Availability((make.a_location(),), ())
    done(calendar, make.register(profile=profile))
    done(calendar, make.set_availability(hours))
    return calendar


def done(calendar: Calendar, command: Command) -> None:
    outcome = make.play(calendar, command)
    assert not isinstance(outcome, Refusal), outcome


def fits(calendar: Calendar, kind: str, *starts: int) -> str:
    read = ReadFits(make.PROVIDER, VisitTypeId(kind), starts)  # type: ignore[arg-type]
    found = views.fits(calendar.state, read)
    assert isinstance(found, FitsView), found
    return found.states


def taken(number: int = 1, start: int = make.at(9), kind: str = HALF_HOUR) -> Command:
    of_member = {"patient_id": NO_PATIENT, "by_staff": True}
    return make.place_hold(number, start, visit_type=VisitTypeId(kind), **of_member)


def test_a_room_fits_where_it_is_open_and_free() -> None:
    """A letter for each start, whatever the window: closed, held, booked or free."""
    room = a_room()
    done(room, taken(1, make.at(10)))
    done(room, make.add_time_off(start=make.at(12), end=make.at(13)))
    starts = [make.at(*one) for one in ((8, 0), (8, 55), (9, 0), (9, 30), (9, 35))]
    starts += [make.at(*one) for one in ((10, 30), (11, 35), (16, 30), (16, 35))]
    assert fits(room, HALF_HOUR, *starts) == "ggffhfgfg"
    far = make.at(9, day=400)
    assert fits(room, "10+60+15", make.at(9), make.at(9, 15), far) == "hhf"


def test_buffers_take_time_and_need_not_be_open() -> None:
    """As for doctors: preparing a room may begin before its hours."""
    room = a_room()
    done(room, taken(1, make.at(9), "30+30+10"))
    assert fits(room, HALF_HOUR, make.at(9, 30), make.at(9, 40)) == "hf"


@pytest.mark.parametrize(
    "kind", ["consult", "", "0+0+0", "0+31+0", "0+1445+0", "+30+0", "0+30", "0+-5+0"]
)
def test_to_all_else_a_room_does_not_exist(kind: str) -> None:
    """Whatever visit type is asked for: one answer, that of a missing provider."""
    room = a_room()
    name = VisitTypeId(kind)
    refused = make.play(room, make.place_hold(visit_type=name))
    assert isinstance(refused, Refusal)
    assert refused.code == "provider_not_found"
    booked = make.play(room, make.book_slot(visit_type=name))
    assert booked == refused
    assert views.week(room.state, name, "2026-W33") == refused
    assert views.fits(room.state, ReadFits(make.PROVIDER, name, ())) == refused


def test_a_doctor_has_no_such_visit_types() -> None:
    """Only rooms and equipment are asked about lengths."""
    doctor = make.a_calendar()
    refused = make.play(doctor, taken())
    assert isinstance(refused, Refusal)
    assert refused.code == "visit_type_not_found"
    read = ReadFits(make.PROVIDER, HALF_HOUR, (make.at(9),))
    assert isinstance(views.fits(doctor.state, read), Refusal)


def test_a_taken_room_names_no_other_visit() -> None:
    """Members name no patient, so that none of them is another's own."""
    room = a_room()
    done(room, taken(1))
    refused = make.play(room, taken(2))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.about) == ("slot_unavailable", "")


def test_a_rooms_leave_marks_what_it_hits_and_nothing_else() -> None:
    """A visit's length is no visit type that could be missing from the rules."""
    room = a_room()
    done(room, taken(1, make.at(9)))
    done(room, taken(2, make.at(14)))
    done(room, make.add_time_off(start=make.at(13), end=make.at(16)))
    marks = {hold.start: hold.stranded for hold in room.state.occupancy.holds.values()}
    assert marks == {make.at(9): "", make.at(14): "leave"}


def test_what_a_calendar_is_of_stays() -> None:
    """A room becomes no doctor and no device, and a doctor no room."""
    room = a_room()
    device = Profile(
        "X", "", make.a_clinic(), resource=Resource(ResourceKind.EQUIPMENT)
    )
    for profile in (make.a_profile(), device):
        refused = make.play(room, make.register(9, profile=profile))
        assert isinstance(refused, Refusal)
    renamed = Profile("Room 2", "", make.a_clinic(), resource=Resource(ROOM.kind))
    done(room, make.register(2, profile=renamed))
    assert room.state.profile == renamed


def test_a_room_has_no_visit_types_of_its_own() -> None:
    """Its rules are hours."""
    refused = make.play(a_room(), make.set_availability(number=2))
    assert isinstance(refused, Refusal)
    assert refused.code == "invalid_request"


def test_rules_and_profiles_from_before_there_were_rooms_decode() -> None:
    """A snapshot keeps what a calendar is of; without it, it is a person's."""
    room = a_room()
    assert make.restored(room).state.profile == room.state.profile
    doctor = make.a_calendar()
    assert b"resource" not in encode(doctor.state)
    assert b"needs" not in encode(doctor.state)


@pytest.mark.parametrize(
    "needs",
    [
        (Need(ResourceKind.ROOM, count=0),),
        (Need(ResourceKind.ROOM, count=7),),
        (Need(ResourceKind.ROOM, "x" * 41),),
        (Need(ResourceKind.ROOM), Need(ResourceKind.ROOM, count=2)),
    ],
)
def test_needs_are_bounded(needs: tuple[Need, ...]) -> None:
    """Counts, tags, and the same need twice."""
    doctor = make.a_calendar()
    rules = make.an_availability(make.a_visit_type(needs=needs))
    refused = make.play(doctor, make.set_availability(rules, 2))
    assert isinstance(refused, Refusal)
    assert refused.code == "invalid_request"


def test_a_length_is_read_as_it_was_written() -> None:
    """The visit type of a member has the lengths of the visit."""
    rule = make.a_visit_type(minutes=45, buffer_before=10, buffer_after=5)
    found = span_rule(span_type(rule), 5)
    assert isinstance(found, VisitType)
    lengths = (found.buffer_before, found.minutes, found.buffer_after)
    assert lengths == (10, 45, 5)
    assert span_rule(span_type(rule), 10) is None  # not whole cells of this grid
