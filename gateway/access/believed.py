"""What a gateway was told and believes for a while, instead of asking again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Believed(Generic[K, V]):
    """Values by key, each for ``believed_s`` seconds; at most ``keys_max`` of them.

    The key that was told longest ago makes room for a new one.
    """

    def __init__(
        self,
        believed_s: float,
        keys_max: int,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._believed_s = believed_s
        self._keys_max = keys_max
        self._now = monotonic_s
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """How many are held, those that are believed no longer among them."""
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value; None if it was never told, or too long ago."""
        told = self._values.get(key)
        if told is None or self._now() - told[0] >= self._believed_s:
            return None
        return told[1]

    def values(self) -> list[V]:
        """All values that are believed, the longest told first."""
        now = self._now()
        return [v for at, v in self._values.values() if now - at < self._believed_s]

    def put(self, key: K, value: V, at: float | None = None) -> None:
        """Believe a value, from ``at`` on (monotonic seconds; by default from now)."""
        self._values[key] = (self._now() if at is None else at, value)
        self._values.move_to_end(key)
        if len(self._values) > self._keys_max:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """The value has changed: ask again."""
        self._values.pop(key, None)

    def clear(self) -> None:
        """All values may have changed."""
        self._values.clear()
