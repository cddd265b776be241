"""Checks after a run: do calendars, acknowledgements and watchers' views agree?

Each check is a function of facts, so that a control can feed it false ones. The facts
are gathered over REST and by ``slotcast verify``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from loadtests.load.plan import Plan
from loadtests.wire.http_client import HttpClient
from loadtests.workload.region import run_slotcast

ACKNOWLEDGED = (
    "booking_id",
    "provider_id",
    "patient_id",
    "start",
    "status",
    "epoch",
    "version",
)
"""Fields kept of an acknowledged booking; the position last."""

Schedules = Mapping[str, Sequence[Mapping[str, Any]]]
"""Provider → bookings, as the provider's doctor sees them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: whether it holds, and the details."""

    name: str
    holds: bool
    sentence: str


def kept(name: str, sentence: str) -> Finding:
    """A finding that the invariant holds."""
    return Finding(name, holds=True, sentence=sentence)


def broken(name: str, sentence: str) -> Finding:
    """A finding that the invariant is broken."""
    return Finding(name, holds=False, sentence=sentence)


def no_slot_twice(schedules: Schedules) -> Finding:
    """No two live visits of one provider overlap."""
    overlaps, visits = [], 0
    for provider, bookings in schedules.items():
        spans = sorted(
            (datetime.fromisoformat(b["start"]), datetime.fromisoformat(b["end"]))
            for b in bookings
            if b["status"] != "cancelled"
        )
        visits += len(spans)
        overlaps += [
            f"{provider} at {after[0]}"
            for before, after in itertools.pairwise(spans)
            if before[1] > after[0]
        ]
    name = "no slot given twice"
    if overlaps:
        return broken(name, f"{len(overlaps)} visits overlap: {overlaps[0]}")
    return kept(name, f"{visits:,} visits, none overlap")


def acknowledged_stand(
    acknowledged: Iterable[Sequence[Any]],
    schedules: Schedules,
    doubts: Iterable[str] = (),
) -> Finding:
    """Every acknowledged booking exists as it was acknowledged.

    ``doubts`` are bookings with a later request that was never answered: they must
    exist, in any status.
    """
    there = {b["booking_id"]: b for rows in schedules.values() for b in rows}
    unsure = set(doubts)
    total, missing, different = 0, [], []
    for row in acknowledged:
        told = dict(zip(ACKNOWLEDGED, row, strict=True))
        total += 1
        found = there.get(told["booking_id"])
        if found is None:
            missing.append(told["booking_id"])
            continue
        fields = ["provider_id", "patient_id", "start"]
        fields += [] if told["booking_id"] in unsure else ["status"]
        for field in fields:
            if found[field] != told[field]:
                different.append(
                    f"{told['booking_id']} has {field} {found[field]}, "
                    f"{told[field]} was acknowledged"
                )
                break
    name = "every acknowledged booking exists"
    if missing or different:
        examples = "; ".join((missing + different)[:3])
        wrong = f"{len(missing)} missing, {len(different)} different of {total:,}"
        return broken(name, f"{wrong}: {examples}")
    return kept(name, f"all {total:,}")


def views_are_fresh(compared: Sequence[Mapping[str, Any]], processes: int) -> Finding:
    """Every watcher's last view equals a fresh read, in every process of Locust."""
    name = "every watcher's view equals a fresh read"
    if len(compared) < processes:
        wrong = f"{len(compared)} of {processes} processes compared their views"
        return broken(name, wrong)
    errors = [told["error"] for told in compared if "error" in told]
    if errors:
        return broken(name, str(errors[0]))
    views = sum(told["views"] for told in compared)
    differing = sum(told["differing"] for told in compared)
    if differing:
        example = next(told["examples"][0] for told in compared if told["examples"])
        return broken(name, f"{differing:,} of {views:,} differ: {example}")
    watchers = sum(told["watchers"] for told in compared)
    return kept(name, f"{views:,} views of {watchers:,} watchers")


def winners_are_slots(schedules: Schedules, slots: int) -> Finding:
    """A release had exactly as many winners as slots, all of them different people."""
    patients = [
        b["patient_id"]
        for bookings in schedules.values()
        for b in bookings
        if b["status"] != "cancelled"
    ]
    holds = len(patients) == slots == len(set(patients))
    people = f"{len(patients):,} bookings of {len(set(patients)):,} people"
    return Finding("exactly the winners", holds, f"{people} for {slots:,} slots")


def list_is_served(schedules: Schedules, told: Mapping[str, Any]) -> list[Finding]:
    """Given-up slots went to those who wait, one each, in the order of the list.

    ``told``: ``freed``, a list of provider and start; ``waits``, since when each
    patient waits; ``offered``, who was offered a slot; ``again``, who was after they
    had accepted one.
    """
    freed = {tuple(one) for one in told["freed"]}
    waits, offered = told["waits"], set(told["offered"])
    winners = [
        booking["patient_id"]
        for provider, bookings in schedules.items()
        for booking in bookings
        if (provider, booking["start"]) in freed and booking["status"] == "booked"
    ]
    others = [one for one in winners if one not in waits]
    name, count = "given-up slots go to who waits", f"{len(winners)} of {len(freed)}"
    found = [
        broken(name, f"{len(others)} to others, as {others[0]}")
        if others
        else Finding(name, bool(winners), f"{count} booked, none by others")
    ]
    name = "each patient gets one"
    twice = len(winners) - len(set(winners))
    found.append(Finding(name, twice == 0, f"{twice} got more than one"))
    again = len(told["again"])
    name = "who accepted is asked no more"
    found.append(Finding(name, again == 0, f"{again} were offered another slot"))
    # Who waits since the same millisecond has no order among them.
    name, order = "the order of the list is kept", sorted(offered, key=waits.get)
    last = waits[order[-1]] if order else 0
    passed = [one for one, since in waits.items() if since < last]
    skipped = [one for one in passed if one not in offered]
    sentence = f"{len(offered)} were offered a slot, {len(skipped)} were passed over"
    found.append(Finding(name, bool(order) and not skipped, sentence))
    return found


def nobody_stumbled(defects: Mapping[str, int]) -> Finding:
    """No simulated user raised an exception of the scenario's own code."""
    name = "the scenario ran without errors of its own"
    if defects:
        text, count = next(iter(defects.items()))
        return broken(name, f"{sum(defects.values()):,} exceptions: {count:,} × {text}")
    return kept(name, "no exception in any user's tasks")


def audit_is_clean(status: int, text: str) -> Finding:
    """``slotcast verify`` says that journal, memory and SQL agree."""
    name = "journal, memory and SQL agree"
    try:
        found = json.loads(text)
    except ValueError:
        return broken(name, f"slotcast verify: {text.strip()[:200]}")
    if status != 0:
        problems = "; ".join(found.get("problems", []))[:500]
        return broken(name, problems or "slotcast verify failed")
    counts = f"{found.get('bookings', 0):,} bookings, {found.get('events', 0):,} events"
    return kept(name, counts)


async def read_schedules(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Every doctor's bookings in the weeks of the run. Raises OSError."""
    client = HttpClient(plan.url, 8)
    first = plan.first_day - timedelta(days=1)
    last = first + timedelta(days=7 * plan.weeks + 2)
    schedules = {}
    try:
        for doctor in plan.doctors:
            schedules[doctor.provider_id] = await _schedule(
                client, doctor.provider_id, doctor.token, (first, last)
            )
    finally:
        await client.close()
    return schedules


async def _schedule(
    client: HttpClient, provider: str, token: str, days: tuple[date, date]
) -> list[dict[str, Any]]:
    path = f"/v1/providers/{provider}/schedule?from={days[0]}&to={days[1]}"
    answer = await client.ask("GET", path, token=token)
    if answer.status != 200:
        raise OSError(f"GET {path}: {answer.status} {answer.body[:200]!r}")
    return list(answer.json()["bookings"])


async def check(
    plan: Plan, facts: Mapping[str, Any], *, is_ours: bool
) -> list[Finding]:
    """All invariants of a run; its server must still be running. Raises OSError."""
    schedules = await read_schedules(plan)
    findings = [
        no_slot_twice(schedules),
        acknowledged_stand(facts["bookings"], schedules, facts["doubts"]),
        views_are_fresh(facts["compared"], plan.processes),
        nobody_stumbled(facts["defects"]),
    ]
    if plan.slots:
        findings.append(winners_are_slots(schedules, plan.slots))
    if plan.scenario == "waiting":
        findings += list_is_served(schedules, facts["notes"]["waiting"])
    if is_ours:
        findings.append(audit_is_clean(*await run_slotcast("verify", "--json")))
    return findings
