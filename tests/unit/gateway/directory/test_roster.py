"""The roster finds what a scan of all providers finds, in the same order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from msgspec.structs import replace

from actors.domain.ids import ClinicId, Minute, ProviderId
from actors.domain.rules import Clinic, VisitType
from care.directory.entries import ProviderEntry, Service
from care.directory.ports import RosterRow
from care.directory.specialties import (
    Specialty,
    SpecialtyNames,
)
from gateway.directory.roster.matching import MISSPELT_MAX, Matcher, Order, Search
from gateway.directory.roster.ordering import first, text_keys
from gateway.directory.roster.roster import DEAD_MIN, Roster
from gateway.directory.roster.services import KEPT, NEVER
from gateway.directory.roster.words import Meaning
from tests.unit.gateway.directory.scan import CONSULT, HERE, VIDEO, World, expected_ids


def _pages(world: World, search: Search, order: Order, size: int) -> Iterator[str]:
    """All pages, each continued from where the one before ended."""
    matcher = Matcher(world.roster)
    shown = None
    while True:
        matches = matcher.find(search)
        starts = world.roster.services.next_starts(
            search.visit_type, remote=search.telehealth
        )
        rows = matcher.page(matches, order, shown, size, starts)
        yield from (world.roster.ids[row] for row in rows)
        if len(rows) < size:
            return
        shown = matcher.place(matches, order, rows[-1], int(starts[rows[-1]]))


@pytest.mark.parametrize("seed", range(8))
def test_every_search_finds_what_a_scan_finds(seed: int) -> None:
    """All words and filters hold; each order is the scan's; pages fit together."""
    world = World(seed)
    for number in range(40):
        world.put(world.random.randrange(320))
        world.remove(world.random.randrange(320))
        search = world.search()
        order = world.random.choice(list(Order))
        if order is Order.DISTANCE and search.near is None:
            order = Order.SOONEST
        expected = expected_ids(world, search, order)
        # Without an exact hit of all words any of them may be misspelt.
        if not expected and search.words:
            continue
        found = list(_pages(world, search, order, world.random.choice((1, 7, 50))))
        assert found == expected, (number, search, order)


def test_facets_count_what_each_value_would_find() -> None:
    """A facet that is filtered by shows its other values, the rest only matches."""
    world = World(1)
    matcher = Matcher(world.roster)
    search = Search(insurance="AOK", accepts_new=True)
    facets = matcher.facets(search)
    for insurance, count in facets["insurance"]:
        alike = Search(insurance=insurance, accepts_new=True)
        assert count == len(matcher.find(alike).rows)
    for language, count in facets["language"]:
        narrower = Search(insurance="AOK", accepts_new=True, language=language)
        assert count == len(matcher.find(narrower).rows)
    assert sum(n for _, n in facets["insurance"]) > len(matcher.find(search).rows)


def _typo(word: str, draw: random.Random) -> str:
    """One letter left out, doubled, changed or swapped with the next."""
    at = draw.randrange(len(word) - 1)
    match draw.randrange(4):
        case 0:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[:at] + draw.choice("abcdefghijklmnopqrstuvwxyz") + word[at:]
        case 2:
            letter = draw.choice("abcdefghijklmnopqrstuvwxyz")
            return word[:at] + letter + word[at + 1 :]
        case _:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def test_of_words_with_one_error_95_in_100_are_found() -> None:
    """Made names of five letters and more, among five thousand."""
    draw = random.Random(7)
    roster = Roster()
    names = []
    for number in range(5_000):
        name = "".join(
            draw.choice("bcdfghklmnprst") + draw.choice("aeiou")
            for _ in range(draw.randint(3, 5))
        )
        names.append(name)
        clinic = Clinic(ClinicId("cln_1"), "Practice", "UTC")
        roster.put(
            RosterRow(ProviderId(f"prv_{number}"), name, "Dentistry", (), clinic)
        )
    matcher = Matcher(roster)
    found = 0
    for _ in range(1_000):
        number = draw.randrange(len(names))
        rows = matcher.find(Search(words=_typo(names[number], draw))).rows
        found += number in rows
    assert found >= 950


@pytest.mark.parametrize(
    ("asked", "meant"), [("smyth", "smith"), ("dermatolgist", "dermatologist")]
)
def test_a_misspelt_word_says_how_it_was_understood(asked: str, meant: str) -> None:
    """With other words that must match, too."""
    world = World(3)
    found = Matcher(world.roster).find(Search(words=f"{asked} dr"))
    assert found.did_you_mean == f"{meant} dr"
    assert Matcher(world.roster).find(Search(words="smith")).did_you_mean is None


def test_words_that_exist_are_misspelt_if_together_they_find_nothing() -> None:
    """Hart is a dentist: of dermatologists Hard is meant."""
    roster = Roster()
    clinic = Clinic(ClinicId("cln_1"), "Practice", "UTC")
    rows = (("1", "Ada Hart", "Dentistry"), ("2", "Bo Hard", "Dermatology"))
    for number, name, specialty in rows:
        roster.put(RosterRow(ProviderId(f"prv_{number}"), name, specialty, (), clinic))
    found = Matcher(roster).find(Search(words="hart dermatology"))
    assert [roster.ids[row] for row in found.rows] == ["prv_2"]


def test_nothing_within_the_radius_tells_a_wider_one() -> None:
    """A round one, within which there is something."""
    roster = Roster()
    clinic = Clinic(ClinicId("cln_1"), "P", "UTC", latitude=53.0, longitude=0.0)
    roster.put(RosterRow(ProviderId("prv_1"), "Ada", "Dentistry", (), clinic))
    matcher = Matcher(roster)
    found = matcher.find(Search(near=HERE, within_km=10.0))
    assert (len(found.rows), found.wider_km) == (0, 200)
    assert len(matcher.find(Search(near=HERE, within_km=200.0)).rows) == 1


def test_a_specialty_of_the_site_is_found_by_its_words() -> None:
    """And by its id."""
    reiki = Specialty("reiki", {"en": SpecialtyNames("Reiki healing", ("hands",))})
    roster = Roster([reiki])
    clinic = Clinic(ClinicId("cln_1"), "P", "UTC")
    roster.put(RosterRow(ProviderId("prv_1"), "Ada", "Reiki Healing", (), clinic))
    matcher = Matcher(roster)
    assert len(matcher.find(Search(words="hand")).rows) == 1
    assert len(matcher.find(Search(specialty="reiki")).rows) == 1


def test_a_roster_is_bounded_whatever_changes() -> None:
    """Dead rows are counted, and a new roster is wanted once they are many."""
    world = World(5, providers=10)
    for _ in range(DEAD_MIN // 10 + 20):
        for number in range(10):
            world.put(number)
    assert world.roster.is_worn
    assert len(world.roster) == 10


def test_starts_pass_with_time_and_are_unknown_when_they_have_run_out() -> None:
    """What is left is the next that can be booked, by each visit type's notice."""
    roster = Roster()
    clinic = Clinic(ClinicId("cln_1"), "P", "UTC")
    kind = VisitType(CONSULT, "C", 30, notice=60)
    roster.put(RosterRow(ProviderId("prv_1"), "A", "D", (), clinic, (kind,)))
    services = roster.services
    assert services.next_starts().tolist() == [0]
    services.set_starts(0, {CONSULT: [Minute(100 + 10 * n) for n in range(KEPT)]})
    assert services.next_of(0) == (100, CONSULT)
    assert not len(services.move_to(Minute(55)))
    assert services.next_of(0) == (120, CONSULT)
    assert services.move_to(Minute(200)).tolist() == [0]
    assert not services.is_known(0)
    services.set_starts(0, {CONSULT: [Minute(300)]})
    assert not len(services.move_to(Minute(1000)))
    assert services.next_of(0) is None
    assert services.next_starts().tolist() == [NEVER]


def test_a_provider_that_changes_keeps_what_is_known_of_their_starts() -> None:
    """A visit type that is new makes them unknown."""
    roster = Roster()
    clinic = Clinic(ClinicId("cln_1"), "P", "UTC")
    one, two = VisitType(CONSULT, "C", 30), VisitType(VIDEO, "V", 30)
    row = RosterRow(ProviderId("prv_1"), "A", "D", (), clinic, (one,))
    roster.put(row)
    roster.services.set_starts(0, {CONSULT: [Minute(90)]})
    assert roster.services.next_of(roster.put(row)) == (90, CONSULT)
    more = RosterRow(ProviderId("prv_1"), "A", "D", (), clinic, (one, two))
    assert not roster.services.is_known(roster.put(more))


@pytest.mark.parametrize("seed", range(20))
def test_the_first_by_several_keys_are_those_of_a_sort(seed: int) -> None:
    """Also among equals, and of texts that begin alike."""
    draw = random.Random(seed)
    texts = ["x" * draw.randint(0, 20) + draw.choice("abc") for _ in range(200)]
    keys = [np.array([draw.randrange(4) for _ in texts])]
    keys += [
        np.array([text_keys(one)[at] for one in texts], np.uint64) for at in range(2)
    ]
    expected = sorted(range(200), key=lambda at: (keys[0][at], texts[at], at))
    for count in (1, 20, 199, 500):
        found = first(keys, lambda place: texts[place], count)
        assert found == list(islice(expected, count))


def test_a_search_compares_a_bounded_number_of_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many are misspelt, and although it looks a second time."""
    world = World(2)
    asked: list[str] = []
    like = world.roster.words._misspelt

    def counted(word: str) -> list[Meaning]:
        asked.append(word)
        return like(word)

    monkeypatch.setattr(world.roster.words, "_misspelt", counted)
    words = "qqaxxz qqbxxz qqcxxz qqdxxz qqexxz qqfxxz qqgxxz qqhxxz"
    assert not len(Matcher(world.roster).find(Search(words=words)).rows)
    assert len(asked) == MISSPELT_MAX


def test_a_matcher_sees_what_has_changed_since_its_last_search() -> None:
    """What it keeps of words and offers is not that of a former state."""
    roster = Roster()
    clinic = Clinic(ClinicId("cln_1"), "P", "UTC", city="York")
    row = RosterRow(ProviderId("prv_1"), "Ada Hart", "Dentistry", (), clinic)
    video = Service(VIDEO, remote=True)
    offers = replace(
        row,
        provider_id=ProviderId("prv_2"),
        visit_types=(VisitType(VIDEO, "V", 30),),
        entry=ProviderEntry(services=(video,)),
    )
    matcher = Matcher(roster)
    remote = Search(words="hart", telehealth=True)
    counted = []
    for change in (
        lambda: roster.put(row),
        lambda: roster.put(offers),
        lambda: roster.put(replace(offers, entry=ProviderEntry())),
        lambda: roster.put(replace(row, name="Ada Hard")),
        lambda: roster.remove(ProviderId("prv_2")),
    ):
        change()
        found = [len(matcher.find(one).rows) for one in (Search(words="hart"), remote)]
        counted.append((*found, matcher.facets(Search(words="hart"))["telehealth"]))
    assert counted == [
        (1, 0, []),
        (2, 1, [("true", 1)]),
        (2, 0, []),
        (1, 0, []),
        (1, 0, []),
    ]
