"""Invented providers on real or invented practices: the same ones on every run.

Names are made of syllables, most of them rare and some very common, as names are. One
in a hundred is open around the clock: these are booked while searches run.
"""

from __future__ import annotations

import csv
import io
import random
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import ProviderId, VisitTypeId
from actors.domain.rules import Availability, Clinic, Hours, Location, VisitType
from care.directory.entries import ProviderEntry, Rating, Service
from care.directory.ports import RosterRow
from care.directory.specialties import BUILT_IN
from cluster.filling.practices import Reading, read_practices
from cluster.filling.rotas import ROTAS, location_of, visit_types

BUSY_SHARE = 100
"""One provider in so many is open around the clock, and booked."""
QUICK = VisitTypeId("quick")
"""What is booked of those: five minutes, from now on."""
VIDEO = VisitTypeId("video")
PER_PRACTICE = 9
INSURANCES = ("AOK", "Barmer", "Bupa", "DAK", "Aviva", "TK", "Vitality", "NHS")
LANGUAGES = ("en", "de", "ar", "pl", "tr", "fr", "es", "hi", "ur", "pt")
COMMON = (
    *("Smith", "Jones", "Taylor", "Brown", "Patel", "Khan", "Williams", "Wilson"),
    *("Johnson", "Davies", "Robinson", "Wright", "Thompson", "Evans", "Walker"),
)
TOWNS = (
    *("Leeds", "York", "Hull", "Ripon", "Bath", "Wells", "Truro", "Leven", "Whitby"),
    *("Kendal", "Durham", "Preston", "Bolton", "Derby", "Lincoln", "Norwich"),
)
_SPECIALTIES = tuple(one.title() for one in BUILT_IN[:18])
_ROTAS = tuple(name for name in ROTAS if name not in {"night", "two_places"})
_ALL_DAY = (Hours(0, 24 * 60),)
_HORIZON = 60 * 24 * 60


class Person(Struct, frozen=True):
    """A provider: what a search knows, and the opening rules."""

    row: RosterRow
    availability: Availability
    is_busy: bool


def practices(path: Path | None, count: int) -> list[Clinic]:
    """The open practices of a list in the format of epraccur, or invented ones."""
    text = path.read_bytes() if path is not None else _invented_list(count)
    lines = text.splitlines(keepends=True)
    found = read_practices(lines, datetime.now(UTC).date(), Reading())
    return [_placed(one) for one in found]


def _invented_list(count: int) -> bytes:
    out, draw = io.StringIO(), random.Random(5)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for number in range(count):
        town = draw.choice(TOWNS)
        row = [""] * 27
        row[0], row[1] = f"X{number:05d}", f"{_name(draw)} {town} surgery".upper()
        row[4], row[6], row[9] = f"{number} HIGH STREET", town.upper(), "BE1 1BE"
        row[10], row[12], row[17] = "20000101", "A", "01234 567890"
        writer.writerow(row)
    return out.getvalue().encode()


def _placed(clinic: Clinic) -> Clinic:
    """At a point that its postcode's area decides: the list has none."""
    area = zlib.crc32(clinic.postcode.split(" ")[0].encode())
    apart = zlib.crc32(clinic.clinic_id.encode())
    return replace(
        clinic,
        latitude=round(50.3 + 5 * (area % 1_000) / 1_000 + apart % 100 / 1_000, 5),
        longitude=round(
            -4.5 + 6 * (area // 1_000 % 1_000) / 1_000 + apart // 100 % 100 / 1_000, 5
        ),
    )


def _name(draw: random.Random) -> str:
    syllables = (
        draw.choice(("b", "br", "d", "f", "g", "h", "k", "l", "m", "n", "r", "s", "w"))
        + draw.choice(("a", "e", "i", "o", "u", "ea", "oo"))
        + draw.choice(("", "n", "r", "l", "s", "ck"))
        for _ in range(draw.choice((2, 2, 3)))
    )
    return "".join(syllables).capitalize()


def invented(clinics: Sequence[Clinic], count: int) -> list[Person]:
    """So many providers, spread over the clinics."""
    draw = random.Random(9)
    rare = sorted({_name(draw) for _ in range(3_000)})
    given = sorted({_name(draw) for _ in range(120)})
    return [
        _person(draw, number, clinics[number % len(clinics)], (rare, given))
        for number in range(count)
    ]


def _person(
    draw: random.Random,
    number: int,
    clinic: Clinic,
    names: tuple[Sequence[str], Sequence[str]],
) -> Person:
    provider, is_busy = ProviderId(f"prv_s{number:06d}"), number % BUSY_SHARE == 0
    rare, given = names
    family = draw.choice(COMMON if draw.random() < 0.2 else rare)
    specialty = draw.choice(_SPECIALTIES)
    kinds = visit_types(specialty, provider)
    weekly = (_ALL_DAY,) * 7 if is_busy else ROTAS[draw.choice(_ROTAS)]
    if is_busy:
        quick = VisitType(QUICK, "Quick", 5, alignment=5, notice=0, horizon=_HORIZON)
        kinds = (*kinds, quick)
    place = Location(
        location_of(clinic.clinic_id), clinic.time_zone, weekly, name=clinic.name
    )
    rating = Rating(draw.randint(20, 50), 10) if draw.random() < 0.6 else None
    row = RosterRow(
        provider_id=provider,
        name=f"Dr {draw.choice(given)} {family}",
        specialty=specialty,
        languages=("en", *draw.sample(LANGUAGES[1:], draw.randint(0, 2))),
        clinic=clinic,
        visit_types=kinds,
        entry=_entry(draw, kinds),
        rating=rating,
    )
    return Person(row, Availability((place,), kinds), is_busy)


def _entry(draw: random.Random, kinds: Sequence[VisitType]) -> ProviderEntry:
    return ProviderEntry(
        accepts_new=draw.random() < 0.7,
        insurances=tuple(draw.sample(INSURANCES, draw.randint(1, 3))),
        services=tuple(
            Service(
                one.visit_type,
                draw.randrange(2_000, 20_000, 500),
                "GBP",
                one.visit_type == VIDEO,
            )
            for one in kinds
            if draw.random() < 0.9
        ),
    )
