"""Words, distances and cursors."""

from __future__ import annotations

import math
import random

import pytest

from care.directory import words as w
from persistence.readmodel import search_words as s


def test_words_ignore_case_accents_and_punctuation() -> None:
    """People find names however they type them."""
    assert w.plain("  Łódź,  STRASSE-Straße_Ørsted ") == "lodz strasse strasse orsted"
    assert w.words_of("O'Brien") == {"o", "brien", "obrien"}
    assert w.query_words("Müller  ada müller") == ("muller", "ada")


def test_the_end_of_a_prefix_is_tight() -> None:
    """Everything with the prefix lies below its end, the next word does not."""
    assert "abz" < w.after_prefix("ab") <= "ac"
    assert w.after_prefix("ab") > "ab\U0010ffff"


def test_distances_are_those_of_the_map() -> None:
    """Berlin to Munich is 504 km, and a place is nowhere but at itself."""
    berlin, munich = (52.52, 13.405), (48.137, 11.575)
    assert w.distance_km(berlin, munich) == pytest.approx(504, abs=1)
    assert w.distance_km(berlin, berlin) == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_the_box_holds_the_circle(seed: int) -> None:
    """No point within the distance lies outside the box, near the poles either."""
    chance = random.Random(seed)
    for _ in range(200):
        here = (chance.uniform(-90, 90), chance.uniform(-180, 180))
        reach = chance.choice([0.5, 30, 400, 9_000])
        south, north, west, east = s.box(here, reach)
        there = (
            max(-90, min(90, here[0] + chance.uniform(-reach, reach) / 111)),
            here[1] + chance.uniform(-reach, reach) / 60,
        )
        if abs(there[1]) > 180 or w.distance_km(here, there) > reach:
            continue
        assert south <= there[0] <= north
        assert west <= there[1] <= east


def test_cursors_come_back_as_they_were() -> None:
    """A cursor carries its key exactly, floats to the last bit."""
    away = math.pi * 100
    cursor = s.write_cursor("d", away, "prv_1")
    assert s.read_cursor("d", cursor, (float, str)) == (away, "prv_1")


@pytest.mark.parametrize(
    "text", ["x", "é", "W10", s.write_cursor("n", 1.0, "a"), s.write_cursor("d", "a")]
)
def test_cursors_of_others_are_refused(text: str) -> None:
    """What is not our cursor of this list is a ValueError, never a crash."""
    with pytest.raises(ValueError, match="not a cursor"):
        s.read_cursor("d", text, (float, str))
