"""Registers a provider with opening hours, for all loads and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtests.wire.http_client import HttpClient

WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
WEEK = (*WORKDAYS, "saturday", "sunday")
HORIZON_DAYS = 60

Hours = Sequence[Mapping[str, str]]


class ProviderRefused(Exception):
    """The server refused a provider or its rules."""


def hours(opens: str, closes: str) -> Hours:
    """One opening of a day, ``09:00`` to ``17:00``."""
    return [{"opens": opens, "closes": closes}]


def opening_rules(
    visit_type: str,
    minutes: int,
    weekly: Mapping[str, Hours],
    *,
    exceptions: Mapping[str, Hours] | None = None,
    horizon_days: int = HORIZON_DAYS,
) -> dict[str, Any]:
    """The body of ``PUT …/availability``: one place in UTC, one visit type.

    Visits begin at multiples of ``minutes`` and can be booked without notice.
    ``weekly`` is by weekday, ``exceptions`` by date.
    """
    place = {"location_id": "loc_load", "time_zone": "UTC", "weekly": weekly}
    return {
        "locations": [{**place, "exceptions": exceptions or {}}],
        "visit_types": [
            {
                "visit_type": visit_type,
                "title": "Consultation",
                "minutes": minutes,
                "alignment": minutes,
                "horizon_days": horizon_days,
                "notice_minutes": 0,
            }
        ],
    }


async def register_provider(
    client: HttpClient, admin: str, provider: str, clinic: str, rules: dict[str, Any]
) -> None:
    """Create or update a provider with its clinic and rules; safe to repeat.

    ``admin`` is an administrator's token.

    Raises:
        ProviderRefused: the server refused the provider or its rules.
    """
    home = {"clinic_id": clinic, "name": clinic, "time_zone": "UTC"}
    profile = {"name": provider, "specialty": "general practice", "clinic": home}
    path = f"/v1/providers/{provider}"
    for where, what in ((path, profile), (f"{path}/availability", rules)):
        answer = await client.ask("PUT", where, what, token=admin)
        if answer.status not in (200, 201):
            raise ProviderRefused(f"PUT {where}: {answer.status} {answer.body!r}")
