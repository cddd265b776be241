"""Ten thousand watchers see a booking, shown in the terminal.

    python -m loadtests.blink [--watchers 10000] [--changes 30] [--every 1]

Starts a server of its own on throw-away data and holds all watchers on one week of one
doctor. Then it books and cancels a slot in turn, and shows when the first, the median
and the last of them saw it, counted from just before the booking was sent. Server and
watchers share this machine. When it ends, so does everything that it started.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.live import Live

from loadtests.bench.servers import slotcast_server
from loadtests.blink.room import TooManyWatchers, room_for
from loadtests.blink.view import Show, Sight, screen
from loadtests.crowd.processes import Crowds
from loadtests.wire.http_client import HttpClient
from loadtests.workload.providers import (
    WORKDAYS,
    hours,
    opening_rules,
    register_provider,
)
from loadtests.workload.region import tokens
from loadtests.workload.weeks import iso_week

PROVIDER, VISIT_TYPE, PATIENT = "prv_blink", "consult", "pat_blink"
SLOTS_A_DAY = 16
"""Half hours from nine to five: a week's page is a few kilobytes."""
LOOK_AFTER_S = (0.15, 0.15, 0.3, 0.6, 1.2, 2.4)
"""Seconds to wait before each poll for watchers that have not seen a change yet."""

Draw = Callable[[], None]


class Practice:
    """One doctor's week, and one patient who books and cancels in turn."""

    def __init__(self, client: HttpClient, token: str, monday: datetime) -> None:
        self.topic = f"slots/{PROVIDER}/{VISIT_TYPE}/{iso_week(monday.date())}"
        self._client = client
        self._token = token
        self._monday = monday
        self._booking = ""
        self._made = 0

    def _start(self) -> datetime:
        day, half_hour = divmod(self._made // 2, SLOTS_A_DAY)
        opens = self._monday + timedelta(days=day % len(WORKDAYS), hours=9)
        return opens + timedelta(minutes=30 * half_hour)

    async def change(self) -> tuple[str, int]:
        """Book a slot, or cancel it again; a description and the new version."""
        start = self._start()
        if self._booking:
            path = f"/v1/bookings/{self._booking}/cancel"
            body = {"reason": "a blink"}
            what = f"{start:%a %H:%M} cancelled"
        else:
            path, what = "/v1/bookings", f"{start:%a %H:%M} booked"
            body = {"provider_id": PROVIDER, "visit_type": VISIT_TYPE}
            body["start"] = start.strftime("%Y-%m-%dT%H:%M:%SZ")
        key = f"blink-{self._made}"
        answer = await self._client.ask("POST", path, body, token=self._token, key=key)
        if answer.status not in (200, 201):
            raise RuntimeError(f"POST {path} answered {answer.status}: {answer.code}")
        told = answer.json()
        self._booking = "" if self._booking else str(told["booking_id"])
        self._made += 1
        return what, int(told["version"])


async def open_practice(client: HttpClient) -> Practice:
    """Register the doctor, and make one change so that the calendar is in memory."""
    admin = (await tokens("admin", ["adm_blink"]))["adm_blink"]
    weekly = dict.fromkeys(WORKDAYS, hours("09:00", "17:00"))
    rules = opening_rules(VISIT_TYPE, 30, weekly)
    await register_provider(client, admin, PROVIDER, "cln_blink", rules)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today + timedelta(days=7 - today.weekday())
    patient = (await tokens("patient", [PATIENT]))[PATIENT]
    practice = Practice(client, patient, monday)
    for _ in range(2):
        await practice.change()
    return practice


def seen_at(held: Crowds, version: int) -> list[float]:
    """When each watcher saw the delta to a version: monotonic seconds."""
    return [
        told["first"] + us / 1e6
        for told in held.deliveries()
        if told["kind"] == "delta" and told["version"] == version
        for us in told["us"]
    ]


async def count(held: Crowds, show: Show) -> None:
    """Update how many watchers are connected and how many were lost."""
    found = await asyncio.to_thread(held.counts)
    show.connected, show.lost = found["joined"] - found["lost"], found["lost"]


async def look(held: Crowds, version: int, expected: int) -> list[float]:
    """When each watcher saw a version; waits a few seconds for late ones."""
    seen: list[float] = []
    for pause_s in LOOK_AFTER_S:
        await asyncio.sleep(pause_s)
        seen = await asyncio.to_thread(seen_at, held, version)
        if len(seen) >= expected:
            break
    return seen


async def one_change(practice: Practice, held: Crowds, show: Show) -> Sight:
    """Make a change and collect when each watcher saw it."""
    await asyncio.to_thread(held.ask, "reset")
    sent = time.monotonic()
    what, version = await practice.change()
    answered = time.monotonic()
    seen = await look(held, version, show.watchers)
    return Sight(
        len(show.sights) + 1,
        what,
        1000 * (answered - sent),
        [1000 * (at - sent) for at in seen],
        show.watchers,
    )


async def perform(
    practice: Practice, held: Crowds, show: Show, every_s: float, draw: Draw
) -> None:
    """Wait for the watchers, then change something every second or so."""
    await asyncio.to_thread(held.arrive)
    show.connecting_s = held.connected_s
    await count(held, show)
    draw()
    for _ in range(show.changes):
        began = time.monotonic()
        show.sights.append(await one_change(practice, held, show))
        await count(held, show)
        draw()
        await asyncio.sleep(max(0.0, began + every_s - time.monotonic()))


async def blink(options: argparse.Namespace, console: Console) -> Show:
    """Start the server, connect the watchers, make the changes, show the result."""
    showing = asyncio.current_task()
    assert showing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, showing.cancel)
    async with AsyncExitStack() as stack:
        console.print("Starting a server on throw-away data …", style="dim")
        server = await stack.enter_async_context(slotcast_server())
        os.environ["SLOTCAST_DATA"] = str(server.data)  # for the tokens
        client = HttpClient(server.url, 2)
        stack.push_async_callback(client.close)
        practice = await open_practice(client)
        show = Show(practice.topic, options.watchers, options.changes)
        socket = server.url.replace("http", "ws", 1) + "/v1/live"
        console.print(f"Connecting {options.watchers:,} watchers …", style="dim")
        held = Crowds(socket, options.watchers, plan=[[practice.topic]])
        stack.callback(held.close)
        draw = _lines(show, console)
        if console.is_terminal:
            live = stack.enter_context(
                Live(screen(show), console=console, auto_refresh=False)
            )
            draw = _screen(show, live)
        await perform(practice, held, show, options.every, draw)
    return show


def _screen(show: Show, live: Live) -> Draw:
    return lambda: live.update(screen(show), refresh=True)


def _lines(show: Show, console: Console) -> Draw:
    def draw() -> None:
        if show.sights:
            console.print(show.sights[-1].line(), soft_wrap=True)
        else:
            heading = f"{show.heading()}; all in {show.connecting_s:.1f} s"
            console.print(heading, soft_wrap=True)

    return draw


def main() -> int:
    """Run: 0 if all watchers saw all changes, 1 if not, 2 if it could not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--every", type=float, default=1.0, help="seconds")
    options = parser.parse_args()
    if options.watchers < 1 or options.changes < 1 or not options.every >= 0:
        parser.error("watchers and changes are at least 1, seconds at least 0")
    console = Console(highlight=False)
    try:
        room_for(options.watchers)
        show = asyncio.run(blink(options, console))
    except TooManyWatchers as error:
        console.print(str(error))
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped.")
        return 0
    console.print(show.summary(), soft_wrap=not console.is_terminal)
    return 0 if show.went_well else 1


if __name__ == "__main__":
    sys.exit(main())
