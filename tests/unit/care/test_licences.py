"""When two numbers of licences are one."""

from __future__ import annotations

import pytest

from care.grants.licences import compared_licence


@pytest.mark.parametrize(
    "written", ["LANR 123-45", "lanr12345", " LANR·123 45 ", "ＬＡＮＲ １２３４５"]
)
def test_spellings_of_a_number_are_one(written: str) -> None:
    """Case, blanks, dashes and full width make no other licence."""
    assert compared_licence(written) == "lanr12345"


def test_registries_of_a_country_have_numbers_of_their_own() -> None:
    """New York's 12345 is not California's; spellings of one registry are one."""
    assert compared_licence("12345", "US-NY") == compared_licence("12 345", "us ny")
    others = {compared_licence("12345", one) for one in ("US-NY", "US-CA", "")}
    assert len(others) == 3


def test_the_bounds_of_registry_and_number_are_not_moved() -> None:
    """``a`` of ``b1`` is not ``ab`` of ``1``."""
    assert compared_licence("b1", "a") != compared_licence("1", "ab")


@pytest.mark.parametrize("written", ["", "---", " . "])
def test_what_has_no_letter_and_no_digit_is_no_number(written: str) -> None:
    """It would be equal to every other one of its kind."""
    assert compared_licence(written, "GMC") == ""
