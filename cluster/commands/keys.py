"""``slotcast keys``: the keys of sealed data are checked and rotated."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Progressing, Terminal

if TYPE_CHECKING:
    from care.keys.rotation import Rotated

keys = typer.Typer(help="The keys of sealed personal data.", no_args_is_help=True)


@keys.command()
def check(*, data: DataOption = None) -> None:
    """Say whether every data key can be unwrapped with the configured keys."""
    from cluster.wiring.keys import check_keys

    asyncio.run(check_keys(existing_site(data)))
    Terminal().say("All data keys can be unwrapped.")


@keys.command()
def rotate(
    *,
    reseal: Annotated[
        bool,
        typer.Option(help="Also seal every row again with a new data key."),
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Wrap all data keys with the first key encryption key.

    Put a new key in front of the others first (SLOTCAST_KEYS, or secrets/keys in the
    data folder), and start all processes again with it. It takes seconds. Afterwards
    the older key is needed for backups alone. Every row is readable at each step;
    interrupted, the command continues when it is run again.
    """
    from care.keys.rotation import RotationRunning

    site = existing_site(data)
    terminal = Terminal()
    with terminal.progress() as progress:
        try:
            done = asyncio.run(_rotated(site, progress, reseal=reseal))
        except RotationRunning:
            raise Obstacle(
                "Another rotation of the keys is under way.",
                "Wait until it ends, or, if it was killed, two minutes: then it can be "
                "run again, and goes on where it was.",
            ) from None
    if as_json:
        terminal.json(msgspec.to_builtins(done))
        return
    terminal.say(f"{done.wrapped:,} data keys wrapped again.")
    if reseal:
        terminal.say(
            f"{done.resealed:,} values sealed again with data key {done.number}."
        )


async def _rotated(site: Site, progress: Progressing, *, reseal: bool) -> Rotated:
    from care.keys.rotation import Rotated
    from cluster.clock import SystemClock
    from cluster.wiring.keys import check_keys
    from persistence.privacy.rotating import KeyRotation
    from persistence.sql.records import Records

    await check_keys(site)
    records = Records(site.records_url)
    try:
        rotation = KeyRotation(records, site.key_encryption_keys(), SystemClock())
        wrapped = await rotation.rewrap()
        if not reseal:
            return Rotated(wrapped)
        done = await rotation.reseal(progress)
        return Rotated(wrapped, done.resealed, done.number)
    finally:
        await records.close()
