"""``slotcast import practices`` and ``slotcast seed``: filling a site."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from actors.domain.rules import Clinic
from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.filling.postcodes import OtherColumns, plain, read_postcodes
from cluster.filling.practice_providers import providers_of
from cluster.filling.practices import GIVEN_UP_AFTER, OtherFile, Reading, read_practices
from cluster.filling.registering import register, several
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Progressing, Terminal

CLINICS_AT_ONCE = 500
"""Clinics per transaction: large enough to be fast, small enough not to delay the
projector."""
BAD_SHOWN_MAX = 20
"""Bad rows that are listed; the rest are counted."""
FILE_BYTES_MAX = 64 * 1024 * 1024
"""Twenty times the size of the real list; anything larger is another kind of file."""

importing = typer.Typer(help="Load clinics from files.", no_args_is_help=True)


@importing.callback()
def _words() -> None:
    """Load clinics from files."""


@importing.command()
def practices(
    *,
    file: Annotated[Path, typer.Argument(help="The list, in the format of epraccur.")],
    providers_per_clinic: Annotated[
        int,
        typer.Option(min=0, max=50, help="Number of calendars to create per clinic."),
    ] = 0,
    postcodes: Annotated[
        Path | None,
        typer.Option(
            help="CSV with postcode, latitude and longitude: where clinics are."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Import at most this many clinics; 0: all.")
    ] = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load clinics from the English list of general practices (see docs/import.md)."""
    terminal, clock = Terminal(), SystemClock()
    lines = _lines(file)
    settings = read_settings(data=data)
    site = site_made_if_needed(settings, clock.today())
    reading = Reading()
    try:
        clinics = list(read_practices(lines, clock.today(), reading))
    except OtherFile as error:
        raise Obstacle(
            f"{file} is no list of practices: its first {GIVEN_UP_AFTER} rows are all "
            f"bad ({error}). Nothing was imported.",
            "Give a file in the format of epraccur; see docs/import.md.",
            code=FOUND_A_PROBLEM,
        ) from error
    if limit:
        clinics = clinics[:limit]
    if postcodes is not None:
        clinics = _placed(clinics, postcodes)
    with terminal.progress() as progress:
        counts = asyncio.run(_import(site, clinics, providers_per_clinic, progress))
    _report(terminal, reading, counts, as_json=as_json)
    if reading.bad:
        raise typer.Exit(FOUND_A_PROBLEM)


def seed(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Fill the site with the demo region; existing data are left unchanged."""
    from cluster.filling.sow import sow_demo

    terminal, clock = Terminal(), SystemClock()
    site = site_made_if_needed(read_settings(data=data), clock.today())
    with terminal.progress() as progress:
        sown = asyncio.run(sow_demo(site, "slotcast seed", progress))
    if as_json:
        terminal.json({name: getattr(sown, name) for name in sown.__struct_fields__})
    else:
        terminal.say(
            f"The demo region has {sown.clinics} clinics, {sown.providers} providers "
            f"and {sown.bookings:,} bookings."
        )


async def _import(
    site: Site, clinics: Sequence[Clinic], per_clinic: int, progress: Progressing
) -> dict[str, Counter[str]]:
    """Store clinics and their providers; counts new, changed and unchanged ones."""
    from cluster.wiring.calendars import open_calendars, open_directory

    counted: Counter[str] = Counter(new=0, changed=0, same=0)
    stored: list[Clinic] = []
    async with open_directory(site) as directory:
        for chunk in _chunks(clinics, CLINICS_AT_ONCE):
            known = await directory.clinics([one.clinic_id for one in chunk])
            kept = [_with_place(one, known.get(one.clinic_id)) for one in chunk]
            stored += kept
            new, changed, same = await directory.put_clinics(kept)
            counted.update(new=new, changed=changed, same=same)
            progress("clinics", counted.total(), len(clinics))
    begun: Counter[str] = Counter(new=0, changed=0, same=0)
    total = len(clinics) * per_clinic
    if total:
        async with open_calendars(site, "slotcast import") as calendars:
            wanted = providers_of(stored, per_clinic)
            async for outcome in several(lambda one: register(calendars, one), wanted):
                begun[outcome.value] += 1
                progress("providers", begun.total(), total)
    placed: Counter[str] = Counter(
        places=sum(one.latitude is not None for one in clinics)
    )
    return {"clinics": counted, "providers": begun, "placed": placed}


def _with_place(clinic: Clinic, known: Clinic | None) -> Clinic:
    """A clinic of the list, which has no places, with the place that is known."""
    if known is None or clinic.latitude is not None:
        return clinic
    return replace(clinic, latitude=known.latitude, longitude=known.longitude)


def _placed(clinics: Sequence[Clinic], file: Path) -> list[Clinic]:
    """The clinics, with the places of their postcodes as far as the file has them."""
    wanted = {plain(one.postcode) for one in clinics if one.postcode}
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            found = read_postcodes(lines, wanted)
    except OSError as error:
        raise Obstacle(
            f"{file} cannot be read: {error.strerror}.",
            "Give the path of a CSV file with postcodes.",
        ) from error
    except (OtherColumns, csv.Error) as error:
        raise Obstacle(
            f"{file} is no list of postcodes: its columns are {error}. "
            "Nothing was imported.",
            "Give a CSV file with postcode, latitude and longitude; see "
            "docs/import.md.",
            code=FOUND_A_PROBLEM,
        ) from error
    made = []
    for clinic in clinics:
        place = found.get(plain(clinic.postcode))
        latitude, longitude = place or (clinic.latitude, clinic.longitude)
        made.append(replace(clinic, latitude=latitude, longitude=longitude))
    return made


def _report(
    terminal: Terminal,
    reading: Reading,
    counts: dict[str, Counter[str]],
    *,
    as_json: bool,
) -> None:
    summary: dict[str, Any] = {
        "read": reading.rows,
        **counts["clinics"],
        "skipped": reading.skipped.total(),
        "bad": len(reading.bad),
    }
    if counts["placed"]["places"]:
        summary["with_place"] = counts["placed"]["places"]
    if as_json:
        summary["skipped_why"] = dict(reading.skipped)
        summary["bad_rows"] = [
            {"line": line, "reason": reason} for line, reason in reading.bad
        ]
        summary["providers"] = dict(counts["providers"])
        terminal.json(summary)
        return
    for line, reason in reading.bad[:BAD_SHOWN_MAX]:
        terminal.note(f"line {line}: {reason}", style="yellow")
    more = len(reading.bad) - BAD_SHOWN_MAX
    if more > 0:
        terminal.note(f"and {more:,} more bad rows: --json lists all", style="yellow")
    terminal.facts(summary)
    if reading.skipped:
        whys = ", ".join(f"{count:,} {why}" for why, count in reading.skipped.items())
        terminal.say(f"skipped are: {whys}")
    if counts["providers"].total():
        terminal.say("providers:")
        terminal.facts({f"  {name}": n for name, n in counts["providers"].items()})


def _lines(file: Path) -> list[bytes]:
    try:
        size = file.stat().st_size
        if size > FILE_BYTES_MAX:
            raise Obstacle(
                f"{file} has {size:,} bytes, too many for a list of practices."
            )
        with file.open("rb") as stream:
            return stream.readlines()
    except OSError as error:
        raise Obstacle(
            f"{file} cannot be read: {error.strerror}.",
            "Give the path of the list as a file.",
        ) from error


def _chunks(clinics: Sequence[Clinic], size: int) -> Iterator[Sequence[Clinic]]:
    for start in range(0, len(clinics), size):
        yield clinics[start : start + size]
