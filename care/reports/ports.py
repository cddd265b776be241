"""Ports of reports: SQL in production and in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from care.reports.visits import ImportCount, ImportedVisit


class ImportedVisits(Protocol):
    """Visits of other systems."""

    async def put(self, visits: Sequence[ImportedVisit]) -> ImportCount:
        """Add visits, or replace those of the same id, in one transaction.

        Raises Unavailable.
        """
        ...
