"""The size of a workload, and the practice that it books."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from loadtests.wire.http_client import HttpClient
from loadtests.workload.providers import (
    WEEK,
    hours,
    opening_rules,
    register_provider,
)

SLOT_MINUTES = 5
VISIT_TYPE = "quick"


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of the load: patients, providers, rates and patience."""

    providers: int = 12
    patients: int = 24
    days: int = 5
    first_day: int = 2
    """Days from now to the first bookable day."""
    rate: float = 150.0
    """Operations per second, all patients together."""
    seed: int = 1
    prefix: str = "wrk"
    give_up_s: float = 60.0
    """Seconds for which an operation is retried before its outcome stays unknown."""
    timeout_s: float = 12.0
    """Seconds that one attempt waits for its answer."""

    def provider(self, number: int) -> str:
        """The id of a provider."""
        return f"prv_{self.prefix}{number:03d}"

    def patient(self, number: int) -> str:
        """The id of a patient."""
        return f"pat_{self.prefix}{number:03d}"

    @property
    def people(self) -> list[str]:
        """All patients."""
        return [self.patient(number) for number in range(self.patients)]

    @property
    def doctors(self) -> list[str]:
        """All providers."""
        return [self.provider(number) for number in range(self.providers)]


async def register(url: str, plan: Plan, admin: str) -> None:
    """Register providers open all day with five-minute visits; safe to repeat."""
    client = HttpClient(url, 8)
    all_day = dict.fromkeys(WEEK, hours("00:00", "24:00"))
    rules = opening_rules(VISIT_TYPE, SLOT_MINUTES, all_day)
    clinic = f"cln_{plan.prefix}"
    await asyncio.gather(
        *(register_provider(client, admin, one, clinic, rules) for one in plan.doctors)
    )
    await client.close()
