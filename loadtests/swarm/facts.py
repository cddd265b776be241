"""The master's record of a run: the reports of all processes, for the checks."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from loadtests.load.plan import FACTS_VARIABLE
from loadtests.load.tally import Tally


class Facts:
    """All facts of a run, and the file that they are written to."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.bookings: dict[str, list[Any]] = {}
        self.doubts: set[str] = set()
        self.compared: list[dict[str, Any]] = []
        self.notes: dict[str, Any] = {}
        self.defects: dict[str, int] = {}
        """Add exceptions raised by the scenario's own code."""
        self.began = time.time()

    def add(self, report: dict[str, Any]) -> None:
        """Add the counts that a process drained."""
        self.tally.add(report["tally"])
        for booking in report["bookings"]:
            known = self.bookings.get(booking[0])
            # Reports of several processes arrive in any order; versions order them.
            if known is None or known[-2:] <= booking[-2:]:
                self.bookings[booking[0]] = booking
        self.doubts.update(report["doubts"])

    def add_comparison(self, told: dict[str, Any]) -> None:
        """Add a process's result of the closing, and its remaining counts."""
        self.add(told)
        kept = {
            k: v for k, v in told.items() if k not in {"tally", "bookings", "doubts"}
        }
        self.compared.append(kept)

    def write(self) -> None:
        """Write the facts to the file that the environment names."""
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
