"""Sealed values open where they were sealed, and nowhere else."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.keys.sealing import (
    DataKey,
    KeyEncryptionKeys,
    KeyEncryptionKeyWrong,
    Place,
    Purpose,
    SealBroken,
    blind_index,
    open_sealed,
    parsed_keys,
    person_key,
    seal,
)

KEY = DataKey("cln_1", Purpose.SEAL, 1, b"a" * 32)
PLACE = Place("account", "email", "acc_1")
NONCE = b"n" * 12


@given(st.text(max_size=200).filter(lambda t: t.isprintable()))
def test_what_was_sealed_opens(text: str) -> None:
    """The text comes back, and cannot be read from the sealed value."""
    sealed = seal(KEY, PLACE, text, NONCE)
    assert open_sealed(KEY, PLACE, sealed) == text
    assert len(text) < 4 or text.encode() not in sealed


@pytest.mark.parametrize(
    "other",
    [
        Place("patient", "email", "acc_1"),
        Place("account", "phone", "acc_1"),
        Place("account", "email", "acc_2"),
    ],
)
def test_a_moved_value_does_not_open(other: Place) -> None:
    """Swaps between tables, columns and rows are refused."""
    with pytest.raises(SealBroken):
        open_sealed(KEY, other, seal(KEY, PLACE, "mira@example.org", NONCE))


def test_every_flipped_bit_is_found() -> None:
    """No altered value opens as wrong text."""
    sealed = seal(KEY, PLACE, "mira", NONCE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            open_sealed(KEY, PLACE, bytes(changed))
    for end in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_sealed(KEY, PLACE, sealed[:end])


def test_each_tenant_and_person_has_a_key() -> None:
    """A value of one does not open with the key of another."""
    other = DataKey("cln_2", Purpose.SEAL, 1, b"b" * 32)
    mine, theirs = person_key(KEY, b"s" * 16), person_key(KEY, b"t" * 16)
    sealed = seal(mine, PLACE, "mira", NONCE)
    assert open_sealed(person_key(KEY, b"s" * 16), PLACE, sealed) == "mira"
    for wrong in (other, KEY, theirs):
        with pytest.raises(SealBroken):
            open_sealed(wrong, PLACE, sealed)


def test_a_data_key_needs_its_key_encryption_key() -> None:
    """Wrapped keys open with the key they were wrapped with, old ones included."""
    old = KeyEncryptionKeys((("one", b"1" * 32),))
    wrapped = old.wrap(KEY.secret)
    both = KeyEncryptionKeys((("two", b"2" * 32), ("one", b"1" * 32)))
    assert both.unwrap(wrapped, "one") == KEY.secret
    for wrong in (
        KeyEncryptionKeys((("two", b"2" * 32),)),
        KeyEncryptionKeys((("one", b"2" * 32),)),
    ):
        with pytest.raises(KeyEncryptionKeyWrong, match="'one'"):
            wrong.unwrap(wrapped, "one")


def test_no_key_shows_when_it_is_printed() -> None:
    """Traces and logs name keys by tenant and number."""
    assert "aaa" not in repr(KEY)
    assert "111" not in repr(KeyEncryptionKeys((("one", b"1" * 32),)))


def test_equal_texts_have_equal_indexes() -> None:
    """They can be looked up without being read, per key."""
    index = DataKey("site", Purpose.INDEX, 1, b"i" * 32)
    assert blind_index(index, "a") == blind_index(index, "a")
    assert len({blind_index(k, t) for k in (index, KEY) for t in "ab"}) == 4
    assert len(blind_index(index, "a")) == 43


def test_configured_keys_are_checked() -> None:
    """Ids with 32 bytes each; what is wrong is said without the key."""
    one, two = (b64encode(c * 32).decode() for c in (b"1", b"2"))
    keys = parsed_keys(f"b:{two},\na:{one}\n")
    assert keys.current_id == "b"
    for wrong in ("", one, f"a:{one[:-8]}", f"a:{one},a:{two}", f":{one}", "a:secret!"):
        with pytest.raises(ValueError, match="must") as refused:
            parsed_keys(wrong)
        assert "secret!" not in str(refused.value)
