"""``slotcast notices preview``: what people would read, without sending anything."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from care.notices.kinds import LANGUAGES, NoticeKind
from cluster.commands.options import DataOption
from cluster.site.site import existing_site

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
    kind: Annotated[
        NoticeKind, typer.Argument(help="What it is about.")
    ] = NoticeKind.BOOKED,
    *,
    language: Annotated[
        Language, typer.Option("--lang", "--language", help="Its language.")
    ] = Language.EN,
    form: Annotated[
        Form, typer.Option(help="A mail's text, its page, or a message to a phone.")
    ] = Form.TEXT,
    data: DataOption = None,
) -> None:
    """Print a notice of an invented visit, with this site's links."""
    from persistence.notices.links import NoticeLinks
    from persistence.notices.samples import SiteSamples

    links = NoticeLinks(existing_site(data).settings.site_url)
    written = SiteSamples(links).of(kind, language.value)
    shown = {
        Form.TEXT: f"Subject: {written.subject}\n\n{written.text}",
        Form.HTML: written.html,
        Form.SHORT: written.short,
    }
    sys.stdout.write(shown[form] + "\n")
