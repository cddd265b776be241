"""What a page of a search must show: all providers scanned, all calendars asked.

Words and filters are compared as in the scan of tests/unit/gateway/directory/scan.py;
starts are those that ``GET /v1/providers/{id}`` answers, of every provider. Calendars
do not change meanwhile, but time passes: those whose start may have passed are asked
again before each comparison.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from actors.domain.ids import ProviderId, VisitTypeId
from care.directory.words import distance_km, plain, sort_key, words_of
from gateway.directory.roster.matching import Order, Search
from gateway.directory.roster.services import NEVER
from gateway.directory.roster.words import LIKENESSES_MAX, Field
from loadtests.wire.http_client import HttpClient
from tests.benchmarks.search_people import Person
from tests.unit.gateway.directory.scan import INDEX, holds_for, kinds_in

AT_ONCE = 32
Starts = dict[VisitTypeId, int]
"""The next start of each visit type, in minutes since 1970."""


class TooVague(Exception):
    """What the search takes for similar depends on more than the words themselves.

    More words are like one of the search than it looks at, or nothing has all of them.
    """


class Oracle:
    """All providers, their words, and their next starts."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.rows = {one.row.provider_id: one.row for one in people}
        self.starts: dict[ProviderId, Starts] = {}
        self._found_by: dict[str, dict[Field, set[str]]] = defaultdict(dict)
        """By word and field: providers, specialties or clinics."""
        self._of: dict[tuple[Field, str], list[ProviderId]] = defaultdict(list)
        for provider, row in self.rows.items():
            clinic = row.clinic
            self._add(Field.NAME, provider, provider, words_of(row.name))
            its = INDEX.words(row.specialty)
            self._add(Field.SPECIALTY, row.specialty, provider, its)
            place = clinic.clinic_id
            self._add(Field.TOWN, place, provider, words_of(clinic.city))
            self._add(Field.PRACTICE, place, provider, words_of(clinic.name))
        self._vocabulary = set(self._found_by)

    def _add(
        self, field: Field, owner: str, provider: ProviderId, words: Collection[str]
    ) -> None:
        """A provider is found by the words of a name, a specialty or a clinic."""
        if (field, owner) not in self._of:
            for word in words:
                self._found_by[word].setdefault(field, set()).add(owner)
        self._of[field, owner].append(provider)

    # --- calendars -------------------------------------------------------------------

    async def ask(self, client: HttpClient, providers: Collection[ProviderId]) -> None:
        """Ask these calendars."""
        left = list(providers)

        async def work() -> None:
            while left:
                provider = left.pop()
                answer = await client.ask("GET", f"/v1/providers/{provider}")
                assert answer.status == 200, answer.body
                self.starts[provider] = {
                    kind["visit_type"]: _minute(kind["next_free"])
                    for kind in answer.json()["visit_types"]
                    if kind["next_free"] is not None
                }

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    def passed(self, now: float) -> list[ProviderId]:
        """Providers with a start that cannot be booked any more in a minute's time."""
        found = []
        for provider, starts in self.starts.items():
            notice = {k.visit_type: k.notice for k in self.rows[provider].visit_types}
            if any(at < now / 60 + 1 + notice[kind] for kind, at in starts.items()):
                found.append(provider)
        return found

    # --- pages -----------------------------------------------------------------------

    def page(self, search: Search, order: Order, count: int) -> tuple[int, list[Any]]:
        """The number of matches, and id and start of the first ones in this order.

        Raises:
            TooVague: the oracle does not say which words are meant.
        """
        search = replace(search, insurance=sort_key(search.insurance))
        scores = self._scores(search.words)
        places = []
        total = 0
        for provider, score in scores.items():
            row = self.rows[provider]
            metres = self._metres(provider, search)
            within = search.within_km
            if within is not None and metres > within * 1000:
                continue
            if not holds_for(row, search):
                continue
            total += 1
            start = self._start(provider, search)
            key = (
                (start, provider)
                if order is Order.SOONEST
                else self._key(order, provider, score, metres)
            )
            places.append((key, provider, start))
        if not total and search.words:
            raise TooVague("all words may be misspelt")
        places.sort(key=lambda one: one[0])
        return total, [(provider, start) for _, provider, start in places[:count]]

    def _scores(self, text: str) -> dict[ProviderId, int]:
        asked = list(dict.fromkeys(plain(text).split()))
        if not asked:
            return dict.fromkeys(self.rows, 1)
        total, *others = (self._of_word(word) for word in asked)
        for best in others:
            both = total.keys() & best.keys()
            total = {one: total[one] + best[one] for one in both}
        return total

    def _of_word(self, word: str) -> dict[ProviderId, int]:
        """The best that each provider has for a word."""
        kinds = kinds_in(word, self._vocabulary)
        is_known = any(one.startswith(word) for one in kinds)
        if not is_known and len(kinds) >= LIKENESSES_MAX:
            raise TooVague(word)
        best: dict[ProviderId, int] = {}
        for one, likeness in kinds.items():
            for field, owners in self._found_by[one].items():
                score = field * likeness
                for owner in owners:
                    for provider in self._of[field, owner]:
                        best[provider] = max(score, best.get(provider, 0))
        return best

    def _metres(self, provider: ProviderId, search: Search) -> int:
        if search.near is None:
            return 0
        clinic = self.rows[provider].clinic
        assert clinic.latitude is not None
        assert clinic.longitude is not None
        there = clinic.latitude, clinic.longitude
        return round(distance_km(search.near, there) * 1000)

    def _start(self, provider: ProviderId, search: Search) -> int:
        remote = {
            one.visit_type for one in self.rows[provider].entry.services if one.remote
        }
        return min(
            (
                start
                for kind, start in self.starts[provider].items()
                if search.visit_type in (None, kind)
                and (not search.telehealth or kind in remote)
            ),
            default=NEVER,
        )

    def _key(self, order: Order, provider: ProviderId, score: int, metres: int) -> Any:
        row = self.rows[provider]
        given, count = (row.rating.total, row.rating.count) if row.rating else (0, 0)
        quality = -round(1000 * (given + 17.5) / (count + 5))
        match order:
            case Order.DISTANCE:
                return metres, provider
            case Order.MATCH:
                return -score, quality, sort_key(row.name), provider
            case Order.RATING:
                return quality if row.rating else 1, provider
            case _:
                return sort_key(row.name), provider


async def compared(
    oracle: Oracle,
    gateways: Sequence[HttpClient],
    searches: Sequence[tuple[Search, Order]],
    path_of: Any,
) -> dict[str, Any]:
    """Each search's page at every gateway beside the oracle's."""
    equal = vague = 0
    wrong: list[dict[str, Any]] = []
    for search, order in searches:
        try:
            alike = await _alike(oracle, gateways, search, order, path_of)
        except TooVague:
            vague += 1
            continue
        equal += alike is None
        if alike is not None:
            wrong.append(alike)
    return {"equal": equal, "different": len(wrong), "vague": vague, "wrong": wrong[:5]}


async def _alike(
    oracle: Oracle,
    gateways: Sequence[HttpClient],
    search: Search,
    order: Order,
    path_of: Any,
) -> dict[str, Any] | None:
    """None if the pages are the oracle's; else what they show instead."""
    path = path_of(search, order)
    while True:
        began = time.time()
        await oracle.ask(gateways[0], oracle.passed(began))
        answers = [await one.ask("GET", path) for one in gateways]
        if int(began // 60) == int(time.time() // 60):
            break
    pages = [one.json() for one in answers]
    total, expected = oracle.page(search, order, len(pages[0]["items"]))
    for page in pages:
        shown = [(i["provider_id"], _minute(i["next_free"])) for i in page["items"]]
        if shown != expected or page["total"] != total or not page["live"]:
            said = {"total": page["total"], "live": page["live"], "shown": shown[:5]}
            due = {"total": total, "expected": expected[:5]}
            return {"path": path, **said, **due}
    return None


def _minute(instant: str | None) -> int:
    if instant is None:
        return int(NEVER)
    return int(datetime.fromisoformat(instant).timestamp()) // 60
