"""Ports of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import Millis
from care.audit.entries import Draft, Entry
from care.audit.verifying import AuditReport
from care.sharing import Standing


class AuditSpool(Protocol):
    """Entries of this process that are not chained yet, durable on its own disk."""

    async def write(self, drafts: Sequence[Draft]) -> None:
        """Return when the entries are on stable media.

        Entries that are written at the same time share one sync.

        Raises:
            Unavailable: the spool cannot be written, or is full.
        """
        ...

    async def run(self) -> None:
        """Pass entries on to the records until cancelled."""
        ...

    def standing(self) -> Standing:
        """Whether the spool can be written and forwards entries."""
        ...

    async def close(self) -> None:
        """Forward the entries that can be forwarded now, and release the file."""
        ...


class AuditQuery(Struct, frozen=True):
    """Which entries; empty fields do not restrict. Instants are half-open."""

    tenant: str = ""
    person: str = ""
    actor: str = ""
    action: str = ""
    first: Millis | None = None
    last: Millis | None = None


class AuditStore(Protocol):
    """The chain as auditors see it. Every method may raise Unavailable."""

    async def search(
        self, wanted: AuditQuery, *, after: str, limit: int
    ) -> tuple[Sequence[Entry], str | None]:
        """Entries, the newest first, and the cursor of the next page.

        Raises:
            ValueError: the cursor is not one of ours.
        """
        ...

    async def accesses(
        self, about: Mapping[str, Millis], *, after: str, limit: int
    ) -> tuple[Sequence[Entry], str | None]:
        """Who read about these, each from an instant on; the newest first.

        Raises:
            ValueError: the cursor is not one of ours.
        """
        ...

    async def verify(self, tenant: str = "") -> AuditReport:
        """Check the chain of one tenant, or of all."""
        ...
