"""The names that events have in the journal, which no rename in the domain changes.

A new field needs a key here, or its event's class cannot be made. A key is never
reused, nor is a tag (the ``tag`` of each class in events.py); persistence/codec.py has
the rules for a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TAG_KEY = "t"
"""The key of an event type's tag."""

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
        "waiting": "W",
        "offered": "N",
        "declined": "R",
        "group": "G",
        "group_id": "I",
        "visit": "V",
        "settled": "L",
        "lane": "z",
        "left": "Q",
    }
)
"""A field's name in the journal; ``t`` is the tag."""
