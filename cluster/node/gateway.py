"""``slotcast gateway``: one gateway process, a driver of its node's Ray.

Several may share a port (SO_REUSEPORT) or have one each. The process exits when its
node's Ray does, and on a stop closes its watchers' sockets at a limited rate.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread

from actors.domain.zone_data import EDITION
from actors.ports import ShardLinks
from cluster.clock import SystemClock
from cluster.own_ray.folder import raylet_socket
from cluster.own_ray.raylet import LEAVE_S, end_soon, joined, until_gone
from cluster.server.preflight import raise_open_files_limit
from cluster.site.site import Site
from cluster.terminal.addresses import http_url
from cluster.terminal.alongside import alongside
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.wiring.calendars import Registered, fixed_shards, shard_spec, site_placing
from cluster.wiring.keys import check_keys
from cluster.wiring.web_server import WebServer
from persistence.redis.link import RedisAway
from persistence.shared.presence import TELL_S, GatewayLine, RedisPresence

log = logging.getLogger(__name__)


def serve_people(
    site: Site, port: int, index: int, ray_folder: Path, version: str
) -> int:
    """Serve until told to stop, or until this node's Ray is gone; the exit code.

    Raises:
        Obstacle: the port is not available, Ray cannot be joined, or sealed data could
            not be read with the keys of this process.
    """
    raise_open_files_limit()
    # Loading the gateway takes as long as joining Ray, which mostly waits. Both need
    # this, and each could see half of what the other has loaded.
    import_module("pydantic.v1")
    loading = Thread(target=import_module, args=("cluster.wiring.gateway",))
    loading.start()
    asyncio.run(check_keys(site))
    import uvloop

    with joined(site), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loading.join()
        return runner.run(_serve(site, port, index, raylet_socket(ray_folder), version))


def shared_listener(host: str, port: int) -> socket.socket:
    """A socket on a port that other gateways of this node may have as well.

    It accepts no connections until the web server listens, so that the kernel gives
    none to a process that is not ready. Raises Obstacle.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Obstacle(
            f"A gateway cannot listen on {host}:{port}: {error.strerror}.",
            "Stop the process that uses it, or give the gateways another port (--port "
            "or --ports).",
        ) from error
    return listener


async def _serve(site: Site, port: int, index: int, raylet: Path, version: str) -> int:
    from cluster.wiring.gateway import gateway_ports, web_server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    listener = shared_listener(site.settings.host, port)
    known = Registered(site)
    links = _links(site, known)
    try:
        async with gateway_ports(site, links) as ports:
            server = web_server(site, ports, version)
            async with (
                alongside(server.serve(sockets=[listener])) as serving,
                alongside(until_gone(raylet)) as lost,
                alongside(server.until_deaf()) as deaf,
                alongside(_be_present(site, port, index, server)),
            ):
                log.info("gateway begins", extra={"port": port, "tzdata": EDITION})
                gc.collect()
                gc.freeze()
                asked = asyncio.ensure_future(stop.wait())
                await asyncio.wait(
                    {asked, serving, lost, deaf}, return_when=asyncio.FIRST_COMPLETED
                )
                if not asked.done():
                    # Watchers are closed at a limited rate, and requests finish.
                    end_soon(2 * site.settings.drain_seconds + LEAVE_S)
                server.stop()
                await serving
                if not asked.done():
                    end_soon()
        if not asked.done():
            asked.cancel()
            log.error("this node's Ray is gone, or a defect; the gateway ends")
            return FOUND_A_PROBLEM
        log.info("gateway ends")
        return 0
    finally:
        listener.close()
        await known.close()


async def _be_present(site: Site, port: int, index: int, server: WebServer) -> None:
    """Report this gateway and its watchers to `slotcast cluster status`."""
    settings = site.settings
    if not settings.shared_redis:
        return
    await server.listening.wait()
    presence = RedisPresence(settings.shared_redis, settings.site)
    clock = SystemClock()
    url = http_url(settings.host, port)
    try:
        while True:
            line = GatewayLine(
                *(settings.node_name, index, os.getpid(), url),
                watchers=server.watchers(),
                at=clock.now(),
                tzdata=EDITION,
            )
            with suppress(RedisAway):
                await presence.tell(line)
            await asyncio.sleep(TELL_S)
    finally:
        with suppress(RedisAway):
            await presence.leave(settings.node_name, index)
        await presence.close()


def _links(site: Site, known: Registered) -> ShardLinks:
    from actors.remote.links import RayLinks

    fixed = fixed_shards(site)
    return RayLinks(
        site_placing(site),
        fixed,
        None if fixed else shard_spec(site),
        known=known,
    )
