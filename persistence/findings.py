"""Findings of an inspection of a server's settings, each with its remedy."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One problem or risk in a server's settings.

    ``refuse``: a guarantee of Slotcast cannot be kept, so the start is refused.
    ``warn``: it works, but slower or less safely than recommended.
    """

    severity: Literal["refuse", "warn"]
    sentence: str
    """The finding, with the setting and its value."""
    remedy: str
    """The remedy."""
