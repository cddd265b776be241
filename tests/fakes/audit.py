"""A spool of the audit trail that keeps entries in memory, and can refuse them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.errors import Unavailable
from care.audit.entries import Draft
from care.sharing import Standing


class MemorySpool:
    """``care.audit.ports.AuditSpool``."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.is_broken = False

    async def write(self, drafts: Sequence[Draft]) -> None:
        if self.is_broken:
            raise Unavailable("the audit spool cannot be written")
        self.drafts += drafts

    async def run(self) -> None:
        await asyncio.Event().wait()

    def standing(self) -> Standing:
        return Standing(ok=not self.is_broken)

    async def close(self) -> None:
        pass
