"""What a password must be: long enough, not common, not about its owner.

No rules of composition and no expiry (NIST SP 800-63B, section 3.1.1.2): they make
passwords weaker. The list of common passwords is zxcvbn's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Final

CHARACTERS_MIN: Final = 8
BYTES_MAX: Final = 1_024
"""In UTF-8: more is refused before anything is hashed."""
OWN_WORD_CHARACTERS_MIN: Final = 4
"""Shorter words of an address or a name occur in good passwords by chance."""
SITE_WORDS: Final = ("slotcast", "password", "passwort")
_DECORATION: Final = "0123456789!?.,;:-_+*#$%&@/ "
"""What is put around a common word to satisfy rules of composition."""


class Weakness(StrEnum):
    """Why a password is refused; a word of the wire."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"
    COMMON = "common"
    BREACHED = "breached"
    ABOUT_YOU = "about_you"


ADVICE: Final = {
    Weakness.TOO_SHORT: f"needs {CHARACTERS_MIN} characters or more; several unrelated "
    "words are easy to remember",
    Weakness.TOO_LONG: f"must be at most {BYTES_MAX} bytes long in UTF-8",
    Weakness.BREACHED: "was in a list of stolen passwords, which attackers try first; "
    "use another, here and wherever else it is used",
    Weakness.NOT_TEXT: "must not contain control characters",
    Weakness.COMMON: "is among the passwords that are tried first; choose another",
    Weakness.ABOUT_YOU: "can be guessed from your address or this site's name; choose "
    "another",
}
"""What to do about each weakness; goes on where the field's name ends."""


class PasswordNotText(Exception):
    """The password is too long, or holds control characters."""

    def __init__(self, weakness: Weakness) -> None:
        super().__init__(weakness.value)
        self.weakness = weakness


def stamp_of(password_hash: str) -> str:
    """Tells one setting of a password from the next, even of an equal one.

    Hashes have a salt each; the stamp tells nothing of the password.
    """
    return sha256(password_hash.encode()).hexdigest()[:32]


def prepared(password: str) -> bytes:
    """A password as it is hashed: NFKC, so that every keyboard makes the same bytes.

    Raises:
        PasswordNotText: it cannot be anyone's password; it must not be hashed.
    """
    # Measured first: normalising may take long, and makes some texts longer.
    if len(password) > BYTES_MAX:
        raise PasswordNotText(Weakness.TOO_LONG)
    normal = unicodedata.normalize("NFKC", password)
    try:
        made = normal.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        raise PasswordNotText(Weakness.NOT_TEXT) from None
    if len(made) > BYTES_MAX:
        raise PasswordNotText(Weakness.TOO_LONG)
    if any(unicodedata.category(one) == "Cc" for one in normal):
        raise PasswordNotText(Weakness.NOT_TEXT)
    return made


def weakness_of(password: str, about: Iterable[str]) -> Weakness | None:
    """Why a new password is refused; None if it is accepted.

    ``about``: the owner's address, names and so on, whole; they are cut into words.
    """
    try:
        text = prepared(password).decode().casefold()
    except PasswordNotText as error:
        return error.weakness
    if len(text) < CHARACTERS_MIN:
        return Weakness.TOO_SHORT
    if text in _common() or text.strip(_DECORATION) in _common():
        return Weakness.COMMON
    rest = text
    for word in sorted(_words((*about, *SITE_WORDS)), key=len, reverse=True):
        rest = rest.replace(word, "")
    if rest != text and len(rest.strip(_DECORATION)) < CHARACTERS_MIN:
        return Weakness.ABOUT_YOU
    return None


def _words(texts: Iterable[str]) -> set[str]:
    found = set()
    for text in texts:
        folded = unicodedata.normalize("NFKC", text).casefold()
        spaced = "".join(one if one.isalnum() else " " for one in folded)
        found |= {*spaced.split(), folded}
    return {one for one in found if len(one) >= OWN_WORD_CHARACTERS_MIN}


@cache
def _common() -> frozenset[str]:
    # Imported here: the lists take 14 MiB, and only those who set passwords need them.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
