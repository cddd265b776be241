"""Pages of slots that were shown a moment ago, kept where every gateway finds them.

Two uses, by name. A *week* is shown to watchers of a gateway that has just
started, and only if the calendar itself says that it stands at exactly the page's
``(epoch, version)``, which names one page (decision 0005). A page that was *last shown*
over REST is shown again while its calendar is silent, marked as old and never as a
position to go on from.

Keeping costs a request a look-up; the bytes are written in the background.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from actors.domain.ids import Millis
from actors.domain.messages.answers import Reply, SlotsView
from actors.domain.messages.reads import ReadSlots
from actors.errors import Unavailable
from actors.ports import Clock
from care.sharing import HotPages

FLUSH_S: Final = 1.0
AT_ONCE_MAX: Final = 256
"""Pages written in one flush: a bound on the store's memory, with the life of each."""
NOTED_MAX: Final = 20_000
"""Pages of which we remember that they are kept."""
LAST_SHOWN_S: Final = 120.0
"""Longer than any calendar takes to come back, and short enough to be worth seeing."""

_encode = msgspec.msgpack.Encoder().encode


class KeptPage(Struct, frozen=True):
    """A page, and when it was true; ``content`` is it ready for a frame, if known."""

    at: Millis
    view: SlotsView
    content: bytes = b""


_decode = msgspec.msgpack.Decoder(KeptPage).decode


class PageTally(Struct):
    """Counts since the start of this process."""

    kept: int = 0
    found: int = 0
    """Pages that were there and were used."""
    missed: int = 0
    """Pages that were not there, or not of the right position."""
    away: int = 0
    """Requests that the store did not answer."""


class PageShelf:
    """Pages of one use, each kept for ``ttl_s``."""

    def __init__(self, store: HotPages, clock: Clock, use: str, ttl_s: float) -> None:
        self.tally = PageTally()
        self._store = store
        self._clock = clock
        self._use = use
        self._ttl_s = ttl_s
        self._noted: OrderedDict[str, tuple[int, int, Millis]] = OrderedDict()
        self._waiting: OrderedDict[str, KeptPage] = OrderedDict()

    def wants(self, name: str, epoch: int, version: int) -> bool:
        """Whether this position's page is not on the shelf, or not for long."""
        noted = self._noted.get(name)
        if noted is None or noted[:2] != (epoch, version):
            return True
        return self._clock.now() - noted[2] > self._ttl_s * 500

    def offer(self, name: str, view: SlotsView, content: bytes = b"") -> None:
        """Keep a page, soon; of those that wait the oldest make room."""
        if not self.wants(name, view.epoch, view.version):
            return
        now = self._clock.now()
        self._waiting[name] = KeptPage(now, view, content)
        self._noted[name] = view.epoch, view.version, now
        self._noted.move_to_end(name)
        if len(self._waiting) > AT_ONCE_MAX:
            dropped, _ = self._waiting.popitem(last=False)
            self._noted.pop(dropped, None)
        if len(self._noted) > NOTED_MAX:
            self._noted.popitem(last=False)

    async def flush(self) -> None:
        """Write what waits; what cannot be written is offered again by others."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, OrderedDict()
        pages = {f"{self._use}:{name}": _encode(one) for name, one in waiting.items()}
        try:
            await self._store.keep(pages, self._ttl_s)
        except Unavailable:
            self.tally.away += 1
            for name in waiting:
                self._noted.pop(name, None)
        else:
            self.tally.kept += len(pages)

    async def find(self, names: Sequence[str]) -> Mapping[str, KeptPage]:
        """Those of these pages that are there; none while the store is away."""
        keys = {f"{self._use}:{name}": name for name in names}
        try:
            found = await self._store.find(list(keys))
        except Unavailable:
            self.tally.away += 1
            return {}
        pages: dict[str, KeptPage] = {}
        for key, page in found.items():
            try:
                pages[keys[key]] = _decode(page)
            except msgspec.MsgspecError:
                continue  # written by another version of ours
        return pages


class OldPage(Struct, frozen=True):
    """A page of a calendar that does not answer just now."""

    view: SlotsView
    age_s: int


class LastShown:
    """Answers for a calendar that is silent, from what it said last."""

    def __init__(self, store: HotPages, clock: Clock, patience_s: float) -> None:
        self.shelf = PageShelf(store, clock, "shown", LAST_SHOWN_S)
        self._clock = clock
        self._patience_s = patience_s

    async def ask(
        self, question: ReadSlots, asking: Callable[[], Awaitable[Reply]]
    ) -> Reply | OldPage:
        """The calendar's answer, or an old page if there is none for a while.

        Raises:
            Unavailable: neither of them.
        """
        name = _name(question)
        try:
            async with asyncio.timeout(self._patience_s):
                reply = await asking()
        except (TimeoutError, Unavailable) as error:
            old = await self._old(name, question.at_least)
            if old is not None:
                return old
            if isinstance(error, Unavailable):
                raise
            reply = await asking()
        if isinstance(reply, SlotsView):
            self.shelf.offer(name, reply)
        return reply

    def wants(self, question: ReadSlots, epoch: int, version: int) -> bool:
        """Whether the answer is to be kept, so that it has to be read whole."""
        return self.shelf.wants(_name(question), epoch, version)

    async def run(self) -> None:
        """Keep what is shown, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.shelf.flush()

    async def _old(self, name: str, at_least: int) -> OldPage | None:
        page = (await self.shelf.find([name])).get(name)
        if page is None or page.view.version < at_least:
            self.shelf.tally.missed += 1
            return None
        self.shelf.tally.found += 1
        return OldPage(page.view, max(0, self._clock.now() - page.at) // 1000)


def _name(question: ReadSlots) -> str:
    span = f"{question.first}/{question.last}/{question.location_id}"
    return f"{question.provider_id}/{question.visit_type}/{span}"
