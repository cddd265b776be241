"""The functions that Redis runs for us, under a name that says which version they are.

The name holds a checksum of the source, so that during an upgrade old and new
programs use one server, each its own functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from hiredis import pack_command
from msgspec import Struct

SOURCE = Path(__file__).with_name("functions.lua")
VERSION = 1
"""Of what the functions do to the data; the checksum tells sources apart."""

Word = bytes | str | int | float


class Library(Struct, frozen=True):
    """A source of functions, as it is loaded."""

    name: str
    code: str

    def load(self) -> bytes:
        """The command that loads it; harmless where it is loaded already."""
        return packed("FUNCTION", "LOAD", "REPLACE", self.code)

    def call(self, function: str, keys: Iterable[Word], args: Iterable[Word]) -> bytes:
        """The command that calls one of its functions."""
        keys = tuple(keys)
        return packed("FCALL", self.function(function), len(keys), *keys, *args)

    def function(self, function: str) -> str:
        """The full name of one of its functions."""
        return f"{self.name}_{function}"


def packed(*words: Word) -> bytes:
    """A command as it is sent."""
    # The library's types tell of one word only.
    return bytes(pack_command(words))  # type: ignore[arg-type]


def library_of(source: str) -> Library:
    """The library that this source makes."""
    digest = sha256(source.encode()).hexdigest()[:12]
    name = f"slotcast_{VERSION}_{digest}"
    named = source.replace("'@", f"'{name}_")
    return Library(name, f"#!lua name={name}\n{named}")


LIBRARY = library_of(SOURCE.read_text(encoding="utf-8"))
"""What this program uses."""
