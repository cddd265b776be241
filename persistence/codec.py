"""Encodes and decodes events: one version byte, then a msgpack map with short keys.

The names in the journal are this module's own (``KEYS``, ``TAGS``), so that a rename
in the domain changes no recorded byte. An event written by an older version is
decoded to plain values, lifted step by step by ``Codec.upcasts``, and then converted.

Rules for a change: a new field with a default needs only a key; anything else needs a
new ``VERSION``, an upcast from the previous one, and a recorded sample of each event
under tests/samples/events/. A key or a tag is never reused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast, get_args

import msgspec
from msgspec import Struct

from actors.domain.messages.events import Event
from actors.errors import JournalCorrupt

VERSION = 1
"""The version that is written."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Upgrades the plain values of one event (short keys) to the next version."""

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "provider_id": "p",
        "at": "a",
        "version": "v",
        "key": "k",
        "fingerprint": "f",
        "profile": "P",
        "availability": "A",
        "time_off": "O",
        "time_off_id": "o",
        "hold_id": "h",
        "booking_id": "b",
        "patient_id": "c",
        "visit_type": "y",
        "start": "s",
        "end": "e",
        "busy_start": "m",
        "busy_end": "n",
        "location_id": "l",
        "expires": "x",
        "reason": "r",
        "by_patient": "w",
        "until": "u",
        "code": "q",
        "detail": "d",
        "about": "i",
        "moving": "M",
        "to_shard": "T",
        "seq": "j",
        "from_shard": "F",
        "from_epoch": "E",
        "from_seq": "J",
        "state": "S",
        "ahead_of": "g",
        "status": "U",
        "stranded": "D",
        "by": "B",
        "confidential": "C",
    }
)
"""A field's name in the journal; ``t`` is the tag."""

TAGS: Mapping[str, int] = MappingProxyType(
    {
        "ProviderRegistered": 1,
        "AvailabilitySet": 2,
        "TimeOffAdded": 3,
        "TimeOffRemoved": 4,
        "HoldPlaced": 5,
        "HoldExtended": 6,
        "HoldReleased": 7,
        "HoldExpired": 8,
        "SlotBooked": 9,
        "BookingCancelled": 10,
        "BookingRescheduled": 11,
        "PatientArrived": 12,
        "VisitCompleted": 13,
        "NoShowMarked": 14,
        "WindowAdvanced": 15,
        "RefusalRecorded": 16,
        "CalendarMovedOut": 17,
        "CalendarMovedIn": 18,
        "ClockTrusted": 19,
        "OutcomeUndone": 20,
        "ConfidentialSet": 21,
    }
)
"""An event type's tag in the journal."""

EVENT_TYPES: tuple[type[Struct], ...] = get_args(Event)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is msgspec.NODEFAULT:
        return field.default
    return msgspec.field(default_factory=field.default_factory)


def _recorded(event_type: type[Struct]) -> type[Struct]:
    """The event type with the journal's field names; same fields and defaults."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (field.name, field.type)
        if field.required
        else (field.name, field.type, _default(field))
        for field in msgspec.structs.fields(event_type)
    ]
    return msgspec.defstruct(
        "Recorded" + event_type.__name__,
        fields,
        kw_only=True,
        frozen=True,
        omit_defaults=True,
        gc=False,
        rename={name: KEYS[name] for name in event_type.__struct_fields__},
        tag_field="t",
        tag=TAGS[event_type.__name__],
    )


class Codec:
    """One version of the encoding, and the upgrades to it from all older ones."""

    def __init__(
        self, version: int = VERSION, upcasts: Mapping[int, Upcast] | None = None
    ) -> None:
        """``upcasts[n]`` upgrades version n to n + 1, for every n below ``version``."""
        self._version = version
        self._prefix = bytes((version,))
        self._upcasts = dict(upcasts or {})
        recorded = {kind: _recorded(kind) for kind in EVENT_TYPES}
        self._recorded: dict[type, Callable[..., Struct]] = dict(recorded)
        self._domain: dict[type, Callable[..., Any]] = {
            twin: kind for kind, twin in recorded.items()
        }
        self._union: Any = _union(tuple(recorded.values()))
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(self._union).decode

    def encode(self, event: Event) -> bytes:
        """The event encoded in the newest version."""
        twin = self._recorded[type(event)](**msgspec.structs.asdict(event))
        return self._prefix + self._encode(twin)

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
            twin = self._decode(data[1:])
        except msgspec.DecodeError as error:
            raise JournalCorrupt(f"an event cannot be read: {error}") from error
        return self._of_the_domain(twin)

    def _of_the_domain(self, twin: Any) -> Event:
        event = self._domain[type(twin)](**msgspec.structs.asdict(twin))
        return cast("Event", event)

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
            twin = msgspec.convert(plain, self._union)
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise JournalCorrupt(
                f"an event of version {version} cannot be lifted to version "
                f"{self._version}: {error!r}"
            ) from error
        return self._of_the_domain(twin)


def _union(types: tuple[Any, ...]) -> Any:
    union = types[0]
    for other in types[1:]:
        union |= other
    return union


CODEC = Codec()
encode: Callable[[Event], bytes] = CODEC.encode
decode: Callable[[bytes | memoryview], Event] = CODEC.decode
