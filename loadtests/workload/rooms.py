"""Visits that take a doctor, a room and a device: booked, moved, cancelled at a rate.

Every request has an idempotency key and is repeated, at the next gateway, until it is
answered. ``audit`` then compares what people were told with the calendars, by REST
alone: nothing lost, all or none, no time given twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from loadtests.histogram import percentiles
from loadtests.wire.http_client import ConnectionLost, HttpClient
from loadtests.workload.providers import (
    WEEK,
    ProviderRefused,
    hours,
    opening_rules,
    register_provider,
)

KIND, MINUTES = "scan", 10
KINDS = ("room", "equipment")
AGAIN = (429, 502, 503, 504)
"""Nothing happened, or the outcome is unknown: the request is repeated."""
PATIENCE_S = 60.0
"""How long a request is repeated; then its outcome is unknown, which is a finding."""
TIMEOUT_S = 12.0
CONNECTIONS = 96
CANCELS, MOVES = 0.3, 0.1
"""Shares of the requests; all others book."""


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """The size of the load. Each clinic has fewer rooms and devices than doctors."""

    clinics: int = 4
    doctors: int = 4
    """Of each clinic."""
    rooms: int = 3
    """Of each clinic, and as many devices."""
    days: int = 6
    patients: int = 64
    rate: float = 200.0
    """Requests a second."""
    seed: int = 1

    @property
    def people(self) -> list[str]:
        """All patients."""
        return [f"pat_rooms{number:03d}" for number in range(self.patients)]

    def clinic(self, number: int) -> str:
        """The id of a clinic."""
        return f"cln_rooms{number:02d}"

    def doctors_of(self, clinic: int) -> list[str]:
        """The ids of a clinic's doctors."""
        return [f"prv_rooms{clinic:02d}{n:02d}" for n in range(self.doctors)]

    @property
    def starts(self) -> list[str]:
        """Every start of a visit, from the day after tomorrow on."""
        first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first += timedelta(days=2)
        return [
            (first + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            for minute in range(0, self.days * 24 * 60, MINUTES)
        ]


@dataclass(slots=True)
class Visit:
    """A visit that was acknowledged, where it is, and whether it stands."""

    doctor: str
    start: str
    patient: str
    is_cancelled: bool = False


@dataclass(slots=True)
class Told:
    """What people were told."""

    visits: dict[str, Visit] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    """Acknowledged requests by kind."""
    refused: Counter[str] = field(default_factory=Counter)
    """Refusals by code."""
    repeated: int = 0
    seconds: list[float] = field(default_factory=list)
    """From the first attempt to the answer, of acknowledged requests."""
    problems: list[str] = field(default_factory=list)
    ran_s: float = 0.0

    def figures(self) -> dict[str, Any]:
        """The figures of a run."""
        done = sum(self.done.values())
        return {
            "ran_s": round(self.ran_s, 1),
            "done": dict(self.done),
            "done_per_s": round(done / self.ran_s, 1) if self.ran_s else 0.0,
            "asked_per_s": round(
                (done + self.refused.total()) / self.ran_s if self.ran_s else 0.0, 1
            ),
            "refused": dict(self.refused),
            "repeated": self.repeated,
            "ms": percentiles(self.seconds),
        }


class RoomLoad:
    """People who book such visits through all gateways. ``close`` it."""

    def __init__(self, urls: Sequence[str], plan: RoomPlan, admin: str) -> None:
        """``admin`` is an administrator's token."""
        self.plan = plan
        self.told = Told()
        self.resources: dict[str, tuple[str, str]] = {}
        """Room or device to its clinic and kind."""
        self._admin = admin
        self._clients = [HttpClient(url, CONNECTIONS, TIMEOUT_S) for url in urls]
        self._dice = random.Random(plan.seed)
        self._tokens: Mapping[str, str] = {}
        self._starts = plan.starts
        self._free: list[str] = []
        """Standing visits that no request is about."""
        self._numbers = 0

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()

    # --- the practices -------------------------------------------------------------

    async def open(self) -> None:
        """Register clinics, doctors, rooms and devices. Raises ProviderRefused."""
        plan, client = self.plan, self._clients[0]
        rules = opening_rules(
            KIND, MINUTES, dict.fromkeys(WEEK, hours("00:00", "24:00"))
        )
        rules["visit_types"][0]["needs"] = [{"kind": kind} for kind in KINDS]
        for number in range(plan.clinics):
            clinic = plan.clinic(number)
            for doctor in plan.doctors_of(number):
                await register_provider(client, self._admin, doctor, clinic, rules)
            for place in range(plan.rooms):
                for kind in KINDS:
                    await self._add(clinic, kind, place)

    async def _add(self, clinic: str, kind: str, place: int) -> None:
        path = f"/v1/clinics/{clinic}/resources"
        body = {"kind": kind, "name": f"{kind} {place}"}
        made = await self._ask(
            "POST", path, body, self._admin, f"{clinic}{kind}{place}"
        )
        name = str(made["resource_id"])
        rules = opening_rules(
            KIND, MINUTES, dict.fromkeys(WEEK, hours("00:00", "24:00"))
        )
        rules["visit_types"] = []
        path = f"/v1/providers/{name}/availability"
        await self._ask("PUT", path, rules, self._admin)
        self.resources[name] = (clinic, kind)

    async def _ask(
        self, method: str, path: str, body: Any, token: str, key: str = ""
    ) -> Any:
        """An answer that must come: of preparations and of the audit."""
        until = time.monotonic() + PATIENCE_S
        said = ""
        while time.monotonic() < until:
            for client in self._clients:
                try:
                    answer = await client.ask(method, path, body, token=token, key=key)
                except ConnectionLost as lost:
                    said = str(lost)
                    continue
                if answer.status < 300:
                    return answer.json()
                said = f"{answer.status} {answer.body[:200]!r}"
            await asyncio.sleep(0.2)
        raise ProviderRefused(f"{method} {path}: {said}")

    # --- the people ----------------------------------------------------------------

    async def run(
        self, tokens: Mapping[str, str], seconds: float, stop: asyncio.Event
    ) -> None:
        """Ask at the plan's rate, for so long or until ``stop``; then all is answered.

        ``tokens``: of the plan's people.
        """
        self._tokens = tokens
        asked: set[asyncio.Task[None]] = set()
        began = due = time.monotonic()
        while not stop.is_set() and due - began < seconds:
            room = CONNECTIONS * len(self._clients) - len(asked)
            if room > 0:
                task = asyncio.create_task(self._one())
                asked.add(task)
                task.add_done_callback(asked.discard)
            due += 1 / self.plan.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        self.told.ran_s = time.monotonic() - began
        await asyncio.gather(*asked)

    async def _one(self) -> None:
        choice = self._dice.random()
        if self._free and choice < CANCELS + MOVES:
            name = self._free.pop(self._dice.randrange(len(self._free)))
            if choice < CANCELS:
                await self._cancel(name)
            else:
                await self._move(name)
        else:
            await self._book()

    async def _book(self) -> None:
        patient = self._dice.choice(self.plan.people)
        clinic = self._dice.randrange(self.plan.clinics)
        doctor = self._dice.choice(self.plan.doctors_of(clinic))
        start = self._dice.choice(self._starts)
        body = {"provider_id": doctor, "visit_type": KIND, "start": start}
        made = await self._insist("book", "/v1/bookings", body, patient)
        if made is not None:
            name = str(made["booking_id"])
            if name in self.told.visits:
                self.told.problems.append(f"{name} was booked twice")
            self.told.visits[name] = Visit(doctor, start, patient)
            self._free.append(name)

    async def _cancel(self, name: str) -> None:
        visit = self.told.visits[name]
        path = f"/v1/bookings/{name}/cancel"
        if await self._insist("cancel", path, {}, visit.patient) is not None:
            visit.is_cancelled = True

    async def _move(self, name: str) -> None:
        visit = self.told.visits[name]
        start = self._dice.choice(self._starts)
        path = f"/v1/bookings/{name}/reschedule"
        made = await self._insist("move", path, {"start": start}, visit.patient)
        if made is not None:
            visit.start = start
        self._free.append(name)

    async def _insist(
        self, kind: str, path: str, body: Mapping[str, object], patient: str
    ) -> Any:
        """What was acknowledged; None: refused. Repeated until it is answered."""
        self._numbers += 1
        key, turn = f"rooms-{self.plan.seed}-{self._numbers}", self._numbers
        began = time.monotonic()
        said = ""
        while time.monotonic() < began + PATIENCE_S:
            client = self._clients[turn % len(self._clients)]
            turn += 1
            try:
                answer = await client.ask(
                    "POST", path, body, token=self._tokens[patient], key=key
                )
            except ConnectionLost as lost:
                said = str(lost)
            else:
                if answer.status < 300:
                    self.told.done[kind] += 1
                    self.told.seconds.append(time.monotonic() - began)
                    return answer.json()
                if answer.status not in AGAIN:
                    self.told.refused[answer.code] += 1
                    return None
                said = answer.code
            self.told.repeated += 1
            await asyncio.sleep(self._dice.uniform(0.05, 0.2))
        self.told.problems.append(f"{kind} {path} was never answered: {said}")
        return None

    # --- the audit -----------------------------------------------------------------

    async def audit(self) -> list[str]:
        """What was lost, is not whole, or was given twice."""
        problems = list(self.told.problems)
        doctors: dict[str, Counter[str]] = defaultdict(Counter)
        for number in range(self.plan.clinics):
            for doctor in self.plan.doctors_of(number):
                standing = await self._standing(doctor, problems)
                self._compare(doctor, standing, problems)
                doctors[self.plan.clinic(number)].update(standing.values())
        taken: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for name, place in self.resources.items():
            standing = await self._standing(name, problems)
            taken[place].update(standing.values())
        for (clinic, kind), starts in taken.items():
            if starts != doctors[clinic]:
                lack = sorted((doctors[clinic] - starts).elements())
                more = sorted((starts - doctors[clinic]).elements())
                problems.append(
                    f"{clinic}: no {kind} for visits at {lack[:5]} ({len(lack)}), "
                    f"and one without a visit at {more[:5]} ({len(more)})"
                )
        return problems

    async def _standing(self, calendar: str, problems: list[str]) -> dict[str, str]:
        """Booking to start of what a calendar has; no two may overlap."""
        days = f"from={self._starts[0][:10]}&to={self._starts[-1][:10]}"
        path = f"/v1/providers/{calendar}/schedule?{days}"
        found = (await self._ask("GET", path, None, self._admin))["bookings"]
        live = [one for one in found if one["status"] != "cancelled"]
        spans = sorted((one["start"], one["end"]) for one in live)
        problems += [
            f"{calendar}: {first} and {second} overlap"
            for first, second in pairwise(spans)
            if second[0] < first[1]
        ]
        return {str(one["booking_id"]): str(one["start"]) for one in live}

    def _compare(
        self, doctor: str, standing: Mapping[str, str], problems: list[str]
    ) -> None:
        wanted = {
            name: visit.start
            for name, visit in self.told.visits.items()
            if visit.doctor == doctor and not visit.is_cancelled
        }
        for name in wanted.keys() | standing.keys():
            if wanted.get(name) != standing.get(name):
                problems.append(
                    f"{name} is at {standing.get(name)}, not at {wanted.get(name)}"
                )

    async def held(self) -> int:
        """Slots that are held: by what a killed gateway left, until it is resolved."""
        days = f"from={self._starts[0][:10]}&to={self._starts[-1][:10]}"
        token = self._tokens[self.plan.people[0]]
        count = 0
        for number in range(self.plan.clinics):
            for doctor in self.plan.doctors_of(number):
                path = f"/v1/providers/{doctor}/slots?visit_type={KIND}&{days}"
                found = await self._ask("GET", path, None, token)
                count += sum(one["state"] == "held" for one in found["slots"])
        return count
