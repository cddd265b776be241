"""What Ray would otherwise choose by itself, said before it starts; without Ray.

The reasons are in docs/decisions/0002-shards-and-placement.md and, for a cluster, in
docs/operations/nodes.md.
"""

from __future__ import annotations

import os
import secrets
import sys

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # shards must not starve behind gateways
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_LOG_TO_DRIVER": "0",
    "RAY_BACKEND_LOG_LEVEL": "warning",
    # Callers learn of a death within a tenth of a second, not after one and a half:
    "RAY_timeout_ms_task_wait_for_death_info": "100",
    "RAY_core_worker_internal_heartbeat_ms": "100",
    # Without its control service Ray would end our process after a minute, with status
    # 0. A server starts its Ray again; a cluster goes on for a day without its head.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
    # A call while Ray is away must fail, and not start another Ray by itself.
    "RAY_ENABLE_AUTO_CONNECT": "0",
}
CLUSTER = {
    # A node that does not answer is given up after three seconds, also when packets
    # vanish and no connection is refused; Ray's own choice is up to a minute.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_raylet_liveness_self_check_interval_ms": "3000",
    # Shards are handed over before (slotcast cluster drain); nothing else waits.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "1",
    # The address of a node is what its operator says, not what Ray guesses.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
}
REDIRECTING = (
    "RAY_ADDRESS",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_NAMESPACE",
    "RAY_REDIS_ADDRESS",
    "RAY_TMPDIR",
)
"""Variables that lead to another Ray, or to what another Ray keeps."""


def cluster_environment(token: str) -> dict[str, str]:
    """For every process of a cluster that has to do with Ray."""
    return {**QUIET, **CLUSTER, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


def show_cluster_token(token: str) -> None:
    """Belong to the cluster of this token; before Ray is imported."""
    forget_redirections()
    os.environ.update(cluster_environment(token))


def forget_redirections() -> None:
    """Leave out of the environment what would lead a node to another Ray."""
    for name in REDIRECTING:
        os.environ.pop(name, None)


def forget_foreign() -> list[str]:
    """Leave every setting of Ray that is not ours out of the environment.

    For a Ray that is the server's own: the settings are for others on this machine.
    Returns the names of those that said something else than we do.
    """
    found = {name: os.environ[name] for name in os.environ if name.startswith("RAY_")}
    for name in found:
        del os.environ[name]
    return sorted(name for name, value in found.items() if value != QUIET.get(name))


def new_ray_token() -> str:
    """A secret for one start of Ray."""
    return secrets.token_hex(32)


def show_ray_token(token: str) -> None:
    """Use this token in this process and its children; before Ray is imported."""
    if "ray" in sys.modules and os.environ.get("RAY_AUTH_TOKEN") != token:
        raise RuntimeError("Ray was imported before it could learn its token")
    forget_foreign()
    # Ray's word for "this machine is all there is": without it, it takes the address
    # of the network and listens on every interface, on Linux at least.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.update(QUIET)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = token
