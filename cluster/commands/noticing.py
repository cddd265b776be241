"""``slotcast notices preview``: what people would read, without sending anything."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

from actors.domain.ids import BookingId, Minute
from care.notices.kinds import LANGUAGES, NoticeKind
from care.notices.wording import Letter, VisitFacts
from cluster.commands.options import DataOption
from cluster.site.site import existing_site
from persistence.notices.links import NoticeLinks

START: Final = Minute(29_937_960)
"""2026-12-03T09:00Z: an invented visit."""

notices = typer.Typer(help="What people are told of their visits.")


class Form(StrEnum):
    """Which form of a notice."""

    TEXT = "text"
    HTML = "html"
    SHORT = "short"


class Language(StrEnum):
    """In which language."""

    EN, DE, AR = LANGUAGES


@notices.callback()
def _group() -> None:
    """Keep ``preview`` a command of its own, also while it is the only one."""


@notices.command()
def preview(
    *,
    kind: Annotated[
        NoticeKind, typer.Option(help="What it is about.")
    ] = NoticeKind.BOOKED,
    language: Annotated[Language, typer.Option(help="Its language.")] = Language.EN,
    form: Annotated[
        Form, typer.Option(help="A mail's text, its page, or a message to a phone.")
    ] = Form.TEXT,
    data: DataOption = None,
) -> None:
    """Print a notice of an invented visit, with this site's links."""
    from persistence.notices.writing import NoticeWriter

    links = NoticeLinks(existing_site(data).settings.site_url)
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
    letter = Letter(
        kind,
        visit,
        language.value,
        "Mira Berg",
        visit_url=links.visits,
        choose_url=links.choices,
        stop_url=links.stop_page("example"),
    )
    written = NoticeWriter().write(letter)
    shown = {
        Form.TEXT: f"Subject: {written.subject}\n\n{written.text}",
        Form.HTML: written.html,
        Form.SHORT: f"{written.short} {links.visits}",
    }
    sys.stdout.write(shown[form] + "\n")
