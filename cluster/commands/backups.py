"""``slotcast backup DEST`` and ``slotcast restore SRC``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.options import DataOption, JsonOption
from cluster.site.settings import Settings, read_settings
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from cluster.backup.manifest import Manifest
    from cluster.checks.verification import Verdict

PLACE = (
    "A folder, azure://CONTAINER/PREFIX, or "
    "https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX."
)


def backup(
    dest: Annotated[str, typer.Argument(metavar="DEST", help=PLACE)],
    *,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Include the keys that sign tokens.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the whole site, consistently, while it runs; reads only.

    DEST must be empty. Without --with-secrets people must sign in again after a
    restore; with it, a reader of the backup can sign tokens.
    """
    site, terminal = existing_site(data), Terminal()
    _check_apart(dest, site.folder.path)
    manifest = asyncio.run(_backed_up(site, dest, terminal, with_secrets=with_secrets))
    if as_json:
        terminal.json(_facts(manifest))
        return
    terminal.say(
        f"The backup in {dest} is whole: {manifest.bytes / 1e6:,.1f} MB, "
        f"{sum(one.last_seq for one in manifest.shards.values()):,} events."
    )
    if with_secrets:
        terminal.note(
            "It contains the secrets that sign tokens: protect it accordingly.",
            style="yellow",
        )


def restore(
    src: Annotated[str, typer.Argument(metavar="SRC", help=PLACE)],
    *,
    again: Annotated[
        bool,
        typer.Option("--again", help="Clear an unfinished restore first."),
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into the empty installation that the settings name.

    Its history is checked before it can be started. The kind of journal and database
    may differ from the one that was backed up.
    """
    settings, terminal = read_settings(data=data), Terminal()
    _check_apart(src, settings.data)
    verdict = asyncio.run(_restored(settings, src, terminal, again=again))
    if as_json:
        told = {"bookings": verdict.bookings, "events": verdict.events}
        terminal.json(told | {"problems": verdict.problems})
    else:
        agree = "they do not all agree:" if verdict.problems else "all agree."
        terminal.say(
            f"Restored and verified: {verdict.calendars:,} calendars, "
            f"{verdict.bookings:,} bookings, {verdict.events:,} events; {agree}"
        )
        for problem in verdict.problems:
            terminal.say(f"  {problem}")
    if verdict.problems:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _backed_up(
    site: Site, dest: str, terminal: Terminal, *, with_secrets: bool
) -> Manifest:
    from cluster.backup.opening import opened_place
    from cluster.backup.saving import Backup

    async with opened_place(dest) as place:
        making = Backup(site, place, terminal.note)
        return await making.run(with_secrets=with_secrets)


async def _restored(
    settings: Settings, src: str, terminal: Terminal, *, again: bool
) -> Verdict:
    from cluster.backup.opening import opened_place
    from cluster.backup.restoring import Restore

    async with opened_place(src) as place:
        return await Restore(settings, place, terminal.note).run(again=again)


def _check_apart(place: str, data: Path) -> None:
    """Refuse a backup inside the data folder: it would be lost with it."""
    if "://" in place:
        return
    folder, own = Path(place).absolute(), data.absolute()
    if folder == own or own in folder.parents:
        raise Obstacle(
            f"The backup {folder} lies in the data folder {own}.",
            "Name a folder on another disk, better on another machine.",
        )


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "bytes": manifest.bytes,
        "parts": sum(len(section.parts) for section in manifest.sections),
        "events": sum(one.last_seq for one in manifest.shards.values()),
        "has_secrets": manifest.has_secrets,
    }
