"""Bookings on Redis and MariaDB next to the plain way: private servers, slow lines.

    python -m tests.benchmarks.bench_services [--seconds 5] [--json FILE]

Starts a MariaDB, a Redis and, in processes of their own, lines to both that add half
a millisecond to each round trip; then runs ``loadtests.bench.services`` on them. The
plain way and ours use the same MariaDB with the same settings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.faults.one_server import through
from tests.faults.proxied import ProxyProcess
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.redis_server import RedisServer

ADDED_MS = 0.5
"""Added to each round trip: half of it each way."""
DATABASES = ("bench_plain", "bench_ours0", "bench_ours1", "bench_ours2")
BIG: dict[str, str | int] = {
    "innodb_buffer_pool_size": "512M",
    "innodb_log_file_size": "256M",
}
PINGS = 300


def round_trip_ms(port: int) -> float:
    """The median of ``SELECT 1`` on a MariaDB at this port."""
    import pymysql  # type: ignore[import-untyped]

    from tests.fixtures.mariadb import PASSWORD, USER

    connection = pymysql.connect(
        host="127.0.0.1", port=port, user=USER, password=PASSWORD
    )
    took = []
    with connection, connection.cursor() as cursor:
        for _ in range(PINGS):
            began = time.perf_counter()
            cursor.execute("SELECT 1")
            took.append(time.perf_counter() - began)
    return 1000 * sorted(took)[PINGS // 2]


def calibrate(line: ProxyProcess, direct_ms: float) -> float:
    """Set a line's latency so that a round trip takes ``ADDED_MS`` more; what it takes.

    The line itself costs some of it, so that is found out and not added again.
    """
    each_way, takes = ADDED_MS / 4, 0.0
    for _ in range(5):
        line.tell(latency_ms=each_way)
        takes = round_trip_ms(line.port)
        wrong = takes - direct_ms - ADDED_MS
        if abs(wrong) < ADDED_MS / 20:
            break
        each_way = max(0.01, each_way - wrong / 2)
    return takes


def measure(seconds: float) -> dict[str, Any]:
    """Start everything, measure, and stop it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        redis = stack.enter_context(RedisServer(folder / "redis", maxmemory="4gb"))
        mariadb = stack.enter_context(MariaDbServer(folder / "mariadb", port=0, **BIG))
        for name in DATABASES:
            mariadb.create_database(name)
        slow_redis = stack.enter_context(ProxyProcess(redis.port))
        slow_mariadb = stack.enter_context(ProxyProcess(mariadb.port))
        direct = round_trip_ms(mariadb.port)
        delayed = calibrate(slow_mariadb, direct)
        slow_redis.tell(latency_ms=slow_mariadb.tell()["latency_ms"])
        url = mariadb.url("{}")
        out = folder / "found.json"
        command = [
            *(sys.executable, "-m", "loadtests.bench.services"),
            *("--redis", redis.url, "--mariadb", url),
            *("--slow-redis", through(redis.url, redis.port, slow_redis)),
            *("--slow-mariadb", through(url, mariadb.port, slow_mariadb)),
            *("--seconds", str(seconds), "--json", str(out)),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(out.read_text())
        found["table"] = out.with_suffix(".md").read_text()
        found["round_trip_ms"] = {
            "direct": round(direct, 3),
            "delayed": round(delayed, 3),
        }
    return found


def main() -> None:
    """Measure, print, and write JSON and the table where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = measure(options.seconds)
    table = found.pop("table")
    text = json.dumps(found, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")
        options.json.with_suffix(".md").write_text(table)


if __name__ == "__main__":
    main()
