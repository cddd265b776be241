"""Encodes and decodes events: one version byte, then a msgpack map with short keys.

An event's own class knows its short keys and its tag (recorded.py and events.py of
actors/domain/messages), so that no second struct stands between it and its bytes. An
event written by an older version is decoded to plain values, lifted step by step by
``Codec.upcasts``, and then converted.

Rules for a change: a new field with a default needs only a key; anything else needs a
new ``VERSION``, an upcast from the previous one, and a recorded sample of each event
under tests/samples/events/. A key or a tag is never reused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.domain.messages.events import Event
from actors.errors import JournalCorrupt

VERSION = 1
"""The version that is written."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Upgrades the plain values of one event (short keys) to the next version."""


class Codec:
    """One version of the encoding, and the upgrades to it from all older ones."""

    def __init__(
        self, version: int = VERSION, upcasts: Mapping[int, Upcast] | None = None
    ) -> None:
        """``upcasts[n]`` upgrades version n to n + 1, for every n below ``version``."""
        self._version = version
        self._prefix = bytes((version,))
        self._upcasts = dict(upcasts or {})
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes | memoryview], Event]
        self._decode = msgspec.msgpack.Decoder(Event).decode

    def encode(self, event: Event) -> bytes:
        """The event encoded in the newest version."""
        return self._prefix + self._encode(event)

    def decode(self, data: bytes | memoryview) -> Event:
        """The event in ``data``, of any known version.

        Raises:
            JournalCorrupt: an unknown version, or not an event.
        """
        if not len(data):
            raise JournalCorrupt("an event has no bytes")
        if data[0] != self._version:
            return self._decode_other(data)
        try:
            return self._decode(data[1:])
        except msgspec.DecodeError as error:
            raise JournalCorrupt(f"an event cannot be read: {error}") from error

    def _decode_other(self, data: bytes | memoryview) -> Event:
        version = data[0]
        if not 0 < version < self._version:
            raise JournalCorrupt(
                f"an event has version {version}, and this program knows versions 1 to "
                f"{self._version}: run the program that wrote it, or a newer one"
            )
        try:
            plain = msgspec.msgpack.decode(data[1:])
            for step in range(version, self._version):
                plain = self._upcasts[step](plain)
            event: Event = msgspec.convert(plain, Event)
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise JournalCorrupt(
                f"an event of version {version} cannot be lifted to version "
                f"{self._version}: {error!r}"
            ) from error
        return event


CODEC = Codec()
encode: Callable[[Event], bytes] = CODEC.encode
decode: Callable[[bytes | memoryview], Event] = CODEC.decode
