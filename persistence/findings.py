"""What an inspection of a server finds: said so that a person can correct it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing about a server's settings that an operator should know.

    ``refuse``: with it a promise of Slotcast cannot be kept, so nothing may start.
    ``warn``: it works, but worse or with less safety than it should.
    """

    severity: Literal["refuse", "warn"]
    sentence: str
    """What is found, with the setting and its value named."""
    remedy: str
    """What to do about it."""
