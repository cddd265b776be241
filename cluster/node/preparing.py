"""Checks and preparation before a node's first process starts."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket

from cluster.clock import SystemClock
from cluster.node.plan import NodePlan
from cluster.server.preflight import check_disk, check_python, raise_open_files_limit
from cluster.server.service_checks import check_services
from cluster.site.data_folder import DataFolder
from cluster.site.settings import Settings
from cluster.site.shared_layout import agreed_layout
from cluster.site.site import Site, make_site
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Terminal
from cluster.wiring.keys import check_keys

SECRET_BYTES = 32
CLUSTER_SHARDS_LEAST = 8
"""Shards of a new cluster if no number is set: several for each of a few nodes."""


def site_of_node(settings: Settings, terminal: Terminal, *, is_head: bool) -> Site:
    """The site, created if this is its first node. Needs the folder's lock.

    Raises:
        Obstacle: the node cannot start; says why, and the remedy.
    """
    check_python()
    raise_open_files_limit()
    folder = DataFolder(settings.data)
    check_disk(folder.path, settings.disk_free_mib_min)
    if not is_head and not settings.journal_is_redis:
        raise Obstacle(
            "A node that joins needs a journal that it can reach: SLOTCAST_JOURNAL is "
            "a file here.",
            "Set SLOTCAST_JOURNAL=redis://… to the same Redis on every node.",
        )
    if not is_head and not settings.database:
        terminal.note(
            "SLOTCAST_DATABASE is not set: lists and searches on this node show only "
            "what its own file knows. Name the site's MySQL or MariaDB.",
            style="yellow",
        )
    made = folder.examine()
    layout = agreed_layout(folder, settings, made)
    if layout is None and not is_head:
        raise Obstacle(
            f"The journal's Redis knows no site {settings.site!r} to join.",
            "Start the first node with: slotcast cluster up; or check SLOTCAST_SITE.",
        )
    if layout is None and "shards" not in settings.model_fields_set:
        # One machine's number would leave no shards for nodes that join.
        shards = max(settings.shards, CLUSTER_SHARDS_LEAST)
        settings = settings.model_copy(update={"shards": shards})
    if layout is not None:
        settings = folder.check_matches(layout, settings)
    folder.check_writable()
    if made is None:
        layout = make_site(folder, settings, SystemClock().today(), layout)
    assert layout is not None
    site = Site(settings, folder, layout)
    _check_secret(site, is_head=is_head)
    check_services(site, terminal)
    asyncio.run(check_keys(site))
    return site


def _check_secret(site: Site, *, is_head: bool) -> None:
    if site.cluster_secret():
        return
    place = site.folder.cluster_secret_file
    if not is_head:
        raise Obstacle(
            "This node does not have the cluster's secret.",
            f"Copy secrets/cluster.secret of the first node to {place} (mode 600), or "
            "set SLOTCAST_CLUSTER_SECRET_FILE.",
        )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(place, flags, 0o600), "wb") as file:
        file.write(secrets.token_hex(SECRET_BYTES).encode() + b"\n")


def check_addresses(plan: NodePlan) -> None:
    """Raises Obstacle: this machine does not have the address, or a port is taken."""
    for host, port in {(plan.http_host, port) for port in plan.ports}:
        _check_free(host, port, "SLOTCAST_PORT (or --port, --ports)")
    if plan.is_head:
        port = int(plan.ray_address.rpartition(":")[2])
        _check_free(plan.host, port, "SLOTCAST_RAY_PORT (or --ray-port)")


def _check_free(host: str, port: int, setting: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise Obstacle(
                f"This node cannot listen on {host}:{port}: {error.strerror}.",
                f"Choose another port with {setting}, or an address that this machine "
                "has with --host.",
            ) from error
