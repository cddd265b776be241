"""Durable bookings a second and their latency: REST, live socket, and the plain way.

    python -m loadtests.bench.bookings [--seconds 8] [--json FILE]

Every booking takes a slot of its own, spread over 64 providers; then a flash crowd:
5,000 people, 100 slots, one provider. The load generator shares the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import websockets

from loadtests.bench.servers import Server, plain_server, slotcast_server
from loadtests.replay.report import percentiles
from loadtests.wire.http_client import HttpClient
from loadtests.workload.region import run_slotcast, tokens
from slotcast.client.session import SUBPROTOCOL

PROVIDERS = 64
PATIENTS = 512
IN_FLIGHT = (1, 32, 256)
CROWD = 5_000
CROWD_SLOTS = 100
CROWD_CONNECTIONS = 500
SOCKETS = 80
PER_SOCKET = 60
"""Commands in flight on one socket; the server refuses the 65th."""
DAYS = 400
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Take = Callable[[int, str, str], Awaitable[int]]
"""Book slot (patient number, provider, start); the status."""


class Supply:
    """Distinct free slots of five minutes, spread over the bench providers."""

    def __init__(self) -> None:
        day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._first = day + timedelta(days=2)
        self._next = 0

    def take(self) -> tuple[int, str, str]:
        """The next slot: its number, provider and start."""
        number = self._next
        self._next += 1
        start = self._first + timedelta(minutes=5 * (number // PROVIDERS))
        provider = f"prv_bench{number % PROVIDERS:03d}"
        return number, provider, start.strftime("%Y-%m-%dT%H:%M:%SZ")

    def skip_to_hour(self) -> None:
        """Begin the next slot at a full hour of the first provider."""
        step = 12 * PROVIDERS
        self._next = -(-self._next // step) * step


async def register(server: Server) -> None:
    """Providers who are open all day, with visits of five minutes."""
    admin = (await tokens("admin", ["adm_bench"]))["adm_bench"]
    client = HttpClient(server.url, 16)
    clinic = {"clinic_id": "cln_bench", "name": "Bench", "time_zone": "UTC"}
    hours = {day: [{"opens": "00:00", "closes": "24:00"}] for day in WEEK}
    kind = {"visit_type": "quick", "title": "Quick", "minutes": 5, "alignment": 5}
    rules = {
        "locations": [
            {"location_id": "loc_bench", "time_zone": "UTC", "weekly": hours}
        ],
        "visit_types": [{**kind, "horizon_days": DAYS, "notice_minutes": 0}],
    }

    async def one(number: int) -> None:
        path = f"/v1/providers/prv_bench{number:03d}"
        body = {"name": f"Bench {number}", "specialty": "bench", "clinic": clinic}
        for where, what in ((path, body), (f"{path}/availability", rules)):
            answer = await client.ask("PUT", where, what, token=admin)
            if answer.status not in (200, 201):
                raise RuntimeError(f"PUT {where}: {answer.status} {answer.body!r}")

    await asyncio.gather(*(one(number) for number in range(PROVIDERS)))
    await client.close()


class Slots(Protocol):
    """Whatever hands out slots that nobody has."""

    def take(self) -> tuple[int, str, str]:
        """The next slot: its number, provider and start."""
        ...


async def closed_loop(
    take: Take, supply: Slots, in_flight: int, seconds: float
) -> dict[str, Any]:
    """Keep ``in_flight`` bookings in flight for a while; rate and latency."""
    took: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    async def worker() -> None:
        while time.perf_counter() < end:
            number, provider, start = supply.take()
            began = time.perf_counter()
            statuses[await take(number, provider, start)] += 1
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    wall = time.perf_counter() - began
    return {
        "per_second": round(statuses[201] / wall),
        "ms": percentiles(took),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
    }


def rest_taker(client: HttpClient, patients: Sequence[str]) -> Take:
    """Book through ``POST /v1/bookings``."""

    async def take(number: int, provider: str, start: str) -> int:
        body = {"provider_id": provider, "visit_type": "quick", "start": start}
        token = patients[number % len(patients)]
        answer = await client.ask("POST", "/v1/bookings", body, token=token)
        return answer.status

    return take


def plain_taker(client: HttpClient) -> Take:
    """Book through the plain server."""

    async def take(number: int, provider: str, start: str) -> int:
        body = {"provider_id": provider, "patient_id": f"pat_{number}", "start": start}
        return (await client.ask("POST", "/v1/bookings", body)).status

    return take


class SocketTaker:
    """Books through one signed-in live socket, many commands at a time."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._ids = 0
        self._room = asyncio.Semaphore(PER_SOCKET)
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            waiter = self._waiting.pop(frame.get("id", -1), None)
            if waiter is not None and not waiter.done():
                waiter.set_result(frame.get("status", 0))

    async def ask(self, message: dict[str, Any]) -> int:
        """Send an operation; the status of its answer."""
        self._ids += 1
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[self._ids] = waiter
        await self._socket.send(json.dumps({**message, "id": self._ids}))
        return await waiter

    async def take(self, number: int, provider: str, start: str) -> int:
        """Book a slot."""
        wish = {"provider_id": provider, "visit_type": "quick", "start": start}
        async with self._room:
            return await self.ask({"op": "book", "key": f"s{number}", **wish})


async def open_sockets(
    stack: AsyncExitStack, server: Server, patients: Sequence[str]
) -> list[SocketTaker]:
    """Signed-in sockets, one patient each."""
    takers = []
    for token in patients[:SOCKETS]:
        socket = await stack.enter_async_context(
            websockets.connect(
                server.url.replace("http", "ws") + "/v1/live",
                subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_queue=None,
            )
        )
        taker = SocketTaker(socket)
        if await taker.ask({"op": "auth", "token": token}) != 200:
            raise RuntimeError("a socket was not let in")
        takers.append(taker)
    return takers


async def crowd(take: Take, supply: Supply, dice: random.Random) -> dict[str, Any]:
    """5,000 people at once for 100 slots of one provider."""
    supply.skip_to_hour()
    starts: list[str] = []
    while len(starts) < CROWD_SLOTS:
        _, provider, start = supply.take()
        if provider == "prv_bench000":
            starts.append(start)
    statuses: Counter[int] = Counter()
    took: list[float] = []

    async def person(number: int) -> None:
        # A hundred people come first, one for each slot, so that no slot is left.
        index = number if number < CROWD_SLOTS else dice.randrange(CROWD_SLOTS)
        statuses[await take(10_000_000 + number, "prv_bench000", starts[index])] += 1
        took.append(time.perf_counter() - began)

    people = list(range(CROWD))
    dice.shuffle(people)
    began = time.perf_counter()
    await asyncio.gather(*(person(number) for number in people))
    return {
        "winners": statuses[201],
        "all_answered_seconds": round(time.perf_counter() - began, 3),
        "ms": percentiles(took),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
    }


async def measure_ours(seconds: float) -> dict[str, Any]:
    """REST and sockets against our server, then the audit."""
    found: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(slotcast_server())
        os.environ["SLOTCAST_DATA"] = str(server.data)  # for tokens and the audit
        await register(server)
        named = await tokens("patient", [f"pat_bench{n}" for n in range(PATIENTS)])
        patients = list(named.values())
        supply = Supply()
        client = HttpClient(server.url, CROWD_CONNECTIONS)
        rest = rest_taker(client, patients)
        await closed_loop(rest, supply, 32, 2)  # warm up
        found["rest"] = {
            str(n): await closed_loop(rest, supply, n, seconds) for n in IN_FLIGHT
        }
        found["rest_crowd"] = await crowd(rest, supply, random.Random(1))
        takers = await open_sockets(stack, server, patients)

        async def through_sockets(number: int, provider: str, start: str) -> int:
            return await takers[number % SOCKETS].take(number, provider, start)

        found["socket"] = {
            str(n): await closed_loop(through_sockets, supply, n, seconds)
            for n in IN_FLIGHT
        }
        found["socket_crowd"] = await crowd(through_sockets, supply, random.Random(2))
        status, text = await run_slotcast("verify", "--json")
        found["audit"] = "ok" if status == 0 else text[:300]
        await client.close()
    return found


async def measure_plain(seconds: float) -> dict[str, Any]:
    """The same bookings against the plain server."""
    found: dict[str, Any] = {}
    async with plain_server(PROVIDERS) as server:
        client = HttpClient(server.url, CROWD_CONNECTIONS, timeout_s=120)
        supply = Supply()
        take = plain_taker(client)
        await closed_loop(take, supply, 32, 2)
        found["rest"] = {
            str(n): await closed_loop(take, supply, n, seconds) for n in IN_FLIGHT
        }
        found["rest_crowd"] = await crowd(take, supply, random.Random(1))
        await client.close()
    return found


async def measure(seconds: float) -> dict[str, Any]:
    """Ours and the plain way in one run, one after the other."""
    return {
        "slotcast": await measure_ours(seconds),
        "plain": await measure_plain(seconds),
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = asyncio.run(measure(options.seconds))
    text = json.dumps(found, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
