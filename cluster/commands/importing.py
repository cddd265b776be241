"""``slotcast import`` and ``slotcast seed``: filling a site."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from actors.domain.rules import Clinic
from actors.domain.zones import zone_named
from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.filling.postcodes import OtherColumns, plain, read_postcodes
from cluster.filling.practice_providers import providers_of
from cluster.filling.practices import GIVEN_UP_AFTER, OtherFile, Reading, read_practices
from cluster.filling.registering import register, several
from cluster.filling.visit_import import VisitImport, VisitsMade
from cluster.filling.visit_rows import (
    RowsRead,
    VisitRow,
    bounded_lines,
    read_visit_rows,
)
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

importing = typer.Typer(
    help="Load clinics and past visits from files.", no_args_is_help=True
)


@importing.callback()
def _words() -> None:
    """Load clinics and past visits from files."""


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


@importing.command()
def visits(
    *,
    file: Annotated[Path, typer.Argument(help="A CSV file with a header row.")],
    time_zone: Annotated[
        str,
        typer.Option(
            help="Where places lie that are no clinic of this site, such as "
            "Europe/London: a clinic is made of each."
        ),
    ] = "",
    source: Annotated[
        str,
        typer.Option(help="The system that the numbers of visits and patients are of."),
    ] = "history",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load past visits with their original times (see docs/import.md).

    They show in histories and reports, and in no calendar.
    """
    terminal, clock = Terminal(), SystemClock()
    if time_zone and zone_named(time_zone) is None:
        raise Obstacle(
            f"{time_zone} is no time zone.", "Give a name such as Europe/London."
        )
    site = site_made_if_needed(read_settings(data=data), clock.today())
    reading = RowsRead()
    try:
        with file.open("rb") as stream, terminal.progress() as progress:
            size = file.stat().st_size
            rows = read_visit_rows(bounded_lines(stream), reading)
            made = asyncio.run(
                _import_visits(
                    site,
                    rows,
                    reading,
                    (source, time_zone),
                    lambda _: progress("bytes", stream.tell(), size),
                )
            )
    except OtherFile as error:
        raise Obstacle(
            f"{file} is no table of visits: {error}.",
            "Give a file with the columns in docs/import.md.",
            code=FOUND_A_PROBLEM,
        ) from error
    except OSError as error:
        raise Obstacle(
            f"{file} cannot be read: {error.strerror}.", "Give the path of a CSV file."
        ) from error
    _report_visits(terminal, reading, made, as_json=as_json)
    if reading.bad_count:
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


async def _import_visits(
    site: Site,
    rows: Iterator[VisitRow],
    reading: RowsRead,
    where: tuple[str, str],
    told: Callable[[int], None],
) -> VisitsMade:
    """``where``: the source, and the time zone of its places."""
    from cluster.wiring.calendars import open_directory
    from persistence.keys.ring import KeyRing
    from persistence.records.models import RECORDS
    from persistence.records.reports.imported import SqlImportedVisits
    from persistence.sql.engine import open_engine
    from persistence.sql.migrating import migrate
    from persistence.sql.records import Records

    await migrate(site.records_url, RECORDS)
    records, clock = Records(site.records_url), SystemClock()
    writer = open_engine(site.database_url, "writer")
    try:
        async with open_directory(site) as directory:
            keys = await KeyRing(records, site.key_encryption_keys(), clock).of()
            work = VisitImport(
                directory=directory,
                visits=SqlImportedVisits(writer),
                hidden=partial(keys.index, "imported patient"),
                source=where[0],
                zone=where[1],
                now=clock.now(),
            )
            return await work.run(rows, reading, told)
    finally:
        await writer.dispose()
        await records.close()


def _report_visits(
    terminal: Terminal, reading: RowsRead, made: VisitsMade, *, as_json: bool
) -> None:
    summary: dict[str, Any] = {
        "read": reading.rows,
        **asdict(made),
        "odd": reading.odd_count,
        "bad": reading.bad_count,
    }
    kinds = {"bad": reading.bad, "odd": reading.odd}
    if as_json:
        for kind, rows in kinds.items():
            summary[f"{kind}_rows"] = [
                {"line": line, "reason": reason} for line, reason in rows
            ]
        terminal.json(summary)
        return
    for kind, rows in kinds.items():
        for line, reason in rows[:BAD_SHOWN_MAX]:
            terminal.note(f"line {line}: {reason}", style="yellow")
        more = summary[kind] - min(len(rows), BAD_SHOWN_MAX)
        if more > 0:
            terminal.note(f"and {more:,} more {kind} rows: see --json", style="yellow")
    terminal.facts(summary)


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
