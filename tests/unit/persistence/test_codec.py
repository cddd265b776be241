"""Events as bytes: samples of every version stay readable, and new ones are small."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from actors.domain.messages.events import Event, EventBase, SlotBooked
from actors.domain.messages.recorded import KEYS, TAG_KEY
from actors.errors import JournalCorrupt
from persistence import codec
from persistence.codec import VERSION, Codec
from tests.fixtures.events import booked, one_of_each

SAMPLES = Path(__file__).parents[2] / "samples" / "events"
EVENT_TYPES: tuple[type[msgspec.Struct], ...] = get_args(Event)
NAMES = [kind.__name__ for kind in EVENT_TYPES]
TAGS = {kind.__name__: kind.__struct_config__.tag for kind in EVENT_TYPES}


@pytest.mark.parametrize("name", NAMES)
def test_what_was_encoded_is_decoded(name: str) -> None:
    """Every event comes back equal, from bytes and from a view of them."""
    event = one_of_each()[name]
    data = codec.encode(event)
    assert codec.decode(data) == event
    assert codec.decode(memoryview(data)) == event


@pytest.mark.parametrize("version", range(1, VERSION + 1))
@pytest.mark.parametrize("name", NAMES)
def test_recorded_samples_mean_what_they_meant(version: int, name: str) -> None:
    """A sample of every event type and version exists and decodes as it did.

    ``HoldPlaced-1.bin`` and the like were written before their event had more fields.
    """
    folder = SAMPLES / f"v{version}"
    paths = [folder / f"{name}.bin", *folder.glob(f"{name}-*.bin")]
    assert paths[0].exists(), "record it: python -m tests.samples.record_events"
    for path in paths:
        assert codec.decode(path.read_bytes()) == one_of_each()[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_newest_encoding_does_not_change(name: str) -> None:
    """What is written today is, byte by byte, what the samples hold."""
    path = SAMPLES / f"v{VERSION}" / f"{name}.bin"
    assert codec.encode(one_of_each()[name]) == path.read_bytes()


def test_keys_and_tags_are_unambiguous() -> None:
    """No two fields share a key, none takes the tag's, no two types share a tag."""
    assert len(set(KEYS.values())) == len(KEYS)
    assert TAG_KEY not in KEYS.values()
    assert set(TAGS.values()) == set(range(1, len(NAMES) + 1))


def test_a_field_without_a_key_is_no_event() -> None:
    """An event with a field that has no key in the journal cannot even be declared."""
    with pytest.raises(KeyError, match="unheard"):

        class Novelty(EventBase, frozen=True, kw_only=True, tag=99):
            unheard: int


@pytest.mark.parametrize("name", NAMES)
def test_only_keys_of_the_journal_are_written(name: str) -> None:
    """An event's bytes name its type by number and its fields by one letter each."""
    plain = msgspec.msgpack.decode(codec.encode(one_of_each()[name])[1:])
    assert plain.pop(TAG_KEY) == TAGS[name]
    assert set(plain) <= set(KEYS.values())


def test_a_booking_is_small() -> None:
    """A booking with a short key takes fewer than 150 bytes."""
    event = booked(7)
    assert isinstance(event, SlotBooked)
    assert len(codec.encode(event)) < 150


def _lift(plain: dict[str, Any]) -> dict[str, Any]:
    """In this made-up version 1 a window's end was in seconds, under another key."""
    if plain["t"] == TAGS["WindowAdvanced"]:
        plain["u"] = plain.pop("seconds") // 60
    return plain


def test_an_older_version_is_lifted() -> None:
    """An upcast turns what an older program wrote into today's event."""
    old = msgspec.msgpack.encode({"t": 15, "p": "prv_1", "a": 5, "v": 3, "seconds": 60})
    newer = Codec(version=2, upcasts={1: _lift})
    event = newer.decode(b"\x01" + old)
    assert (type(event).__name__, event.version) == ("WindowAdvanced", 3)
    assert newer.decode(newer.encode(event)) == event


@pytest.mark.parametrize("version", [0, 2, 255])
def test_an_unknown_version_is_named(version: int) -> None:
    """A journal of a newer program is refused with its version, not guessed at."""
    data = bytes([version]) + codec.encode(booked(1))[1:]
    with pytest.raises(JournalCorrupt, match=f"version {version}"):
        codec.decode(data)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\xc0", b"\x01\x81\xa1t\x63"])
def test_bytes_that_are_no_event(data: bytes) -> None:
    """What is not an event is refused."""
    with pytest.raises(JournalCorrupt):
        codec.decode(data)


def test_a_lift_that_fails_is_named() -> None:
    """An upcast that meets what it cannot read says which version it was."""
    with pytest.raises(JournalCorrupt, match="version 1"):
        Codec(version=2, upcasts={1: _lift}).decode(b"\x01\x81\xa1t\x0f")


def test_who_asked_is_kept_and_older_records_do_not_say() -> None:
    """``by`` travels with the event; a record without it decodes to an empty one."""
    event = msgspec.structs.replace(one_of_each()["SlotBooked"], by="acc_1 mem_2")
    assert codec.decode(codec.encode(event)) == event
    older = one_of_each()["SlotBooked"]
    assert codec.decode(codec.encode(older)).by == ""
