"""The processes of a node and their command lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from msgspec import Struct

from actors.remote.labels import NODE_LABEL, WEIGHT_LABEL
from cluster.own_ray.environment import cluster_environment
from cluster.own_ray.folder import ray_temp
from cluster.server.children import NICENESS, Start, own_command
from cluster.site.site import Site, derived
from cluster.wiring.shard import JOURNAL_VARIABLE, LOGS_VARIABLE

OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""Near Ray's minimum, in bytes: Slotcast does not use the object store."""
CPUS_MIN = 4
"""CPUs declared to Ray; also the number of processes it starts at a time."""


class NodePlan(Struct, frozen=True):
    """What runs on this node."""

    site: Site
    name: str
    host: str
    """Its address for the other nodes."""
    http_host: str
    ports: tuple[int, ...]
    """One port per gateway; the same number repeated means a shared port."""
    is_head: bool
    ray_address: str
    takes_shards: bool

    @property
    def token(self) -> str:
        """The token that Ray's processes of this site present to each other."""
        return derived(self.site.cluster_secret(), "ray").hex()


def ray_start(plan: NodePlan, folder: Path) -> Start:
    """Ray of this node, in the foreground."""
    settings, site_folder = plan.site.settings, plan.site.folder
    weight = "1" if plan.takes_shards and not plan.is_head else "0"
    cpus = max(CPUS_MIN, os.cpu_count() or 1) if plan.takes_shards else 0
    environment = cluster_environment(plan.token)
    environment[LOGS_VARIABLE] = str(site_folder.logs)
    if settings.journal_is_redis:
        environment[JOURNAL_VARIABLE] = settings.journal
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--block"),
        *("--node-ip-address", plan.host, "--temp-dir", str(ray_temp(folder))),
        *("--num-cpus", str(cpus), "--num-gpus", "0"),
        *("--object-store-memory", str(OBJECT_STORE_BYTES)),
        *("--labels", f"{NODE_LABEL}={plan.name},{WEIGHT_LABEL}={weight}"),
        *("--disable-usage-stats", "--log-color", "false"),
    ]
    if not settings.ray_extras:
        command += ["--include-log-monitor", "false"]
    if plan.is_head:
        storage = site_folder.path / "gcs"
        storage.mkdir(mode=0o700, exist_ok=True)
        environment["RAY_gcs_storage"] = "rocksdb"
        environment["RAY_gcs_storage_path"] = str(storage)
        port = plan.ray_address.rpartition(":")[2]
        command += ["--head", "--port", port]
        if not settings.ray_extras:
            command += ["--no-monitor", "--include-dashboard", "false"]
    else:
        command += ["--address", plan.ray_address]
    return Start(command, environment)


def own_start(plan: NodePlan, *words: str) -> Start:
    """A ``slotcast`` command as a process of this node."""
    return Start(own_command(*words), node_environment(plan))


def background_start(plan: NodePlan, *words: str) -> Start:
    """The same, for a process that works behind requests."""
    return Start(own_command(*words), node_environment(plan), NICENESS[words[0]])


def node_environment(plan: NodePlan) -> dict[str, str]:
    """Environment variables added for processes of this node."""
    return {
        "SLOTCAST_DATA": str(plan.site.folder.path),
        "SLOTCAST_NODE_NAME": plan.name,
        "SLOTCAST_NODE_HOST": plan.host,
        "SLOTCAST_HEAD": plan.ray_address,
        "SLOTCAST_HOST": plan.http_host,
    }
