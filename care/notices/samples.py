"""Notices of an invented visit: what people would read, and nothing of a person."""

from __future__ import annotations

from typing import Final, Protocol

from actors.domain.ids import BookingId, Minute
from care.notices.kinds import NoticeKind
from care.notices.wording import Letter, VisitFacts, Written

START: Final = Minute(29_937_960)
"""2026-12-03T06:00Z."""
_ASKS: Final = frozenset({NoticeKind.STRANDED, NoticeKind.UNRESOLVED})
"""Kinds with a link to choose another time."""


def sample_letter(
    kind: NoticeKind,
    language: str,
    *,
    visits: str,
    choices: str,
    stop: str,
    instead: str = "",
) -> Letter:
    """A letter of each kind; the addresses are those that its links lead to."""
    visit = VisitFacts(
        BookingId("bkg_1.example"),
        "Dr. Ada Example",
        "Example Practice",
        "1 Example Street, 12345 Example",
        "+49 30 1234567",
        "Europe/Berlin",
        START,
        Minute(START + 30),
        Minute(START - 24 * 60) if kind is NoticeKind.RESCHEDULED else None,
    )
    return Letter(
        *(kind, visit, language, "Mira Berg"),
        visit_url=visits,
        choose_url=choices,
        stop_url=stop,
        instead_url=instead if kind in _ASKS else "",
    )


class LetterSamples(Protocol):
    """Writes samples with a site's own links. Takes a while at first: use a thread."""

    def of(self, kind: NoticeKind, language: str) -> Written:
        """A sample; ``short`` as it goes to phones, with its link."""
        ...
