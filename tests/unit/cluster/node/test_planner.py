"""The planner: balanced, minimal, never to a node that leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from actors.domain.ids import ShardId
from actors.placement import isolated_shard, shard_name
from cluster.keeping.planner import Node, PlacementPlan, plan

NAMES = ("a", "b", "c", "d", "e")


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Node], list[ShardId], dict[ShardId, str]]:
    """Some nodes, some of them leaving, and shards here, there and nowhere."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    nodes = [Node(name, draining=draw(st.booleans())) for name in names]
    shards = [shard_name(n) for n in range(draw(st.integers(0, 24)))]
    hot = draw(st.integers(0, 6))
    shards += [isolated_shard(f"prv_{n}") for n in range(hot)]  # type: ignore[arg-type]
    places = st.sampled_from([*names, *names, "", "lost"])
    seats = {shard: draw(places) for shard in shards}
    return nodes, shards, {shard: name for shard, name in seats.items() if name}


def carried_out(
    seats: dict[ShardId, str], made: PlacementPlan, steps: int
) -> dict[ShardId, str]:
    """Where shards are after the first steps of a plan."""
    after = dict(seats)
    todo = [*made.creations, *((move.shard, move.target) for move in made.moves)]
    after.update(todo[:steps])
    return after


def takers(nodes: Sequence[Node]) -> set[str]:
    return {node.name for node in nodes if not node.draining}


@given(clusters())
def test_a_plan_is_balanced_and_empties_leaving_nodes(
    cluster: tuple[list[Node], list[ShardId], dict[ShardId, str]],
) -> None:
    """Carried out, shares differ by one at most, for isolated shards too."""
    nodes, shards, seats = cluster
    made = plan(nodes, shards, seats)
    if not takers(nodes):
        assert not made
        return
    after = carried_out(seats, made, 1000)
    known = {name for shard, name in after.items() if name != "lost"}
    assert known <= takers(nodes)
    assert set(after) == set(shards)
    for some in (shards, [one for one in shards if one.startswith("x-")]):
        counts = Counter(after[one] for one in some if after[one] != "lost")
        shares = [counts[name] for name in takers(nodes)]
        assert max(shares) - min(shares) <= 1


SHARDS_APART = {shard_name(n): "a" for n in range(11)} | {
    "x-prv_0": "b",
    "x-prv_1": "b",
}


@given(clusters(), st.integers(1, 5))
@example(([Node("a"), Node("b")], sorted(SHARDS_APART), SHARDS_APART), 1)
def test_rounds_end_and_never_get_longer(
    cluster: tuple[list[Node], list[ShardId], dict[ShardId, str]], limit: int
) -> None:
    """Some moves at a time, planned again each time: the plan shrinks to nothing."""
    nodes, shards, seats = cluster
    made = plan(nodes, shards, seats)
    while made:
        length = len(made.creations) + len(made.moves)
        seats = carried_out(seats, made, limit)
        made = plan(nodes, shards, seats)
        assert len(made.creations) + len(made.moves) <= max(0, length - limit)


@given(clusters())
def test_nothing_moves_to_where_it_is_and_only_once(
    cluster: tuple[list[Node], list[ShardId], dict[ShardId, str]],
) -> None:
    """Each shard moves at most once, to another node that stays."""
    nodes, shards, seats = cluster
    for balance in (True, False):
        made = plan(nodes, shards, seats, balance=balance)
        moved = [move.shard for move in made.moves]
        assert len(set(moved)) == len(moved)
        for move in made.moves:
            assert seats[move.shard] == move.source != move.target
            assert move.target in takers(nodes)


@given(
    st.lists(st.sampled_from(NAMES[:3]), min_size=0, max_size=20),
    st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")]),
)
def test_moves_are_as_few_as_balance_allows(
    places: list[str], names: tuple[str, ...]
) -> None:
    """No shard moves but those above the share of their node."""
    places = [name for name in places if name in names]
    seats = {shard_name(n): name for n, name in enumerate(places)}
    made = plan([Node(name) for name in names], seats, seats)
    low, odd = divmod(len(seats), len(names))
    counts = sorted((Counter(places)[name] for name in names), reverse=True)
    shares = [low + 1] * odd + [low] * (len(names) - odd)
    surplus = sum(
        max(0, count - share) for count, share in zip(counts, shares, strict=True)
    )
    assert len(made.moves) == surplus


@given(clusters())
def test_without_balancing_only_leaving_nodes_are_emptied(
    cluster: tuple[list[Node], list[ShardId], dict[ShardId, str]],
) -> None:
    """While nodes come and go nothing moves that need not."""
    nodes, shards, seats = cluster
    leaving = {node.name for node in nodes if node.draining}
    made = plan(nodes, shards, seats, balance=False)
    assert all(move.source in leaving for move in made.moves)
    if takers(nodes):
        after = carried_out(seats, made, 1000)
        assert not leaving & set(after.values())


def test_weights_are_shares() -> None:
    """A node of weight two takes twice as much; weight zero only if alone."""
    shards = [shard_name(n) for n in range(9)]
    nodes = [Node("head", weight=0), Node("a"), Node("b", weight=2)]
    made = plan(nodes, shards, {})
    assert Counter(name for _, name in made.creations) == {"a": 3, "b": 6}
    alone = plan(nodes[:1], shards, {})
    assert {name for _, name in alone.creations} == {"head"}
