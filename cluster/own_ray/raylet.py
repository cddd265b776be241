"""This node's Ray as its other processes see it: joined, left, and watched.

A driver does not notice that its raylet has died: its calls to shards continue, since
they do not pass through it. But it is no longer a member of the cluster, so a gateway
must exit and restart with the node's next Ray.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from cluster.own_ray.environment import show_cluster_token
from cluster.site.site import Site, derived
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
HEAD_S = 1.5
"""Seconds the head may take to accept a connection before it counts as away."""
JOIN_S = 30.0
"""Seconds a process may take to join Ray; normally one."""
LEAVE_S = 5.0
"""Seconds a process may take to exit when its Ray is gone: leaving Ray may hang."""
GONE_AFTER = 2
"""Consecutive failed checks after which a raylet counts as gone."""


def is_listening(place: Path) -> bool:
    """Whether a living process listens on this socket of a file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(place))
        except TimeoutError:  # its backlog is full: it is alive
            return True
        except OSError:
            return False
    return True


@contextmanager
def joined(site: Site) -> Iterator[None]:
    """Join this node's Ray as a driver.

    Ray would wait a day for its head: a process that joins while the head is away, or
    does not succeed in time, exits, and its supervisor restarts it.

    Raises:
        Obstacle: Ray cannot be reached.
    """
    settings = site.settings
    if not asyncio.run(head_answers(settings.head)):
        raise Obstacle(
            f"The head at {settings.head} is away, so Ray cannot be joined.",
            "It is tried again until the head is back.",
            code=FOUND_A_PROBLEM,
        )
    show_cluster_token(derived(site.cluster_secret(), "ray").hex())
    from cluster.own_ray.local import connect_ray, stop_ray

    patience = Timer(JOIN_S, _give_up)
    patience.daemon = True
    patience.start()
    try:
        connect_ray(settings.head, settings.node_host)
    except Exception as error:
        raise Obstacle(
            f"This node's Ray cannot be joined: {type(error).__name__}: {error}",
            "It may be starting, or the head may be away; it is tried again.",
            code=FOUND_A_PROBLEM,
        ) from error
    finally:
        patience.cancel()
    try:
        yield
    finally:
        stop_ray()


def _give_up() -> None:
    """End this process: a hanging call to Ray cannot be interrupted."""
    log.error("Ray could not be joined in %.0f s", JOIN_S)
    os._exit(FOUND_A_PROBLEM)


async def until_gone(place: Path) -> None:
    """Return when the raylet at this socket is gone for good."""
    missed = 0
    while missed < GONE_AFTER:
        await asyncio.sleep(LOOK_EVERY_S)
        missed = 0 if is_listening(place) else missed + 1


def end_soon(seconds: float = LEAVE_S) -> None:
    """End this process with ``FOUND_A_PROBLEM`` within this time, whatever hangs.

    The timer is faulthandler's: it also fires while a call into Ray blocks Python, and
    it writes the stack. A second call restarts the timer.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)


async def head_answers(address: str) -> bool:
    """Whether a process accepts connections at ``host:port`` of the head's Ray."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        async with asyncio.timeout(HEAD_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
