"""Passwords: which are accepted, how fast they are tried, which devices are known."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.ids import Millis
from care.accounts.addresses import InvalidAddress, compared_address, written_address
from care.accounts.devices import ACCOUNTS_MAX, is_known, remembered
from care.accounts.passwords import (
    PasswordNotText,
    Weakness,
    prepared,
    weakness_of,
)
from care.accounts.throttling import (
    FORGET_MS,
    FREE_ATTEMPTS,
    WAIT_MOST_MS,
    Attempts,
    next_attempt,
)

ABOUT = ("mira.okonkwo@example.org",)
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("short 1", Weakness.TOO_SHORT),
        ("Password1", Weakness.COMMON),
        ("iloveyou!!", Weakness.COMMON),
        ("slotcast2026", Weakness.ABOUT_YOU),
        ("mira.okonkwo@example.org", Weakness.ABOUT_YOU),
        ("Okonkwo-Mira1", Weakness.ABOUT_YOU),
        ("nul\0nul\0nul", Weakness.NOT_TEXT),
        ("e" + "\u0301" * 1_024, Weakness.TOO_LONG),
        ("x" * 1_048_576, Weakness.TOO_LONG),
        ("\ud800 half a pair", Weakness.NOT_TEXT),
        ("violet kettle runs", None),
        ("ünïcödé is fine too", None),
        ("okonkwo sails past nine islands", None),
    ],
)
def test_weak_passwords_are_named(password: str, weakness: Weakness | None) -> None:
    """Short, common and personal ones are refused; length alone is enough."""
    assert weakness_of(password, ABOUT) is weakness


def test_two_keyboards_make_one_password() -> None:
    """A composed and a decomposed letter are the same secret."""
    assert prepared("cafe\u0301 terrace") == prepared("caf\u00e9 terrace")


@given(st.text(max_size=2_000))
def test_what_is_hashed_is_bounded(password: str) -> None:
    """Whatever is sent, at most 1,024 bytes reach the hash."""
    with contextlib.suppress(PasswordNotText):
        assert len(prepared(password)) <= 1_024


def test_attempts_wait_longer_and_longer() -> None:
    """Five, then after 1, 2, 4 … seconds up to a quarter of an hour."""
    now, attempts, waits = Millis(1_000_000), Attempts(), []
    for _ in range(18):
        again = next_attempt(attempts, now)
        assert again is not None
        attempts = again
        waits.append(attempts.not_before - now)
        if waits[-1]:
            assert next_attempt(attempts, Millis(attempts.not_before - 1)) is None
        now = attempts.not_before
    assert waits[: FREE_ATTEMPTS + 3] == [0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000]
    assert waits[-1] == WAIT_MOST_MS
    later = next_attempt(attempts, Millis(now + FORGET_MS))
    assert later is not None
    assert later.count == 1


def test_ten_thousand_passwords_in_a_day_are_a_hundred() -> None:
    """However fast an attacker asks, few attempts are made."""
    attempts, made = Attempts(), 0
    for now in range(1, 24 * 3_600_000, 8_640):
        again = next_attempt(attempts, Millis(now))
        if again is not None:
            attempts, made = again, made + 1
    assert made < 120


def test_a_device_is_known_for_who_signed_in_there() -> None:
    """Only for these accounts, at most five, and only with this site's mac."""
    cookie = ""
    for number in range(ACCOUNTS_MAX + 1):
        cookie = remembered(KEY, cookie, f"{number}@example.org", "device-one")
    assert not is_known(KEY, cookie, "0@example.org")
    assert is_known(KEY, cookie, "1@example.org")
    assert is_known(KEY, cookie, "5@example.org")
    assert not is_known(b"x" * 32, cookie, "5@example.org")
    assert not is_known(
        KEY, "device-two" + cookie[len("device-one") :], "5@example.org"
    )
    assert not is_known(KEY, "nonsense;", "5@example.org")


def test_an_address_is_found_however_it_is_typed() -> None:
    """Case does not make a second account; nonsense is refused."""
    assert written_address(" Mira@Example.ORG".strip()) == "Mira@example.org"
    assert compared_address("Mira@example.org") == compared_address("mira@example.org")
    for wrong in ("mira", "mira@", "@example.org", "a@localhost", "a b@example.org"):
        with pytest.raises(InvalidAddress):
            written_address(wrong)
