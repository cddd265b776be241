"""Reproducible pseudo-random choices: a hash of the decision's labels."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def number(*labels: object) -> int:
    """A number of 64 bits that depends on the labels alone."""
    text = "\x1f".join(map(str, labels))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def pick(options: Sequence[T], *labels: object) -> T:
    """One of ``options``."""
    return options[number(*labels) % len(options)]


def chance(one_in: int, *labels: object) -> bool:
    """True once in ``one_in`` times."""
    return number(*labels) % one_in == 0
