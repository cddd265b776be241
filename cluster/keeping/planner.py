"""Which shard belongs on which node. Pure: no Ray, no clock, no randomness.

Every node that takes shards gets its share by weight, to within one; isolated shards
are also spread among themselves, since each is isolated for its load. The plan has the
fewest moves for that. A plan carried out in part is computed again from the new state:
it never gets longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from actors.domain.ids import ShardId
from actors.placement import is_isolated


class Node(Struct, frozen=True):
    """A machine of the cluster as the planner sees it."""

    name: str
    draining: bool = False
    weight: float = 1.0
    """Its relative share of the shards. 0: only if there is no other node."""


class Move(Struct, frozen=True):
    """A shard that is to be handed over. ``source`` may be its own node: restart."""

    shard: ShardId
    source: str
    target: str


class PlacementPlan(Struct, frozen=True):
    """Actions in order: first create missing shards, then move misplaced ones."""

    creations: Sequence[tuple[ShardId, str]] = ()
    """Shards without a process, and the node for each."""
    moves: Sequence[Move] = ()

    def __bool__(self) -> bool:
        return bool(self.creations or self.moves)


def plan(
    nodes: Iterable[Node],
    shards: Iterable[ShardId],
    seats: Mapping[ShardId, str],
    *,
    balance: bool = True,
) -> PlacementPlan:
    """Where the site's ``shards`` should be, from where they are (``seats``).

    ``nodes`` are those that live; a seat on any other name is being restarted by Ray
    and is left alone. Without ``balance`` only missing shards are created and shards on
    draining nodes moved: enough while membership changes.
    """
    wanted = sorted(set(shards))
    everyone = {node.name: node for node in nodes}
    takers = _takers(everyone.values())
    if not takers:
        return PlacementPlan()
    sat = {shard: seats[shard] for shard in wanted if seats.get(shard) in everyone}
    homeless = [shard for shard in wanted if shard not in seats]
    if balance:
        targets = _balanced(takers, sat, homeless)
    else:
        targets = _settled(takers, sat, homeless)
    return PlacementPlan(
        tuple((shard, targets[shard]) for shard in homeless),
        _in_order(
            [
                Move(shard, source, targets[shard])
                for shard, source in sat.items()
                if targets[shard] != source
            ],
            everyone,
        ),
    )


def _takers(nodes: Iterable[Node]) -> dict[str, float]:
    """Names and weights of the nodes that take shards."""
    wanted = [node for node in nodes if not node.draining]
    heavy = {node.name: node.weight for node in wanted if node.weight > 0}
    return heavy or {node.name: 1.0 for node in wanted}


def _balanced(
    takers: Mapping[str, float], sat: Mapping[ShardId, str], homeless: list[ShardId]
) -> dict[ShardId, str]:
    """A target for every shard: isolated ones by themselves, then all together."""
    every = [*sat, *homeless]
    hot = [shard for shard in every if is_isolated(shard)]
    hot_counts = _counts(takers, (sat.get(shard) for shard in hot))
    hot_quotas = _quotas(takers, len(hot), hot_counts)
    targets = _filled(hot, sat, hot_quotas)
    # Counted as if the isolated shards were already moved: a plan recomputed after some
    # of its moves must not give the odd shard to another node.
    counts = _counts(takers, {**sat, **targets}.values())
    # A node with one more isolated shard also gets the odd shard, so that both counts
    # can be even.
    quotas = _quotas(takers, len(every), counts, first=hot_quotas)
    others = [shard for shard in every if not is_isolated(shard)]
    rest = {name: max(0, quotas[name] - hot_quotas[name]) for name in takers}
    targets.update(_filled(others, sat, rest))
    return targets


def _quotas(
    takers: Mapping[str, float],
    total: int,
    counts: Mapping[str, int],
    first: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """How many shards each node should have; the odd ones go where they are already."""
    weights = sum(takers.values())
    exact = {name: total * weight / weights for name, weight in takers.items()}
    quotas = {name: int(share + 1e-9) for name, share in exact.items()}
    odd = total - sum(quotas.values())

    def urgency(name: str) -> tuple[bool, float, bool, str]:
        needed = first is not None and first[name] > quotas[name]
        remainder = round(exact[name] - quotas[name], 6)
        return (not needed, -remainder, counts[name] <= quotas[name], name)

    for name in sorted(takers, key=urgency)[:odd]:
        quotas[name] += 1
    return quotas


def _filled(
    shards: Sequence[ShardId], sat: Mapping[ShardId, str], quotas: Mapping[str, int]
) -> dict[ShardId, str]:
    """Assign shards to nodes: those that may stay do, the rest fill free places."""
    free = dict(quotas)
    targets: dict[ShardId, str] = {}
    for shard in shards:
        name = sat.get(shard, "")
        if free.get(name, 0) > 0:
            targets[shard] = name
            free[name] -= 1
    for shard in shards:
        if shard not in targets:
            name = max(free, key=lambda one: (free[one], one))
            targets[shard] = name
            free[name] -= 1
    return targets


def _settled(
    takers: Mapping[str, float], sat: Mapping[ShardId, str], homeless: list[ShardId]
) -> dict[ShardId, str]:
    """Shards stay where they can; the rest go to the least loaded node, by weight."""
    targets = {shard: name for shard, name in sat.items() if name in takers}
    counts = _counts(takers, targets.values())
    leaving = [shard for shard in sat if shard not in targets]
    for shard in (*leaving, *homeless):
        name = min(takers, key=lambda one: ((counts[one] + 1) / takers[one], one))
        targets[shard] = name
        counts[name] += 1
    return targets


def _counts(takers: Iterable[str], names: Iterable[str | None]) -> dict[str, int]:
    counts = dict.fromkeys(takers, 0)
    for name in names:
        if name in counts:
            counts[name] += 1
    return counts


def _in_order(moves: Sequence[Move], nodes: Mapping[str, Node]) -> tuple[Move, ...]:
    """Shards of draining nodes come first.

    Then by name, so that plans are reproducible.
    """
    return tuple(
        sorted(moves, key=lambda move: (not nodes[move.source].draining, move.shard))
    )
