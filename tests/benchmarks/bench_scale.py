"""Ten thousand providers and a million events: memory, start-up, recovery.

``python -m tests.benchmarks.bench_scale --json``. Measures, never asserts. Memory is
the resident set of a process that does nothing else; recovery is from opening a shard
to its first answer, with the snapshots a busy shard leaves, and without any.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from actors.domain.ids import (
    BookingId,
    ClinicId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.commands import (
    BookSlot,
    CancelBooking,
    Command,
    RegisterProvider,
    SetAvailability,
)
from actors.domain.messages.reads import ReadPositions, ReadWeek
from actors.domain.rules import (
    Availability,
    Clinic,
    Hours,
    Location,
    Policy,
    Profile,
    VisitType,
)
from actors.hosting.local import LocalLinks
from actors.placement import Placement, placing, shard_name
from actors.shard.limits import ShardLimits
from cluster.clock import SystemClock
from cluster.site.stores import StoresConfig
from cluster.wiring.shard import ShardConfig, ShardStores

SHARDS = 4
MANY = 10_000
FEW = 100
EVENTS = 1_000_000
BATCH = 500
BUSY_PROVIDERS = 2_000
CONSULT = VisitTypeId("consult")


def the_provider(number: int) -> ProviderId:
    return ProviderId(f"prv_{number:05d}")


def birth(number: int) -> list[Command]:
    """Registration and rules: a working week, one visit type of 15 minutes."""
    provider = the_provider(number)
    clinic = Clinic(ClinicId(f"cln_{number % 50:02d}"), "Clinic", "Europe/Berlin")
    day = (Hours(480, 720), Hours(780, 1080))
    rules = Availability(
        locations=(
            Location(
                LocationId("loc_1"), "Europe/Berlin", weekly=(day,) * 5 + ((),) * 2
            ),
        ),
        visit_types=(VisitType(CONSULT, "Consultation", 15, horizon=60 * 24 * 400),),
    )
    return [
        RegisterProvider(
            provider_id=provider,
            key=f"r{number}",
            profile=Profile(f"Dr {number}", "general", clinic),
        ),
        SetAvailability(provider_id=provider, key=f"a{number}", availability=rules),
    ]


def the_config(folder: Path) -> ShardConfig:
    return ShardConfig(
        stores=StoresConfig(str(folder / "journal"), str(folder / "snapshots")),
        policy=Policy(),
        limits=ShardLimits(),
    )


def the_links(stores: ShardStores, shards: int) -> LocalLinks:
    names = [shard_name(index) for index in range(shards)]
    return LocalLinks(placing(Placement.SHARD, shards), names, stores.mailbox)


async def tell(links: LocalLinks, commands: Sequence[Command]) -> None:
    """Give commands in batches, each shard its own."""
    by_shard: dict[str, list[Command]] = {}
    for command in commands:
        by_shard.setdefault(links.shard_of(command.provider_id), []).append(command)
    for name in links.shards():
        mine = by_shard.get(name, [])
        for first in range(0, len(mine), BATCH):
            await links.execute(name, mine[first : first + BATCH], 60)


async def populate(folder: Path, providers: int) -> None:
    """A folder with so many providers, snapshots taken."""
    stores = ShardStores(the_config(folder))
    links = the_links(stores, SHARDS)
    await links.open()
    await tell(links, [c for number in range(providers) for c in birth(number)])
    await links.close()
    await stores.close()


def rss() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


async def measure_memory(folder: Path, providers: int) -> dict[str, float]:
    """In a process of its own: opened and idle, then every calendar in use."""
    stores = ShardStores(the_config(folder))
    links = the_links(stores, SHARDS)
    began = time.perf_counter()
    await links.open()
    opened = time.perf_counter() - began
    idle = rss()
    by_shard: dict[str, list[ProviderId]] = {name: [] for name in links.shards()}
    for number in range(providers):
        provider = the_provider(number)
        by_shard[links.shard_of(provider)].append(provider)
    week = "2027-W05"
    for name in links.shards():
        reads = [ReadWeek(p, CONSULT, week) for p in by_shard[name]]
        for first in range(0, len(reads), BATCH):
            await links.execute(name, reads[first : first + BATCH], 60)
    active = rss()
    await links.close()
    await stores.close()
    return {"open_seconds": opened, "idle_bytes": idle, "active_bytes": active}


def in_a_process(*arguments: str) -> dict[str, float]:
    """This module's measurement in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_scale", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def memory_and_opening() -> dict[str, Any]:
    """Few providers against many, each in a fresh process."""
    found: dict[str, dict[str, float]] = {}
    for providers in (FEW, MANY):
        folder = Path(tempfile.mkdtemp(prefix="scale-"))
        asyncio.run(populate(folder, providers))
        found[str(providers)] = in_a_process("--memory", str(folder), str(providers))
        shutil.rmtree(folder)
    few, many = found[str(FEW)], found[str(MANY)]
    more = MANY - FEW
    grown = (many["active_bytes"] - many["idle_bytes"]) / MANY
    return {
        "open_ms_100_providers": round(1000 * few["open_seconds"], 1),
        "open_ms_10000_providers": round(1000 * many["open_seconds"], 1),
        "bytes_per_idle_provider": round(
            max(0.0, many["idle_bytes"] - few["idle_bytes"]) / more
        ),
        "bytes_per_active_calendar": round(grown),
    }


def churn(round_number: int, start: int) -> list[Command]:
    """Book one slot on each busy provider, or cancel what the round before booked."""
    token = f"r{round_number // 2}"
    commands: list[Command] = []
    for number in range(BUSY_PROVIDERS):
        provider = the_provider(number)
        booking = BookingId(f"bkg_{number:05d}.{token}")
        if round_number % 2 == 0:
            commands.append(
                BookSlot(
                    provider_id=provider,
                    key=f"b{token}",
                    booking_id=booking,
                    patient_id=PatientId("pat_1"),
                    visit_type=CONSULT,
                    start=Minute(start),
                )
            )
        else:
            commands.append(
                CancelBooking(
                    provider_id=provider,
                    key=f"c{token}",
                    booking_id=booking,
                    owner=None,
                )
            )
    return commands


def next_monday_nine(now: Millis) -> int:
    """A minute that every bench calendar offers: Monday week, 09:00 in Berlin."""
    day = now // 86_400_000
    monday = day + (7 - (day + 3) % 7) + 7
    return int(monday * 1440 + 9 * 60)


async def write_million(folder: Path) -> float:
    """A shard that has journaled a million events, as a busy one does; seconds."""
    stores = ShardStores(the_config(folder))
    links = the_links(stores, 1)
    await links.open()
    await tell(links, [c for number in range(BUSY_PROVIDERS) for c in birth(number)])
    start = next_monday_nine(SystemClock().now())
    began = time.perf_counter()
    written, turn = 2 * BUSY_PROVIDERS, 0
    while written < EVENTS:
        await tell(links, churn(turn, start))
        written += BUSY_PROVIDERS
        turn += 1
    return time.perf_counter() - began
    # No close: a killed shard leaves just what it had made durable.


async def open_and_ask(folder: Path) -> dict[str, float]:
    """From nothing to the first answer of a shard."""
    stores = ShardStores(the_config(folder))
    links = the_links(stores, 1)
    began = time.perf_counter()
    await links.open()
    await links.execute(shard_name(0), [ReadPositions((the_provider(7),))], 600)
    seconds = time.perf_counter() - began
    last = await stores.journal.last_seq(shard_name(0))
    await links.close()
    await stores.close()
    return {"seconds": seconds, "events": float(last)}


def recovery() -> dict[str, Any]:
    """A million events in one shard: recovery as left by a kill, and from nothing."""
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    written = in_a_process("--write", str(folder))
    usual = in_a_process("--open", str(folder))
    shutil.rmtree(folder / "snapshots")
    (folder / "snapshots").mkdir()
    bare = in_a_process("--open", str(folder))
    size = sum(f.stat().st_size for f in (folder / "journal").rglob("*.wal"))
    shutil.rmtree(folder)
    return {
        "events": int(usual["events"]),
        "journal_bytes_per_event": round(size / usual["events"]),
        "events_decided_and_journaled_per_second": round(EVENTS / written["seconds"]),
        "recovery_seconds": round(usual["seconds"], 3),
        "recovery_seconds_without_snapshots": round(bare["seconds"], 3),
    }


def main() -> None:
    """Measure all, or one part as a subprocess of this one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", nargs=2)
    parser.add_argument("--write")
    parser.add_argument("--open", dest="opened")
    options = parser.parse_args()
    found: dict[str, Any]
    if options.memory:
        folder, providers = options.memory
        found = dict(asyncio.run(measure_memory(Path(folder), int(providers))))
    elif options.write:
        found = {"seconds": asyncio.run(write_million(Path(options.write)))}
        print(json.dumps(found), flush=True)
        psutil.Process().kill()
    elif options.opened:
        found = dict(asyncio.run(open_and_ask(Path(options.opened))))
    else:
        found = memory_and_opening() | {"recovery": recovery()}
    print(json.dumps(found, indent=None if not options.json else 2))


if __name__ == "__main__":
    main()
