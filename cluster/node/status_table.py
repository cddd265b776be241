"""A cluster's status for people and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.clock import SystemClock
from cluster.node.status import ClusterStatus
from cluster.terminal.terminal import Terminal

NODES = (
    *("node", "address", "state", "weight", "shards", "gateways", "watchers"),
    *("tzdata", "workers"),
)
WORKERS = ("node", "worker", "pid", "done", "failed")
SHARDS = (
    *("shard", "node", "pid", "state", "epoch", "seq", "calendars", "lag_events"),
    "lag_seconds",
)


def as_document(found: ClusterStatus) -> dict[str, Any]:
    """One JSON document."""
    return {
        "well": found.is_well,
        "troubles": found.troubles,
        "nodes": [dict(zip(NODES, row, strict=True)) for row in _nodes(found)],
        "shards": [dict(zip(SHARDS, row, strict=True)) for row in _shards(found)],
        "gateways": [msgspec.to_builtins(line) for line in found.gateways],
        "workers": [msgspec.to_builtins(line) for line in found.workers],
        "journal": msgspec.to_builtins(found.journal),
    }


def show(found: ClusterStatus, terminal: Terminal) -> None:
    """Tables, then problems."""
    terminal.table("Nodes", NODES, _nodes(found))
    shards = [(*row[:2], str(row[2]), *row[3:]) for row in _shards(found)]
    terminal.table("Shards", SHARDS, shards)  # a pid is a word to copy, no quantity
    columns = ("node", "gateway", "pid", "url", "watchers")
    rows = [
        (line.node, line.index, str(line.pid), line.url, line.watchers)
        for line in found.gateways
    ]
    terminal.table("Gateways", columns, rows)
    if found.workers:
        terminal.table("Workers", WORKERS, _workers(found))
    _show_journal(found, terminal)
    for trouble in found.troubles:
        terminal.note(trouble, style="yellow")


def _show_journal(found: ClusterStatus, terminal: Terminal) -> None:
    journal = found.journal
    row = ("", "away", "", "")
    if journal is not None:
        full = f"{journal.full:.0%}"
        row = (journal.place, journal.state, str(journal.replicas), full)
    terminal.table("Journal", ("place", "state", "replicas", "full"), [row])
    for remark in journal.remarks if journal is not None else ():
        terminal.note(remark, style="yellow")


def _nodes(found: ClusterStatus) -> list[tuple[object, ...]]:
    """Nodes that Ray knows; without Ray, those of gateways and workers that run."""
    known = found.survey.nodes if found.survey else {}
    present = [line.node for line in found.gateways]
    present += [line.node for line in found.workers]
    names = sorted({*known, *present})
    editions = found.editions()
    rows: list[tuple[object, ...]] = []
    for name in names:
        node = known.get(name)
        lines = [line for line in found.gateways if line.node == name]
        state = "unknown" if node is None else "alive"
        if node is not None and node.draining:
            state = "draining"
        rows.append(
            (
                *(name, node.address if node else "", state),
                node.weight if node else 0.0,
                sum(one.node == name for one in found.shards),
                len(lines),
                sum(line.watchers for line in lines),
                ", ".join(sorted(editions.get(name, ()))),
                sum(line.node == name for line in found.workers),
            )
        )
    return rows


def _workers(found: ClusterStatus) -> list[tuple[object, ...]]:
    return [
        (line.node, line.index, str(line.pid), line.done, line.failed)
        for line in found.workers
    ]


def _shards(found: ClusterStatus) -> list[tuple[object, ...]]:
    """Every shard in the placement, the journal or the read model."""
    now = SystemClock().now()
    lags = {lag.shard: lag for lag in found.lags}
    told = {one.shard: one for one in found.shards}
    rows: list[tuple[object, ...]] = []
    for shard in sorted({*lags, *told}):
        one, lag = told.get(shard), lags.get(shard)
        waiting = lag.oldest_waiting_at if lag else None
        rows.append(
            (
                shard,
                *((one.node, one.pid, one.state, one.epoch) if one else _UNTOLD),
                one.last_seq if one else lag.journal_seq if lag else 0,
                one.calendars if one else 0,
                lag.events if lag else 0,
                max(0.0, (now - waiting) / 1000) if waiting is not None else 0.0,
            )
        )
    return rows


_UNTOLD = ("", 0, "unknown", 0)
