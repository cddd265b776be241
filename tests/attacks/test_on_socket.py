"""Beside any one hostile connection on the live socket others are served."""

from __future__ import annotations

from gateway.live.transport.parsers import FRAMES_BURST_S, FRAMES_PER_S
from tests.attacks.attacked import attacked
from tests.attacks.on_socket import PONG, TEXT
from tests.attacks.running import Report, run

SECONDS = 2.0
MEBIBYTES = 4.0
GROWN_MIB_MAX = 64
LONG_S = 20.0
"""For the control, which ends as soon as it has seen enough."""
ANSWERS_MAX = FRAMES_PER_S * (3 * SECONDS + FRAMES_BURST_S)
"""What a connection may be answered in its time and, on a busy machine, some more."""
ENDED_WITH = {"empty parts": 4500, "one-byte texts": 4500}
BOUNDED = {"pings": PONG, "small questions": TEXT}
OTHERS = ("tiny parts", "pongs", "unread answers", "invented topics")


def judge(name: str, report: Report) -> None:
    served, statuses = report.served, report.outcome.statuses
    assert not served.wrong, (name, served.wrong)
    assert served.right >= 20, name
    assert report.grown_mib <= GROWN_MIB_MAX, (name, report.grown_mib)
    if name in ENDED_WITH:
        assert statuses[ENDED_WITH[name]] == 1, (name, statuses)
    if name in BOUNDED:
        assert 0 < statuses[BOUNDED[name]] <= ANSWERS_MAX, (name, statuses)
    assert statuses[101] == report.outcome.opened, (name, statuses)


async def test_a_hostile_socket_costs_the_others_little() -> None:
    """Every polite answer is right, memory is bounded, floods are slowed or ended."""
    async with attacked() as server:
        for name in (*ENDED_WITH, *BOUNDED, *OTHERS):
            judge(name, await run(server, name, MEBIBYTES, SECONDS))


async def test_without_the_bound_a_flood_is_read_as_fast_as_it_comes() -> None:
    """The control: more pings are answered than the bound lets in the attack's time."""
    let = int(FRAMES_PER_S * (LONG_S + FRAMES_BURST_S))
    async with attacked(["frames"]) as server:
        report = await run(server, "pings", MEBIBYTES, LONG_S, enough=let + 10)
    assert report.outcome.statuses[PONG] > let
