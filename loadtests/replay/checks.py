"""Checks after a replay: do the server, its journal and its SQL agree?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from loadtests.workload.region import run_slotcast

if TYPE_CHECKING:
    from loadtests.replay.replay import Journey, Replay
    from loadtests.workload.watchers import Watch

PATIENTS_SAMPLED = 200


async def check_everything(
    replay: Replay, journeys: Sequence[Journey], watch: Watch
) -> None:
    """Run all checks and put their findings into the report."""
    report = replay.report
    schedules = await _schedules(replay, journeys)
    report.checks["acknowledged bookings stand"] = _standing(journeys, schedules)
    report.checks["no slot given twice"] = _overlaps(schedules)
    report.checks["patients see their bookings"] = await _patients(replay, journeys)
    report.checks["journal, memory and SQL agree"] = await _verified()
    report.live = watch.counts()
    if watch.enabled:
        differing = await watch.differences(replay.client)
        report.checks["watchers converge"] = (
            "ok" if differing == 0 else f"{differing} topics differ from a fresh read"
        )


async def _schedules(
    replay: Replay, journeys: Sequence[Journey]
) -> dict[str, list[dict[str, Any]]]:
    """Each provider's bookings over the replay's days, as the doctor sees them."""
    days = [journey.day for journey in journeys]
    first, last = min(days) - timedelta(days=2), max(days) + timedelta(days=2)
    found = {}
    for provider in replay.region.providers:
        path = f"/v1/providers/{provider.provider_id}/schedule?from={first}&to={last}"
        token = replay.doctors[provider.provider_id]
        answer = await replay.ask("schedule", "GET", path, None, token=token)
        content = answer.json() if answer.status == 200 else {}
        found[provider.provider_id] = list(content.get("bookings", []))
    return found


def _standing(
    journeys: Sequence[Journey], schedules: dict[str, list[dict[str, Any]]]
) -> str:
    """Every acknowledged visit exists, at its time and with its last status."""
    known = {b["booking_id"]: b for bookings in schedules.values() for b in bookings}
    missing = wrong = 0
    for journey in journeys:
        if (booked := journey.booked) is None:
            continue
        there = known.get(booked.booking_id)
        if there is None:
            missing += 1
        else:
            wrong += (there["start"], there["status"], there["patient_id"]) != (
                booked.start,
                booked.status,
                f"pat_{booked.visit.patient}",
            )
    total = sum(journey.booked is not None for journey in journeys)
    if missing or wrong:
        return f"{missing} missing and {wrong} different of {total}"
    return f"ok, all {total:,}"


def _overlaps(schedules: dict[str, list[dict[str, Any]]]) -> str:
    """No two live visits of one provider overlap."""
    overlaps = 0
    for bookings in schedules.values():
        spans = sorted(
            (datetime.fromisoformat(b["start"]), datetime.fromisoformat(b["end"]))
            for b in bookings
            if b["status"] != "cancelled"
        )
        overlaps += sum(a[1] > b[0] for a, b in itertools.pairwise(spans))
    return "ok" if overlaps == 0 else f"{overlaps} visits overlap"


async def _patients(replay: Replay, journeys: Sequence[Journey]) -> str:
    """A sample of patients find their bookings in their own lists, read from SQL."""
    booked = [journey.booked for journey in journeys if journey.booked is not None]
    step = max(1, len(booked) // PATIENTS_SAMPLED)
    missing = 0
    for one in booked[::step]:
        # Dates are the clinic's, start is UTC: allow a day more on either side.
        day = datetime.fromisoformat(one.start[:10])
        before = (day - timedelta(days=1)).date()
        after = (day + timedelta(days=2)).date()
        token = replay.patients[f"pat_{one.visit.patient}"]
        path = f"/v1/bookings?from={before}&to={after}&limit=200"
        answer = await replay.ask("list", "GET", path, None, token=token)
        items = (answer.json() or {}).get("items", []) if answer.status == 200 else []
        missing += one.booking_id not in {item["booking_id"] for item in items}
    total = len(booked[::step])
    return f"ok, {total} asked" if missing == 0 else f"{missing} of {total} miss some"


async def _verified() -> str:
    """The finding of ``slotcast verify``: journal, calendars and SQL agree."""
    status, text = await run_slotcast("verify", "--json")
    try:
        found = json.loads(text)
    except ValueError:
        return f"slotcast verify failed: {text.strip()[:200]}"
    if status != 0:
        return "; ".join(found.get("problems", []))[:500] or "slotcast verify failed"
    return (
        f"ok, {found.get('bookings', 0):,} bookings, {found.get('events', 0):,} events"
    )
