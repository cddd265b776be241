"""How fast the journal in Redis is: appends, their cost on both sides, and replay.

Run as ``python -m tests.benchmarks.bench_redis [--json] [--seconds S]``. A private
server with ``appendfsync always`` on this machine's disk; uvloop, as shards have it.
CPU is that of this process and of the server, in microseconds per append.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil
import uvloop

from actors.domain.ids import ShardId
from persistence.journal.redis.journal import RedisJournal
from tests.fixtures.events import booked
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import with_layout

BATCHES = (1, 10, 100)
SHARDS = 4
RECORDS = 100_000


async def appends(
    journal: RedisJournal, shard: ShardId, batch: int, until: float
) -> int:
    """Appends awaited one after the other; how many."""
    sealed = await journal.seal(shard)
    seq, count = sealed.last_seq, 0
    events = [booked(number) for number in range(batch)]
    while time.perf_counter() < until:
        seq = await journal.append(shard, sealed.epoch, seq, events)
        count += 1
    return count


async def rates(
    server: RedisServer, batch: int, shards: int, seconds: float
) -> dict[str, float]:
    """Appends per second of so many shards at one time, and what each costs."""
    site = await with_layout(server)
    journals = [RedisJournal(server.url, site) for _ in range(shards)]
    redis = psutil.Process(server.pid)
    began, own, theirs = time.perf_counter(), time.process_time(), _cpu(redis)
    counts = await asyncio.gather(
        *(
            appends(journal, ShardId(f"s{number:04d}"), batch, began + seconds)
            for number, journal in enumerate(journals)
        )
    )
    taken, count = time.perf_counter() - began, sum(counts)
    own, theirs = time.process_time() - own, _cpu(redis) - theirs
    for journal in journals:
        await journal.close()
    return {
        "appends_per_s": count / taken,
        "events_per_s": count * batch / taken,
        "our_cpu_us": own / count * 1e6,
        "redis_cpu_us": theirs / count * 1e6,
    }


async def replay(server: RedisServer, records: int) -> float:
    """Records read as events, per second."""
    journal = RedisJournal(server.url, await with_layout(server))
    shard = ShardId("s0000")
    sealed = await journal.seal(shard)
    seq = 0
    while seq < records:
        batch = [booked(number) for number in range(seq + 1, seq + 501)]
        seq = await journal.append(shard, sealed.epoch, seq, batch)
    began, after = time.perf_counter(), 0
    while found := await journal.read(shard, after, 2000):
        after = found[-1].seq
    taken = time.perf_counter() - began
    await journal.close()
    return after / taken


async def measure(server: RedisServer, seconds: float) -> dict[str, float]:
    """All figures."""
    found: dict[str, float] = {}
    for shards in (1, SHARDS):
        for batch in BATCHES:
            figures = await rates(server, batch, shards, seconds)
            for name, value in figures.items():
                found[f"shards_{shards}_batch_{batch}_{name}"] = round(value, 1)
    found["replay_records_per_s"] = round(await replay(server, RECORDS), 1)
    return found


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.5)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer(Path(folder), maxmemory="2gb") as server,
    ):
        found = uvloop.run(measure(server, asked.seconds))
    if asked.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:42} {value:>12,.4g}\n")


if __name__ == "__main__":
    main()
