"""Faults to choose from on a cluster of nodes."""

from __future__ import annotations

import os
import random
import signal

from tests.faults.menu import Menu, Strike, away
from tests.faults.three_nodes import ThreeNodes


class _ThreeNodesFaults:
    """What can be broken on a cluster with Redis and MariaDB."""

    def __init__(self, nodes: ThreeNodes) -> None:
        self._nodes = nodes

    def _kill_one(self, role: str, dice: random.Random) -> str:
        found = self._nodes.pids(role)
        if not found:
            return f"no {role} just now"
        node, pid = dice.choice(found)
        os.kill(pid, signal.SIGKILL)
        return f"{node}, pid {pid}"

    def shard_killed(self, dice: random.Random) -> str:
        return self._kill_one("shard", dice)

    def gateway_killed(self, dice: random.Random) -> str:
        return self._kill_one("gateway", dice)

    def projector_killed(self, dice: random.Random) -> str:
        return self._kill_one("projector", dice)

    def keeper_killed(self, dice: random.Random) -> str:
        return self._kill_one("keeper", dice)

    def raylet_killed(self, dice: random.Random) -> str:
        """Not the head's: that is a fault of its own (control service)."""
        others = [n for n in self._nodes.cluster.nodes if n != "n1"]
        node, pid = dice.choice(self._nodes.pids("raylet", others))
        os.kill(pid, signal.SIGKILL)
        return f"{node}, pid {pid}"

    def control_service_killed(self, dice: random.Random) -> str:
        return self._kill_one("gcs", dice)

    def node_killed(self, dice: random.Random) -> str:
        name = dice.choice([n for n in self._nodes.cluster.nodes if n != "n1"])
        self._nodes.cluster.kill_node(name)
        node = self._nodes.cluster.nodes[name]
        return f"{name}, {away(dice, 1, 6, node.start)}, then joined again"

    def redis_killed(self, dice: random.Random) -> str:
        self._nodes.redis.kill()
        return away(dice, 0.5, 3, self._nodes.redis.start)

    def redis_frozen(self, dice: random.Random) -> str:
        self._nodes.redis.freeze()
        return away(dice, 0.5, 8, self._nodes.redis.thaw)

    def mariadb_killed(self, dice: random.Random) -> str:
        self._nodes.mariadb.kill()
        return away(dice, 1, 10, self._nodes.mariadb.start)

    def mariadb_frozen(self, dice: random.Random) -> str:
        self._nodes.mariadb.freeze()
        return away(dice, 1, 15, self._nodes.mariadb.thaw)

    def journal_line_cut(self, dice: random.Random) -> str:
        size = dice.randrange(1, 20_000)
        self._nodes.to_redis.tell(cut_after=size)
        return f"after {size} bytes, {away(dice, 0.5, 2, self._nodes.to_redis.heal)}"


def of_three_nodes(nodes: ThreeNodes) -> Menu:
    """Of a cluster with Redis and MariaDB."""
    faults = _ThreeNodesFaults(nodes)
    strikes: dict[str, Strike] = {
        "shard killed": faults.shard_killed,
        "gateway killed": faults.gateway_killed,
        "projector killed": faults.projector_killed,
        "keeper killed": faults.keeper_killed,
        "raylet killed": faults.raylet_killed,
        "control service killed": faults.control_service_killed,
        "node killed, joins again": faults.node_killed,
        "Redis killed": faults.redis_killed,
        "Redis frozen": faults.redis_frozen,
        "MariaDB killed": faults.mariadb_killed,
        "MariaDB frozen": faults.mariadb_frozen,
        "line to Redis cut": faults.journal_line_cut,
    }
    return Menu(strikes, nodes.repair)
