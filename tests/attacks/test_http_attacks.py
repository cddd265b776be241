"""The attacks on HTTP, small, on one server: it says no, stays small, serves others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.attacks.attacked import Attacked, attacked
from tests.attacks.on_http import CROWD
from tests.attacks.running import ANSWERS_MIN, Report, run, until_grown

GROWTH_MIB_MAX = 64.0
KEPT_MIB_MAX = 32.0
ROOM = 100
"""Connections of one address on this server."""
QUICK = {
    "head_s": 2.0,
    "body_s": 2.0,
    "write_s": 2.0,
    "connections_per_address_max": ROOM,
}
"""Deadlines that a test can wait for; the polite client is far from them."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Attacked]:
    """A gateway's server that all attacks of this file share."""
    async with attacked(limits=QUICK) as found:
        yield found


async def check(report: Report, server: Attacked) -> None:
    """Every polite answer is right, memory is bounded and comes back."""
    assert report.served.wrong == []
    assert report.served.right >= ANSWERS_MIN
    assert report.grown_mib < GROWTH_MIB_MAX
    async with asyncio.timeout(60):
        while server.resident_mib() - report.before_mib > KEPT_MIB_MAX:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("endless head", {431}),
        ("endless value", {431}),
        ("endless url", {414}),
        ("endless blank lines", {431}),
        ("endless trailers", {401, 431}),
        ("endless trailer", {401, 431}),
        ("endless chunk head", {401, 431}),
        ("endless chunks", {401}),
        ("endless body", {401}),
    ],
)
async def test_what_never_ends_is_answered_and_closed(
    server: Attacked, name: str, statuses: set[int]
) -> None:
    """Once at most, and most of what was to be sent is never taken."""
    report = await run(server, name, mebibytes=64)
    await check(report, server)
    assert report.outcome.closed == 1
    assert report.outcome.sent < 32 * 2**20
    # A reset may overtake the answer where the client goes on and on.
    assert report.outcome.statuses.total() <= 1
    assert set(report.outcome.statuses) <= statuses


async def test_a_pipeline_without_end_waits_for_its_answers(server: Attacked) -> None:
    """It is served, one request at a time, and is no more than a quick client."""
    report = await run(server, "endless pipeline", mebibytes=2, seconds=6)
    await check(report, server)
    assert set(report.outcome.statuses) <= {200}


async def test_a_client_that_takes_no_answers_is_cut_off(server: Attacked) -> None:
    """What is answered to it does not pile up."""
    report = await run(server, "deaf pipeline", mebibytes=64)
    await check(report, server)
    assert report.outcome.closed == 1


@pytest.mark.parametrize(
    ("name", "statuses"),
    [("silent crowd", set()), ("slow heads", {408}), ("slow bodies", {401})],
)
async def test_a_slow_crowd_is_sent_away(
    server: Attacked, name: str, statuses: set[int]
) -> None:
    """All of them are closed; those beyond an address's room at once."""
    report = await run(server, name, mebibytes=8)
    await check(report, server)
    assert (report.outcome.opened, report.outcome.closed) == (CROWD, CROWD)
    assert report.outcome.statuses[429] == CROWD - ROOM
    assert set(report.outcome.statuses) <= {429, *statuses}


async def test_at_the_limit_of_open_files_newcomers_are_told() -> None:
    """503 and a metric, where the kernel would reset them without a trace."""
    async with attacked(limits=QUICK, files=110) as small:
        report = await run(small, "silent crowd", mebibytes=1)
        await check(report, small)
        assert report.outcome.closed == CROWD
        assert report.outcome.statuses[503] > 0
        counted = 'slotcast_http_refused_early_total{reason="open_files"}'
        assert await small.metric(counted) > 0


@pytest.mark.parametrize("name", ["endless head", "endless pipeline"])
async def test_without_the_protocol_of_ours_memory_grows(name: str) -> None:
    """The control: uvicorn's own connection keeps all that comes."""
    async with attacked(without=["http"]) as bare:
        await until_grown(bare, name, mebibytes=32, more=GROWTH_MIB_MAX)
