"""How fast passwords and codes may be tried, over a day of trying."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.domain.ids import Millis
from care.accounts import throttling
from care.accounts.factors.totp import new_secret, step_of
from care.accounts.throttling import (
    CODES_AN_HOUR,
    FREE_ATTEMPTS,
    Attempts,
    next_attempt,
    next_code,
)
from tests import factories as make

DAY_MS = 24 * 3_600_000
TRIES = 10_000
Rule = Callable[[Attempts, Millis], Attempts | None]


def _checked(rule: Rule) -> int:
    """How many of 10,000 tries, spread over a day, are checked at all."""
    attempts, checked = Attempts(), 0
    for number in range(TRIES):
        counted = rule(attempts, Millis(make.NOW + number * DAY_MS // TRIES))
        if counted is not None:
            attempts, checked = counted, checked + 1
    return checked


def test_of_ten_thousand_passwords_a_day_few_are_checked() -> None:
    """Five at once, ten while the wait doubles, then one in a quarter of an hour."""
    assert FREE_ATTEMPTS + 90 < _checked(next_attempt) <= FREE_ATTEMPTS + 10 + 96


def test_without_the_wait_all_of_them_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: what the wait keeps away."""
    monkeypatch.setattr(throttling, "wait_after", lambda _count: 0)
    assert _checked(next_attempt) == TRIES


def test_of_ten_thousand_codes_a_day_ten_an_hour_are_checked() -> None:
    """Three of a million are right at a time: a thousand days of this find one."""
    assert _checked(next_code) == 24 * CODES_AN_HOUR


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345x", "１２３４５６", "-12345"]
)
def test_what_is_not_six_digits_is_no_code(code: str) -> None:
    """The library would take full-width digits."""
    assert step_of(new_secret(), code, make.NOW) is None
