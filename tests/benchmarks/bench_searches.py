"""Searches over 100,000 providers beside bookings, at two gateways.

    python -m tests.benchmarks.bench_searches [--providers 100000] [--practices FILE]
        [--folder FOLDER] [--seconds 40] [--parts load pages …] [--json FILE]

A node with two gateways on a Redis and a MariaDB of its own, one shard. The providers
are invented, on the practices of ``--practices`` (in the format of epraccur) or on
invented ones; most of their calendars are dormant at first. ``--folder`` keeps the
filled site: another run begins with it. Parts: ``load`` bookings alone, then with 20
searches a second; ``pages`` beside an oracle; ``edits`` until both gateways show them,
with Redis and without; ``typos``; ``restart`` of a killed gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import uvloop
from msgspec import to_builtins

from loadtests.bench.bookings import Take, open_loop, rest_taker
from loadtests.bench.searches import search_loop
from loadtests.wire.http_client import ConnectionLost, HttpClient, Response
from tests.benchmarks.gauging import cpu_s, own_memory, say, spent, tell
from tests.benchmarks.search_mix import a_search, asked_of, path_of, with_one_error
from tests.benchmarks.search_oracle import Oracle, compared
from tests.benchmarks.search_site import Site, Supply, search_site

BOOKINGS = 500
SEARCHES = 20
PARTS = ("load", "pages", "edits", "typos", "restart")
PAGES = 40
EDITS, EDITS_WITHOUT_REDIS = 20, 10
TYPOS = 1_000
RESTARTS = 2
LOOKS_MAX = 3_000
WARM_S = 420.0
"""How long calendars may take to be asked for the first time."""
RESTART_S = 60.0
"""How long a killed gateway is waited for."""
CALM_CORES = 0.5
"""Below this the node has done what a start leaves to do."""


class Bench:
    """The parts, on a site that runs."""

    def __init__(self, site: Site, seconds: float) -> None:
        self.site = site
        self.seconds = seconds
        self.clients = [HttpClient(url, 128, timeout_s=20) for url in site.urls]
        self.draw = random.Random(4)
        self.supply = Supply(site.people, site.run)
        takers = [rest_taker(client, site.patients) for client in self.clients]

        def take(number: int, provider: str, start: str) -> Awaitable[int]:
            return takers[number % 2](number, provider, start)

        self.take: Take = take

    async def close(self) -> None:
        """End the connections."""
        for client in self.clients:
            await client.close()

    async def warmed(self) -> dict[str, Any]:
        """Wait until both lists by the soonest are live and the node is calm."""
        began = time.monotonic()
        path = "/v1/providers?sort=soonest&limit=20"
        live: dict[int, float] = {}
        tree = self.site.node.process
        assert tree is not None
        used, at = cpu_s(tree.pid), began
        while time.monotonic() - began < WARM_S:
            await asyncio.sleep(2)
            for number, client in enumerate(self.clients):
                page = (await client.ask("GET", path)).json()
                if page.get("total") and page["live"]:
                    live.setdefault(number, round(time.monotonic() - began, 1))
            now, uses = time.monotonic(), cpu_s(tree.pid)
            cores, used, at = (uses - used) / (now - at), uses, now
            if len(live) == len(self.clients) and cores < CALM_CORES:
                break
        return {
            "live_after_s": live,
            "calm_after_s": round(time.monotonic() - began, 1),
            "memory_mib": self.memory(),
        }

    def memory(self) -> dict[str, float]:
        """Of each process of the node, by its role (PSS)."""
        found: dict[str, float] = {}
        for role in ("gateway", "shard", "projector"):
            for number, pid in enumerate(self.site.node.pids(role)):
                found[f"{role} {number}"] = round(own_memory(pid)["pss"] / 2**20, 1)
        return found

    # --- load ------------------------------------------------------------------------

    async def load(self) -> dict[str, Any]:
        """Bookings alone, with searches, alone again, and searches alone."""
        asked = asked_of(self.site.people, 600)

        async def book() -> dict[str, Any]:
            told = await open_loop(self.take, self.supply, BOOKINGS, self.seconds)
            if set(told["statuses"]) != {"201"}:
                say(f"these figures are not of bookings: {told['statuses']}")
            return told

        async def search() -> dict[str, Any]:
            return await search_loop(self.clients, asked, SEARCHES, self.seconds)

        await open_loop(self.take, self.supply, BOOKINGS, min(5.0, self.seconds))
        await search_loop(self.clients, asked, SEARCHES, min(5.0, self.seconds))
        found: dict[str, Any] = {}
        found["bookings_alone"] = await self._spending(book)
        found["both"] = await self._spending(
            lambda: _pair(book(), search()), ("bookings", "searches")
        )
        found["bookings_alone_again"] = await self._spending(book)
        found["searches_alone"] = await self._spending(search)
        return found

    async def _spending(
        self, work: Callable[[], Awaitable[Any]], names: Sequence[str] = ()
    ) -> dict[str, Any]:
        """A window's figures, and the cores that each role used meanwhile."""
        roles = ("gateway", "shard", "projector")
        pids = {role: self.site.node.pids(role) for role in roles}
        before = {role: spent(pids[role]) for role in roles}
        began, own = time.monotonic(), time.process_time()
        done = await work()
        took = time.monotonic() - began
        cores = {
            role: round((spent(pids[role]) - before[role]) / took, 2) for role in roles
        }
        cores["client"] = round((time.process_time() - own) / took, 2)
        told = dict(zip(names, done, strict=True)) if names else done
        return {**told, "cores": cores}

    # --- pages -----------------------------------------------------------------------

    async def pages(self) -> dict[str, Any]:
        """Nothing is booked: pages at both gateways, and a scan of everything."""
        oracle = Oracle(self.site.people)
        began = time.monotonic()
        await oracle.ask(self.clients[0], oracle.rows)
        asked_s = round(time.monotonic() - began, 1)
        say(f"all calendars asked in {asked_s} s")
        await self.warmed()
        searches = [a_search(self.site.people, self.draw) for _ in range(PAGES)]
        found = await compared(oracle, self.clients, searches, path_of)
        return {"calendars_asked_s": asked_s, **found}

    # --- edits -----------------------------------------------------------------------

    async def edits(self) -> dict[str, Any]:
        """From the answer to an edit until both gateways find it."""
        found: dict[str, Any] = {
            "seen_s": [await self._edit(number) for number in range(EDITS)]
        }
        self.site.redis.kill()
        try:
            found["seen_without_redis_s"] = [
                await self._edit(EDITS + number)
                for number in range(EDITS_WITHOUT_REDIS)
            ]
        finally:
            self.site.redis.start()
        return found

    async def _edit(self, number: int) -> float | str:
        insurance = f"Zephyr {number} {self.draw.randrange(1 << 30)}"
        row = self.draw.choice(self.site.people).row
        provider, entry = row.provider_id, to_builtins(row.entry)
        # The rest stays as it is: pages are compared afterwards.
        body = entry | {"insurances": [*entry["insurances"], insurance]}
        path = f"/v1/providers/{provider}/directory-entry"
        client = self.clients[number % 2]
        answer = await client.ask("PUT", path, body, token=self.site.admin)
        if answer.status != 200:
            return answer.code
        began = time.perf_counter()
        query = urlencode({"insurance": insurance, "sort": "name"})

        async def until_found(one: HttpClient) -> None:
            for _ in range(LOOKS_MAX):
                answer = await one.ask("GET", f"/v1/providers?{query}")
                if answer.json()["total"] == 1:
                    return
                await asyncio.sleep(0.01)
            raise TimeoutError(query)

        await asyncio.gather(*map(until_found, self.clients))
        return round(time.perf_counter() - began, 3)

    # --- typos -----------------------------------------------------------------------

    async def typos(self) -> dict[str, Any]:
        """One error in the family name, beside the right given name."""
        names = [one.row for one in self.site.people]
        wanted = [self.draw.choice(names) for _ in range(TYPOS)]
        found, first = 0, 0
        longer = [row for row in wanted if len(row.name.split(" ")[-1]) > 3]

        async def one(row: Any, client: HttpClient) -> tuple[bool, bool]:
            given, family = row.name.lower().split(" ")[1:]
            words = f"{given} {with_one_error(family, self.draw)}"
            query = urlencode({"query": words, "sort": "match", "limit": 100})
            page = (await client.ask("GET", f"/v1/providers?{query}")).json()
            alike = [item["provider_id"] for item in page["items"]]
            top = bool(alike) and page["items"][0]["name"] == row.name
            return row.provider_id in alike, top

        for number, row in enumerate(longer):
            has, leads = await one(row, self.clients[number % 2])
            found, first = found + has, first + leads
        return {
            "asked": len(longer),
            "found": found,
            "share": round(found / len(longer), 4),
            "name_is_first": round(first / len(longer), 4),
        }

    # --- restart ---------------------------------------------------------------------

    async def restart(self) -> list[dict[str, float]]:
        """A gateway is killed: seconds until it answers, with all filters, and live.

        ``RESTART_S`` where it did not within that time.
        """
        return [await self._killed(number % 2) for number in range(RESTARTS)]

    async def _killed(self, index: int) -> dict[str, float]:
        client = HttpClient(self.site.urls[index], 4, timeout_s=5)
        psutil.Process(self.site.gateway(index)).kill()
        began = time.monotonic()

        async def until(path: str, holds: Callable[[Response], bool]) -> float:
            while time.monotonic() - began < RESTART_S:
                with suppress(ConnectionLost):
                    answer = await client.ask("GET", path)
                    if answer.status == 200 and holds(answer):
                        break
                await asyncio.sleep(0.02)
            return round(time.monotonic() - began, 2)

        words = "/v1/providers?query=dermatology&sort=match"
        narrow = "/v1/providers?query=dermatolgist&accepts_new=true&sort=soonest"

        def says(name: str) -> Callable[[Response], bool]:
            return lambda answer: bool(answer.json()[name])

        told = {
            "answers_s": await until(words, lambda _answer: True),
            "with_filters_s": await until(narrow, says("total")),
            "live_s": await until(narrow, says("live")),
        }
        await client.close()
        return told


async def _pair(first: Awaitable[Any], second: Awaitable[Any]) -> tuple[Any, Any]:
    found = await asyncio.gather(first, second)
    return found[0], found[1]


async def measure(
    site: Site,
    seconds: float,
    parts: Sequence[str],
    keep: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """The parts, in order; ``keep`` is told what has been found after each."""
    bench = Bench(site, seconds)
    found: dict[str, Any] = {"providers": len(site.people)}
    try:
        if "load" in parts:
            found["warm"] = await bench.warmed()
            say(f"warm: {found['warm']}")
        for part in parts:
            began = time.monotonic()
            found[part] = await getattr(bench, part)()
            say(f"{part}: {time.monotonic() - began:.0f} s")
            keep(found)
    finally:
        await bench.close()
    found["memory_mib"] = bench.memory()
    return found


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--providers", type=int, default=100_000)
    parser.add_argument("--practices", type=Path, default=None)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = chosen.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="search-"))
        )
        opened = search_site(folder, chosen.practices, chosen.providers)
        site, told = stack.enter_context(opened)
        # A collection over all these people would stop this client for half a second.
        gc.collect()
        gc.freeze()

        def keep(found: dict[str, Any]) -> None:
            if chosen.json is not None:
                chosen.json.write_text(json.dumps({**told, **found}, indent=1) + "\n")

        found = uvloop.run(measure(site, chosen.seconds, chosen.parts, keep))
    tell({**told, **found}, chosen.json)


if __name__ == "__main__":
    main()
