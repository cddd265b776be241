"""What a rotation of keys tells on its way."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

Told = Callable[[str, int, int], None]
"""Told of progress: which table, rows done, rows in all."""


class Rotated(Struct, frozen=True):
    """What a rotation did: keys wrapped again, values sealed again."""

    wrapped: int
    resealed: int = 0
    number: int = 0
    """The number of the data key that all values are sealed with now; 0: unchanged."""


class RotationRunning(Exception):
    """Another rotation of these keys is under way, or was killed moments ago."""
