"""What sharing between gateways costs a request, and what hot pages save.

Run ``python -m tests.benchmarks.bench_shared --json``. Measures, never asserts. Calls
to shards are given the delay of a call between processes: here they are in this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from actors.domain.ids import Millis, ShardId
from actors.ports import Request, ShardReply
from care.sharing import Revocation, RevocationKind
from cluster.clock import SystemClock
from gateway.access.rate_budgets import Settlement, TokenBuckets
from gateway.access.tokens import Authenticator, Role, issue_token
from gateway.live.core.frames import Frame
from gateway.live.core.topic_names import slots_topic
from gateway.live.topics.watcher import Watcher
from persistence.shared.budgets import RedisBudgets
from persistence.shared.pages import RedisPages
from persistence.shared.revocations_redis import RedisRevocations
from tests import factories as make
from tests.fakes.api import CONFIG, KEY
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fixtures.redis_server import RedisServer

CALL_S = 0.001
"""A call to a Ray actor and back, with a batch in it."""
REQUESTS = 200_000
PAGES = 200


def rest_of(work: Callable[[], object], times: int) -> float:
    """Microseconds of one call."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


async def limits(url: str) -> dict[str, float]:
    """One request's share, with callers below the limit and one far above it."""
    names = [f"patient:pat_{number}" for number in range(1_000)]
    at = iter(range(1 << 60))
    alone = TokenBuckets(50.0, 200)
    local = rest_of(lambda: alone.take(names[next(at) % 1_000]), REQUESTS)
    store = RedisBudgets(url, "bench")
    settlement = Settlement(store, b"secret")
    shared = settlement.buckets("person", 50.0, 200, time.monotonic)
    settling = asyncio.ensure_future(settlement.run())
    took = 0.0
    for _ in range(REQUESTS // 1_000):
        began = time.perf_counter()
        for name in names:
            shared.take(name)
        took += time.perf_counter() - began
        await asyncio.sleep(0)
    while settlement._due:  # noqa: ASYNC110 - a benchmark
        await asyncio.sleep(0.001)
    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    cpu = time.process_time()
    for _ in range(20):
        for name in names[:250]:
            for _ in range(25):
                shared.take(name)
        await settlement.settle()
    cpu = time.process_time() - cpu
    asked = []
    for _ in range(500):
        began = time.perf_counter()
        await store._link.ask("INCR", "naive")
        asked.append(time.perf_counter() - began)
    await store.close()
    return {
        "local_us": local,
        "shared_us": took / REQUESTS * 1e6,
        "requests_that_met_redis_share": settlement.tally.buckets / REQUESTS,
        "settlement_cpu_us_per_request": cpu / (20 * 250 * 25) * 1e6,
        "plain_round_trip_per_request_us": median(asked) * 1e6,
    }


async def revocations(url: str) -> dict[str, float]:
    """The look-up per request, and how soon another gateway has heard."""
    clock = SystemClock()
    token = issue_token(KEY, Role.PATIENT, "pat_1", 3600, clock.now(), "t")
    door = Authenticator(CONFIG, clock)
    none = rest_of(lambda: door.verify(token), REQUESTS)
    until = Millis(clock.now() + 3_600_000)
    door.revoked.learn(
        [
            Revocation(RevocationKind.TOKEN, f"t{n}", clock.now(), until)
            for n in range(50_000)
        ]
    )
    many = rest_of(lambda: door.verify(token), REQUESTS)
    telling = RedisRevocations(url, "bench", clock)
    hearing = RedisRevocations(url, "bench", clock)
    heard = asyncio.Event()
    following = asyncio.ensure_future(hearing.follow(lambda _news: heard.set()))
    while not hearing.standing().ok:  # noqa: ASYNC110 - a benchmark
        await asyncio.sleep(0.001)
    took = []
    for number in range(100):
        heard.clear()
        began = time.perf_counter()
        await telling.add(
            Revocation(RevocationKind.TOKEN, f"x{number}", clock.now(), until)
        )
        await heard.wait()
        took.append(time.perf_counter() - began)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await telling.close()
    await hearing.close()
    return {
        "verify_none_revoked_us": none,
        "verify_50000_revoked_us": many,
        "heard_elsewhere_p50_ms": median(took) * 1e3,
        "heard_elsewhere_max_ms": max(took) * 1e3,
    }


class Screen:
    """Counts what is shown."""

    unsent = 0

    writable = True

    def __init__(self) -> None:
        self.shown: set[str] = set()
        self.all = asyncio.Event()

    def write(self, frame: Frame) -> None:
        self.shown.add(frame.topic)
        if len(self.shown) == PAGES:
            self.all.set()

    def answer(self, frame: Frame) -> None:
        raise AssertionError(frame.text)

    def ping(self) -> None:
        """Always available."""

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        raise AssertionError(code)


async def paint(live: LiveApi) -> float:
    """Milliseconds until a gateway that knows no topic shows all pages."""
    hub, now = live.live.hub, live.api.clock.now()
    for watcher in list(hub.watchers):
        hub.dropped(watcher, now)
    for board in list(hub.index.boards.values()):
        hub._forget(board)
    screen = Screen()
    watcher = Watcher(screen)
    hub.joined(watcher)
    began = time.perf_counter()
    for number in range(PAGES):
        provider = make.a_provider_id(number + 1)
        topic = slots_topic(provider, make.a_visit_type().visit_type, "2026-W34")
        hub.subscribe(watcher, topic, None, now)
    await screen.all.wait()
    return (time.perf_counter() - began) * 1e3


async def first_paint(store: RedisPages | None) -> dict[str, float]:
    """With and without hot pages; ``shard`` is what the shards' processes work."""
    shared = {"pages": store} if store else {}
    async with open_live_api(shared=shared) as live:
        for number in range(2, PAGES + 1):
            await live.api.add_provider(number)
        links = live.api.links
        execute, work = links.execute, [0.0]

        async def call(
            shard: ShardId, requests: Sequence[Request], timeout_s: float
        ) -> Sequence[ShardReply]:
            await asyncio.sleep(CALL_S)
            began = time.perf_counter()
            replies = await execute(shard, requests, timeout_s)
            work[0] += time.perf_counter() - began
            return replies

        links.execute = call  # type: ignore[method-assign]
        await paint(live)
        boards = live.live.hub.index.boards
        while any(board.reading for board in boards.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        warm_start: Any = live.live._reader.warm_start
        if warm_start is not None:
            warm_start.offer()
            warm_start.offer()
            await warm_start.shelf.flush()
        work[0] = 0.0
        took = [await paint(live) for _ in range(15)]
        figures = {"p50_ms": median(took), "shard_work_ms": work[0] / 15 * 1e3}
        if warm_start is not None:
            figures["pages_used_share"] = warm_start.shelf.tally.found / (15 * PAGES)
        return figures


async def measure(server: RedisServer) -> dict[str, Any]:
    """Everything, and first paint once more with Redis frozen."""
    found: dict[str, Any] = {
        "rate_limits": await limits(server.url),
        "revocations": await revocations(server.url),
    }
    store = RedisPages(server.url, "bench")
    found["first_paint_200_without"] = await first_paint(None)
    found["first_paint_200_with"] = await first_paint(store)
    server.freeze()
    found["first_paint_200_redis_frozen"] = await first_paint(store)
    server.thaw()
    await store.close()
    return found


def main() -> None:
    """Measure with a Redis of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer(Path(folder)) as server,
    ):
        print(json.dumps(asyncio.run(measure(server)), indent=2))


if __name__ == "__main__":
    main()
