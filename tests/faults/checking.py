"""The one check in which every fault ends.

Journal, memory and read model agree (``slotcast verify``); every acknowledged booking
is there exactly once and where it was last acknowledged to be; no acknowledged
cancellation was undone; no patient has a booking that was refused to them;
each slot had one owner at a time, in an order that agrees with real time; and every
watcher ends at the page of a fresh look.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from loadtests.wire.http_client import ConnectionLost, HttpClient
from loadtests.wire.live_client import LiveWatcher
from loadtests.workload.history import FAIL, INFO, OK, History, Operation
from loadtests.workload.watchers import fresh
from loadtests.workload.workload import Watchers, Workload
from tests.faults.sites import Site
from tests.simulation.linearizability import NEVER, Step, explained

SETTLE_S = 60.0
"""How long after the last fault everything may take to agree."""
PROBLEMS_MAX = 40
FAILURE_CHARS = 600
"""Shown of an exception that the server logged."""
SPAN = (0, 1)
"""Slots do not overlap, so each is judged by itself and is all there is."""


@dataclass
class Findings:
    """What was found. No problem means that every promise was kept."""

    problems: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def note(self, problem: str) -> None:
        """Add a problem; the list is bounded."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def raise_if_any(self) -> None:
        """Fail a test with everything that was found."""
        assert not self.problems, "\n".join([*self.problems, str(self.numbers)])


@dataclass
class Fate:
    """What must or may be of a booking, by what its patient was told."""

    patient: str
    provider: str
    starts: set[str]
    """Where it may be: one, or more when a move was never answered."""
    cancelled: bool = False
    perhaps_cancelled: bool = False


# --- what the history alone says ------------------------------------------------------


def fates_of(operations: Iterable[Operation]) -> dict[str, Fate]:
    """Every acknowledged booking and what became of it."""
    fates: dict[str, Fate] = {}
    for one in operations:
        if one.kind in ("book", "confirm") and one.outcome == OK:
            booking = str(one.answer["booking_id"])
            fates[booking] = Fate(one.patient, one.provider, {one.start})
        elif one.kind == "cancel" and one.outcome in (OK, INFO):
            fates[one.subject].cancelled |= one.outcome == OK
            fates[one.subject].perhaps_cancelled |= one.outcome == INFO
        elif one.kind == "move" and one.outcome == OK:
            fates[one.subject].starts = {one.start}
        elif one.kind == "move" and one.outcome == INFO:
            fates[one.subject].starts.add(one.start)
    return fates


def steps_by_slot(
    operations: Iterable[Operation],
) -> dict[tuple[str, str], list[Step]]:
    """For each slot, what was heard of it, in order of asking."""
    found: dict[tuple[str, str], list[Step]] = defaultdict(list)
    where: dict[str, str] = {}
    for one in operations:
        sure = one.outcome == OK
        asked = int(one.invoked * 1e9)
        heard = int(one.done * 1e9) if one.done is not None and sure else NEVER
        for start, effect, name, instead in _effects(one, where):
            if effect == "taken":
                heard, sure = int((one.done or 0) * 1e9), True
            step = Step(asked, heard, effect, name, SPAN, sure, instead)
            found[one.provider, start].append(step)
    return found


def _effects(
    one: Operation, where: dict[str, str]
) -> Iterable[tuple[str, str, str, str]]:
    """(slot, effect, name, what it replaces) of an operation."""
    if one.outcome == FAIL:
        if one.code == "slot_unavailable":
            yield one.start, "taken", "", ""
        return
    if one.kind in ("book", "confirm"):
        booking = str(one.answer.get("booking_id", f"unknown {one.number}"))
        where[booking] = one.start
        yield one.start, "book", booking, one.subject
    elif one.kind == "hold":
        yield one.start, "hold", str(one.answer.get("hold_id", f"?{one.number}")), ""
    elif one.kind == "cancel":
        yield where[one.subject], "give", one.subject, ""
    else:
        yield where[one.subject], "give", one.subject, ""
        yield one.start, "book", one.subject, ""
        if one.outcome == OK:
            where[one.subject] = one.start


def judge_slots(history: History, findings: Findings) -> None:
    """One owner per slot: some order in real time explains all that was heard."""
    slots = steps_by_slot(history.operations)
    findings.numbers["slots"] = len(slots)
    for (provider, start), steps in slots.items():
        if not explained(steps):
            told = "; ".join(map(str, steps[:20]))
            findings.note(f"no order explains {provider} {start}: {told}")


def judge_order(history: History, findings: Findings) -> None:
    """What was asked after an answer has a later version, under no older epoch."""
    by_provider: dict[str, list[Operation]] = defaultdict(list)
    for one in history.operations:
        if one.outcome == OK:
            by_provider[one.provider].append(one)
    for provider, operations in by_provider.items():
        ended = sorted(operations, key=lambda one: one.done or 0.0, reverse=True)
        seen = (0, 0)
        for one in operations:
            while ended and (ended[-1].done or 0.0) < one.invoked:
                seen = max(seen, _position(ended.pop()))
            has = _position(one)
            if has[0] < seen[0] or has[1] <= seen[1]:
                findings.note(f"{provider} answered {has} after {seen}: {one}")


def _position(one: Operation) -> tuple[int, int]:
    return int(one.answer["epoch"]), int(one.answer["version"])


# --- what the site shows --------------------------------------------------------------


def judge_bookings(
    history: History,
    shown: Mapping[str, Sequence[Mapping[str, Any]]],
    findings: Findings,
) -> None:
    """``shown``: each provider's bookings as the doctor sees them."""
    rows = [row | {"of": who} for who, many in shown.items() for row in map(dict, many)]
    counted = Counter(str(row["booking_id"]) for row in rows)
    for booking, times in counted.items():
        if times > 1:
            findings.note(f"{booking} is there {times} times")
    by_id = {str(row["booking_id"]): row for row in rows}
    fates = fates_of(history.operations)
    findings.numbers["acknowledged bookings"] = len(fates)
    for booking, fate in fates.items():
        _judge_fate(booking, fate, by_id.get(booking), findings)
    _judge_strangers(history, by_id, fates, findings)
    for who, many in shown.items():
        spans = sorted((r["start"], r["end"]) for r in many if _stands(r))
        for (_, end), (start, _) in itertools.pairwise(spans):
            if end > start:
                findings.note(f"{who} has two visits at {start}")


def _stands(row: Mapping[str, Any]) -> bool:
    return bool(row["status"] != "cancelled")


def _judge_fate(
    booking: str, fate: Fate, row: Mapping[str, Any] | None, findings: Findings
) -> None:
    if row is None:
        if not (fate.cancelled or fate.perhaps_cancelled):
            findings.note(f"acknowledged and lost: {booking} of {fate}")
    elif fate.cancelled and _stands(row):
        findings.note(f"an acknowledged cancellation was undone: {booking} of {fate}")
    elif not _stands(row):
        if not (fate.cancelled or fate.perhaps_cancelled):
            findings.note(f"cancelled without a request: {booking} of {fate}")
    elif (row["of"], row["patient_id"]) != (fate.provider, fate.patient) or (
        row["start"] not in fate.starts
    ):
        findings.note(f"acknowledged as {fate}, but shown as {row}")


def _judge_strangers(
    history: History,
    by_id: Mapping[str, Mapping[str, Any]],
    fates: Mapping[str, Fate],
    findings: Findings,
) -> None:
    """An unacknowledged booking must be that of a wish without an answer."""
    open_wishes = Counter(
        (one.provider, one.patient, one.start)
        for one in history.operations
        if one.outcome == INFO and one.kind in ("book", "confirm")
    )
    findings.numbers["unanswered"] = sum(
        one.outcome == INFO for one in history.operations
    )
    for booking in by_id.keys() - fates.keys():
        row = by_id[booking]
        wish = (row["of"], row["patient_id"], row["start"])
        if not _stands(row):
            continue
        if open_wishes[wish] <= 0:
            findings.note(f"a booking without an answer or a wish: {row}")
        open_wishes[wish] -= 1


async def schedules(site: Site, work: Workload) -> dict[str, list[dict[str, Any]]]:
    """Each provider's bookings over the days of the workload."""
    first = (work.first - timedelta(days=1)).date()
    last = (work.first + timedelta(days=work.plan.days + 1)).date()
    found: dict[str, list[dict[str, Any]]] = {}
    client = HttpClient(site.urls[0], 4)
    signed = site.tokens("doctor", work.plan.doctors)
    for doctor in work.plan.doctors:
        path = f"/v1/providers/{doctor}/schedule?from={first}&to={last}"
        answer = await _patiently(client, path, signed[doctor])
        found[doctor] = answer["bookings"]
    await client.close()
    return found


async def _patiently(client: HttpClient, path: str, token: str) -> Any:
    """An answer with 200, asked for until there is one."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + SETTLE_S
    told = ""
    while loop.time() < give_up:
        try:
            answer = await client.ask("GET", path, token=token)
        except ConnectionLost as error:
            told = str(error)
        else:
            if answer.status == 200:
                return answer.json()
            told = f"{answer.status} {answer.body[:300]!r}"
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} was not answered in {SETTLE_S:.0f} s: {told}")


async def judge_watchers(site: Site, watchers: Watchers, findings: Findings) -> None:
    """Every view equals a fresh snapshot, after a time to settle."""
    client = HttpClient(site.urls[0], 4)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + SETTLE_S
    while True:
        try:
            differing = [await _differing(client, one) for one in watchers.watchers]
        except ConnectionLost as error:
            differing = [[f"(no fresh look: {error})"]]
        if not any(differing) or loop.time() > give_up:
            break
        await asyncio.sleep(0.2)
    await client.close()
    for number, topics in enumerate(differing):
        if topics:
            findings.note(f"watcher {number} differs from a fresh look at {topics}")
    findings.numbers["deltas"] = watchers.deltas
    findings.numbers["reconnects"] = watchers.reconnects


async def _differing(client: HttpClient, one: LiveWatcher) -> list[str]:
    views = one.watched.topics
    return [t for t, view in views.items() if view.slots != await fresh(client, t)]


async def judge_site(site: Site, findings: Findings) -> None:
    """``slotcast verify`` finds journal, memory and read model in agreement."""
    try:
        done = await asyncio.to_thread(site.slotcast, "verify", "--json")
    except subprocess.TimeoutExpired as error:
        lag = await asyncio.to_thread(site.slotcast, "projection", "status", "--json")
        findings.note(f"slotcast verify did not end in {error.timeout:.0f} s")
        findings.note(f"projection status: {(lag.stdout + lag.stderr)[-1500:]}")
        return
    try:
        verdict = json.loads(done.stdout)
    except ValueError:
        findings.note(f"slotcast verify failed: {(done.stdout + done.stderr)[-600:]}")
        return
    for problem in verdict["problems"]:
        findings.note(f"verify: {problem}")
    if not verdict["agree"] and not verdict["problems"]:
        findings.note("verify: they disagree")
    for name in ("events", "bookings", "shards"):
        findings.numbers[f"verified {name}"] = verdict[name]


async def check(site: Site, work: Workload, watchers: Watchers) -> Findings:
    """All of it, once the load has stopped."""
    findings = Findings()
    history = work.history
    findings.numbers["operations"] = len(history.operations)
    for complaint in history.complaints:
        findings.note(complaint)
    await judge_watchers(site, watchers, findings)
    judge_bookings(history, await schedules(site, work), findings)
    await asyncio.to_thread(judge_slots, history, findings)
    judge_order(history, findings)
    await judge_site(site, findings)
    if findings.problems:
        for end in failures_logged(Path(site.settings["SLOTCAST_DATA"]) / "logs"):
            findings.note(f"logged: {end}")
    return findings


def failures_logged(folder: Path) -> list[str]:
    """The ends of the exceptions behind answers 500, each once."""
    ends: dict[str, None] = {}
    for file in sorted(folder.glob("server*.log")):
        for line in file.read_text(errors="replace").splitlines():
            if '"request failed"' in line:
                ends[json.loads(line)["exception"][-FAILURE_CHARS:]] = None
    return list(ends)
