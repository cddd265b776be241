"""Providers made by chance, and what a scan of all of them finds: the oracle."""

from __future__ import annotations

import random
from typing import Any

from rapidfuzz.distance import OSA

from actors.domain.ids import ClinicId, Minute, ProviderId, VisitTypeId
from actors.domain.rules import Clinic, VisitType
from care.directory.entries import ProviderEntry, Rating, Service
from care.directory.ports import RosterRow
from care.directory.specialties import (
    BUILT_IN,
    SpecialtyIndex,
)
from care.directory.words import distance_km, plain, sort_key, words_of
from gateway.directory.roster.matching import Order, Search
from gateway.directory.roster.roster import Roster
from gateway.directory.roster.services import KEPT, NEVER
from gateway.directory.roster.words import Field, Likeness, edits_in

CONSULT, VIDEO = VisitTypeId("consult"), VisitTypeId("video")
HERE = (52.0, 0.0)
TOWNS = ("Leeds", "York", "Hull", "Ripon", "Bath", "Wells", "Truro", "Leven")
FAMILIES = (
    "Smith",
    "Smithson",
    "Müller",
    "O'Brien",
    "Ng",
    "Novák",
    "Patel",
    "Østergård",
)
GIVEN = ("Ada", "Bo", "Cara", "Dirk", "Eva", "Finn")


class World:
    """Providers made by chance, and their rows for a scan."""

    def __init__(self, seed: int, providers: int = 300) -> None:
        self.random = random.Random(seed)
        self.roster = Roster()
        self.rows: dict[str, RosterRow] = {}
        self.starts: dict[str, dict[VisitTypeId, list[Minute]]] = {}
        self.clinics = [self._clinic(number) for number in range(30)]
        for number in range(providers):
            self.put(number)

    def _clinic(self, number: int) -> Clinic:
        draw = self.random
        placed = draw.random() < 0.8
        return Clinic(
            ClinicId(f"cln_{number}"),
            f"{draw.choice(TOWNS)} {draw.choice(('Practice', 'Surgery'))}",
            "UTC",
            city=draw.choice(TOWNS),
            latitude=draw.uniform(50, 54) if placed else None,
            longitude=draw.uniform(-3, 2) if placed else None,
        )

    def put(self, number: int) -> None:
        draw, provider = self.random, ProviderId(f"prv_{number}")
        kinds = draw.sample((CONSULT, VIDEO), draw.randint(0, 2))
        self.rows[provider] = row = RosterRow(
            provider_id=provider,
            name=f"Dr {draw.choice(GIVEN)} {draw.choice(FAMILIES)}",
            specialty=draw.choice(BUILT_IN).title(draw.choice(("en", "de"))),
            languages=tuple(draw.sample(("de-CH", "de", "en", "ar"), 2)),
            clinic=draw.choice(self.clinics),
            visit_types=tuple(VisitType(kind, kind, 30) for kind in kinds),
            entry=ProviderEntry(
                accepts_new=draw.random() < 0.5,
                insurances=tuple(draw.sample(("AOK", "Bupa", "TK"), 1)),
                services=tuple(
                    Service(kind, draw.randint(10, 90) * 100, "EUR", kind == VIDEO)
                    for kind in kinds
                    if draw.random() < 0.8
                ),
            ),
            rating=Rating(draw.randint(3, 15), 3) if draw.random() < 0.5 else None,
        )
        self.roster.put(row)
        self.starts[provider] = {
            kind: sorted(Minute(15 * one) for one in draw.sample(range(1, 300), KEPT))
            for kind in kinds
            if draw.random() < 0.9
        }
        self.roster.services.set_starts(
            self.roster.row_of[provider], self.starts[provider]
        )

    def remove(self, number: int) -> None:
        provider = ProviderId(f"prv_{number}")
        self.roster.remove(provider)
        self.rows.pop(provider, None)

    def search(self) -> Search:
        draw = self.random

        def maybe(value: Any, share: float = 0.25) -> Any:
            return value if draw.random() < share else None

        is_near = draw.random() < 0.4
        return Search(
            words=draw.choice(
                (
                    "",
                    "",
                    "smith",
                    "smyth",
                    "muller",
                    "obrien ada",
                    "dr leeds",
                    "den",
                    "hautarzt",
                    "skin york",
                    "novak",
                    "ng",
                    "practise",
                    "s",
                    "leds surgery",
                )
            ),
            specialty=maybe(draw.choice(BUILT_IN).title()) or "",
            clinic_id=maybe(ClinicId(f"cln_{draw.randrange(30)}"), 0.05),
            visit_type=maybe(draw.choice((CONSULT, VIDEO))),
            insurance=maybe("aok") or "",
            language=maybe("de") or "",
            telehealth=draw.random() < 0.2,
            accepts_new=draw.random() < 0.2,
            price_max=maybe(5000),
            rating_min=maybe(3.0),
            near=HERE if is_near else None,
            within_km=draw.choice((None, 100.0, 300.0)) if is_near else None,
        )


# --- the oracle: everything by linear scans ---------------------------------------


INDEX = SpecialtyIndex()


def _score(row: RosterRow, words: list[dict[str, int]]) -> int:
    """The sum of the best field and kind of each word; 0 if one is missing."""
    fields = (
        (Field.NAME, words_of(row.name)),
        (Field.SPECIALTY, INDEX.words(row.specialty)),
        (Field.TOWN, words_of(row.clinic.city)),
        (Field.PRACTICE, words_of(row.clinic.name)),
    )
    total = 0
    for kinds in words:
        best = max(
            (field * kinds.get(one, 0) for field, have in fields for one in have),
            default=0,
        )
        if not best:
            return 0
        total += best
    return total


def kinds_in(asked: str, vocabulary: set[str]) -> dict[str, int]:
    """Known words that a query's word may mean, and how it is like each."""
    known = {one: Likeness.PREFIX for one in vocabulary if one.startswith(asked)}
    if known:
        return {**known, asked: Likeness.EXACT} if asked in known else {**known}
    edits = edits_in(asked)
    near = {one: OSA.distance(asked, one) for one in vocabulary}
    found = {
        one: Likeness.ONE_EDIT if apart == 1 else Likeness.TWO_EDITS
        for one, apart in near.items()
        if apart <= edits
    }
    if found or not edits:
        return {**found}
    return {
        one: Likeness.TWO_EDITS
        for one in vocabulary
        if len(one) > len(asked) and OSA.distance(asked, one[: len(asked)]) <= 1
    }


def holds_for(row: RosterRow, search: Search) -> bool:
    """Whether all filters but the distance hold."""
    offered = {kind.visit_type for kind in row.visit_types}
    services = {one.visit_type: one for one in row.entry.services}
    spoken = {part for one in row.languages for part in (one.lower(), one[:2])}

    def serves(kind: VisitTypeId) -> bool:
        service = services.get(kind, Service(kind))
        if search.telehealth and not service.remote:
            return False
        if search.price_max is not None:
            return service.price is not None and service.price <= search.price_max
        return True

    asks = search.telehealth or search.price_max is not None or search.visit_type
    wanted = offered if search.visit_type is None else offered & {search.visit_type}
    rating = row.rating
    return all(
        (
            not search.specialty
            or INDEX.key(row.specialty) == INDEX.key(search.specialty),
            search.clinic_id in (None, row.clinic.clinic_id),
            not search.insurance
            or search.insurance in {sort_key(one) for one in row.entry.insurances},
            not search.language or search.language in spoken,
            not search.accepts_new or row.entry.accepts_new,
            not asks or any(map(serves, wanted)),
            search.rating_min is None
            or (
                rating is not None and rating.total / rating.count >= search.rating_min
            ),
        )
    )


def _metres(row: RosterRow) -> int:
    place = row.clinic.latitude, row.clinic.longitude
    if place[0] is None or place[1] is None:
        return 1 << 31
    return round(distance_km(HERE, (place[0], place[1])) * 1000)


def expected_ids(world: World, search: Search, order: Order) -> list[str]:
    vocabulary = {
        word
        for row in world.rows.values()
        for word in words_of(row.name, row.clinic.name, row.clinic.city)
        | INDEX.words(row.specialty)
    }
    asked = dict.fromkeys(plain(search.words).split())
    words = [kinds_in(one, vocabulary) for one in asked]
    found = {}
    for provider, row in world.rows.items():
        score = _score(row, words) if words else 1
        near = search.within_km is None or _metres(row) <= search.within_km * 1000
        if score and near and holds_for(row, search):
            found[provider] = score

    def key(provider: str) -> Any:
        row = world.rows[provider]
        total, count = (row.rating.total, row.rating.count) if row.rating else (0, 0)
        quality = -round(1000 * (total + 17.5) / (count + 5))
        name = sort_key(row.name)
        remote = {one.visit_type for one in row.entry.services if one.remote}
        starts = [
            starts[0]
            for kind, starts in world.starts[provider].items()
            if starts
            and search.visit_type in (None, kind)
            and (not search.telehealth or kind in remote)
        ]
        return {
            Order.SOONEST: (min(starts, default=NEVER), provider),
            Order.DISTANCE: (_metres(row), provider),
            Order.MATCH: (-found[provider], quality, name, provider),
            Order.RATING: (quality if row.rating else 1, provider),
            Order.NAME: (name, provider),
        }[order]

    return sorted(found, key=key)
