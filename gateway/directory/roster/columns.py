"""Columns of numbers that grow at the end, as numpy sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]
"""Numbers of rows, ascending."""
Mask = NDArray[np.bool_]
"""One truth value per row."""
_ROOM = 4


class Column:
    """A growing array; ``width`` values per entry."""

    __slots__ = ("_data", "_length")

    def __init__(self, dtype: Any, width: int = 1, room: int = _ROOM) -> None:
        shape = (room, width) if width > 1 else (room,)
        self._data: NDArray[Any] = np.zeros(shape, dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, value: Any) -> None:
        """Add one entry."""
        if self._length == len(self._data):
            grown = np.zeros((2 * self._length, *self._data.shape[1:]), self.dtype)
            grown[: self._length] = self._data
            self._data = grown
        self._data[self._length] = value
        self._length += 1

    def extend(self, values: Sequence[Any]) -> None:
        """Add several entries."""
        length = self._length + len(values)
        while length > len(self._data):
            grown = np.zeros((2 * len(self._data), *self._data.shape[1:]), self.dtype)
            grown[: self._length] = self._data[: self._length]
            self._data = grown
        self._data[self._length : length] = values
        self._length = length

    @property
    def dtype(self) -> Any:
        """The type of the values."""
        return self._data.dtype

    @property
    def nbytes(self) -> int:
        """Its memory."""
        return self._data.nbytes

    @property
    def all(self) -> NDArray[Any]:
        """All entries, to read and to write; valid until the next ``append``."""
        return self._data[: self._length]
