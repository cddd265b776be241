"""``slotcast status``: the server of this data folder and the state of its shards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import typer

from actors.errors import Unavailable
from actors.ports import ShardStatus
from cluster.commands.options import DataOption, JsonOption
from cluster.site.run_file import RunRecord, read_record
from cluster.site.settings import shards_of_machine
from cluster.site.site import Site, existing_site
from cluster.terminal.addresses import http_url
from cluster.terminal.obstacle import FOUND_A_PROBLEM
from cluster.terminal.terminal import Terminal

COLUMNS = (
    *("shard", "pid", "state", "epoch", "seq", "snapshot", "calendars", "waiting"),
    *("commands", "batches", "fsync_p50_ms", "fsync_p99_ms", "memory_mib"),
)


def status(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the server and its shards; exit code 1 if none runs or one is not open."""
    site = existing_site(data)
    terminal = Terminal()
    record = read_record(site.folder.run_file) if site.folder.is_locked() else None
    if record is None or not record.ray_address:
        facts: dict[str, Any] = {"running": False, "data": str(site.folder.path)}
        terminal.json(facts) if as_json else terminal.facts(facts)
        raise typer.Exit(FOUND_A_PROBLEM)
    shards = asyncio.run(_statuses(site))
    if as_json:
        terminal.json(
            {
                **_server_facts(site, record, shards),
                "shards": [msgspec.to_builtins(one) for one in shards],
            }
        )
    else:
        facts = _server_facts(site, record, shards)
        # A pid is for copying: no thousands separator.
        terminal.facts(facts | {"pid": str(record.owner.pid)})
        terminal.table("", COLUMNS, [_row(one) for one in shards])
    if any(one.state != "open" for one in shards):
        raise typer.Exit(FOUND_A_PROBLEM)


async def _statuses(site: Site) -> list[ShardStatus]:
    from cluster.wiring.calendars import open_links

    async with open_links(site, "slotcast status") as links:
        found = []
        for shard in links.shards():
            try:
                found.append(await links.status(shard))
            except Unavailable:
                nothing = (0, 0, 0, 0, 0, 0, 0, 0, 0)
                found.append(ShardStatus(shard, *nothing, state="silent"))
        return found


def _server_facts(
    site: Site, record: RunRecord, shards: Sequence[ShardStatus]
) -> dict[str, Any]:
    return {
        "running": True,
        "pid": record.owner.pid,
        "address": http_url(record.host, record.port),
        "data": str(site.folder.path),
        "placement": site.settings.placement.value,
        "shard_count": len(shards),
        "shards_for_this_machine": shards_of_machine(),
        "tzdata": ", ".join(sorted({one.tzdata for one in shards} - {""})),
    }


def _row(one: ShardStatus) -> tuple[object, ...]:
    return (
        *(one.shard, str(one.pid), one.state, one.epoch, one.last_seq),
        *(one.snapshot_position, one.calendars, one.mailbox, one.commands),
        *(one.batches, one.fsync_p50_ms, one.fsync_p99_ms),
        one.memory_bytes / 2**20,
    )
