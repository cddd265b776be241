"""What providers offer: visit types with prices, and when each is free next.

One entry per provider and active visit type; those of one row stand together. Of each
the next ``KEPT`` free starts are known from its calendar. Time passing only makes the
next start later, so what was heard stays a lower bound until a calendar says that
something became free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.ids import Minute, VisitTypeId
from care.directory.entries import Service
from care.directory.ports import RosterRow
from gateway.directory.roster.columns import Column, Mask

KEPT: Final = 8
"""Free starts that are kept of each visit type."""
NEVER: Final = np.iinfo(np.int32).max
"""No free start."""
UNKNOWN: Final = 0
"""The calendar was not heard: anything from now on is possible."""
NO_PRICE: Final = -1
OFFERS_MAX: Final = 32
"""Answers about offers that are kept."""
FEW_SHARE: Final = 4
"""Up to this part of all rows theirs are looked up one by one."""
_NOT_STATED: Final = Service(VisitTypeId(""))
"""What an entry says of a visit type that it does not name."""
Starts = Mapping[VisitTypeId, Sequence[Minute]]
"""The next free starts of each active visit type that has some, ascending."""


class RosterServices:
    """The services of all rows."""

    def __init__(self) -> None:
        self._codes: dict[VisitTypeId, int] = {}
        self._names: list[VisitTypeId] = []
        self._row = Column(np.int32)
        self._kind = Column(np.int32)
        self._remote = Column(np.bool_)
        self._price = Column(np.int64)
        self._currency = Column(np.int16)
        self._currencies = [""]
        self._notice = Column(np.int32)
        self._starts = Column(np.int32, KEPT)
        self._next = Column(np.int32)
        """The first of the starts that has not passed; UNKNOWN, or NEVER."""
        self._first = Column(np.int32)
        """By row: where its services begin."""
        self._count = Column(np.int32)
        self._offers: dict[tuple[VisitTypeId | None, bool], Mask] = {}
        """Rows with such an offer, valid for this number of rows."""
        self._offers_of = -1
        self.moved_to = 0
        """Until when starts have passed."""

    @property
    def nbytes(self) -> int:
        """The memory of the columns."""
        return sum(one.nbytes for one in vars(self).values() if isinstance(one, Column))

    def add_row(self, row: RosterRow) -> None:
        """Add the services of the next row; their starts are not known."""
        kinds = row.visit_types
        number = len(self._first)
        self._first.append(len(self._row))
        self._count.append(len(kinds))
        if not kinds:
            return
        offered = {service.visit_type: service for service in row.entry.services}
        services = [offered.get(kind.visit_type, _NOT_STATED) for kind in kinds]
        self._row.extend([number] * len(kinds))
        self._kind.extend([self._code(kind.visit_type) for kind in kinds])
        self._remote.extend([one.remote for one in services])
        prices = [one.price for one in services]
        self._price.extend([NO_PRICE if one is None else one for one in prices])
        self._currency.extend([self._currency_code(one.currency) for one in services])
        self._notice.extend([kind.notice for kind in kinds])
        self._starts.extend([[NEVER] * KEPT] * len(kinds))
        self._next.extend([UNKNOWN] * len(kinds))

    def _currency_code(self, currency: str) -> int:
        if currency not in self._currencies:
            self._currencies.append(currency)
        return self._currencies.index(currency)

    def _code(self, kind: VisitTypeId) -> int:
        code = self._codes.get(kind)
        if code is None:
            code = self._codes[kind] = len(self._names)
            self._names.append(kind)
        return code

    def _span(self, row: int) -> slice:
        first = int(self._first.all[row])
        return slice(first, first + int(self._count.all[row]))

    # --- starts --------------------------------------------------------------------

    def set_starts(self, row: int, starts: Starts) -> None:
        """A calendar has said when each of its visit types is free."""
        table, upcoming = self._starts.all, self._next.all
        for place in range(*self._span(row).indices(len(table))):
            said = starts.get(self._names[self._kind.all[place]], ())[:KEPT]
            table[place] = NEVER
            table[place, : len(said)] = said
            upcoming[place] = said[0] if said else NEVER

    def keep_starts(self, row: int, former: RosterServices, its_row: int) -> None:
        """Keep what was known of a provider's starts before, unless types are new."""
        span = former._span(its_row)
        known = {
            former._names[kind]: [Minute(at) for at in starts if at != NEVER]
            for kind, starts, soonest in zip(
                former._kind.all[span].tolist(),
                former._starts.all[span].tolist(),
                former._next.all[span].tolist(),
                strict=True,
            )
            if soonest != UNKNOWN
        }
        kinds = self._kind.all[self._span(row)].tolist()
        if known.keys() >= {self._names[kind] for kind in kinds}:
            self.set_starts(row, known)

    def forget_starts(self, row: int) -> None:
        """Its calendar changed: anything from now on is possible."""
        self._next.all[self._span(row)] = UNKNOWN

    def soonest(self, row: int) -> int:
        """A row's next start; UNKNOWN or NEVER."""
        return int(self._next.all[self._span(row)].min(initial=NEVER))

    def short_rows(self) -> NDArray[np.int32]:
        """Rows of which all starts are kept: their calendars had no more."""
        short = self._starts.all[:, KEPT - 1] == NEVER
        return np.unique(self._row.all[short])

    def is_known(self, row: int) -> bool:
        """Whether all its next starts are known."""
        return bool(self._next.all[self._span(row)].all())

    def move_to(self, now: Minute) -> NDArray[np.int32]:
        """Let starts pass that can no longer be booked; rows whose known ones ran out.

        What is left of those is a lower bound: their calendar knows later ones.
        """
        if now <= self.moved_to:
            return np.empty(0, np.int32)
        self.moved_to = now
        earliest = now + self._notice.all
        upcoming, table = self._next.all, self._starts.all
        past = np.flatnonzero((upcoming < earliest) & (upcoming != UNKNOWN))
        if not len(past):
            return np.empty(0, np.int32)
        left = table[past]
        left = np.where(left < earliest[past, None], NEVER, left)
        soonest = left.min(axis=1)
        was_full = table[past, KEPT - 1] != NEVER
        ran_out = (soonest == NEVER) & was_full
        upcoming[past] = np.where(ran_out, UNKNOWN, soonest)
        return np.unique(self._row.all[past[ran_out]])

    def next_starts(
        self, kind: VisitTypeId | None = None, *, remote: bool = False
    ) -> NDArray[np.int32]:
        """By row the next start, of a visit type or of remote ones if asked for."""
        found = np.full(len(self._first), NEVER, np.int32)
        wanted = self._wanted(kind, remote=remote)
        rows, starts = self._row.all, self._next.all
        if wanted is not None:
            rows, starts = rows[wanted], starts[wanted]
        np.minimum.at(found, rows, starts)
        return found

    def next_of(
        self, row: int, kind: VisitTypeId | None = None, *, remote: bool = False
    ) -> tuple[Minute, VisitTypeId] | None:
        """A row's next start and its visit type; None if there is none."""
        span = self._span(row)
        best: tuple[int, VisitTypeId] | None = None
        for place in range(span.start, span.stop):
            name = self._names[self._kind.all[place]]
            if (kind is not None and name != kind) or (
                remote and not self._remote.all[place]
            ):
                continue
            start = int(self._next.all[place])
            if start not in (NEVER, UNKNOWN) and (best is None or start < best[0]):
                best = (start, name)
        return None if best is None else (Minute(best[0]), best[1])

    def bound_of(
        self, row: int, kind: VisitTypeId | None = None, *, remote: bool = False
    ) -> int:
        """The least start that is possible for a row, as ``next_starts`` says it."""
        span = self._span(row)
        starts = self._next.all[span]
        wanted = np.ones(len(starts), np.bool_)
        if kind is not None:
            wanted &= self._kind.all[span] == self._codes.get(kind, -1)
        if remote:
            wanted &= self._remote.all[span]
        return int(starts[wanted].min(initial=NEVER))

    # --- filters -------------------------------------------------------------------

    def offering(
        self,
        kind: VisitTypeId | None = None,
        *,
        remote: bool = False,
        price_max: int | None = None,
    ) -> Mask:
        """Which rows have a service of this kind, remote, for at most this price.

        Not to be written to: without a price it is kept for the next search.
        """
        if price_max is not None:
            return self._offering(kind, remote=remote, price_max=price_max)
        if self._offers_of != len(self._first):
            self._offers.clear()
            self._offers_of = len(self._first)
        found = self._offers.get((kind, remote))
        if found is None:
            if len(self._offers) >= OFFERS_MAX:
                self._offers.clear()
            found = self._offering(kind, remote=remote, price_max=None)
            self._offers[kind, remote] = found
        return found

    def _offering(
        self, kind: VisitTypeId | None, *, remote: bool, price_max: int | None
    ) -> Mask:
        found = np.zeros(len(self._first), np.bool_)
        wanted = self._wanted(kind, remote=remote)
        if price_max is not None:
            price = self._price.all
            cheap = (price != NO_PRICE) & (price <= price_max)
            wanted = cheap if wanted is None else wanted & cheap
        found[self._row.all if wanted is None else self._row.all[wanted]] = True
        return found

    def price_of(self, row: int) -> tuple[int, str] | None:
        """The least price of a row's services, and its currency."""
        span = self._span(row)
        priced = zip(
            self._price.all[span].tolist(),
            self._currency.all[span].tolist(),
            strict=True,
        )
        price, code = min(
            (one for one in priced if one[0] != NO_PRICE), default=(NO_PRICE, 0)
        )
        return None if price == NO_PRICE else (price, self._currencies[code])

    def is_remote(self, row: int) -> bool:
        """Whether any of a row's services takes place remotely."""
        return bool(self._remote.all[self._span(row)].any())

    def counts(self, rows: Mask) -> dict[VisitTypeId, int]:
        """How many of these rows offer each visit type."""
        some = np.flatnonzero(rows)
        if FEW_SHARE * len(some) < len(rows):
            kinds = self._kind.all[self._places(some)]
        else:
            kinds = self._kind.all[rows[self._row.all]]
        tally = np.bincount(kinds, minlength=len(self._names)).tolist()
        return {
            name: count for name, count in zip(self._names, tally, strict=True) if count
        }

    def _places(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:
        """Where the services of these rows are: they stand together."""
        counts = self._count.all[rows]
        ends = np.cumsum(counts)
        before = np.repeat(ends - counts, counts)
        first = np.repeat(self._first.all[rows], counts)
        found: NDArray[np.int32] = (
            first + np.arange(len(first), dtype=np.int32) - before
        )
        return found

    def _wanted(self, kind: VisitTypeId | None, *, remote: bool) -> Any:
        wanted = None if kind is None else self._kind.all == self._codes.get(kind, -1)
        if remote:
            wanted = self._remote.all if wanted is None else wanted & self._remote.all
        return wanted
