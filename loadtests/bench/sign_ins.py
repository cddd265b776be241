"""Bookings' latency while ten people a second sign in, beside the same without them.

    python -m loadtests.bench.sign_ins [--seconds 4] [--pairs 8] [--json FILE]

One whole server; bookings come at a fixed rate, and every second window people with
passwords sign in as well. The two of a pair take turns in which is first, so that
``p99_more_percent``, the median over pairs, bears a machine that drifts. The load
generator shares the machine; needs a minute and a half.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

from loadtests.bench.bookings import (
    PATIENTS,
    Supply,
    closed_loop,
    open_loop,
    register,
    rest_taker,
)
from loadtests.bench.servers import slotcast_server
from loadtests.histogram import percentiles
from loadtests.wire.http_client import HttpClient
from loadtests.workload.region import tokens

BOOKINGS = 500
"""Bookings a second: far below what the server can do."""
SIGN_INS = 10
"""People a second who sign in with a password."""
PEOPLE = 20
PASSWORD = "violet kettle runs"  # noqa: S105 - of people who live for one run
CONNECTIONS = 64
_TOKEN = re.compile(r"token=([A-Za-z0-9_-]+)")


def _address(number: int) -> str:
    return f"bench{number}@example.org"


async def _add_people(client: HttpClient) -> None:
    """Register people and confirm their addresses by the messages of a demo site."""
    for number in range(PEOPLE):
        body = {"email": _address(number), "password": PASSWORD, "terms": True}
        await _must(client, "register", body, 202)
        listed = await client.ask("GET", "/v1/auth/demo/messages")
        (newest, *_) = [
            one
            for one in (listed.json() or {}).get("items", ())
            if one["recipient"] == _address(number)
        ]
        found = _TOKEN.search(newest["text"])
        assert found is not None, "a confirming mail has a link"
        await _must(client, "verify-email", {"token": found[1]}, 200)


async def _must(
    client: HttpClient, path: str, body: dict[str, Any], status: int
) -> None:
    answer = await client.ask("POST", f"/v1/auth/{path}", body)
    if answer.status != status:
        raise RuntimeError(f"{path}: {answer.status} {answer.code}")


async def sign_in(client: HttpClient, seconds: float) -> dict[str, Any]:
    """Sign people in at a fixed rate; how long each took, and with what status."""
    took: list[float] = []
    statuses: Counter[int] = Counter()

    async def one(number: int) -> None:
        body = {
            "email": _address(number % PEOPLE),
            "password": PASSWORD,
            "delivery": "body",
        }
        began = time.perf_counter()
        statuses[(await client.ask("POST", "/v1/auth/login", body)).status] += 1
        took.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as people:
        for number in range(int(SIGN_INS * seconds)):
            due = began + number / SIGN_INS
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            people.create_task(one(number))
    return {
        "ms": percentiles(took),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
    }


async def measure(seconds: float, pairs: int) -> dict[str, Any]:
    """Windows without and with people who sign in, in turns."""
    async with slotcast_server(SLOTCAST_DEMO="on") as server:
        os.environ["SLOTCAST_DATA"] = str(server.data)  # for tokens
        await register(server)
        named = await tokens("patient", [f"pat_bench{n}" for n in range(PATIENTS)])
        client, people = HttpClient(server.url, CONNECTIONS), HttpClient(server.url, 16)
        await _add_people(people)
        take, supply = rest_taker(client, list(named.values())), Supply()
        await closed_loop(take, supply, 32, 2)  # warm up

        async def quiet() -> dict[str, Any]:
            return await open_loop(take, supply, BOOKINGS, seconds)

        async def busy() -> dict[str, Any]:
            booked, signed = await asyncio.gather(quiet(), sign_in(people, seconds))
            return booked | {"sign_ins": signed}

        windows: dict[str, list[dict[str, Any]]] = {"without": [], "with": []}
        for number in range(pairs):
            order = [("without", quiet), ("with", busy)]
            for name, window in order if number % 2 else reversed(order):
                windows[name].append(await window())
        await client.close()
        await people.close()
    return _told(windows) | {"windows": windows}


def _told(windows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians over the windows, and over pairs of them."""
    both = list(zip(windows["without"], windows["with"], strict=True))

    def median(name: str, percentile: str) -> float:
        found: list[float] = [one["ms"][percentile] for one in windows[name]]
        return round(statistics.median(found), 2)

    def more(percentile: str) -> float:
        ratios: list[float] = [
            b["ms"][percentile] / a["ms"][percentile] for a, b in both
        ]
        return round((statistics.median(ratios) - 1) * 100, 1)

    return {
        "without_ms": {one: median("without", one) for one in ("p50", "p99")},
        "with_ms": {one: median("with", one) for one in ("p50", "p99")},
        "p50_more_percent": more("p50"),
        "p99_more_percent": more("p99"),
        "sign_in_p99_ms": statistics.median(
            one["sign_ins"]["ms"]["p99"] for one in windows["with"]
        ),
        "sign_ins": sum(
            one["sign_ins"]["statuses"].get("200", 0) for one in windows["with"]
        ),
    }


def main() -> None:
    """Measure, print, and write JSON if a file was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = uvloop.run(measure(options.seconds, options.pairs))
    text = json.dumps(found, indent=2)
    print(json.dumps(_without_windows(found), indent=2))
    if options.json is not None:
        options.json.write_text(text + "\n")


def _without_windows(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "windows"}


if __name__ == "__main__":
    main()
