"""Specialties are known by every title and synonym, in every language."""

from __future__ import annotations

import pytest

from care.directory.entries import distinct
from care.directory.specialties import (
    BUILT_IN,
    LANGUAGES,
    Specialty,
    SpecialtyIndex,
    SpecialtyNames,
)


@pytest.mark.parametrize(
    ("text", "specialty_id"),
    [
        ("Dermatology", "dermatology"),
        ("hautarzt", "dermatology"),
        ("Hautärztin", "dermatology"),
        ("جلدية", "dermatology"),
        ("Pediatrics", "paediatrics"),
        ("Paediatrics", "paediatrics"),
        ("orthopedics", "orthopaedics"),
        ("Zahnarzt", "dentistry"),
        ("ENT", "ent"),
        ("GP", "general-practice"),
        ("general-practice", "general-practice"),
    ],
)
def test_a_specialty_is_known_by_all_its_names(text: str, specialty_id: str) -> None:
    """British, American, German and Arabic, whatever case and accents."""
    found = SpecialtyIndex().find(text)
    assert found is not None
    assert found.specialty_id == specialty_id


def test_every_built_in_specialty_has_names_in_every_language() -> None:
    """Forty and more, each with a title; ids are unique, and no title means two."""
    assert len(BUILT_IN) >= 40
    assert len({one.specialty_id for one in BUILT_IN}) == len(BUILT_IN)
    titles = [names.title for one in BUILT_IN for names in one.names.values()]
    assert len(set(titles)) == len(titles)
    index = SpecialtyIndex()
    for one in BUILT_IN:
        assert set(one.names) == set(LANGUAGES)
        for names in one.names.values():
            assert index.find(names.title) == one, names.title


def test_a_provider_is_found_by_the_words_of_their_specialty() -> None:
    """Synonyms of every language are among them, and so is what the profile says."""
    words = SpecialtyIndex().words("Zahnarzt")
    assert {"tooth", "dentist", "zahnschmerzen", "اسنان"} <= words
    assert SpecialtyIndex().words("Reiki healing") == {"reiki", "healing"}


def test_a_site_adds_and_replaces_specialties() -> None:
    """Its own are found, and replace the built-in one of the same id."""
    reiki = Specialty("reiki", {"en": SpecialtyNames("Reiki", ("healing hands",))})
    skin = Specialty("dermatology", {"en": SpecialtyNames("Skin medicine")})
    index = SpecialtyIndex([reiki, skin])
    assert index.find("Healing Hands") == reiki
    assert index.find("Hautarzt") is None
    assert index.find("skin medicine") == skin
    assert index.key("Basket weaving") == "basket weaving"
    assert skin.title("de") == "Skin medicine"


def test_names_of_insurances_are_kept_once() -> None:
    """Case and accents make no second one, and none is empty."""
    assert distinct(["AOK", " aok ", "", "Bupa", "BÜPA"]) == ("AOK", "Bupa")
