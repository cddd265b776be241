"""Recently shown pages of slots, in a store shared by all gateways.

Two uses, by name. A *week* is shown to watchers of a gateway that has just started, and
only if the calendar itself reports exactly the page's ``(epoch, version)``, which names
one page (decision 0005). A page *last shown* over REST is shown again while its
calendar does not answer, marked as stale and never as a position to resume from.

Storing costs the request a look-up; the bytes are written in the background.
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
"""Pages remembered as stored."""
LAST_SHOWN_S: Final = 120.0
"""Longer than a calendar's recovery, and short enough for the page to be useful."""

_encode = msgspec.msgpack.Encoder().encode


class KeptPage(Struct, frozen=True):
    """A page and its instant; ``content`` is its encoding for a frame, if known."""

    at: Millis
    view: SlotsView
    content: bytes = b""


_decode = msgspec.msgpack.Decoder(KeptPage).decode


class PageTally(Struct):
    """Counts since the start of this process."""

    kept: int = 0
    found: int = 0
    """Pages found and used."""
    missed: int = 0
    """Pages missing, or of another position."""
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
        """Whether this position's page is not stored, or expires soon."""
        noted = self._noted.get(name)
        if noted is None or noted[:2] != (epoch, version):
            return True
        return self._clock.now() - noted[2] > self._ttl_s * 500

    def offer(self, name: str, view: SlotsView, content: bytes = b"") -> None:
        """Queue a page for storing; if the queue is full, the oldest is dropped."""
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
        """Write the queue; pages that cannot be written are dropped."""
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
        """The pages that are stored; none while the store is unavailable."""
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
                continue  # written by another version of Slotcast
        return pages


class OldPage(Struct, frozen=True):
    """The last page of a calendar that does not answer."""

    view: SlotsView
    age_s: int


class LastShown:
    """Answers for a calendar that does not respond, from its last page."""

    def __init__(self, store: HotPages, clock: Clock, patience_s: float) -> None:
        self.shelf = PageShelf(store, clock, "shown", LAST_SHOWN_S)
        self._clock = clock
        self._patience_s = patience_s

    async def ask(
        self, question: ReadSlots, asking: Callable[[], Awaitable[Reply]]
    ) -> Reply | OldPage:
        """The calendar's answer, or a stale page if it does not answer in time.

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
        """Write queued pages, until cancelled."""
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
