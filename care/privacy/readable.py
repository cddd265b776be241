"""An export of a person's data as a page that a person can read; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def readable_page(export: Mapping[str, Any]) -> str:
    """One HTML document without scripts or links; every value is escaped."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width">',
        "<title>Your data</title>",
        "<style>body{font:1rem sans-serif;max-width:60rem;margin:2rem auto;",
        "padding:0 1rem;color-scheme:light dark;overflow-wrap:anywhere}",
        "th{text-align:left;vertical-align:top;padding-right:1rem}</style>",
        "<main><h1>Your data</h1>",
    ]
    for name, value in export.items():
        parts += [f"<h2>{escape(_words(name))}</h2>", _shown(value)]
    return "".join(parts) + "</main></html>\n"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        rows = (
            f"<tr><th>{escape(_words(str(name)))}<td>{_shown(one)}"
            for name, one in value.items()
        )
        return f"<table>{''.join(rows)}</table>" if value else "nothing"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            return "nothing"
        return f"<ul>{''.join(f'<li>{_shown(one)}' for one in value)}</ul>"
    if value is None or value == "":
        return "–"
    return escape(str(value))


def _words(name: str) -> str:
    return name.replace("_", " ")
