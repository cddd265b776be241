"""The practice of a run: its doctors, their hours, and all tokens."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from loadtests.load.plan import Doctor, Plan
from loadtests.load.scenarios import Scenario
from loadtests.wire.http_client import HttpClient
from loadtests.workload.providers import (
    WORKDAYS,
    hours,
    opening_rules,
    register_provider,
)
from loadtests.workload.region import tokens

PER_CLINIC = 10
VISIT_TYPE = "consult"
MINUTES = 15
"""Minutes of a visit; visits in released slots take a third of it."""
RELEASED_MINUTES = 5
OPENS, OPENS_RELEASED = "09:00", 8 * 60
WEEKS = 2


def rules(visit_type: str, monday: date, slots: int | None = None) -> dict[str, Any]:
    """Opening rules: nine to five on workdays.

    Or a number of slots on a single day.
    """
    if slots is None:
        workdays = dict.fromkeys(WORKDAYS, hours(OPENS, "17:00"))
        return opening_rules(visit_type, MINUTES, workdays)
    end = OPENS_RELEASED + slots * RELEASED_MINUTES
    released = hours(_clock(OPENS_RELEASED), _clock(end))
    exceptions = {str(monday): released} if slots else {}
    return opening_rules(visit_type, RELEASED_MINUTES, {}, exceptions=exceptions)


def opened_starts(plan: Plan) -> list[str]:
    """The starts of the slots that a release opens."""
    first = datetime.combine(plan.first_day, datetime.min.time(), UTC)
    minutes = (
        OPENS_RELEASED + number * RELEASED_MINUTES for number in range(plan.slots)
    )
    return [
        (first + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for minute in minutes
    ]


def _clock(minute: int) -> str:
    if minute > 24 * 60:
        raise ValueError("the slots do not fit into a day")
    return f"{minute // 60:02d}:{minute % 60:02d}"


def next_monday(today: date) -> date:
    """The first Monday that is at least two days away."""
    ahead = today + timedelta(days=2)
    return ahead + timedelta(days=-ahead.weekday() % 7)


async def prepare(url: str, scenario: Scenario, wanted: dict[str, Any]) -> Plan:
    """Create the practice on the server, and the plan for the run.

    ``wanted`` has users, seconds, processes, slots and seed. Safe to repeat on the
    same server, since ids contain the seed.

    Raises:
        ProviderRefused: the server refused a provider.
    """
    monday = next_monday(datetime.now(UTC).date())
    mark = f"load{wanted['seed']}"
    providers = [f"prv_{mark}_{n:04d}" for n in range(scenario.providers)]
    clinics = [f"cln_{mark}_{n // PER_CLINIC:03d}" for n in range(scenario.providers)]
    people = [f"pat_{mark}_{n:06d}" for n in range(wanted["users"])]
    admin = (await tokens("admin", ["adm_load"]))["adm_load"]
    doctors = await tokens("doctor", providers)
    staff = await tokens("clinic_admin", sorted(set(clinics)))
    patients = await tokens("patient", people)
    slots = 0 if scenario.slots else None
    opened = rules(VISIT_TYPE, monday, slots)
    client = HttpClient(url, 16)
    try:
        await asyncio.gather(
            *(
                register_provider(client, admin, provider, clinic, opened)
                for provider, clinic in zip(providers, clinics, strict=True)
            )
        )
    finally:
        await client.close()
    return Plan(
        scenario=scenario.name,
        url=url,
        doctors=tuple(
            Doctor(provider, clinic, doctors[provider], staff[clinic])
            for provider, clinic in zip(providers, clinics, strict=True)
        ),
        patients=patients,
        visit_type=VISIT_TYPE,
        monday=str(monday),
        weeks=1 if scenario.slots else WEEKS,
        **wanted,
    )
