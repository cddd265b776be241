"""How fast the journal in files is: appends, replay, and opening after a crash.

Run as ``python -m tests.benchmarks.bench_journal [--json] [--records N] [--folder F]``.
One shard, one writer, real files. ``bare`` is a 4 KiB pwrite and fdatasync on the same
disk in the same run: what the disk allows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path

from actors.domain.ids import ShardId
from persistence import codec
from persistence.files.disk import SystemDisk
from persistence.journal.files.journal import FileJournal
from persistence.journal.files.reader import WalReader
from persistence.journal.files.wal import Wal
from tests.fixtures.events import booked

SHARD = ShardId("s0000")
BATCHES = (1, 10, 100)
SECONDS = 1.5


def _rate(act: Callable[[], object], seconds: float = SECONDS) -> float:
    """Calls per second, over about ``seconds``."""
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        act()
        count += 1
    return count / taken


def coding_us() -> dict[str, float]:
    """Time to encode and to decode one booking, best of seven rounds."""
    event = booked(7)
    data = codec.encode(event)
    rounds = 20_000

    def each(act: Callable[[], object]) -> float:
        return min(timeit.repeat(act, number=rounds, repeat=7)) / rounds * 1e6

    return {
        "encode_us": each(lambda: codec.encode(event)),
        "decode_us": each(lambda: codec.decode(memoryview(data))),
    }


def bare(folder: str) -> float:
    """Writes of 4 KiB, each with fdatasync, per second."""
    handle = os.open(f"{folder}/bare", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(handle, 0, 4096)
    block = bytes(4096)

    def write() -> None:
        os.pwrite(handle, block, 0)
        os.fdatasync(handle)

    rate = _rate(write)
    os.close(handle)
    return rate


def log_appends(folder: str, batch: int) -> float:
    """Appends per second of ``batch`` events, called directly."""
    wal = Wal(SystemDisk(), f"{folder}/direct-{batch}", SHARD)
    sealed = wal.seal()
    events = [booked(number) for number in range(batch)]
    seq = 0

    def append() -> None:
        nonlocal seq
        seq = wal.append(sealed.epoch, seq, events)

    rate = _rate(append)
    wal.close()
    return rate


async def journal_appends(folder: str, batch: int) -> float:
    """Appends per second of ``batch`` events, awaited one after the other."""
    journal = FileJournal(Path(folder) / f"awaited-{batch}")
    sealed = await journal.seal(SHARD)
    events = [booked(number) for number in range(batch)]
    seq, count, start = 0, 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < SECONDS:
        seq = await journal.append(SHARD, sealed.epoch, seq, events)
        count += 1
    await journal.close()
    return count / taken


def fill(folder: str, records: int) -> None:
    """A journal of many records, in batches of 20."""
    wal = Wal(SystemDisk(), f"{folder}/{SHARD}", SHARD)
    sealed = wal.seal()
    seq = 0
    while seq < records:
        batch = [booked(number) for number in range(seq + 1, seq + 21)]
        seq = wal.append(sealed.epoch, seq, batch)
    wal.close()


def replay_seconds(folder: str) -> float:
    """Time to read all records as events."""
    reader = WalReader(SystemDisk(), f"{folder}/{SHARD}", SHARD)
    start, after = time.perf_counter(), 0
    while records := reader.read(after, 5000):
        after = records[-1].seq
    taken = time.perf_counter() - start
    reader.close()
    return taken


def seal_seconds(folder: str, *, with_watermark: bool) -> float:
    """Time to open for writing; without the watermark as after a power cut."""
    if not with_watermark:
        os.unlink(f"{folder}/{SHARD}/watermark")
    wal = Wal(SystemDisk(), f"{folder}/{SHARD}", SHARD)
    start = time.perf_counter()
    wal.seal()
    taken = time.perf_counter() - start
    wal.close()
    return taken


def measure(folder: str, records: int) -> dict[str, float]:
    """All figures."""
    found = {"bare_fdatasync_per_s": bare(folder), **coding_us()}
    for batch in BATCHES:
        found[f"log_appends_per_s_batch_{batch}"] = log_appends(folder, batch)
        rate = asyncio.run(journal_appends(folder, batch))
        found[f"awaited_appends_per_s_batch_{batch}"] = rate
    fill(folder, records)
    size = sum(p.stat().st_size for p in Path(folder, SHARD).glob("*.wal"))
    taken = replay_seconds(folder)
    found["records"] = records
    found["bytes_per_record"] = size / records
    found["replay_s"] = taken
    found["replay_records_per_s"] = records / taken
    found["seal_s"] = seal_seconds(folder, with_watermark=True)
    found["seal_without_watermark_s"] = seal_seconds(folder, with_watermark=False)
    return {name: round(value, 4) for name, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        found = measure(folder, asked.records)
    if asked.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:36} {value:>14,.4g}\n")


if __name__ == "__main__":
    main()
