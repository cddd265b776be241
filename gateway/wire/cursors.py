"""Cursors of lists that are ordered by an instant and, within it, by an id."""

from __future__ import annotations

import re
from typing import Final

from gateway.wire.errors import FieldError, InvalidRequest

_AT_AND_ID: Final = re.compile(r"([0-9]{1,15})\.([A-Za-z0-9_-]{1,100})")


def cursor_after(at: int, name: str) -> str:
    """The cursor of what follows an instant and an id."""
    return f"{at}.{name}"


def place_of_cursor(cursor: str) -> tuple[int, str]:
    """The instant and the id after which a list goes on. Raises InvalidRequest."""
    found = _AT_AND_ID.fullmatch(cursor)
    if found is None:
        raise not_a_cursor()
    return int(found[1]), found[2]


def not_a_cursor() -> InvalidRequest:
    """The refusal of a cursor that no list gave."""
    return InvalidRequest("", FieldError("cursor", "is not valid; begin without it"))
