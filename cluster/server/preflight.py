"""Checks before anything is started: port, disk, open files, Python."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import sys
from pathlib import Path

import psutil

from cluster.site.settings import Settings
from cluster.terminal.obstacle import Obstacle

PYTHON_MIN = (3, 11)
OPEN_FILES_MIN = 1024
"""Fewer leave no room for sockets beside journal segments and Ray's channels."""
OPEN_FILES_WANTED = 65_536
"""Ten thousand watchers, their reconnects, and room for everything else."""
MIB = 1024 * 1024


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raises Obstacle if Python is too old."""
    if version < PYTHON_MIN:
        have, need = ".".join(map(str, version)), ".".join(map(str, PYTHON_MIN))
        raise Obstacle(
            f"This is Python {have}; Slotcast needs {need} or newer.",
            "Install a newer Python, remove .venv, and run make again.",
        )


def raise_open_files_limit() -> int:
    """Allow as many open files as this user may have; the new limit.

    Raises:
        Obstacle: even that is too few.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = OPEN_FILES_WANTED if unlimited else min(OPEN_FILES_WANTED, hard)
    if wanted < OPEN_FILES_MIN:
        raise Obstacle(
            f"This user may open only {wanted} files at a time; the server needs at "
            f"least {OPEN_FILES_MIN}.",
            f"Raise the limit first: ulimit -n {OPEN_FILES_WANTED}.",
        )
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def check_disk(path: Path, free_mib_min: int) -> None:
    """Raises Obstacle if the disk under ``path`` is nearly full."""
    place = path
    while not place.exists():
        place = place.parent
    free_mib = shutil.disk_usage(place).free // MIB
    if free_mib < free_mib_min:
        raise Obstacle(
            f"The disk of {path} is nearly full: {free_mib} MiB free, "
            f"{free_mib_min} MiB needed.",
            "Make room, set SLOTCAST_DATA to another disk, or lower "
            "SLOTCAST_DISK_FREE_MIB_MIN if you know what you do.",
        )


def bind_port(settings: Settings) -> socket.socket:
    """The server's socket, bound but not yet listening.

    Raises:
        Obstacle: taken (naming the process if visible), forbidden, or no such address.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Obstacle(
            f"The address {host!r} to listen on is not known.",
            "Set SLOTCAST_HOST to an address of this machine, for instance 127.0.0.1.",
        ) from error
    listener = socket.socket(family, kind, number)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _port_obstacle(error, host, port) from error
    return listener


def begin_to_listen(listener: socket.socket, settings: Settings) -> None:
    """Start to listen; until now connections were refused.

    Two sockets may be bound with SO_REUSEADDR, but only one may listen.

    Raises:
        Obstacle: a server that was started at the same time has the port.
    """
    try:
        listener.listen(settings.backlog)
    except OSError as error:
        raise _port_obstacle(error, settings.host, settings.port) from error


def _port_obstacle(error: OSError, host: str, port: int) -> Obstacle:
    if error.errno == errno.EADDRINUSE:
        return Obstacle(
            f"Port {port} on {host} is taken{_by_whom(port)}.",
            f"Stop that program, or choose another port: SLOTCAST_PORT={port + 1} "
            "make run.",
        )
    if error.errno == errno.EACCES:
        return Obstacle(
            f"This user may not listen on port {port}.",
            "Choose a port above 1023 with SLOTCAST_PORT.",
        )
    return Obstacle(
        f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.",
        "Set SLOTCAST_HOST to an address of this machine, for instance 127.0.0.1.",
    )


def _by_whom(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return ""
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            try:
                name = psutil.Process(connection.pid).name()
            except psutil.Error:
                return f" by process {connection.pid}"
            return f" by process {connection.pid} ({name})"
    return ""
