"""Codes of authenticator apps: RFC 6238 with SHA-1, six digits, 30 seconds.

A code is good in its own time step and in the two beside it, since clocks differ and
people type. Each step is accepted once: the store sets ``last_step`` by compare-and-set
and refuses one that is not newer (ASVS 6.5.1).
"""

from __future__ import annotations

import hmac
from typing import Final

import pyotp

from actors.domain.ids import Millis

STEP_MS: Final = 30_000
STEPS_BESIDE: Final = 1
"""Steps before and after the present one that are accepted."""
DIGITS: Final = 6
ISSUER: Final = "Slotcast"


def new_secret() -> str:
    """A new key: 160 bits in base32."""
    return pyotp.random_base32(32)


def provisioning_uri(secret: str, name: str) -> str:
    """What an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: Millis) -> int | None:
    """The time step that a code belongs to; None if it is wrong.

    Every step is compared, in constant time: how long it takes tells nothing. The
    library's own check takes full-width digits and does not say which step it was.
    """
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    key, present = pyotp.TOTP(secret), now // STEP_MS
    found = None
    for step in range(present - STEPS_BESIDE, present + STEPS_BESIDE + 1):
        if hmac.compare_digest(key.generate_otp(step), code):
            found = step
    return found
