"""The keeper on a cluster without Ray: shards are where they should be, and answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.placement import shard_name
from cluster.keeping.keeper import Keeper, KeeperLimits
from cluster.keeping.moves import HandOff, Question
from cluster.keeping.operations import Operations, Patience
from cluster.keeping.turns import FileTurn
from cluster.terminal.obstacle import Obstacle
from tests.fakes.shard_actors import PATIENT, FakeActors

SHARDS = [shard_name(n) for n in range(6)]


class Bench:
    """A keeper, an operator and a clock on one fake cluster."""

    def __init__(self, folder: Path) -> None:
        self.fleet = FakeActors(PATIENT)
        self.seconds = 0.0
        self.turn = FileTurn(folder / "moving.lock")
        limits = KeeperLimits(look_s=0.01, report_s=0.2, moves_max=2)
        self.keeper = Keeper(
            self.fleet, self.shards, self.turn, limits, lambda: self.seconds
        )
        self.operations = Operations(
            self.fleet, self.turn, Patience(turn_s=1.0, again_s=0.01)
        )

    async def shards(self) -> list[ShardId]:
        return SHARDS

    async def started(self, *nodes: str) -> None:
        """All shards open on these nodes, spread and quiet."""
        self.fleet.join(*nodes)
        await self.keeper.round()
        self.seconds += 20
        await self.settle()

    async def settle(self) -> None:
        """Rounds until nothing is left to do."""
        for _ in range(20):
            await self.opened()
            done = await self.keeper.round()
            self.seconds += 1
            if not (done.created or done.moved or done.healed or done.restarted):
                return
        raise AssertionError("the keeper never rests")

    async def opened(self) -> None:
        for name in list(self.fleet.processes):
            await self.fleet.ask(name, Question.START, 5)

    async def counts(self) -> dict[str, int]:
        survey = await self.fleet.survey()
        assert not survey.doubles()
        return dict(Counter(survey.places().values()))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    one = Bench(tmp_path)
    yield one
    await one.fleet.close()


async def test_missing_shards_are_created_spread(bench: Bench) -> None:
    """A new site's shards begin evenly on what nodes there are."""
    await bench.started("a", "b")
    assert await bench.counts() == {"a": 3, "b": 3}


async def test_a_node_that_joins_receives_shards_after_a_while(bench: Bench) -> None:
    """Nothing is spread while nodes come and go; then as little as need be."""
    await bench.started("a", "b")
    bench.fleet.join("c")
    await bench.keeper.round()
    assert await bench.counts() == {"a": 3, "b": 3}
    bench.seconds += 10
    first = await bench.keeper.round()
    assert len(first.moved) == 2
    assert await bench.counts() == {"a": 2, "b": 2, "c": 2}


async def test_shards_gone_for_good_are_created_again(bench: Bench) -> None:
    """A shard without a process is not left so."""
    await bench.started("a", "b")
    for name in bench.fleet.names(SHARDS[0]):
        await bench.fleet.end(name)
    done = await bench.keeper.round()
    assert done.created == [SHARDS[0]]
    assert sum((await bench.counts()).values()) == len(SHARDS)


async def test_half_done_moves_are_ended(bench: Bench) -> None:
    """Two processes of a shard: the serving one stays."""
    await bench.started("a", "b")
    shard = SHARDS[0]
    await bench.fleet.create(shard, bench.fleet.names(shard)[1], "b", warm=True)
    done = await bench.keeper.round()
    assert done.healed == [shard]
    assert await bench.fleet.serving(shard) == [bench.fleet.names(shard)[0]]


async def test_a_process_that_hangs_is_started_anew(bench: Bench) -> None:
    """Alive and silent for half a minute is as good as dead, and is made so."""
    await bench.started("a", "b")
    name = bench.fleet.names(SHARDS[0])[0]
    bench.fleet.deaf.add(name)
    hung = bench.fleet.processes[name]
    restarted: list[ShardId] = []
    for _ in range(4):
        bench.seconds += 12
        restarted += (await bench.keeper.round()).restarted
    assert restarted == [SHARDS[0]]
    assert bench.fleet.processes[name] is not hung


async def test_one_missed_answer_after_a_long_pause_is_no_silence(
    bench: Bench,
) -> None:
    """Who was not asked for long, for an operator had the turn, is not held to hang."""
    await bench.started("a", "b")
    name = bench.fleet.names(SHARDS[0])[0]
    bench.seconds += 300
    bench.fleet.deaf.add(name)
    assert not (await bench.keeper.round()).restarted


async def test_a_process_that_is_slow_to_begin_has_more_time(bench: Bench) -> None:
    """Many begin at once on a busy machine; begun again they would only be later."""
    bench.fleet.join("a")
    name = bench.fleet.names(SHARDS[0])[0]
    bench.fleet.deaf.add(name)
    restarted: list[tuple[float, ShardId]] = []
    for _ in range(20):
        bench.seconds += 12
        done = await bench.keeper.round()
        restarted += ((bench.seconds, shard) for shard in done.restarted)
    assert [shard for _, shard in restarted] == [SHARDS[0]]
    assert restarted[0][0] >= 180


async def test_shards_moved_in_a_long_round_are_not_held_to_hang(bench: Bench) -> None:
    """On a slow machine a round of moves takes long; the old processes are gone."""
    await bench.started("a", "b")
    bench.seconds += 12
    await bench.keeper.round()
    bench.fleet.join("c")
    await bench.keeper.round()
    bench.seconds += 60
    done = await bench.keeper.round()
    assert len(done.moved) == 2
    assert not done.restarted


async def test_drain_ends_with_an_empty_node(bench: Bench) -> None:
    """Every shard of the node moves, each pause is told, and none comes back."""
    await bench.started("a", "b", "c")
    went = [one async for one in bench.operations.drain("b")]
    assert len(went) == 2
    assert all(one.source == "b" and not one.fault for one in went)
    bench.seconds += 20
    await bench.settle()
    assert await bench.counts() == {"a": 3, "c": 3}
    await bench.operations.undrain("b")
    await bench.keeper.round()
    bench.seconds += 20
    await bench.settle()
    assert await bench.counts() == {"a": 2, "b": 2, "c": 2}


async def test_drain_of_the_only_node_says_what_to_do(bench: Bench) -> None:
    """There must be a node that takes what leaves."""
    await bench.started("a")
    with pytest.raises(Obstacle, match="No other node"):
        await _all(bench.operations, "a")
    with pytest.raises(Obstacle, match="no node nowhere"):
        await _all(bench.operations, "nowhere")


async def _all(operations: Operations, name: str) -> list[HandOff]:
    return [one async for one in operations.drain(name)]


async def test_a_shard_that_will_not_move_is_named(bench: Bench) -> None:
    """Drain does the rest, tries again, and ends with a problem and its name."""
    await bench.started("a", "b")
    survey = await bench.fleet.survey()
    stuck = next(one for one, node in survey.places().items() if node == "b")
    bench.fleet.never.add(bench.fleet.names(stuck)[1])
    with pytest.raises(Obstacle, match=stuck):
        await _all(bench.operations, "b")
    assert (await bench.counts())["b"] == 1


async def test_restart_gives_every_shard_a_fresh_process(bench: Bench) -> None:
    """Same node, new process, one after the other."""
    await bench.started("a", "b")
    before = {id(one) for one in bench.fleet.processes.values()}
    went = [one async for one in bench.operations.restart_shards()]
    assert [one.shard for one in went] == SHARDS
    assert await bench.counts() == {"a": 3, "b": 3}
    assert not before & {id(one) for one in bench.fleet.processes.values()}
    with pytest.raises(Obstacle, match="no shard s0099"):
        async for _ in bench.operations.restart_shards([shard_name(99)]):
            pass


async def test_restart_leaves_out_no_shard_whose_hand_off_was_broken_off(
    bench: Bench,
) -> None:
    """A command that was killed left two processes; run again, it restarts all."""
    await bench.started("a")
    before = {id(one) for one in bench.fleet.processes.values()}
    broken = SHARDS[2]
    await bench.fleet.create(broken, bench.fleet.names(broken)[1], "a", warm=True)
    went = [one async for one in bench.operations.restart_shards()]
    assert [one.shard for one in went] == SHARDS
    assert await bench.counts() == {"a": 6}
    assert not before & {id(one) for one in bench.fleet.processes.values()}
    await bench.fleet.create(broken, bench.fleet.names(broken)[1], "a", warm=True)
    only = [one async for one in bench.operations.restart_shards([broken])]
    assert [one.shard for one in only] == [broken]


async def test_restart_names_a_shard_whose_process_is_nowhere_yet(bench: Bench) -> None:
    """What could not be restarted is said, not passed over."""
    await bench.started("a")
    starting = SHARDS[4]
    (name,) = await bench.fleet.alive(starting)
    bench.fleet.processes[name].node = ""
    with pytest.raises(Obstacle, match=starting):
        async for _ in bench.operations.restart_shards():
            pass


async def test_rebalance_shows_its_plan_first(bench: Bench) -> None:
    """What is shown is what is done."""
    await bench.started("a")
    bench.fleet.join("b")
    shown = await bench.operations.plan_rebalance()
    went = [one async for one in bench.operations.rebalance()]
    assert [one.shard for one in went] == [move.shard for move in shown.moves]
    assert await bench.counts() == {"a": 3, "b": 3}


async def test_only_one_moves_shards_at_a_time(bench: Bench) -> None:
    """While a command has its turn, the keeper waits for the next round."""
    await bench.started("a")
    async with bench.turn.mine(0):
        with pytest.raises(Unavailable):
            await bench.keeper.round()
    await bench.keeper.round()


async def test_keeper_goes_on_after_trouble(bench: Bench) -> None:
    """Ray's head away, or a defect: the next round is another try."""
    bench.fleet.join("a")
    bench.fleet.away = 2
    stopping = asyncio.Event()
    keeping = asyncio.ensure_future(bench.keeper.run(stopping))
    async with asyncio.timeout(60):
        while len(bench.fleet.processes) < len(SHARDS):  # noqa: ASYNC110 - it polls
            await asyncio.sleep(0.01)
    stopping.set()
    await keeping
