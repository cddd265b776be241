"""This node's Ray as its other processes see it: joined, left, and watched.

A driver does not notice that its raylet has died: its calls to shards go on, for they
never passed it. But it is no member of the cluster any more, so whoever serves people
must leave and begin again with the next Ray of the node.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.ray_environment import show_cluster_token
from cluster.site import Site, derived

LOOK_EVERY_S = 0.5
HEAD_S = 1.5
"""How long the head may take to accept a connection before it counts as away."""
GONE_AFTER = 2
"""Looks in a row at a raylet that does not answer, until it is held to be gone."""


def raylet_socket(folder: Path) -> Path:
    """Where the raylet of this start of Ray listens for its node's processes."""
    return folder / "session_latest" / "sockets" / "raylet"


def is_listening(place: Path) -> bool:
    """Whether a living process listens on this socket of a file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(place))
        except TimeoutError:  # its queue is full: it lives
            return True
        except OSError:
            return False
    return True


@contextmanager
def joined(site: Site) -> Iterator[None]:
    """Be a driver of this node's Ray.

    Raises:
        Obstacle: Ray cannot be reached.
    """
    settings = site.settings
    show_cluster_token(derived(site.cluster_secret(), "ray").hex())
    from cluster.local_ray import connect_ray, stop_ray

    try:
        connect_ray(settings.head, settings.node_host)
    except Exception as error:
        raise Obstacle(
            f"This node's Ray cannot be joined: {type(error).__name__}: {error}",
            "It may be starting, or the head may be away; it is tried again.",
            code=FOUND_A_PROBLEM,
        ) from error
    try:
        yield
    finally:
        stop_ray()


async def until_gone(place: Path) -> None:
    """Return when the raylet at this socket is gone for good."""
    missed = 0
    while missed < GONE_AFTER:
        await asyncio.sleep(LOOK_EVERY_S)
        missed = 0 if is_listening(place) else missed + 1


async def head_answers(address: str) -> bool:
    """Whether somebody accepts connections at ``host:port`` of the head's Ray."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(HEAD_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
