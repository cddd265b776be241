"""Notices as they are written: in three languages, plain and HTML, nothing medical."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from actors.domain.ids import Minute
from care.notices.kinds import LANGUAGES, NoticeKind
from care.notices.wording import Letter, VisitFacts
from persistence.notices.writing import NoticeWriter
from tests import factories as make

FACTS = VisitFacts(
    booking_id=make.a_booking_id(1),
    provider="Dr. <b>Ada</b> & Söhne\r\nBcc: all@example.org",
    clinic="Praxis am Zoo",
    address="Hauptstr. 1, 10115 Berlin",
    phone="+49 30 1",
    time_zone="Europe/Berlin",
    start=make.at(9),
    end=Minute(make.at(9) + 30),
    was_start=make.at(7),
)
WRITER = NoticeWriter()


def letter(kind: NoticeKind, language: str) -> Letter:
    return Letter(
        kind,
        FACTS,
        language,
        name="Mira Berg",
        visit_url="https://clinic.test/#/me/visits",
        choose_url="https://clinic.test/#/me/notices",
        stop_url="https://clinic.test/#/unsubscribe?token=abc",
    )


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.attributes: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        if tag == "html":
            self.attributes = found
        if tag == "a":
            self.links.append(found["href"] or "")

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_is_written_in_each_language(kind: NoticeKind, language: str) -> None:
    """Whole, with the wall time of the place, and the same in both forms."""
    written = WRITER.write(letter(kind, language))
    for text in (written.subject, written.text, written.short, written.html):
        assert text
        assert "{{" not in text
        assert "None" not in text
    assert "11:00" in written.text  # summer time in Berlin
    assert "\n" not in written.subject + written.short
    page = Reader()
    page.feed(written.html)
    assert page.attributes["lang"] == language
    assert page.attributes["dir"] == ("rtl" if language == "ar" else "ltr")
    assert {"https://clinic.test/#/me/visits"} <= set(page.links)
    assert "Dr. <b>Ada</b> & Söhne Bcc: all@example.org" in page.said
    assert "b" not in page.tags
    assert written.body in page.said


def test_a_change_says_both_times() -> None:
    """From when to when, in the order of the language."""
    for language in LANGUAGES:
        text = WRITER.write(letter(NoticeKind.RESCHEDULED, language)).text
        first = "9:00" if language == "ar" else "09:00"
        assert text.index(first) < text.index("11:00")
