"""One server on private services: a Redis journal, a MariaDB behind, proxies between.

gateway, shards ─► proxy ─► Redis        projector, gateway ─► proxy ─► MariaDB
half of the patients, one watcher ─► proxy ─► gateway
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.faults.proxied import ProxyProcess
from tests.faults.sites import Site
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.server import ServerProcess

DATABASE = "slotcast"
SETTINGS = {
    "SLOTCAST_SEED": "none",
    "SLOTCAST_RATE_LIMITS": "false",
    "SLOTCAST_PATIENT_LIMITS": "false",
    "SLOTCAST_HOLD_SECONDS": "20",
    "SLOTCAST_SNAPSHOT_EVENTS": "500",  # snapshots and trims while things break
    "SLOTCAST_SNAPSHOT_SECONDS": "3",
}


@dataclass
class OneServer:
    """Everything that can be broken in it."""

    server: ServerProcess
    redis: RedisServer
    mariadb: MariaDbServer
    to_redis: ProxyProcess
    to_mariadb: ProxyProcess
    to_gateway: ProxyProcess
    site: Site

    def status(self) -> dict[str, Any]:
        """What ``slotcast status`` says."""
        done = self.site.slotcast("status", "--json")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def shard_pids(self) -> list[int]:
        """The processes of the shards that answer."""
        return [one["pid"] for one in self.status()["shards"] if one["pid"]]

    def projectors(self) -> list[psutil.Process]:
        """The living projectors of the server."""
        below = psutil.Process(self.server.pid).children(recursive=True)
        return [one for one in below if "project" in _words(one)]

    def repair(self) -> None:
        """Undo what a fault may have left broken; the server itself is left alone."""
        for line in (self.to_redis, self.to_mariadb, self.to_gateway):
            line.heal()
        self.redis.thaw()
        self.mariadb.thaw()
        if not self.redis.is_running:
            self.redis.start()
        if not self.mariadb.is_running:
            self.mariadb.start()

    def kill_everything(self) -> None:
        """The machine of the server stops: every process of it, at once."""
        tree = self.server.note_tree()
        self.server.kill()
        for mark in tree:
            try:
                os.kill(mark.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def through(url: str, port: int, proxy: ProxyProcess) -> str:
    """The same URL, but by way of a proxy."""
    assert f":{port}" in url
    return url.replace(f":{port}", f":{proxy.port}")


@contextmanager
def open_one_server(folder: Path) -> Iterator[OneServer]:
    """Started, and thrown away with the block."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(folder / "redis"))
        mariadb = stack.enter_context(MariaDbServer(folder / "mariadb"))
        mariadb.create_database(DATABASE)
        to_redis = stack.enter_context(ProxyProcess(redis.port))
        to_mariadb = stack.enter_context(ProxyProcess(mariadb.port))
        settings = SETTINGS | {
            "SLOTCAST_JOURNAL": through(redis.url, redis.port, to_redis),
            "SLOTCAST_DATABASE": through(
                mariadb.url(DATABASE), mariadb.port, to_mariadb
            ),
        }
        server = ServerProcess(folder / "data", None, **settings)
        stack.enter_context(server)
        server.start()
        to_gateway = stack.enter_context(ProxyProcess(server.port))
        urls = [server.url, f"http://127.0.0.1:{to_gateway.port}"]
        site = Site(urls, server.settings)
        yield OneServer(server, redis, mariadb, to_redis, to_mariadb, to_gateway, site)
        server.stop()
