"""Real faults on one server with a Redis journal and a MariaDB behind it.

Each test breaks one thing under load, lets it heal, and ends in the same check: see
checking.py. They share a server and its history, so later tests also prove that
nothing from before was lost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from loadtests.workload.plan import Plan
from tests.faults.loads import Load, World, until
from tests.faults.one_server import OneServer, open_one_server
from tests.faults.proxied import ProxyProcess
from tests.fixtures.server import ROOT, clean_environment

pytestmark = pytest.mark.acceptance
PLAN = Plan(providers=8, patients=16, days=4, rate=120, timeout_s=6)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneServer]:
    with open_one_server(tmp_path_factory.mktemp("single")) as made:
        yield made


@pytest.fixture(scope="module")
def world(single: OneServer) -> World:
    return World(single.site, PLAN)


@pytest.fixture(autouse=True)
def repaired(single: OneServer) -> Iterator[None]:
    """What a test that failed left broken does not fail the next one."""
    yield
    single.repair()


def was_cut(line: ProxyProcess, times: int) -> bool:
    """Whether a line was cut more often than so many times."""
    return bool(line.tell()["cuts"] > times)


async def readiness(single: OneServer) -> tuple[int, dict[str, dict[str, object]]]:
    """Status and checks of /readyz."""
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.get(f"{single.server.url}/readyz")
    body = answer.json()
    return answer.status_code, body.get("checks", body)


async def metric(single: OneServer, name: str) -> float:
    """The sum of a metric over its labels; -1 if it is not there."""
    async with httpx.AsyncClient(timeout=60) as client:
        text = (await client.get(f"{single.server.url}/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines) if lines else -1.0


def outcomes(load: Load) -> dict[int, int]:
    return dict(load.work.statuses)


async def test_1_each_shard_is_killed(single: OneServer, world: World) -> None:
    """Fault 1: kill -9 of every shard's process, one after the other, under load."""
    async with world.load() as load:
        await load.more(60)
        for pid in await asyncio.to_thread(single.shard_pids):
            os.kill(pid, signal.SIGKILL)
            await load.more(60)
        assert load.watchers.reconnects == 0


async def test_4_redis_is_killed(single: OneServer, world: World) -> None:
    """Fault 4: Redis killed under load: 503 with Retry-After, sockets stay, the same
    keys come again, nothing is lost and nothing is there twice."""
    async with world.load() as load:
        for _ in range(2):
            await load.more(60)
            await asyncio.to_thread(single.redis.kill)
            await load.heard(503, 5)
            before = load.done
            await load.heard(503, 20)
            assert load.done - before <= PLAN.patients, "nothing may be acknowledged"
            await asyncio.to_thread(single.redis.start)
            await load.more(60)
        assert load.watchers.reconnects == 0
        assert load.work.statuses[500] == 0


async def test_4_redis_does_not_answer(single: OneServer, world: World) -> None:
    """Fault 4: Redis frozen, then unreachable without a word: bookings pause."""
    async with world.load() as load:
        await load.more(60)
        single.redis.freeze()
        await load.heard(503, 10)
        single.redis.thaw()
        await load.more(60)
        single.to_redis.tell(swallow_up=True)
        await load.heard(503, 10)
        single.to_redis.heal()
        single.to_redis.tell(cut=True)
        await load.more(60)
        assert load.watchers.reconnects == 0


async def test_12_the_journals_answers_are_lost(
    single: OneServer, world: World
) -> None:
    """Fault 12: links to the journal are cut in the middle of answers, again and
    again: an append without an answer is found out, not guessed."""
    async with world.load() as load:
        for size in (1, 700, 5_000, 9_000):
            await load.more(40)
            before = single.to_redis.tell(cut_after=size)["cuts"]
            await until(partial(was_cut, single.to_redis, before), "a cut")
            single.to_redis.heal()
        await load.more(60)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_6_the_sql_server_is_away(
    single: OneServer, world: World, how: str
) -> None:
    """Fault 6: bookings go on without it; the lag is shown; it catches up once."""
    async with world.load() as load:
        await load.more(40)
        await metric(single, "slotcast_projection")  # as a monitor does all the time
        if how == "killed":
            await asyncio.to_thread(single.mariadb.kill)
        else:
            single.mariadb.freeze()
        refused = load.work.statuses[503] + load.work.statuses[0]
        await load.more(400)
        assert load.work.statuses[503] + load.work.statuses[0] == refused

        async def lags() -> bool:
            return await metric(single, "slotcast_projection_lag_events{") > 100

        status, checks = await readiness(single)
        assert status == 200, checks
        if how == "killed":
            await until(lags, "the lag in the metrics")
            await asyncio.to_thread(single.mariadb.start)
        else:
            single.mariadb.thaw()
        await load.more(40)


async def test_7_the_sql_server_dies_in_a_commit(
    single: OneServer, world: World
) -> None:
    """Fault 7: links are cut at COMMIT, and the server is killed beneath them: whether
    a batch is in is read from the offset, never assumed."""
    async with world.load() as load:
        for _ in range(3):
            single.to_mariadb.tell(cut_at="COMMIT")
            await load.more(50)
            assert single.to_mariadb.tell()["cuts"] > 0
            single.to_mariadb.tell(heal=True, cut_after=400)
            await load.more(50)
            single.to_mariadb.heal()
        await asyncio.to_thread(single.mariadb.kill)
        await asyncio.to_thread(single.mariadb.start)
        await load.more(50)


async def test_9_projectors_die_and_two_run(single: OneServer, world: World) -> None:
    """Fault 9: the projector is killed three times while a second one runs."""
    async with world.load() as load:
        words = ("-m", "cluster", "project")
        twin = await asyncio.create_subprocess_exec(
            *(sys.executable, *words),
            cwd=ROOT,
            env=clean_environment(**single.site.settings),
        )
        try:
            for _ in range(3):
                await until(lambda: bool(single.projectors()), "a projector")
                single.projectors()[0].kill()
                await load.more(80)
        finally:
            twin.terminate()
            await asyncio.wait_for(twin.wait(), 30)


async def test_12_21_answers_to_patients_are_lost(
    single: OneServer, world: World
) -> None:
    """Faults 12 and 21: half of the patients and a watcher come over a line that
    delays, swallows and cuts: one key has one effect, and the watcher converges."""
    line = single.to_gateway
    async with world.load() as load:
        await load.more(40)
        for size in (100, 3_000, 20_000):
            line.tell(cut_after=size)
            await load.heard(0)
            line.heal()
            await load.more(30)
        line.tell(latency_ms=150)
        await load.more(60)
        line.tell(latency_ms=0, swallow_down=True)
        await load.more(200)
        line.tell(cut=True)
        line.heal()
        await load.more(60)
        assert load.watchers.reconnects > 0


async def test_19_the_read_model_is_older_than_it_was(
    single: OneServer, world: World
) -> None:
    """Fault 19: yesterday's copy of the database comes back, then none at all."""
    data = single.mariadb.folder / "data"
    copy = single.mariadb.folder / "yesterday"
    async with world.load() as load:
        await load.more(40)
        await asyncio.to_thread(single.mariadb.kill)
        await asyncio.to_thread(shutil.copytree, data, copy)
        await asyncio.to_thread(single.mariadb.start)
        await load.more(150)
        await asyncio.to_thread(single.mariadb.kill)
        shutil.rmtree(data)
        copy.rename(data)
        await asyncio.to_thread(single.mariadb.start)
        await load.more(40)
    done = await asyncio.to_thread(single.site.slotcast, "projection", "rebuild")
    assert done.returncode == 0, done.stderr
    async with world.load() as load:
        await load.more(20)


async def test_2_the_whole_machine_stops(single: OneServer, world: World) -> None:
    """Fault 2: every process of the server, Ray's and the gateway's too, is killed at
    once; patients ask on, and the next start knows all that was acknowledged."""
    async with world.load() as load:
        await load.more(80)
        await asyncio.to_thread(single.kill_everything)
        await load.heard(0, 5)
        await asyncio.to_thread(single.server.start)
        await load.more(80)
        assert load.watchers.reconnects > 0
