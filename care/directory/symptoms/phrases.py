"""Phrases in which people describe what a specialty treats, in three languages.

They are our own, and short: a text is compared with each. The file has one specialty
per line, then the languages of ``care.directory.specialties``, phrases by semicolon.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from care.directory.specialties import LANGUAGES


def _parse(lines: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """``id | en | de | ar``; in each the phrases by semicolon."""
    found = {}
    for line in lines.strip().splitlines():
        specialty_id, *parts = (part.strip() for part in line.split("|"))
        found[specialty_id] = {
            language: tuple(one.strip() for one in part.split(";"))
            for language, part in zip(LANGUAGES, parts, strict=True)
        }
    return found


PHRASES: Final = MappingProxyType(
    _parse((Path(__file__).parent / "phrases.txt").read_text("utf-8"))
)
"""Of each specialty that is suggested, by language."""
