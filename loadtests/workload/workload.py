"""Patients that book, hold and confirm, cancel and move, with watchers meanwhile.

    python -m loadtests.workload --url http://127.0.0.1:8000 [--url …] --seconds 60

Every operation has an idempotency key and is retried, if necessary at another gateway,
until it is answered; a share of answered operations is repeated and must get the same
answer. A quarter of the operations compete for a few slots. Everything is recorded in a
history that a checker judges; nothing here imports the server's code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loadtests.wire.arguments import positive, positive_seconds
from loadtests.wire.http_client import ConnectionLost, HttpClient, Response
from loadtests.wire.live_client import LiveWatcher
from loadtests.workload.history import FAIL, INFO, OK, History, Operation, Sample
from loadtests.workload.plan import SLOT_MINUTES, VISIT_TYPE, Plan, register
from loadtests.workload.region import tokens
from loadtests.workload.weeks import iso_week

AGAIN = (425, 429, 502, 503, 504)
"""Statuses that are retried: nothing happened, or the outcome is unknown."""
SEND_AGAIN = 0.03
"""Share of answered operations that are repeated."""
CONTESTED = 0.25
CONTESTED_SLOTS = 6
CONTESTED_FOR = 400
"""Operations after which the contended slots change."""
OWN_MAX = 4
"""Bookings that a patient keeps; with more, the patient cancels."""


@dataclass(slots=True)
class Own:
    """A patient's booking."""

    booking_id: str
    provider: str
    start: str


@dataclass(slots=True)
class Patient:
    """One patient: holds and bookings, and the gateway in use."""

    name: str
    token: str
    dice: random.Random
    gateway: int
    bookings: list[Own] = field(default_factory=list)
    wishes: int = 0


class Gateways:
    """A client for each gateway; a patient that loses one takes the next."""

    def __init__(self, urls: Sequence[str], connections: int, timeout_s: float) -> None:
        self.urls = list(urls)
        self.clients = [HttpClient(url, connections, timeout_s) for url in urls]

    async def close(self) -> None:
        """Close all connections."""
        for client in self.clients:
            await client.close()


class Workload:
    """The patients of a plan, against one or several gateways."""

    def __init__(
        self,
        urls: Sequence[str],
        plan: Plan,
        signed: Mapping[str, str],
        history: History | None = None,
    ) -> None:
        """``signed``: the token of each patient."""
        self.plan = plan
        self.history = history or History()
        self.gateways = Gateways(urls, plan.patients, plan.timeout_s)
        self.statuses: Counter[int] = Counter()
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.first = midnight + timedelta(days=plan.first_day)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._patients = [
            Patient(
                name,
                signed[name],
                random.Random(f"{plan.seed}-{name}"),
                number % len(self.gateways.urls),
            )
            for number, name in enumerate(plan.people)
        ]

    @property
    def slots(self) -> int:
        """Slots of one provider."""
        return self.plan.days * 24 * 60 // SLOT_MINUTES

    def weeks(self) -> list[str]:
        """The ISO weeks in which the slots are."""
        days = range(self.plan.days)
        return sorted({iso_week((self.first + timedelta(d)).date()) for d in days})

    def topics(self) -> list[str]:
        """Live topics in which every change shows."""
        return [
            f"slots/{provider}/{VISIT_TYPE}/{week}"
            for provider in self.plan.doctors
            for week in self.weeks()
        ]

    def stop(self) -> None:
        """Start no new operations; those in flight are finished."""
        self._stop.set()

    def give_up(self) -> None:
        """Also stop retries: open operations stay unknown."""
        self._stop.set()
        self._hurry.set()

    async def run(self) -> None:
        """Run until stopped."""
        async with asyncio.TaskGroup() as group:
            for patient in self._patients:
                group.create_task(self._live(patient))
        await self.gateways.close()

    async def _live(self, patient: Patient) -> None:
        pause = self.plan.patients / self.plan.rate
        while not self._stop.is_set():
            began = time.monotonic()
            await self._wish(patient)
            rest = patient.dice.uniform(0.2, 1.8) * pause - (time.monotonic() - began)
            if rest > 0:
                await self._sleep(rest)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    # --- operations -------------------------------------------------------------------

    async def _wish(self, patient: Patient) -> None:
        dice = patient.dice.random()
        if patient.bookings and (
            dice < 0.2 or (len(patient.bookings) > OWN_MAX and dice < 0.75)
        ):
            await self._cancel(patient)
        elif patient.bookings and dice < 0.32:
            await self._move(patient)
        elif dice < 0.65:
            await self._book(patient)
        else:
            await self._hold_and_confirm(patient)

    def _slot(self, patient: Patient) -> tuple[str, str]:
        """Provider and start: random, or one of the contended slots."""
        dice = patient.dice
        if dice.random() < CONTESTED:
            turn = len(self.history.operations) // CONTESTED_FOR
            provider = turn % self.plan.providers
            at = (turn * 37 + dice.randrange(CONTESTED_SLOTS)) % self.slots
        else:
            provider = dice.randrange(self.plan.providers)
            at = dice.randrange(self.slots)
        start = self.first + timedelta(minutes=SLOT_MINUTES * at)
        return self.plan.provider(provider), start.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _operation(
        self, patient: Patient, kind: str, provider: str, start: str, subject: str = ""
    ) -> Operation:
        patient.wishes += 1
        key = f"{self.plan.seed}-{patient.name}-{patient.wishes}"
        now = time.monotonic()
        made = Operation(0, patient.name, kind, provider, start, subject, key, now)
        return self.history.invoke(made)

    async def _book(self, patient: Patient) -> None:
        provider, start = self._slot(patient)
        wish = {"provider_id": provider, "visit_type": VISIT_TYPE, "start": start}
        operation = self._operation(patient, "book", provider, start)
        if await self._ask(patient, operation, "/v1/bookings", wish):
            self._keep(patient, operation)

    async def _hold_and_confirm(self, patient: Patient) -> None:
        provider, start = self._slot(patient)
        wish = {"provider_id": provider, "visit_type": VISIT_TYPE, "start": start}
        held = self._operation(patient, "hold", provider, start)
        if not await self._ask(patient, held, "/v1/holds", wish):
            return
        if patient.dice.random() < 0.1:
            return  # the patient leaves; the hold expires
        hold = str(held.answer["hold_id"])
        operation = self._operation(patient, "confirm", provider, start, hold)
        if await self._ask(patient, operation, "/v1/bookings", {"hold_id": hold}):
            self._keep(patient, operation)

    def _keep(self, patient: Patient, operation: Operation) -> None:
        booking = str(operation.answer["booking_id"])
        patient.bookings.append(Own(booking, operation.provider, operation.start))

    async def _cancel(self, patient: Patient) -> None:
        own = patient.bookings.pop(patient.dice.randrange(len(patient.bookings)))
        operation = self._operation(
            patient, "cancel", own.provider, own.start, own.booking_id
        )
        path = f"/v1/bookings/{own.booking_id}/cancel"
        await self._ask(patient, operation, path, {"reason": "changed my mind"})

    async def _move(self, patient: Patient) -> None:
        own = patient.dice.choice(patient.bookings)
        _, start = self._slot(patient)
        if start == own.start:
            return
        operation = self._operation(
            patient, "move", own.provider, start, own.booking_id
        )
        path = f"/v1/bookings/{own.booking_id}/reschedule"
        if await self._ask(patient, operation, path, {"start": start}):
            own.start = start
        elif operation.outcome == INFO:
            patient.bookings.remove(own)  # its state is now unknown

    # --- retries until there is an answer ---------------------------------------------

    async def _ask(
        self, patient: Patient, operation: Operation, path: str, body: Any
    ) -> bool:
        """Whether the operation succeeded. Its outcome is recorded in the history."""
        answer = await self._until_answered(patient, operation, path, body)
        now = time.monotonic()
        if answer is None:
            self.history.end(operation, INFO, now)
            return False
        operation.status, operation.code = answer.status, answer.code
        if answer.status >= 500:
            self.history.complain(f"{answer.status} to {operation.line('complaint')}")
            self.history.end(operation, INFO, now)
            return False
        if answer.status >= 400:
            self.history.end(operation, FAIL, now)
            return False
        operation.code = ""
        operation.answer = answer.json()
        self.history.end(operation, OK, now)
        if patient.dice.random() < SEND_AGAIN:
            await self._once_more(patient, operation, path, body)
        return True

    async def _once_more(
        self, patient: Patient, operation: Operation, path: str, body: Any
    ) -> None:
        """Repeat a key: the answer must be the same, whatever happened since."""
        again = await self._until_answered(patient, operation, path, body)
        if again is not None and (again.status, _lasting(again.json())) != (
            operation.status,
            _lasting(operation.answer),
        ):
            told = f"{operation.status} {operation.answer}"
            heard = f"{again.status} {again.body[:300]!r}"
            self.history.complain(
                f"one key, two answers: {operation.key}: {told} and {heard}"
            )

    async def _until_answered(
        self, patient: Patient, operation: Operation, path: str, body: Any
    ) -> Response | None:
        give_up = time.monotonic() + self.plan.give_up_s
        pause = 0.05
        while True:
            operation.attempts += 1
            answer = await self._attempt(patient, path, body, operation.key)
            if answer is not None and answer.status not in AGAIN:
                return answer
            if time.monotonic() > give_up or self._hurry.is_set():
                return None
            await asyncio.sleep(patient.dice.uniform(0.5, 1.5) * pause)
            pause = min(1.0, pause * 1.7)

    async def _attempt(
        self, patient: Patient, path: str, body: Any, key: str
    ) -> Response | None:
        client = self.gateways.clients[patient.gateway]
        began = time.monotonic()
        answer: Response | None = None
        try:
            answer = await client.ask("POST", path, body, token=patient.token, key=key)
        except ConnectionLost:
            patient.gateway = (patient.gateway + 1) % len(self.gateways.clients)
        now = time.monotonic()
        status = 0 if answer is None else answer.status
        self.statuses[status] += 1
        self.history.samples.append(Sample(now, now - began, status))
        if status == 503 and answer is not None and "retry-after" not in answer.headers:
            self.history.complain(f"503 without Retry-After from {path}")
        return answer


class Watchers:
    """Live sockets on all topics of a workload, one set at each gateway."""

    def __init__(self, urls: Sequence[str], topics: Sequence[str]) -> None:
        sockets = [
            url.replace("http", "ws", 1).rstrip("/") + "/v1/live" for url in urls
        ]
        self.watchers = [
            LiveWatcher(socket, topics, seed=number)
            for number, socket in enumerate(sockets)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, patience_s: float = 60) -> None:
        """Connect, and wait until each socket has seen every topic."""
        self._tasks = [asyncio.ensure_future(one.run()) for one in self.watchers]
        for one in self.watchers:
            await asyncio.wait_for(one.ready(), patience_s)

    async def stop(self) -> None:
        """Close all sockets."""
        for one in self.watchers:
            one.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def reconnects(self) -> int:
        """How often a socket was reopened."""
        return sum(one.watched.reconnects for one in self.watchers)

    @property
    def deltas(self) -> int:
        """Deltas applied, all topics of all watchers."""
        return sum(one.watched.deltas for one in self.watchers)


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    plan = Plan(rate=options.rate, seed=options.seed, patients=options.patients)
    admin = (await tokens("admin", ["adm_work"]))["adm_work"]
    await register(options.url[0], plan, admin)
    history = History(options.history)
    work = Workload(options.url, plan, await tokens("patient", plan.people), history)
    watchers = Watchers(options.url, work.topics())
    await watchers.start()
    running = asyncio.ensure_future(work.run())
    await asyncio.wait({running}, timeout=options.seconds)
    work.stop()
    await running
    await watchers.stop()
    history.close()
    return {
        "operations": len(history.operations),
        "outcomes": Counter(one.outcome for one in history.operations),
        "statuses": {str(status): n for status, n in sorted(work.statuses.items())},
        "complaints": history.complaints,
        "deltas": watchers.deltas,
        "reconnects": watchers.reconnects,
    }


def _lasting(answer: Any) -> Any:
    """An answer without its field for the remaining time."""
    if not isinstance(answer, dict):
        return answer
    return {name: value for name, value in answer.items() if name != "expires_in_ms"}


def main() -> int:
    """Run a workload; 1 if the history has defects that no fault excuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", action="append", required=True, help="a gateway")
    parser.add_argument("--data", default="", help="the data folder, for tokens")
    parser.add_argument("--seconds", type=positive_seconds, default=60.0)
    parser.add_argument("--rate", type=float, default=150.0)
    parser.add_argument("--patients", type=positive, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history", type=Path, default=None, help="append to this")
    options = parser.parse_args()
    if options.data:
        os.environ["SLOTCAST_DATA"] = options.data
    found = asyncio.run(_run(options))
    print(json.dumps(found, indent=2))
    return 1 if found["complaints"] else 0
