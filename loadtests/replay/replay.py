"""Replay a booking trace against a running server, and check the outcome.

    python -m loadtests.replay FILE [--url http://127.0.0.1:8000] [--speed-up 0]

Neighbourhoods become clinics; past days become future days of the same weekday.
Each row searches free slots, holds one, books it, and on its day checks in and
completes, or is marked a no-show, as the trace says. ``--speed-up 100000`` lets a day
of the trace pass in 0.9 s; 0 goes as fast as the server answers. Requests to a server
that restarts in between are repeated with the same keys.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from loadtests.replay.checks import check_everything
from loadtests.replay.report import Report
from loadtests.replay.trace import NotATrace, Visit, read, shift_to
from loadtests.wire.arguments import positive
from loadtests.wire.http_client import ConnectionLost, HttpClient, Response
from loadtests.workload.region import Provider, Region, RegionUnusable, discover, tokens
from loadtests.workload.watchers import Watch

TRY_SLOTS_MAX = 6
"""Slots tried at one provider before the next provider."""
TRY_PROVIDERS_MAX = 24
CHOICE_MAX = 8
"""A patient picks among this many of the soonest free slots, so few collide."""


@dataclass(slots=True)
class Booked:
    """A visit that the server acknowledged."""

    visit: Visit
    provider: Provider
    booking_id: str
    start: str
    status: str = "booked"


@dataclass(slots=True)
class Journey:
    """One row of the trace, from search to outcome."""

    visit: Visit
    day: date
    done: asyncio.Event = field(default_factory=asyncio.Event)
    booked: Booked | None = None


class Replay:
    """All journeys of a trace against one server."""

    def __init__(self, client: HttpClient, region: Region, run: str) -> None:
        self.client = client
        self.region = region
        self.run = run
        self.report = Report()
        self.patients: dict[str, str] = {}
        self.doctors: dict[str, str] = {}
        self.homes: dict[str, str] = {}
        self.full: set[tuple[str, date]] = set()
        """Providers and days that are full, for good: a trace has no cancellations."""
        self.dice = random.Random(run)
        self.patience_s = 120.0

    async def sign_in(self, visits: Sequence[Visit]) -> None:
        """Tokens for all patients and providers of the trace."""
        self.homes = self.region.homes(visit.place for visit in visits)
        people = sorted({f"pat_{visit.patient}" for visit in visits})
        self.patients = await tokens("patient", people)
        self.doctors = await tokens(
            "doctor", [provider.provider_id for provider in self.region.providers]
        )

    async def ask(
        self, kind: str, method: str, path: str, body: Any, *, token: str, key: str = ""
    ) -> Response:
        """Repeat a request with the same key until it is answered."""
        give_up = time.monotonic() + self.patience_s
        pause = 0.05
        while True:
            try:
                answer = await self.client.ask(method, path, body, token=token, key=key)
            except ConnectionLost:
                self.report.lost_connections += 1
                if time.monotonic() > give_up:
                    raise
            else:
                self.report.took(kind, answer.seconds)
                if answer.status not in (429, 503) or time.monotonic() > give_up:
                    return answer
            self.report.retries += 1
            await asyncio.sleep(pause * self.dice.uniform(0.5, 1.5))
            pause = min(2.0, pause * 2)

    async def book(self, journey: Journey) -> None:
        """Search, hold and book one visit; the outcome goes to the report."""
        try:
            end = await self._book(journey)
        except ConnectionLost:
            end = "no_answer"
        self.report.ends[end] += 1
        journey.done.set()

    async def _book(self, journey: Journey) -> str:
        visit = journey.visit
        home = self.region.clinics[self.homes[visit.place]]
        turn = int(visit.number[-4:]) if visit.number[-4:].isdigit() else 0
        turn %= len(home)
        others = [p for p in self.region.providers if p.clinic_id != home[0].clinic_id]
        self.dice.shuffle(others)
        candidates = [*home[turn:], *home[:turn], *others][:TRY_PROVIDERS_MAX]
        attempt = 0
        for provider in candidates:
            if (provider.provider_id, journey.day) in self.full:
                continue
            free = await self._free(visit, provider, journey.day)
            if not free:
                self.full.add((provider.provider_id, journey.day))
            for _ in range(TRY_SLOTS_MAX):
                if not free:
                    break
                start = free.pop(self.dice.randrange(min(CHOICE_MAX, len(free))))
                attempt += 1
                end = await self._take(journey, provider, start, attempt)
                if end == "booked":
                    self.report.elsewhere += provider.clinic_id != home[0].clinic_id
                    return end
                self.report.refusals[end] += 1
                if end not in ("slot_unavailable", "slot_not_offered", "hold_expired"):
                    return end
        return "no_free_slot"

    async def _free(self, visit: Visit, provider: Provider, day: date) -> list[str]:
        path = (
            f"/v1/providers/{provider.provider_id}/slots"
            f"?visit_type={provider.visit_type}&from={day}&to={day}"
        )
        token = self.patients[f"pat_{visit.patient}"]
        answer = await self.ask("search", "GET", path, None, token=token)
        if answer.status != 200:
            self.report.refusals[answer.code] += 1
            return []
        slots = answer.json()["slots"]
        return [slot["start"] for slot in slots if slot["state"] == "free"]

    async def _take(
        self, journey: Journey, provider: Provider, start: str, attempt: int
    ) -> str:
        visit = journey.visit
        token = self.patients[f"pat_{visit.patient}"]
        key = f"{self.run}-{visit.number}-{attempt}"
        wanted = {
            "provider_id": provider.provider_id,
            "visit_type": provider.visit_type,
            "start": start,
        }
        held = await self.ask(
            "hold", "POST", "/v1/holds", wanted, token=token, key=f"{key}-hold"
        )
        if held.status != 201:
            return held.code
        hold = {"hold_id": held.json()["hold_id"]}
        made = await self.ask(
            "book", "POST", "/v1/bookings", hold, token=token, key=f"{key}-book"
        )
        if made.status != 201:
            return made.code
        booking = made.json()
        journey.booked = Booked(
            visit, provider, booking["booking_id"], booking["start"]
        )
        return "booked"

    async def finish(self, journey: Journey) -> None:
        """Check in and complete the visit, or mark a no-show, as the trace says."""
        await journey.done.wait()
        booked = journey.booked
        if booked is None:
            return
        steps = ["check-in", "complete"] if booked.visit.showed else ["no-show"]
        token = self.doctors[booked.provider.provider_id]
        for step in steps:
            path = f"/v1/bookings/{booked.booking_id}/{step}"
            key = f"{self.run}-{booked.visit.number}-{step}"
            try:
                answer = await self.ask(step, "POST", path, {}, token=token, key=key)
            except ConnectionLost:
                self.report.outcomes[f"{step}: no_answer"] += 1
                return
            if answer.status != 200:
                self.report.outcomes[f"{step}: {answer.code}"] += 1
                return
            booked.status = answer.json()["status"]
        self.report.outcomes[booked.status] += 1


def timeline(journeys: Sequence[Journey]) -> list[tuple[datetime, bool, Journey]]:
    """When each journey is booked (False) and finished (True), in order."""
    events = []
    for journey in journeys:
        visit = journey.visit
        noon = datetime.combine(visit.day, datetime.min.time(), UTC) + timedelta(
            hours=12
        )
        events.append((visit.booked_at, False, journey))
        events.append((max(noon, visit.booked_at), True, journey))
    events.sort(key=lambda event: (event[0], event[1], event[2].visit.line))
    return events


async def play(
    replay: Replay, journeys: Sequence[Journey], *, speed_up: float, workers: int
) -> None:
    """Play the trace ``speed_up`` times as fast as it was; 0: without pauses."""
    events = timeline(journeys)
    queue: asyncio.Queue[tuple[bool, Journey] | None] = asyncio.Queue(2 * workers)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, refresh_per_second=4) as progress:
        bar = progress.add_task("visits", total=len(journeys))

        async def work() -> None:
            while (item := await queue.get()) is not None:
                finishing, journey = item
                if finishing:
                    await replay.finish(journey)
                else:
                    await replay.book(journey)
                    progress.update(
                        bar,
                        advance=1,
                        description=f"visits, {journey.visit.booked_at:%Y-%m-%d}",
                    )

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
            for at, finishing, journey in events:
                if speed_up > 0:
                    due = (at - events[0][0]).total_seconds() / speed_up
                    await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                await queue.put((finishing, journey))
            for _ in range(workers):
                await queue.put(None)
        replay.report.wall_seconds = time.monotonic() - began


async def run(options: argparse.Namespace) -> Report:
    """The whole replay: read the trace, map it to providers, play it, check."""
    visits, bad = read(options.file, options.limit)
    for row in bad[:20]:
        print(f"line {row.line}: {row.reason}", file=sys.stderr)
    client = HttpClient(options.url, options.workers)
    try:
        region = await discover(client)
        name = options.run or f"replay-{int(time.time())}"
        replay = Replay(client, region, name)
        replay.patience_s = options.patience
        replay.report.rows = len(visits) + len(bad)
        replay.report.bad_rows = len(bad)
        if not visits:
            return replay.report
        first = options.first_day or (datetime.now(UTC).date() + timedelta(days=2))
        shift = shift_to(visits, first)
        await replay.sign_in(visits)
        journeys = [Journey(visit, visit.day + shift) for visit in visits]
        days = sorted({journey.day for journey in journeys})
        print(
            f"{len(visits):,} visits from {days[0]} to {days[-1]}, "
            f"{len(replay.homes)} places at {len(region.clinics)} clinics, "
            f"{len(region.providers)} providers"
        )
        async with Watch(options.url, region, days, enabled=options.watch) as watch:
            await play(
                replay, journeys, speed_up=options.speed_up, workers=options.workers
            )
            await check_everything(replay, journeys, watch)
        return replay.report
    finally:
        await client.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay a trace; 0 when every row is accounted for and every check holds."""
    parser = argparse.ArgumentParser(prog="loadtests.replay", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--data", default="", help="the server's data folder")
    parser.add_argument("--speed-up", type=float, default=0.0)
    parser.add_argument("--workers", type=positive, default=32)
    parser.add_argument("--limit", type=positive, default=None, help="rows at most")
    parser.add_argument("--first-day", type=date.fromisoformat, default=None)
    parser.add_argument(
        "--run", default="", help="prefix of keys; the same prefix retries a run"
    )
    parser.add_argument("--patience", type=float, default=120.0, help="seconds")
    parser.add_argument("--no-watch", dest="watch", action="store_false")
    parser.add_argument(
        "--report",
        type=Path,
        default=None,
        help="write the report to this file as JSON",
    )
    options = parser.parse_args(arguments)
    if options.data:  # where the slotcast command finds the signing key
        os.environ["SLOTCAST_DATA"] = options.data
    try:
        report = asyncio.run(run(options))
    except (NotATrace, OSError, RegionUnusable, ConnectionLost, RuntimeError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    print(report.text())
    if options.report is not None:
        options.report.write_text(json.dumps(report.document(), indent=2) + "\n")
    return 0 if report.passed else 1
