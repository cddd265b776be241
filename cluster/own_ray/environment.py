"""Ray's settings, set before it starts; does not import Ray.

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
    # Callers notice a death within a tenth of a second instead of one and a half:
    "RAY_timeout_ms_task_wait_for_death_info": "100",
    "RAY_core_worker_internal_heartbeat_ms": "100",
    # Without its control service Ray would end this process after a minute, with status
    # 0. A server restarts its Ray; a cluster runs for a day without its head.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
    # A call while Ray is away must fail instead of starting another Ray.
    "RAY_ENABLE_AUTO_CONNECT": "0",
}
CLUSTER = {
    # A node that does not answer is declared dead after three seconds, also when
    # packets are dropped silently; Ray's default is up to a minute.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_raylet_liveness_self_check_interval_ms": "3000",
    # Shards are handed over before (slotcast cluster drain), so no wait is needed.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "1",
    # A node's address is the configured one, not Ray's guess.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
}
ALONE = {
    # On one machine these look, ten times a second and more, for what never comes:
    # garbage of objects, a full disk of theirs, idle workers, a backlog, an autoscaler.
    "RAY_raylet_check_gc_period_milliseconds": "10000",
    "RAY_local_fs_monitor_interval_ms": "10000",
    "RAY_kill_idle_workers_interval_ms": "10000",
    "RAY_report_worker_backlog_interval_ms": "10000",
    "RAY_gcs_pull_resource_loads_period_milliseconds": "10000",
    "RAY_io_context_monitor_probe_interval_ms": "10000",
    "RAY_ray_events_report_interval_ms": "60000",
    "RAY_free_objects_period_milliseconds": "10000",
}
REDIRECTING = (
    "RAY_ADDRESS",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_NAMESPACE",
    "RAY_REDIS_ADDRESS",
    "RAY_TMPDIR",
)
"""Variables that point to another Ray or its files."""
OWN = {**QUIET, **ALONE}
"""Settings of a server's own Ray."""


def cluster_environment(token: str) -> dict[str, str]:
    """Settings for every process of a cluster that uses Ray."""
    return {**QUIET, **CLUSTER, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


def show_cluster_token(token: str) -> None:
    """Join the cluster of this token; must run before Ray is imported."""
    forget_redirections()
    os.environ.update(cluster_environment(token))


def forget_redirections() -> None:
    """Remove variables that would lead a node to another Ray."""
    for name in REDIRECTING:
        os.environ.pop(name, None)


def forget_foreign() -> list[str]:
    """Remove every setting of Ray that is not Slotcast's from the environment.

    For a server's own Ray: such settings are meant for other programs on this machine.
    Returns the names of those with different values.
    """
    found = {name: os.environ[name] for name in os.environ if name.startswith("RAY_")}
    for name in found:
        del os.environ[name]
    return sorted(name for name, value in found.items() if value != OWN.get(name))


def new_ray_token() -> str:
    """A secret for one start of Ray."""
    return secrets.token_hex(32)


def show_ray_token(token: str) -> None:
    """Use this token in this process and its children.

    Must run before Ray is imported.
    """
    if "ray" in sys.modules and os.environ.get("RAY_AUTH_TOKEN") != token:
        raise RuntimeError("Ray was imported before it could learn its token")
    forget_foreign()
    # Restricts Ray to this machine: without it Ray takes the network's address and
    # listens on every interface, at least on Linux.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.update(OWN)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = token
