"""Texts of the directory are compared without case, accents and punctuation."""

from __future__ import annotations

import random
import string

import pytest

from care.directory.words import plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dr. O'Brien-Müller", "dr o brien muller"),
        ("  Straße_7 ", "strasse 7"),
        ("ØSTERGÅRD", "ostergard"),
        ("", ""),
        ("--", ""),
    ],
)
def test_words_are_plain(text: str, words: str) -> None:
    """One space between them, none around."""
    assert plain(text) == words


def test_ascii_is_read_as_any_other_letters() -> None:
    """Its full-width twins, which only Unicode's tables make equal, give the same."""
    draw = random.Random(6)
    shown = string.printable.strip()
    for _ in range(500):
        text = "".join(draw.choices(shown + " ", k=draw.randrange(12)))
        wide = "".join(chr(ord(c) + 0xFEE0) if c != " " else "\u3000" for c in text)
        assert plain(text) == plain(wide), text
