"""What the search in memory costs at 100,000 providers: to make, to ask, to change.

``python -m tests.benchmarks.bench_search --json``. Measures, never asserts; all figures
are processor time of one process, so other work on the machine changes them little.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator

from actors.domain.ids import ClinicId, Minute, ProviderId, VisitTypeId
from actors.domain.rules import Clinic, VisitType
from care.directory.entries import ProviderEntry, Service
from care.directory.ports import RosterRow
from care.directory.specialties import BUILT_IN
from gateway.directory.roster.matching import Matcher, Order, Search
from gateway.directory.roster.roster import Roster
from gateway.directory.roster.services import KEPT

PROVIDERS, CLINICS, FAMILIES, TOWNS = 100_000, 11_482, 3_000, 2_000
CONSULT, VIDEO = VisitTypeId("consult"), VisitTypeId("video")
GIVEN = ("Ann", "Bo", "Carla", "Dan", "Eva", "Finn", "Gus", "Hana")
KINDS = (VisitType(CONSULT, "Consultation", 30), VisitType(VIDEO, "Video", 30))
PAGE = 21


def _word(draw: random.Random, longest: int) -> str:
    syllables = (
        draw.choice("bcdfghklmnprst") + draw.choice("aeiou")
        for _ in range(draw.randint(2, longest))
    )
    return "".join(syllables).title()


def _rows(draw: random.Random) -> Iterator[RosterRow]:
    families = ["Smith", *(_word(draw, 4) for _ in range(FAMILIES))]
    towns = ["Leeds", *(_word(draw, 3) for _ in range(TOWNS))]
    clinics = [
        Clinic(
            ClinicId(f"cln_{number}"),
            f"{draw.choice(families)} Surgery",
            "Europe/London",
            city=draw.choice(towns),
            latitude=draw.uniform(50, 58),
            longitude=draw.uniform(-5, 1),
        )
        for number in range(CLINICS)
    ]
    for number in range(PROVIDERS):
        yield RosterRow(
            ProviderId(f"prv_{number:06}"),
            f"Dr {draw.choice(GIVEN)} {draw.choice(families)}",
            draw.choice(BUILT_IN).title(),
            ("en", draw.choice(("de", "ar", "fr"))),
            draw.choice(clinics),
            KINDS,
            ProviderEntry(
                accepts_new=draw.random() < 0.5,
                insurances=(f"Insurance {draw.randrange(28)}",),
                services=(Service(VIDEO, 5000, "GBP", remote=True),),
            ),
        )


def _ms(times: list[float]) -> dict[str, float]:
    times.sort()
    return {
        "p50_ms": round(1000 * times[len(times) // 2], 2),
        "p99_ms": round(1000 * times[len(times) * 99 // 100], 2),
    }


def _timed(work: Callable[[], object], times: int = 100) -> dict[str, float]:
    work()
    took = []
    for _ in range(times):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return _ms(took)


def _searches() -> dict[str, tuple[Search, Order]]:
    near = (53.8, -1.5)
    return {
        "all, soonest": (Search(), Order.SOONEST),
        "a name, best match": (Search(words="dr smith"), Order.MATCH),
        "a misspelt name, best match": (Search(words="smyth"), Order.MATCH),
        "a misspelt specialty and filters, soonest": (
            Search(words="dermatolgist", accepts_new=True, language="de"),
            Order.SOONEST,
        ),
        "a synonym within 50 km, nearest": (
            Search(words="skin", near=near, within_km=50.0),
            Order.DISTANCE,
        ),
        "three filters within 50 km, soonest": (
            Search(
                visit_type=VIDEO,
                telehealth=True,
                insurance="Insurance 3",
                near=near,
                within_km=50.0,
            ),
            Order.SOONEST,
        ),
        "one letter, soonest": (Search(words="s"), Order.SOONEST),
        "all, by name": (Search(), Order.NAME),
    }


def measured() -> dict[str, object]:
    """All figures."""
    draw = random.Random(1)
    rows = list(_rows(draw))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    roster = Roster()
    roster.put_all(rows)
    build_s = time.process_time() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    for row in range(roster.size):
        first = Minute(100_000 + 15 * draw.randrange(3_000))
        roster.services.set_starts(
            row, {CONSULT: [Minute(first + 30 * n) for n in range(KEPT)]}
        )
    matcher = Matcher(roster)
    searches: dict[str, object] = {}
    for name, (search, order) in _searches().items():

        def ask(search: Search = search, order: Order = order) -> object:
            vars(roster.words)["_kept"].clear()  # each error is a new one
            starts = roster.services.next_starts(
                search.visit_type, remote=search.telehealth
            )
            return matcher.page(matcher.find(search), order, None, PAGE, starts)

        found = len(matcher.find(search).rows)
        searches[name] = {"found": found, **_timed(ask)}
    return {
        "providers": len(roster),
        "words": len(roster.words),
        "build_s": round(build_s, 2),
        "resident_mb": round(grown / 1024),
        "columns_mb": round(roster.nbytes / 1e6, 1),
        "searches": searches,
        "facets of all": _timed(lambda: matcher.facets(Search())),
        "one provider changed": _timed(lambda: roster.put(rows[17])),
        "next starts heard": _timed(
            lambda: roster.services.set_starts(17, {CONSULT: [Minute(200_000)]})
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measured()
    sys.stdout.write(json.dumps(figures, indent=None if arguments.json else 2) + "\n")


if __name__ == "__main__":
    main()
