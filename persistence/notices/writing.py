"""Writes notices in the languages of ``templates/``: plain, HTML, and short.

Dates and times are those of the place of the visit, as its language writes them. The
HTML is laid out by MJML; what people entered is escaped.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import mrml
from babel import Locale
from babel.dates import format_date, format_time, get_timezone_name
from jinja2 import Environment, StrictUndefined, Template

from actors.domain.ids import Minute
from actors.domain.zone_data import zone_info
from care.notices.wording import Letter, Written

TEMPLATES: Final = Path(__file__).parent / "templates"
LOCALES: Final = {"en": "en_GB", "de": "de", "ar": "ar"}
"""How each language writes dates; English everywhere as the world outside America."""
_BLANKS: Final = re.compile(r"\s+")
_RIGHT_TO_LEFT: Final = "rtl"


class NoticeWriter:
    """Implements LetterWriter with the templates of this folder."""

    def __init__(self) -> None:
        options: dict[str, Any] = {"undefined": StrictUndefined}
        # Letters of plain text: nothing in them is interpreted.
        plain = Environment(autoescape=False, **options)  # noqa: S701  # nosec B701
        self._words = {
            language: _compiled(plain, language) for language in sorted(LOCALES)
        }
        marked = Environment(autoescape=True, **options)
        source = (TEMPLATES / "mail.mjml").read_text("utf-8")
        self._mjml = marked.from_string(source)

    def write(self, letter: Letter) -> Written:
        """See LetterWriter.write."""
        words, kind = self._words[letter.language], letter.kind.value
        said = _said_of(letter, words["comma"].render())
        spoken = {
            name: _one_line(words[f"{kind}.{name}"].render(said))
            for name in ("subject", "text", "short", "push")
        }
        rows = _rows(words, said)
        hello = words["hello" if said["name"] else "hello_nobody"].render(said)
        labels = {name: words[name].render(said) for name in _LABELS}
        return Written(
            subject=spoken["subject"],
            text=_plain(letter, hello, spoken["text"], rows, labels),
            html=self._html(letter, hello, spoken, rows, labels),
            short=spoken["short"],
            body=spoken["text"],
            push=spoken["push"],
        )

    def event_name(self, letter: Letter) -> str:
        """What a calendar program shows of the visit."""
        words = self._words[letter.language]
        return _one_line(words["event"].render(_said_of(letter, "")))

    def _html(
        self,
        letter: Letter,
        hello: str,
        spoken: Mapping[str, str],
        rows: list[tuple[str, str]],
        labels: Mapping[str, str],
    ) -> str:
        mjml = self._mjml.render(
            w=labels,
            align="right" if labels["direction"] == _RIGHT_TO_LEFT else "left",
            subject=spoken["subject"],
            hello=hello,
            text=spoken["text"],
            rows=rows,
            visit_url=letter.visit_url,
            instead_url=letter.instead_url,
            choose_url=letter.choose_url,
            stop_url=letter.stop_url,
        )
        return mrml.to_html(mjml).content


_LABELS: Final = ("language", "direction", "manage", "instead", "choose", "stop")


def _compiled(environment: Environment, language: str) -> Mapping[str, Template]:
    """The templates of a language by name: ``hello``, ``booked.subject``."""
    found = tomllib.loads((TEMPLATES / f"{language}.toml").read_text("utf-8"))
    texts: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            texts |= {f"{name}.{part}": text for part, text in value.items()}
        else:
            texts[name] = value
    return {name: environment.from_string(text) for name, text in texts.items()}


def _said_of(letter: Letter, comma: str) -> dict[str, str]:
    visit = letter.visit
    day, clock = _wall(visit.start, visit.time_zone, letter.language)
    was = ""
    if visit.was_start is not None:
        was = comma.join(_wall(visit.was_start, visit.time_zone, letter.language))
    named = {
        "name": letter.name,
        "of_whom": letter.of_whom,
        "provider": visit.provider,
        "clinic": visit.clinic,
        "address": visit.address,
        "phone": visit.phone,
    }
    # Names come from people: a line break would begin a header of the mail.
    clean = {key: _one_line(value) for key, value in named.items()}
    said = {**clean, "day": day, "time": clock, "was": was}
    place = [part for part in (said["clinic"], said["address"]) if part]
    return {**said, "at": comma.join((day, clock)), "place": comma.join(place)}


def _rows(
    words: Mapping[str, Template], said: Mapping[str, str]
) -> list[tuple[str, str]]:
    values = {
        "for": said["of_whom"],
        "when": said["at"],
        "before": said["was"],
        "with": said["provider"],
        "where": said["place"],
        "phone": said["phone"],
    }
    return [
        (words[name].render(said), value) for name, value in values.items() if value
    ]


def _plain(
    letter: Letter,
    hello: str,
    text: str,
    rows: list[tuple[str, str]],
    labels: Mapping[str, str],
) -> str:
    parts = [hello, text, "\n".join(f"{label}: {value}" for label, value in rows)]
    if letter.instead_url:
        parts.append(f"{labels['instead']}:\n{letter.instead_url}")
    if letter.visit_url:
        parts.append(f"{labels['manage']}:\n{letter.visit_url}")
    if letter.choose_url:
        parts.append(
            f"-- \n{labels['choose']}: {letter.choose_url}\n"
            f"{labels['stop']}: {letter.stop_url}"
        )
    return "\n\n".join(parts)


def _wall(at: Minute, time_zone: str, language: str) -> tuple[str, str]:
    """Date and time of an instant on the wall of a place."""
    place = _zone(time_zone)
    locale = _locale(language)
    wall = datetime.fromtimestamp(at * 60, UTC).astimezone(place)
    clock = format_time(wall.time(), "short", locale=locale)
    name = get_timezone_name(wall, width="short", locale=locale)
    return format_date(wall.date(), "full", locale=locale), f"{clock} ({name})"


@cache
def _zone(name: str) -> Any:
    return zone_info(name) or UTC


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(LOCALES[language])


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
