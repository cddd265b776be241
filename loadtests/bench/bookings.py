"""Durable bookings per second and their latency: REST, live socket, plain server.

    python -m loadtests.bench.bookings [--seconds 8] [--json FILE]

Every booking takes a slot of its own, spread over 64 providers: with 1, 32, 64 and 256
in flight, and 1,000 a second whatever the answers take; then a flash crowd: 5,000
people, 100 slots, one provider. The load generator shares the machine.
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

import uvloop

from loadtests.bench.servers import Server, plain_server, slotcast_server
from loadtests.histogram import percentiles
from loadtests.wire.http_client import HttpClient
from loadtests.wire.socket_client import open_socket
from loadtests.workload.providers import (
    WEEK,
    hours,
    opening_rules,
    register_provider,
)
from loadtests.workload.region import run_slotcast, tokens

PROVIDERS = 64
PATIENTS = 512
IN_FLIGHT = (1, 32, 64, 256)
FIXED_RATE = 1_000
"""Bookings a second of the open loop: far below what the server can do."""
CROWD = 5_000
CROWD_SLOTS = 100
CROWD_CONNECTIONS = 500
SOCKETS = 80
DAYS = 400

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
    """Register providers that are open all day, with five-minute visits."""
    admin = (await tokens("admin", ["adm_bench"]))["adm_bench"]
    client = HttpClient(server.url, 16)
    all_day = dict.fromkeys(WEEK, hours("00:00", "24:00"))
    rules = opening_rules("quick", 5, all_day, horizon_days=DAYS)
    providers = [f"prv_bench{number:03d}" for number in range(PROVIDERS)]
    await asyncio.gather(
        *(
            register_provider(client, admin, one, "cln_bench", rules)
            for one in providers
        )
    )
    await client.close()


class Slots(Protocol):
    """A source of free slots."""

    def take(self) -> tuple[int, str, str]:
        """The next slot: its number, provider and start."""
        ...


async def closed_loop(
    take: Take, supply: Slots, in_flight: int, seconds: float
) -> dict[str, Any]:
    """Keep ``in_flight`` bookings in flight for ``seconds``; rate and latency.

    ``client_us`` is the processor time of this process for each booking.
    """
    took: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    async def worker() -> None:
        while time.perf_counter() < end:
            number, provider, start = supply.take()
            began = time.perf_counter()
            statuses[await take(number, provider, start)] += 1
            took.append(time.perf_counter() - began)

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    wall, used = time.perf_counter() - began, time.process_time() - used
    return {
        "per_second": round(statuses[201] / wall),
        "ms": percentiles(took),
        "client_us": round(1e6 * used / max(1, len(took)), 1),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
    }


async def open_loop(
    take: Take, supply: Slots, per_second: int, seconds: float
) -> dict[str, Any]:
    """Book at a fixed rate; the time from when each booking was due to its answer."""
    took: list[float] = []
    statuses: Counter[int] = Counter()

    async def one(due: float) -> None:
        number, provider, start = supply.take()
        statuses[await take(number, provider, start)] += 1
        took.append(time.perf_counter() - due)

    began = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(int(per_second * seconds)):
        due = began + number / per_second
        if due > (now := time.perf_counter()):
            await asyncio.sleep(due - now)
        tasks.append(asyncio.ensure_future(one(due)))
    await asyncio.gather(*tasks)
    return {
        "per_second": round(statuses[201] / (time.perf_counter() - began)),
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


async def socket_taker(
    stack: AsyncExitStack, server: Server, patients: Sequence[str]
) -> Take:
    """Book through signed-in live sockets, one patient each."""
    sockets = []
    for token in patients[:SOCKETS]:
        sockets.append(await open_socket(server.url, token))
        stack.callback(sockets[-1].close)

    def take(number: int, provider: str, start: str) -> Awaitable[int]:
        return sockets[number % SOCKETS].ask(
            f'"op":"book","key":"s{number}","provider_id":"{provider}",'
            f'"visit_type":"quick","start":"{start}"'
        )

    return take


async def crowd(take: Take, supply: Supply, dice: random.Random) -> dict[str, Any]:
    """5,000 patients compete at once for 100 slots of one provider."""
    supply.skip_to_hour()
    starts: list[str] = []
    while len(starts) < CROWD_SLOTS:
        _, provider, start = supply.take()
        if provider == "prv_bench000":
            starts.append(start)
    statuses: Counter[int] = Counter()
    took: list[float] = []

    async def person(number: int) -> None:
        # The first hundred take one slot each, so that all slots are sure to be taken.
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
    """Measure REST and sockets on a Slotcast server, then run ``slotcast verify``."""
    found: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(slotcast_server())
        os.environ["SLOTCAST_DATA"] = str(server.data)  # for tokens and verify
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
        found["rest_fixed_rate"] = await open_loop(rest, supply, FIXED_RATE, seconds)
        found["rest_crowd"] = await crowd(rest, supply, random.Random(1))
        through_sockets = await socket_taker(stack, server, patients)
        found["socket"] = {
            str(n): await closed_loop(through_sockets, supply, n, seconds)
            for n in IN_FLIGHT
        }
        found["socket_fixed_rate"] = await open_loop(
            through_sockets, supply, FIXED_RATE, seconds
        )
        found["socket_crowd"] = await crowd(through_sockets, supply, random.Random(2))
        status, text = await run_slotcast("verify", "--json")
        found["audit"] = "ok" if status == 0 else text[:300]
        await client.close()
    return found


async def measure_plain(seconds: float) -> dict[str, Any]:
    """Measure the same bookings on the plain server."""
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
    """Measure Slotcast and the plain server one after the other."""
    return {
        "slotcast": await measure_ours(seconds),
        "plain": await measure_plain(seconds),
    }


def main() -> None:
    """Measure, print, and write JSON if a file was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = uvloop.run(measure(options.seconds))
    text = json.dumps(found, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
