"""Rules as starts. The naive walk is in tests/properties/test_zones.py."""

from __future__ import annotations

import msgspec
import pytest

from actors.domain.rules import AlignedFrom, Availability, Hours, VisitType
from actors.domain.time import openings as availability
from actors.domain.time.grid import PAGE_MINUTES, bits
from actors.domain.time.openings import Openings
from tests.factories import (
    ALL_DAY,
    CONSULT,
    DAY,
    MONDAY,
    a_location,
    a_visit_type,
    an_availability,
    at,
)


def starts(rules: Availability, first: int, last: int) -> list[int]:
    found = Openings(rules, (), 5)
    cut = found.cut(found.offers[CONSULT], first // 5, last // 5)
    return [first + 5 * place for place in bits(cut)]


def test_a_visit_may_end_when_the_place_closes() -> None:
    """From 9 to 5 in half hours: 9:00 is the first, 16:30 the last."""
    found = starts(an_availability(), at(0), at(24))
    assert found[0] == at(9)
    assert found[-1] == at(16, 30)
    assert len(found) == 16


def test_hours_that_touch_over_midnight_are_one() -> None:
    """A night shift is two spans, and a visit may lie over midnight."""
    place = a_location(weekly=((Hours(1380, 1440),),) + ((Hours(0, 60),),) * 6)
    kind = a_visit_type(minutes=60, alignment=30)
    rules = an_availability(kind, locations=[place])
    assert starts(rules, at(20), at(27)) == [at(23), at(23, 30), at(24)]


def test_a_night_shift_belongs_to_the_date_on_which_it_begins() -> None:
    """Hours from 22 to 6 on Monday alone: a closed Tuesday does not shorten them."""
    night = (Hours(22 * 60, 30 * 60),)
    place = a_location(weekly=(night, *((),) * 6), exceptions={"2026-08-11": ()})
    kind = a_visit_type(minutes=120, alignment=120)
    rules = an_availability(kind, locations=[place])
    assert starts(rules, at(0), at(0, day=4)) == [at(22), at(24), at(26), at(28)]


def test_steps_count_from_the_opening_or_from_midnight() -> None:
    """Visits of 50 minutes fill a morning from its opening; other rules keep theirs."""
    place = a_location(weekly=((Hours(540, 740), Hours(790, 890)),) * 7)
    opening = a_visit_type(minutes=50, alignment=50, aligned_from=AlignedFrom.OPENING)
    rules = an_availability(opening, locations=[place])
    assert starts(rules, at(0), at(24)) == [
        *(at(9), at(9, 50), at(10, 40), at(11, 30)),
        *(at(13, 10), at(14)),
    ]
    rules = an_availability(a_visit_type(minutes=50, alignment=50), locations=[place])
    assert starts(rules, at(0), at(12)) == [at(9, 10), at(10), at(10, 50)]


def test_stored_rules_keep_counting_from_midnight() -> None:
    """A visit type journaled before there was a choice decodes to what it did."""
    stored = {"visit_type": "a", "title": "A", "minutes": 50, "alignment": 50}
    kind = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=VisitType)
    assert kind.aligned_from is AlignedFrom.MIDNIGHT


def test_a_page_joins_the_next() -> None:
    """A visit over the edge of a week page is offered."""
    place = a_location(weekly=(ALL_DAY,) * 7)
    rules = an_availability(a_visit_type(minutes=60), locations=[place])
    edge = -(-MONDAY // PAGE_MINUTES) * PAGE_MINUTES
    assert starts(rules, edge - 30, edge + 30) == [edge - 30, edge]


def test_a_type_of_another_place_is_not_offered_here() -> None:
    """Locations restrict a visit type."""
    kind = a_visit_type(locations=("loc_2",))
    places = [a_location(1), a_location(2, weekly=((Hours(1080, 1140),),) * 7)]
    assert starts(an_availability(kind, locations=places), at(0), at(24)) == [
        at(18),
        at(18, 30),
    ]


def test_an_inactive_type_is_not_offered() -> None:
    """Nor does it make the others wait."""
    assert starts(an_availability(a_visit_type(active=False)), at(0), at(24)) == []


def test_the_first_location_wins_where_two_are_open() -> None:
    """Validation refuses it; if tzdata changes it later, the answer is still one."""
    rules = an_availability(locations=[a_location(1), a_location(2)])
    found = Openings(rules, (), 5)
    offer = found.offers[CONSULT]
    assert found.location(offer, at(9) // 5) == "loc_1"
    assert found.location(offer, at(8) // 5) is None


def test_each_start_knows_its_location() -> None:
    """Morning here, afternoon there."""
    places = [
        a_location(1, weekly=((Hours(540, 600),),) * 7),
        a_location(2, weekly=((Hours(660, 720),),) * 7),
    ]
    found = Openings(an_availability(locations=places), (), 5)
    offer = found.offers[CONSULT]
    assert found.location(offer, at(9) // 5) == "loc_1"
    assert found.location(offer, at(11) // 5) == "loc_2"


def test_a_zone_that_tzdata_lost_is_closed() -> None:
    """Rules outlive tzdata; nothing is raised."""
    rules = an_availability(locations=[a_location(time_zone="Mars/Olympus")])
    assert starts(rules, at(0), at(24)) == []


def test_an_offset_of_odd_seconds_offers_nothing() -> None:
    """Monrovia's clocks were 44 minutes and 30 seconds behind until 1972."""
    rules = an_availability(locations=[a_location(time_zone="Africa/Monrovia")])
    assert starts(rules, 0, 5 * DAY) == []


def test_an_alignment_that_no_cell_meets() -> None:
    """Every 7 minutes on cells of 5: multiples of 35."""
    rules = an_availability(a_visit_type(alignment=7, minutes=5))
    found = starts(rules, at(9), at(11))
    assert found == [at(9, 20), at(9, 55), at(10, 30)]


def test_expanded_pages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping them changes no answer."""
    monkeypatch.setattr(availability, "PAGES_MAX", 2)
    found = Openings(an_availability(), (), 5)
    offer = found.offers[CONSULT]
    first = [found.page(offer, page) for page in range(2950, 2956)]
    assert len(offer.pages) <= 2
    assert [found.page(offer, page) for page in range(2950, 2956)] == first


@pytest.mark.parametrize("cell", [1, 3, 5, 15])
def test_the_size_of_a_cell_changes_no_start(cell: int) -> None:
    """Visits of a quarter of an hour start at the same instants on every grid."""
    rules = an_availability(a_visit_type(minutes=15, alignment=15))
    found = Openings(rules, (), cell)
    cut = found.cut(found.offers[CONSULT], at(0) // cell, at(24) // cell)
    assert [at(0) + cell * place for place in bits(cut)] == list(
        range(at(9), at(17), 15)
    )
