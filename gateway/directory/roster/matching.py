"""Which providers a search means, how well they match, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from actors.domain.ids import ClinicId, VisitTypeId
from care.directory.words import WORD_MAX, WORDS_MAX, Point, plain
from gateway.directory.roster.columns import Mask, Rows
from gateway.directory.roster.ordering import after, first, text_keys
from gateway.directory.roster.roster import Roster, bare_id

FACET_VALUES_MAX: Final = 30
"""Of one facet, the most frequent ones."""
MISSPELT_MAX: Final = 4
"""Words of one search that may be misspelt: each is compared with all known ones."""
SCORES_MAX: Final = 16
"""Texts whose matches are kept."""
UNKNOWN_M: Final = 1 << 31
"""Distance of a place that is not known, in metres."""
_STEPS_KM: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class Order(StrEnum):
    """In which order providers are shown."""

    SOONEST = "soonest"
    DISTANCE = "distance"
    MATCH = "match"
    RATING = "rating"
    NAME = "name"


class Search(Struct, frozen=True):
    """What is looked for: all of it must hold.

    ``price_max`` is in minor units; providers without a price are not found by it, nor
    by ``rating_min`` those without a rating.
    """

    words: str = ""
    specialty: str = ""
    clinic_id: ClinicId | None = None
    visit_type: VisitTypeId | None = None
    insurance: str = ""
    language: str = ""
    telehealth: bool = False
    accepts_new: bool = False
    price_max: int | None = None
    rating_min: float | None = None
    near: Point | None = None
    within_km: float | None = None


_BY_NAME: Final = (Order.MATCH, Order.NAME)
"""Orders in which names decide between equals, and ids between equal names."""

Facets = dict[str, list[tuple[str, int]]]
"""Of each facet its values with the number of matches that have them."""


class Matches(Struct):
    """The rows that match, in ascending order."""

    rows: Rows
    scores: NDArray[np.int32]
    metres: NDArray[np.int64] | None
    changes: int
    did_you_mean: str | None = None
    """The words as they were understood, if some were taken to be misspelt."""
    wider_km: int | None = None
    """If nothing is within the radius: a radius within which something is."""


class _Words(Struct):
    scores: NDArray[np.int32]
    instead: str | None


class _Filter(Struct):
    """A condition, and the facet that shows its alternatives."""

    holds: Mask
    facet: str = ""


class Matcher:
    """Answers searches from a roster."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._kept: dict[tuple[str, bool], _Words] = {}
        """Of the last searches; a search asks for its words again for its facets."""
        self._kept_at = -1

    def find(self, search: Search) -> Matches:
        """All that match."""
        words = self._scored(search.words)
        filters = self._filters(search)
        rows = self._rows(words, filters)
        if not len(rows) and search.words:
            loose = self._scored(search.words, loosely=True)
            found = self._rows(loose, filters)
            if len(found):
                words, rows = loose, found
        metres = self._metres(search, rows)
        matches = Matches(
            rows, words.scores[rows], metres, self.roster.changes, words.instead
        )
        if search.near is not None and search.within_km is not None:
            near = metres is not None and metres <= search.within_km * 1000
            if not np.any(near):
                matches.wider_km = _step(metres)
            matches.rows = rows[near]
            matches.scores = matches.scores[near]
            matches.metres = None if metres is None else metres[near]
        return matches

    def facets(self, search: Search) -> Facets:
        """Counts among the matches; a facet that is filtered shows its alternatives."""
        roster = self.roster
        words = self._scored(search.words)
        filters = self._filters(search)
        if not len(self._rows(words, filters)):
            words = self._scored(search.words, loosely=True)
        if search.near is not None and search.within_km is not None:
            metres = self._metres(search, np.arange(roster.size, dtype=np.int32))
            assert metres is not None
            filters = [*filters, _Filter(metres <= search.within_km * 1000)]

        def among(facet: str) -> Mask:
            rows = roster.alive & (words.scores > 0)
            for one in filters:
                if one.facet != facet:
                    rows &= one.holds
            return rows

        codes = roster.specialty[among("specialty")]
        tally = np.bincount(codes, minlength=len(roster.specialty_titles)).tolist()
        counts: dict[str, dict[Any, int]] = {
            "specialty": dict(zip(roster.specialty_titles, tally, strict=True)),
            "language": roster.languages.counts(among("language")),
            "insurance": roster.insurances.counts(among("insurance")),
            "visit_type": dict(roster.services.counts(among("visit_type"))),
        }
        found = {name: _most(values) for name, values in counts.items()}
        remote = roster.services.offering(search.visit_type, remote=True)
        for name, has in (("telehealth", remote), ("accepts_new", roster.accepts_new)):
            number = int(np.count_nonzero(among(name) & has))
            found[name] = [("true", number)] if number else []
        return found

    def keys(
        self, matches: Matches, order: Order, starts: NDArray[np.int32] | None = None
    ) -> list[NDArray[Any]]:
        """Numbers by which the matches are ordered, the most significant first."""
        roster, rows = self.roster, matches.rows
        quality = -roster.quality[rows]
        match order:
            case Order.SOONEST:
                assert starts is not None
                return [starts[rows]]
            case Order.DISTANCE:
                assert matches.metres is not None
                return [matches.metres]
            case Order.MATCH:
                return [-matches.scores, quality]
            case Order.RATING:
                return [np.where(np.isnan(roster.rated[rows]), 1, quality)]
            case Order.NAME:
                return []

    def page(
        self,
        matches: Matches,
        order: Order,
        shown: RankedAt | None,
        count: int,
        starts: NDArray[np.int32] | None = None,
    ) -> list[int]:
        """The next ``count`` rows in an order, after the ``shown`` one."""
        roster, rows = self.roster, matches.rows
        if not len(rows):
            return []
        by_name = order in _BY_NAME
        keys = self.keys(matches, order, starts)
        # What numbers do not decide, whole texts do.
        keys += [key[rows] for key in (roster.name_keys if by_name else roster.id_keys)]
        if shown is not None:
            rest = self._rest(rows, by_name=by_name)
            at = _numbers(shown, len(keys), by_name=by_name)
            last = (shown.name, shown.provider_id) if by_name else shown.provider_id
            later = after(keys, rest, at, last)
            rows, keys = rows[later], [key[later] for key in keys]
            if not len(rows):
                return []
        rest = self._rest(rows, by_name=by_name)
        return [int(rows[place]) for place in first(keys, rest, count)]

    def place(
        self, matches: Matches, order: Order, row: int, start: int = 0
    ) -> RankedAt:
        """Where a row stands, for the cursor; ``start``: that of SOONEST."""
        at = int(np.searchsorted(matches.rows, row))
        starts = np.full(self.roster.size, start, np.int32)
        keys = self.keys(matches, order, starts)
        return RankedAt(
            tuple(int(key[at]) for key in keys),
            self.roster.names[row],
            self.roster.ids[row],
        )

    def _rest(self, rows: Rows, *, by_name: bool) -> Callable[[int], Any]:
        names, ids = self.roster.names, self.roster.ids
        if by_name:
            return lambda place: (names[rows[place]], ids[rows[place]])
        return lambda place: ids[rows[place]]

    def _rows(self, words: _Words, filters: Sequence[_Filter]) -> Rows:
        holds = self.roster.alive & (words.scores > 0)
        for one in filters:
            holds &= one.holds
        return np.flatnonzero(holds).astype(np.int32)

    def _scored(self, text: str, *, loosely: bool = False) -> _Words:
        """The sum over all words; 0 where one of them is missing."""
        if self._kept_at != self.roster.changes:
            self._kept.clear()
            self._kept_at = self.roster.changes
        found = self._kept.get((text, loosely))
        if found is None:
            if len(self._kept) >= SCORES_MAX:
                self._kept.clear()
            found = self._kept[text, loosely] = self._score(text, loosely=loosely)
        return found

    def _score(self, text: str, *, loosely: bool) -> _Words:
        roster = self.roster
        asked = list(dict.fromkeys(word[:WORD_MAX] for word in plain(text).split()))
        total = np.zeros(roster.size, np.int32)
        if not asked:
            return _Words(total + 1, None)
        sizes = roster.size, len(roster.specialty_titles), len(roster.places.clinics)
        matched = np.ones(roster.size, np.bool_)
        understood = []
        compared = 0
        for word in asked[:WORDS_MAX]:
            exactly = compared >= MISSPELT_MAX
            found = roster.words.find(word, loosely=loosely, exactly=exactly)
            compared += loosely or bool(found.instead) or not found.meanings
            rows, specialties, clinics = roster.words.scores(found.meanings, sizes)
            score = np.maximum(rows, specialties[roster.specialty])
            score = np.maximum(score, clinics[roster.clinic])
            matched &= score > 0
            total += score
            understood.append(found.instead or word)
        total[~matched] = 0
        said = " ".join(understood)
        return _Words(total, None if understood == asked[:WORDS_MAX] else said)

    def _filters(self, search: Search) -> list[_Filter]:
        roster, size = self.roster, self.roster.size
        made: list[_Filter] = []
        if search.specialty:
            key = roster.specialties.key(search.specialty)
            code = roster.specialty_codes.get(key, -1)
            made.append(_Filter(roster.specialty == code, "specialty"))
        if search.clinic_id is not None:
            made.append(_Filter(self._of_clinic(search.clinic_id)))
        if search.insurance:
            has = roster.insurances.having(search.insurance, size)
            made.append(_Filter(has, "insurance"))
        if search.language:
            has = roster.languages.having(search.language.casefold(), size)
            made.append(_Filter(has, "language"))
        if search.accepts_new:
            made.append(_Filter(roster.accepts_new, "accepts_new"))
        if search.rating_min is not None:
            with np.errstate(invalid="ignore"):
                made.append(_Filter(roster.rated >= search.rating_min))
        return made + self._service_filters(search)

    def _service_filters(self, search: Search) -> list[_Filter]:
        """One service has to have all of visit type, remoteness and price."""
        services, kind = self.roster.services, search.visit_type
        remote, price_max = search.telehealth, search.price_max
        made = []
        if remote or price_max is not None:
            has = services.offering(remote=remote, price_max=price_max)
            made.append(_Filter(has))
        if kind is not None:
            has = services.offering(kind, remote=remote, price_max=price_max)
            made.append(_Filter(has, "visit_type"))
        return made

    def _of_clinic(self, clinic_id: ClinicId) -> Mask:
        clinics = self.roster.places.clinics
        wanted = np.array([one.clinic_id == clinic_id for one in clinics], np.bool_)
        return wanted[self.roster.clinic] if len(wanted) else self.roster.alive

    def _metres(self, search: Search, rows: Rows) -> NDArray[np.int64] | None:
        if search.near is None:
            return None
        km = self.roster.places.distances_km(search.near)
        metres = np.full(len(km), UNKNOWN_M, np.int64)
        known = ~np.isnan(km)
        metres[known] = np.rint(km[known] * 1000)
        return metres[self.roster.clinic[rows]]


class RankedAt(Struct, frozen=True, array_like=True):
    """Where a provider stands in an order."""

    keys: tuple[int, ...]
    name: str
    provider_id: str


def _numbers(shown: RankedAt, count: int, *, by_name: bool) -> list[int]:
    text = shown.name if by_name else bare_id(shown.provider_id)
    numbers = [*shown.keys, *text_keys(text)]
    if len(numbers) != count:
        raise ValueError("a cursor of another order")
    return numbers


def _most(counts: dict[Any, int]) -> list[tuple[str, int]]:
    found = [(str(title), count) for title, count in counts.items() if count]
    return sorted(found, key=lambda one: (-one[1], one[0]))[:FACET_VALUES_MAX]


def _step(metres: NDArray[np.int64] | None) -> int | None:
    """A round radius in km that holds the nearest."""
    if metres is None or not len(metres):
        return None
    nearest = int(metres.min())
    if nearest >= UNKNOWN_M:
        return None
    return next((step for step in _STEPS_KM if step * 1000 >= nearest), 20_100)
