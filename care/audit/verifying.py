"""Finds entries that were changed, removed, inserted or reordered; pure.

Entries of a tenant come in the order of their numbers. What a chain cannot show by
itself, that its end was cut, is shown by its head, and a cut of both by an anchor: a
head that was written outside of the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from care.audit.entries import FIRST_HASH, Entry, Head, chained


class Fault(StrEnum):
    """The defect of a chain at its first bad entry."""

    CHANGED = "changed"
    """The entry was altered, or another one precedes it."""
    REMOVED = "removed"
    """Entries are missing before this one."""
    INSERTED = "inserted"
    """The entry is after the head."""
    CUT = "cut"
    """The head names a missing entry."""
    ANCHOR = "anchor"
    """An anchor names a missing or altered entry."""


class FirstBad(Struct, frozen=True):
    """The first bad place of a tenant's chain."""

    tenant: str
    seq: int
    fault: Fault


class ChainCheck:
    """Checks one tenant's chain, entry by entry."""

    def __init__(
        self, tenant: str, key: bytes, head: Head | None, anchors: Sequence[Head]
    ) -> None:
        self.tenant = tenant
        self.entries = 0
        self.first_bad: FirstBad | None = None
        self._key = key
        self._head = head
        self._anchors: Mapping[int, Sequence[Head]] = _by_seq(anchors)
        self._last_anchor = max(self._anchors, default=0)
        self._seq = 0
        self._hash = FIRST_HASH
        self._beyond = 0
        """The first entry after the head."""

    def feed(self, entry: Entry) -> None:
        """The next entry by number."""
        self.entries += 1
        if entry.seq != self._seq + 1:
            self._bad(self._seq + 1, Fault.REMOVED)
        elif chained(self._key, self._hash, entry) != entry.hash:
            self._bad(entry.seq, Fault.CHANGED)
        if self._head is not None and entry.seq > self._head.seq:
            self._beyond = self._beyond or entry.seq
        for anchor in self._anchors.get(entry.seq, ()):
            if anchor.hash != entry.hash:
                self._bad(entry.seq, Fault.ANCHOR)
        self._seq, self._hash = entry.seq, entry.hash

    def finish(self, latest: Head | None) -> FirstBad | None:
        """Compare the end with heads and anchors; the first bad place, if any.

        ``latest``: the head as it is after the last entry was read. Entries that were
        sealed meanwhile stand between the two heads.
        """
        if self._head is not None and self._head.seq > self._seq:
            self._bad(self._seq + 1, Fault.CUT)
        if latest is None:
            if self._seq:
                self._bad(self._seq, Fault.CUT)
        elif latest.seq < self._seq:
            self._bad(self._beyond or latest.seq + 1, Fault.INSERTED)
        elif latest.seq == self._seq and latest.hash != self._hash:
            self._bad(latest.seq, Fault.CHANGED)
        if self._last_anchor > self._seq:
            self._bad(self._seq + 1, Fault.ANCHOR)
        return self.first_bad

    def _bad(self, seq: int, fault: Fault) -> None:
        if self.first_bad is None:
            self.first_bad = FirstBad(self.tenant, seq, fault)


class AuditReport(Struct, frozen=True):
    """What a verification found; ``anchors``: how many heads outside were compared."""

    ok: bool
    entries: int
    tenants: int
    anchors: int
    first_bad: FirstBad | None = None
    bad: Sequence[FirstBad] = ()


def _by_seq(anchors: Sequence[Head]) -> dict[int, list[Head]]:
    found: dict[int, list[Head]] = {}
    for one in anchors:
        found.setdefault(one.seq, []).append(one)
    return found
