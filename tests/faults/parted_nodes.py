"""A cluster whose nodes are hosts of a network, so that the network can part.

n1, n2, n3: a namespace each        redis: a namespace with the lines to the
                                    Redis and the MariaDB of this machine
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.netns import Network
from tests.faults.one_server import DATABASE, SETTINGS
from tests.faults.proxied import ProxyProcess
from tests.faults.sites import Site
from tests.fixtures.cluster import ClusterOnOneMachine, NodeProcess
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.server import ROOT, clean_environment

NODES = ("n1", "n2", "n3")
STORES = "stores"


class _NodeOnHost(NodeProcess):
    """A node that runs on a host of the network."""

    prefix: tuple[str, ...] = ()

    def start(self, *, wait: bool = True) -> None:
        """Start it there; ``ip netns exec`` becomes the command itself."""
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "cluster", "cluster", *self.words],
                cwd=ROOT,
                env=clean_environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()


@dataclass
class PartedNodes:
    """The cluster and the network that it lives on."""

    network: Network
    cluster: ClusterOnOneMachine
    site: Site


def _move_to_hosts(cluster: ClusterOnOneMachine, network: Network) -> None:
    """Give each node the address of its host, and run it there."""
    old_head, new_head = cluster.head.host, network[NODES[0]].address
    for name, node in cluster.nodes.items():
        host = network[name]
        words = [word.replace(old_head, new_head) for word in node.words]
        settings = dict(node.settings)
        for key, value in settings.items():
            if value == node.host:
                settings[key] = host.address
        moved = _NodeOnHost(
            name, host.address, node.data, tuple(words), settings, node.port, 1
        )
        moved.prefix = tuple(host.command())
        cluster.nodes[name] = moved


@contextmanager
def open_parted_nodes(folder: Path) -> Iterator[PartedNodes]:
    """Three nodes on hosts of their own; thrown away with the block."""
    with ExitStack() as stack:
        network = stack.enter_context(Network([*NODES, STORES]))
        redis = stack.enter_context(RedisServer(folder / "redis"))
        mariadb = stack.enter_context(MariaDbServer(folder / "mariadb"))
        mariadb.create_database(DATABASE)
        stores = network[STORES]
        urls = {}
        for name, url, port in (
            ("SLOTCAST_JOURNAL", redis.url, redis.port),
            ("SLOTCAST_DATABASE", mariadb.url(DATABASE), mariadb.port),
        ):
            outer = ProxyProcess(port, listen=network.outside)
            stack.enter_context(outer)
            # Its control line is on the host's address, which we reach too.
            inner = ProxyProcess(
                outer.port,
                host=network.outside,
                listen=stores.address,
                prefix=tuple(stores.command()),
            )
            stack.enter_context(inner)
            there = f"{stores.address}:{inner.port}"
            urls[name] = url.replace(f"127.0.0.1:{port}", there)
        cluster = ClusterOnOneMachine(
            folder / "nodes", nodes=3, gateways=1, shards=6, **SETTINGS, **urls
        )
        _move_to_hosts(cluster, network)
        stack.enter_context(cluster)
        cluster.start()
        cluster.wait_ready()
        prefix = tuple(network[NODES[0]].command())
        site = Site(cluster.gateway_urls, cluster.head.settings, prefix)
        yield PartedNodes(network, cluster, site)
