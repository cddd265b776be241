"""Pages of slots that this gateway has shown, ready to be shown again.

A page is kept as the bytes of its answer, with the position (epoch, version) at which
the calendar stood. A position has one content (decision 0005), so the calendar is
asked whether it still stands there: if so it makes no view, and the kept bytes are the
answer.
Nothing is shown that the calendar has not just confirmed.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from msgspec import msgpack

from actors.domain.messages.answers import SlotsView, Unchanged
from actors.domain.messages.reads import ReadSlots
from gateway.wire.formats import slots_json
from gateway.wire.replies import KeptBody

PAGES_BYTES_MAX: Final = 32 * 1024 * 1024
"""Memory for pages of one gateway; the ones unused longest make room."""
_PAGE_COSTS: Final = 512
"""Bytes of a page beside its body: key, tag, objects."""


class SlotPage(KeptBody):
    """One answer, the position it shows, and its tag."""

    __slots__ = ("etag", "position")

    def __init__(self, body: bytes, position: tuple[int, int], etag: str) -> None:
        super().__init__(body)
        self.position = position
        self.etag = etag

    @property
    def costs(self) -> int:
        """Bytes of memory; a page of slots shrinks to less than a quarter as gzip."""
        return len(self.body) * 5 // 4 + _PAGE_COSTS


class SlotPages:
    """The pages of one gateway, by question."""

    def __init__(self, bytes_max: int = PAGES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._pages: OrderedDict[ReadSlots, SlotPage] = OrderedDict()

    def find(self, question: ReadSlots) -> SlotPage | None:
        """The page that was shown last for this question."""
        page = self._pages.get(question)
        if page is not None:
            self._pages.move_to_end(question)
        return page

    def show(self, question: ReadSlots, view: SlotsView) -> SlotPage:
        """The page of a view, kept from now on."""
        position, etag = (view.epoch, view.version), etag_of(question, view)
        page = SlotPage(slots_json(view), position, etag)
        before = self._pages.pop(question, None)
        if before is not None:
            self._bytes -= before.costs
        self._pages[question] = page
        self._bytes += page.costs
        while self._bytes > self._bytes_max and len(self._pages) > 1:
            _, oldest = self._pages.popitem(last=False)
            self._bytes -= oldest.costs
        return page


def etag_of(question: ReadSlots, at: SlotsView | Unchanged) -> str:
    """The tag of a question's answer where the calendar stands."""
    return f'W/"{at.epoch}.{at.version}.{_digest(question)}"'


def tag_of_content(question: ReadSlots, body: bytes) -> str:
    """The tag of an answer that no single position names."""
    content = blake2b(body, digest_size=12).hexdigest()
    return f'W/"m.{content}.{_digest(question)}"'


def tags_in(header: str | None) -> Sequence[str]:
    """The tags of an If-None-Match, without their marks of weakness."""
    if header is None:
        return ()
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def position_in(tags: Sequence[str], question: ReadSlots) -> tuple[int, int] | None:
    """The position at which a client has had the answer to this question."""
    for tag in tags:
        found = _TAG.fullmatch(tag)
        if found is not None and found[3] == _digest(question):
            return int(found[1]), int(found[2])
    return None


def is_known(tags: Sequence[str], etag: str) -> bool:
    """Whether a client has the answer of this tag."""
    return etag.removeprefix("W/") in tags or list(tags) == ["*"]


_TAG: Final = re.compile(r'"([0-9]{1,15})\.([0-9]{1,15})\.([0-9a-f]{12})"')
"""Epoch, version and digest; a calendar's numbers never have more digits."""


def _digest(question: ReadSlots) -> str:
    asked = (
        question.provider_id,
        question.visit_type,
        question.first,
        question.last,
        question.location_id,
    )
    return blake2b(msgpack.encode(asked), digest_size=6).hexdigest()
