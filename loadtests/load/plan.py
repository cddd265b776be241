"""The plan of a run: made before it, read by every Locust process.

It holds tokens, so only its owner can read the file.
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
"""Environment variable with the plan's file, for Locust's processes."""
FACTS_VARIABLE = "SLOTCAST_LOAD_FACTS"
"""Environment variable with the file that the master writes the facts to."""


@dataclass(frozen=True, slots=True)
class Doctor:
    """A provider of the practice."""

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
    """Patient → token."""
    visit_type: str
    monday: str
    """First day of the booked weeks, in UTC, the practice's zone."""
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
        """The live topics of the provider's weeks."""
        return [
            f"slots/{provider_id}/{self.visit_type}/{iso_week(day)}"
            for day in (
                date.fromordinal(self.first_day.toordinal() + 7 * week)
                for week in range(self.weeks)
            )
        ]

    def write(self, path: Path) -> None:
        """Write the plan to a file that only its owner can read."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)


def read_plan(path: Path) -> Plan:
    """Read the plan from a file."""
    document = json.loads(path.read_text("utf-8"))
    doctors = tuple(Doctor(**doctor) for doctor in document.pop("doctors"))
    return Plan(doctors=doctors, **document)
