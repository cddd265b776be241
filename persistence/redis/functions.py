"""Functions that run in Redis, in a library whose name contains its version.

The name contains a checksum of the source, so that during an upgrade old and new
programs can use the same server, each with its own functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from hiredis import pack_command
from msgspec import Struct

SOURCE = Path(__file__).with_name("functions.lua")
VERSION = 1
"""Version of the data that the functions write; the checksum tells sources apart."""

Word = bytes | str | int | float


class Library(Struct, frozen=True):
    """A library of functions, with its source."""

    name: str
    code: str

    def load(self) -> bytes:
        """The command that loads the library; harmless if it is loaded already."""
        return packed("FUNCTION", "LOAD", "REPLACE", self.code)

    def call(self, function: str, keys: Iterable[Word], args: Iterable[Word]) -> bytes:
        """The command that calls one of the library's functions."""
        keys = tuple(keys)
        return packed("FCALL", self.function(function), len(keys), *keys, *args)

    def function(self, function: str) -> str:
        """The full name of one of the library's functions."""
        return f"{self.name}_{function}"


def packed(*words: Word) -> bytes:
    """A command in the protocol's encoding."""
    # The type stubs admit only one argument.
    return bytes(pack_command(words))  # type: ignore[arg-type]


def library_of(source: str) -> Library:
    """The library made from this source."""
    digest = sha256(source.encode()).hexdigest()[:12]
    name = f"slotcast_{VERSION}_{digest}"
    named = source.replace("'@", f"'{name}_")
    return Library(name, f"#!lua name={name}\n{named}")


LIBRARY = library_of(SOURCE.read_text(encoding="utf-8"))
"""The library that this program uses."""
