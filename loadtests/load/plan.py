"""What a run is about to do: made before it, read by every process of Locust.

It holds tokens, so the file is its owner's alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from loadtests.load.scenarios import SCENARIOS, Scenario
from loadtests.workload.weeks import iso_week

PLAN_VARIABLE = "SLOTCAST_LOAD_PLAN"
"""Names the file for Locust's processes."""
FACTS_VARIABLE = "SLOTCAST_LOAD_FACTS"
"""Names the file that the master writes what happened into."""


@dataclass(frozen=True, slots=True)
class Doctor:
    """A provider of the practice, and what their day is."""

    provider_id: str
    clinic_id: str
    token: str
    staff_token: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    scenario: str
    url: str
    users: int
    seconds: float
    processes: int
    slots: int
    seed: int
    doctors: tuple[Doctor, ...]
    patients: dict[str, str]
    """Patient → token: one for each person."""
    visit_type: str
    monday: str
    """First day of the weeks that are booked, in UTC, the practice's zone."""
    weeks: int

    @property
    def kind(self) -> Scenario:
        """The scenario."""
        return SCENARIOS[self.scenario]

    @property
    def first_day(self) -> date:
        """The Monday, as a date."""
        return date.fromisoformat(self.monday)

    def topics(self, provider_id: str) -> list[str]:
        """The provider's weeks as live topics."""
        return [
            f"slots/{provider_id}/{self.visit_type}/{iso_week(day)}"
            for day in (
                date.fromordinal(self.first_day.toordinal() + 7 * week)
                for week in range(self.weeks)
            )
        ]

    def write(self, path: Path) -> None:
        """Keep it, for its owner's eyes."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)


def read_plan(path: Path) -> Plan:
    """The plan in a file."""
    document = json.loads(path.read_text("utf-8"))
    doctors = tuple(Doctor(**doctor) for doctor in document.pop("doctors"))
    return Plan(doctors=doctors, **document)
