"""Recovery codes: ten on paper, each good once, for when the other factor is lost."""

from __future__ import annotations

import secrets
from typing import Final

CODES: Final = 10
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that look like another."""
_CHARACTERS: Final = 12
"""59 bits: the store keeps a keyed hash, and attempts are counted."""
_GROUP: Final = 4


def new_codes() -> list[str]:
    """Ten codes as they are shown: ``abcd-efgh-jkmn``."""
    return [_new_code() for _ in range(CODES)]


def compared_code(code: str) -> str:
    """What a typed code is compared by: without hyphens, spaces and capitals."""
    return "".join(one for one in code.lower() if one.isalnum())


def _new_code() -> str:
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
    return "-".join(drawn[at : at + _GROUP] for at in range(0, _CHARACTERS, _GROUP))
