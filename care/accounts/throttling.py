"""How fast passwords may be tried at one address.

Attempts are counted before the password is checked, so that many at one time gain
nothing. Devices that have signed in before are counted apart from strangers: an
attacker makes strangers wait and cannot lock the owner out. Addresses without an
account are counted likewise, or else the wait would tell which have one.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis

FREE_ATTEMPTS: Final = 5
"""Attempts before the first wait."""
WAIT_LEAST_MS: Final = 1_000
WAIT_MOST_MS: Final = 900_000
FORGET_MS: Final = 24 * 3_600_000
"""After so long without an attempt they are counted from the start."""
CODES_AN_HOUR: Final = 10
"""Codes that may be tried for one account, whatever flows they are tried in."""
_HOUR_MS: Final = 3_600_000
_DOUBLINGS_MAX: Final = 20
"""Beyond, the wait is the longest in any case."""


class Attempts(Struct, frozen=True):
    """Attempts since the last success; the next is allowed at ``not_before``."""

    count: int = 0
    last_at: Millis = Millis(0)
    not_before: Millis = Millis(0)


def next_attempt(attempts: Attempts, now: Millis) -> Attempts | None:
    """The count with one more attempt; None if it comes too early."""
    if now < attempts.not_before:
        return None
    count = 0 if now - attempts.last_at >= FORGET_MS else attempts.count
    count += 1
    return Attempts(count, now, Millis(now + wait_after(count)))


def wait_after(count: int) -> int:
    """Milliseconds until another attempt after this number of failures."""
    if count < FREE_ATTEMPTS:
        return 0
    return min(
        WAIT_LEAST_MS << min(count - FREE_ATTEMPTS, _DOUBLINGS_MAX), WAIT_MOST_MS
    )


def next_code(attempts: Attempts, now: Millis) -> Attempts | None:
    """The count of codes with one more; None if the hour's limit is reached.

    ``last_at`` is when the hour began. Codes are tried only after a correct password,
    so the wait affects only an attacker who knows it, or the owner.
    """
    began = attempts.last_at
    if now - began >= _HOUR_MS:
        return Attempts(1, now, Millis(now + _HOUR_MS))
    if attempts.count >= CODES_AN_HOUR:
        return None
    return Attempts(attempts.count + 1, began, Millis(began + _HOUR_MS))
