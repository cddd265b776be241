"""``slotcast journal verify | show | trust-clock``: looking at the journal."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from actors.domain.ids import ProviderId, ShardId
from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.site.stores import open_journal
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from persistence.journal.files.inspect import ShardReport

journal = typer.Typer(help="Look at the journal.", no_args_is_help=True)


@journal.command()
def verify(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Read every record of every shard; exit code 1 if one is damaged."""
    reports = _reports(existing_site(data))
    terminal = Terminal()
    if as_json:
        terminal.json(
            [msgspec.to_builtins(one) | {"is_sound": one.is_sound} for one in reports]
        )
    else:
        columns = ("shard", "records", "first", "last", "epoch", "bytes", "state")
        terminal.table(
            "",
            columns,
            [
                (
                    *(one.shard, one.records, one.first_seq, one.last_seq),
                    *(
                        one.last_epoch,
                        one.bytes,
                        "sound" if one.is_sound else "DAMAGED",
                    ),
                )
                for one in reports
            ],
        )
        for one in reports:
            if one.torn_bytes:
                terminal.say(
                    f"{one.shard}: {one.torn_bytes:,} bytes after the last record were "
                    "never acknowledged; the next start cuts them."
                )
            if one.damage:
                terminal.say(f"{one.shard}: {one.damage}")
    if not all(one.is_sound for one in reports):
        raise typer.Exit(FOUND_A_PROBLEM)


@journal.command()
def show(  # noqa: PLR0913 - each is an option
    *,
    shard: Annotated[str, typer.Option(help="Only this shard.")] = "",
    provider: Annotated[str, typer.Option(help="Only this provider's events.")] = "",
    after: Annotated[int, typer.Option(min=0, help="Only events after this seq.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of events.")] = 100,
    personal: Annotated[
        bool, typer.Option("--personal", help="Include patients and reasons.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print events, oldest first; patients and reasons are hidden unless asked for."""
    terminal = Terminal()
    wanted: dict[str, Any] = {
        "shard": ShardId(shard) if shard else None,
        "provider": ProviderId(provider) if provider else None,
        "after_seq": after,
        "limit": limit,
        "personal": personal,
    }

    def tell(record: dict[str, Any]) -> None:
        if as_json:
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
        else:
            terminal.say(_line(record))

    _each_record(existing_site(data), wanted, tell)


@journal.command("trust-clock")
def trust_clock(
    *,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be done without doing it."),
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm that the machine's clock is right although the journal is ahead of it.

    For the alarm "the journal is ahead of the machine's clock". Check the clock first
    (timedatectl). The confirmation is recorded in the journal.
    """
    from actors.errors import Unavailable
    from cluster.checks.clock_trust import trust_clock as trust
    from cluster.clock import SystemClock

    site, terminal, now = existing_site(data), Terminal(), SystemClock().now()
    try:
        found = asyncio.run(trust(site, now, dry_run=dry_run))
    except Unavailable as error:
        raise Obstacle(
            f"Not every shard uses the clock yet: {error}",
            "Run the command again; shards that were corrected stay corrected.",
            code=FOUND_A_PROBLEM,
        ) from error
    if as_json:
        terminal.json({shard: one.ahead_ms for shard, one in found.items()})
        return
    does = "would go" if dry_run else "goes"
    for shard, one in found.items():
        seconds = one.ahead_ms // 1000
        terminal.say(f"{shard} was {seconds:,} s ahead; it {does} by the clock.")
    if not found:
        terminal.say("No journal is ahead of the clock.")


def _reports(site: Site) -> Sequence[ShardReport]:
    """Verify each shard's journal; byte by byte if it is in files."""
    from persistence.journal import scan as journal_scan
    from persistence.journal.files import inspect as journal_inspect

    if not site.stores.in_redis:
        return journal_inspect.verify(Path(site.stores.journal))

    async def scan() -> Sequence[ShardReport]:
        journal = open_journal(site.stores)
        try:
            return await journal_scan.verify(journal)
        finally:
            await journal.close()

    return asyncio.run(scan())


def _each_record(
    site: Site, wanted: dict[str, Any], tell: Callable[[dict[str, Any]], None]
) -> None:
    from persistence.journal import scan as journal_scan
    from persistence.journal.files import inspect as journal_inspect

    if not site.stores.in_redis:
        for record in journal_inspect.show(Path(site.stores.journal), **wanted):
            tell(record)
        return

    async def scan() -> None:
        journal = open_journal(site.stores)
        try:
            async for record in journal_scan.show(journal, **wanted):
                tell(record)
        finally:
            await journal.close()

    asyncio.run(scan())


def _line(record: dict[str, Any]) -> str:
    fields = dict(record)
    head = [str(fields.pop(name)) for name in ("shard", "seq", "epoch", "event")]
    rest = " ".join(
        f"{name}={_short(value)}" for name, value in fields.items() if value != ""
    )
    return f"{head[0]} {head[1]:>7} e{head[2]} {head[3]:<18} {rest}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    longest = 60
    return text if len(text) <= longest else text[: longest - 1] + "…"
