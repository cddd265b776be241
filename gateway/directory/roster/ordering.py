"""The first rows of many by several keys, without sorting all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BYTES: Final = 8
TEXT_KEYS: Final = 2
"""Numbers that stand for the beginning of a text."""


def text_keys(text: str) -> tuple[int, ...]:
    """Numbers that sort as the first sixteen bytes of a text do."""
    raw = text.encode()[: TEXT_KEYS * _BYTES].ljust(TEXT_KEYS * _BYTES, b"\0")
    return tuple(
        int.from_bytes(raw[at : at + _BYTES])
        for at in range(0, TEXT_KEYS * _BYTES, _BYTES)
    )


def first(
    keys: Sequence[NDArray[Any]], rest: Callable[[int], Any], count: int
) -> list[int]:
    """ClinicPlaces of the ``count`` least entries, in order.

    Args:
        keys: columns of equal length, the most significant first.
        rest: of a place, what decides between equal keys.
        count: how many are wanted.
    """
    left = np.arange(len(keys[0]))
    chosen: list[NDArray[Any]] = []
    for key in keys:
        if len(left) <= count:
            break
        values = key[left]
        bound = np.partition(values, count - 1)[count - 1]
        below = left[values < bound]
        chosen.append(below)
        count -= len(below)
        left = left[values == bound]
    wanted = sum(map(len, chosen)) + count
    places = np.concatenate([*chosen, left]).tolist()
    columns = [key[places].tolist() for key in keys]
    ordered = sorted(
        (*values, rest(place), place)
        for *values, place in zip(*columns, places, strict=True)
    )
    return [one[-1] for one in ordered[:wanted]]


def after(
    keys: Sequence[NDArray[Any]],
    rest: Callable[[int], Any],
    shown: Sequence[int],
    last: Any,
) -> NDArray[np.bool_]:
    """Which entries come after one with the keys ``shown`` and the rest ``last``."""
    later = np.zeros(len(keys[0]), np.bool_)
    equal = np.ones(len(keys[0]), np.bool_)
    for key, value in zip(keys, shown, strict=True):
        later |= equal & (key > value)
        equal &= key == value
    for place in np.flatnonzero(equal).tolist():
        later[place] = rest(place) > last
    return later
