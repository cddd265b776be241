"""Samples of notices with a site's links, for the command and the platform's page."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from care.notices.kinds import NoticeKind
from care.notices.samples import sample_letter
from care.notices.wording import Written
from persistence.notices.links import NoticeLinks

if TYPE_CHECKING:
    from persistence.notices.writing import NoticeWriter


class SiteSamples:
    """Implements LetterSamples.

    What lays letters out is loaded when the first is written: most processes that can
    show samples never do.
    """

    def __init__(self, links: NoticeLinks) -> None:
        self._links = links

    def of(self, kind: NoticeKind, language: str) -> Written:
        """See LetterSamples.of."""
        links = self._links
        letter = sample_letter(
            *(kind, language),
            visits=links.visits,
            choices=links.choices,
            stop=links.stop_page("example"),
            instead=links.chosen_at("example"),
        )
        written = self._writer.write(letter)
        link = letter.instead_url or links.visits
        return replace(written, short=f"{written.short} {link}")

    @cached_property
    def _writer(self) -> NoticeWriter:
        from persistence.notices.writing import NoticeWriter

        return NoticeWriter()
