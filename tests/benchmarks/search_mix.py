"""What is searched: words with errors and beginnings of words, filters, orders."""

from __future__ import annotations

import random
from collections.abc import Sequence
from urllib.parse import urlencode

from actors.domain.ids import VisitTypeId
from actors.domain.rules import Clinic
from care.directory.words import words_of
from gateway.directory.roster.matching import Order, Search
from loadtests.bench.searches import Asked
from tests.benchmarks.search_people import INSURANCES, LANGUAGES, Person

WORDS = (
    *("dermatology", "dermatolgist", "skin", "dentist", "denist", "cardiologist"),
    *("paediatrics", "pediatrics", "hautarzt", "tooth", "neurology", "neurolgy"),
    *("orthodontics", "braces", "family doctor", "psychiatry", "physc", "heart"),
)
SHOWN = 20


def with_one_error(word: str, draw: random.Random) -> str:
    """One letter left out, added, changed, or swapped with the next."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    while True:
        at = draw.randrange(len(word) - 1)
        made = (
            word[:at] + word[at + 1 :],
            word[:at] + draw.choice(letters) + word[at:],
            word[:at] + draw.choice(letters) + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )[draw.randrange(4)]
        if made != word:
            return made


def words_in(people: Sequence[Person], draw: random.Random) -> str:
    """A name, a specialty or a town, or two of them; some misspelt or begun."""
    row = draw.choice(people).row
    family = row.name.rsplit(" ", 1)[1].lower()
    towns = sorted(one for one in words_of(row.clinic.city) if len(one) > 3)
    match draw.randrange(8):
        case 0:
            return f"dr {family}"
        case 1:
            return with_one_error(family, draw) if len(family) > 4 else family
        case 2:
            return family[:3]
        case 3 | 4 if towns:
            return f"{draw.choice(WORDS)} {draw.choice(towns)}"
        case 5 if towns and len(towns[0]) > 5:
            return f"{draw.choice(WORDS)} {with_one_error(towns[0], draw)}"
        case _:
            return draw.choice(WORDS)


def a_filter(clinic: Clinic, draw: random.Random) -> dict[str, object]:
    """Any of seven; near is a clinic."""
    near = (clinic.latitude, clinic.longitude)
    kind = draw.choice(("consult", "follow_up", "video"))
    filters: list[dict[str, object]] = [
        {"accepts_new": True},
        {"language": draw.choice(LANGUAGES)},
        {"insurance": draw.choice(INSURANCES)},
        {"telehealth": True},
        {"visit_type": VisitTypeId(kind)},
        {"price_max": draw.randrange(4_000, 15_000, 500)},
        {"near": near, "within_km": draw.choice((25.0, 50.0, 100.0))},
    ]
    return draw.choice(filters)


def a_search(people: Sequence[Person], draw: random.Random) -> tuple[Search, Order]:
    """Four in five with words; up to three filters; seven in ten by the soonest."""
    words = words_in(people, draw) if draw.random() < 0.8 else ""
    filters: dict[str, object] = {}
    clinic = draw.choice(people).row.clinic
    for _ in range(draw.choice((0, 1, 2, 2, 3))):
        filters.update(a_filter(clinic, draw))
    search = Search(words=words, **filters)  # type: ignore[arg-type]
    if draw.random() < 0.7:
        return search, Order.SOONEST
    if search.near is not None:
        return search, Order.DISTANCE
    return search, Order.MATCH if words else Order.RATING


def path_of(search: Search, order: Order, limit: int = SHOWN) -> str:
    """Its address."""
    query: dict[str, object] = {"sort": order.value, "limit": limit}
    if search.words:
        query["query"] = search.words
    for name in ("visit_type", "insurance", "language", "price_max", "within_km"):
        value = getattr(search, name)
        if value not in (None, ""):
            query[name] = value
    for name in ("telehealth", "accepts_new"):
        if getattr(search, name):
            query[name] = "true"
    if search.near is not None:
        query["near"] = f"{search.near[0]},{search.near[1]}"
    return f"/v1/providers?{urlencode(query)}"


def kind_of(search: Search, order: Order) -> str:
    """The figure that it counts for: ``words+filters:soonest`` and so on."""
    is_filtered = search != Search(words=search.words)
    parts = [
        part
        for part, has in (("words", bool(search.words)), ("filters", is_filtered))
        if has
    ]
    return f"{'+'.join(parts) or 'all'}:{order.value}"


def asked_of(people: Sequence[Person], count: int) -> list[Asked]:
    """So many searches, the same ones on every run."""
    draw = random.Random(21)
    found = [a_search(people, draw) for _ in range(count)]
    return [Asked(kind_of(*one), path_of(*one)) for one in found]
