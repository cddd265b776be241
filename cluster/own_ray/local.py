"""A private, minimal Ray that ends with the process that started it.

All of Ray's settings are set here explicitly, before it starts; the reasons are in
docs/decisions/0002-shards-and-placement.md.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
import ray

from actors.remote.links import NAMESPACE
from cluster.own_ray.environment import QUIET
from cluster.own_ray.folder import new_ray_folder, ray_temp
from cluster.own_ray.spare import without_spare_parts


class RayConfig(msgspec.Struct, frozen=True):
    """How Ray is started on this machine. ``num_cpus`` is a bookkeeping number."""

    num_cpus: int = 4
    object_store_bytes: int = 80 * 1024 * 1024
    folder: str = ""
    """From ``new_ray_folder``, for sockets and logs; empty: one that ``stop_ray``
    removes."""
    extras: bool = False
    """Whether Ray's dashboard, log monitor and autoscaler monitor run, too."""


_own_folders: list[Path] = []


def start_ray(config: RayConfig | None = None) -> str:
    """Start a private local Ray; returns the address for ``connect_ray``.

    The handlers of SIGTERM and SIGINT stay those of the caller. Blocks for about
    two seconds. Raises ValueError if the folder's path is too long.
    """
    config = config or RayConfig()
    folder = Path(config.folder) if config.folder else new_ray_folder()
    if not config.folder:
        _own_folders.append(folder)
    temporary = ray_temp(folder)
    _prepare_environment()
    lean = nullcontext() if config.extras else without_spare_parts()
    with _own_signals(), lean:
        context = ray.init(
            "local",  # whatever RAY_ADDRESS says
            num_cpus=config.num_cpus,
            object_store_memory=config.object_store_bytes,
            namespace=NAMESPACE,
            # None: start it, and tolerate its absence.
            include_dashboard=None if config.extras else False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(temporary),
        )
    return str(context.address_info["gcs_address"])


def connect_ray(address: str, node_host: str = "") -> None:
    """Join a Ray that another process started. Blocks.

    ``node_host`` is this node's address where Ray runs on several nodes: with more
    than one on a machine, each process must belong to its own.
    """
    _prepare_environment()
    # Ray's processes have their level already; here Ray would print a line about it.
    os.environ.pop("RAY_BACKEND_LOG_LEVEL", None)
    with _own_signals():
        ray.init(
            address=address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level="ERROR",
            **({"_node_ip_address": node_host} if node_host else {}),
        )


def stop_ray() -> None:
    """Leave Ray; the process that started it stops it, and waits for its end."""
    with _own_signals():
        ray.shutdown(wait_for_processes=True)
    while _own_folders:
        shutil.rmtree(_own_folders.pop(), ignore_errors=True)


def _prepare_environment() -> None:
    """Set Ray's settings explicitly; child processes inherit them.

    Ray reads the authentication mode when it is imported, so a token must be set before
    that (cluster/own_ray/environment.py); otherwise none is required.
    """
    os.environ.update(QUIET)
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray replaces handlers on the main thread; put the caller's back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.getsignal(kind) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
