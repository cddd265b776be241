"""A cluster of nodes on private services: three machines, a Redis, a MariaDB."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.one_server import DATABASE, SETTINGS, through
from tests.faults.proxied import ProxyProcess
from tests.faults.sites import Site
from tests.fixtures.cluster import ClusterOnOneMachine
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.redis_server import RedisServer


@dataclass
class ThreeNodes:
    """Everything that can be broken in it."""

    cluster: ClusterOnOneMachine
    redis: RedisServer
    mariadb: MariaDbServer
    to_redis: ProxyProcess
    to_mariadb: ProxyProcess
    site: Site

    def pids(self, role: str, among: Sequence[str] = ()) -> list[tuple[str, int]]:
        """(node, pid) of the living processes of a role; see NodeProcess.pids."""
        found = self.cluster.pids(role)
        return [
            (node, pid)
            for node, pids in sorted(found.items())
            for pid in sorted(pids)
            if not among or node in among
        ]

    def all_pids(self, node: str) -> list[int]:
        """Every living process of a node."""
        return [one.pid for one in self.cluster.nodes[node].tree()]

    def repair(self) -> None:
        """Undo what a fault may have left broken; nodes that are down come back."""
        for line in (self.to_redis, self.to_mariadb):
            line.heal()
        self.redis.thaw()
        self.mariadb.thaw()
        if not self.redis.is_running:
            self.redis.start()
        if not self.mariadb.is_running:
            self.mariadb.start()
        for node in self.cluster.nodes.values():
            for mark in node.marks.values():
                with suppress(ProcessLookupError):
                    os.kill(mark.pid, signal.SIGCONT)
            if not any(node.tree()):
                node.start()


@contextmanager
def open_three_nodes(
    folder: Path, *, nodes: int = 3, gateways: int = 1, shards: int = 6
) -> Iterator[ThreeNodes]:
    """Started, and thrown away with the block."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(folder / "redis"))
        mariadb = stack.enter_context(MariaDbServer(folder / "mariadb"))
        mariadb.create_database(DATABASE)
        to_redis = stack.enter_context(ProxyProcess(redis.port))
        to_mariadb = stack.enter_context(ProxyProcess(mariadb.port))
        url = through(mariadb.url(DATABASE), mariadb.port, to_mariadb)
        settings = SETTINGS | {
            "SLOTCAST_JOURNAL": through(redis.url, redis.port, to_redis),
            "SLOTCAST_DATABASE": url,
        }
        cluster = stack.enter_context(
            ClusterOnOneMachine(
                folder / "nodes",
                nodes=nodes,
                gateways=gateways,
                shards=shards,
                **settings,
            )
        )
        cluster.start()
        cluster.wait_ready()
        site = Site(cluster.gateway_urls, cluster.head.settings)
        yield ThreeNodes(cluster, redis, mariadb, to_redis, to_mariadb, site)
