"""The space for a journal: what the disk has left, and the operator's budget."""

from __future__ import annotations

from actors.errors import JournalFull
from persistence.files.disk import Disk
from persistence.journal.files.format import segment_bases, segment_name

MIB = 1024 * 1024
KEEP_FREE = 64 * MIB
"""Bytes never used: other programs and a recovery need some space."""
PRESSURE_FLOOR = 512 * MIB
"""A small journal counts as this big, so that pressure rises while there is still
room for cancellations: with 57 MiB left it is 0.90, with 16 MiB left 0.97."""

COUNT_FROM = 0.9
"""Share of the budget from which each append counts again: other shards write too."""


class Room:
    """The space of all shards under one root."""

    def __init__(
        self, disk: Disk, root: str, *, budget: int = 0, keep_free: int = KEEP_FREE
    ) -> None:
        """``budget`` in bytes, 0 for all the disk has; ``keep_free`` is left alone."""
        self._disk = disk
        self._root = root
        self._budget = budget
        self._keep_free = keep_free
        self._settled: dict[str, dict[str, int]] = {}
        self._counted = budget
        """Bytes used at the last count; before the first one, the whole budget."""
        self._demanded = 0

    def used(self) -> int:
        """Bytes of all files of all shards; only those that may have grown are read."""
        shards = self._disk.names(self._root)
        for gone in self._settled.keys() - set(shards):
            self._settled.pop(gone, None)
        self._counted = sum(self._used_by(shard) for shard in shards)
        self._demanded = 0
        return self._counted

    def _used_by(self, shard: str) -> int:
        """The newest segment grows; other files keep the size that was seen once."""
        folder = f"{self._root}/{shard}"
        names = self._disk.names(folder)
        bases = segment_bases(names)
        newest = segment_name(bases[-1]) if bases else ""
        known = self._settled.get(shard, {})
        settled = {
            name: known[name] if name in known else self._size(f"{folder}/{name}")
            for name in names
            if name != newest
        }
        self._settled[shard] = settled
        return sum(settled.values()) + (
            self._size(f"{folder}/{newest}") if newest else 0
        )

    def pressure(self) -> float:
        """The used fraction, 0 to 1."""
        used = self.used()
        of_budget = used / self._budget if self._budget else 0.0
        usable = max(self._disk.free_bytes(self._root) - self._keep_free, 0)
        counted = max(used, PRESSURE_FLOOR)
        return min(max(of_budget, counted / (counted + usable)), 1.0)

    def demand(self, length: int) -> None:
        """Check that ``length`` more bytes may be used.

        Raises:
            JournalFull: they may not; the message says what is short.
        """
        free = self._disk.free_bytes(self._root)
        if free < self._keep_free + length:
            raise JournalFull(
                f"the disk of {self._root} has {free // MIB} MiB left and "
                f"{self._keep_free // MIB} MiB must stay free: make room",
                retry_after_s=10.0,
            )
        self._demanded += length
        if self._budget and self._may_be_over() and self.used() + length > self._budget:
            raise JournalFull(
                f"the journal under {self._root} has reached its budget of "
                f"{self._budget // MIB} MiB: raise it, or let the projection catch up",
                retry_after_s=10.0,
            )

    def _may_be_over(self) -> bool:
        """Far from the budget, the last count and appends since are exact enough."""
        return self._counted + self._demanded > self._budget * COUNT_FROM

    def _size(self, path: str) -> int:
        try:
            handle = self._disk.open(path)
        except OSError:  # trimmed meanwhile, or not a file
            return 0
        try:
            return self._disk.size(handle)
        except OSError:
            return 0
        finally:
            self._disk.close(handle)
