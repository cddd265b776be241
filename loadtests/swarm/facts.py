"""The master's memory of a run: what all processes reported, for the judge outside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from loadtests.load.plan import FACTS_VARIABLE
from loadtests.load.tally import Tally


class Facts:
    """Everything that is known, and the file that it ends up in."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.bookings: dict[str, list[Any]] = {}
        self.doubts: set[str] = set()
        self.compared: list[dict[str, Any]] = []
        self.notes: dict[str, Any] = {}
        self.defects: dict[str, int] = {}
        """What people of the scenario stumbled over: faults of its own code."""
        self.began = time.time()

    def add(self, report: dict[str, Any]) -> None:
        """What a process drained."""
        self.tally.add(report["tally"])
        for booking in report["bookings"]:
            known = self.bookings.get(booking[0])
            # Processes report in no order; the calendar's version has one.
            if known is None or known[-2:] <= booking[-2:]:
                self.bookings[booking[0]] = booking
        self.doubts.update(report["doubts"])

    def add_comparison(self, told: dict[str, Any]) -> None:
        """What a process found at the end, and the rest of what it had counted."""
        self.add(told)
        kept = {
            k: v for k, v in told.items() if k not in {"tally", "bookings", "doubts"}
        }
        self.compared.append(kept)

    def write(self) -> None:
        """Into the file that the environment names."""
        document = {
            "began": self.began,
            "ended": time.time(),
            "tally": self.tally.document(),
            "bookings": list(self.bookings.values()),
            "doubts": sorted(self.doubts),
            "compared": self.compared,
            "notes": self.notes,
            "defects": self.defects,
        }
        path = Path(os.environ[FACTS_VARIABLE])
        path.write_text(json.dumps(document), encoding="utf-8")
