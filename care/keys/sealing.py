"""Seal, open and index texts; wrap and unwrap the keys for it.

A sealed value is ``version ‖ key number ‖ nonce ‖ ciphertext ‖ tag`` (AES-256-GCM).
Its place, ``table|column|row|key number``, is authenticated with it: a value that was
moved to another place does not open. An older value of the *same* place does; only an
audit trail can detect that.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)
from msgspec import Struct

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SALT_BYTES: Final = 16
VERSION: Final = b"\x01"
REFRESH_MS: Final = 30_000
"""How long a process trusts that it knows all keys of a tenant."""
SPREAD_MS: Final = 2 * REFRESH_MS
"""Age at which a further key is first used for sealing."""
_NUMBER_BYTES: Final = 2
_HEAD: Final = len(VERSION) + _NUMBER_BYTES + NONCE_BYTES


class SealBroken(Exception):
    """A sealed value does not open: altered, moved, or sealed with another key.

    It is never shown as text; the operator must look (a damaged or exchanged row).
    """


class KeyEncryptionKeyWrong(Exception):
    """A data key was wrapped with a key encryption key that this site does not have.

    Give back the one it was wrapped with: ``SLOTCAST_KEYS`` or secrets/keys.
    """


class Purpose(StrEnum):
    """The purpose of a data key."""

    SEAL = "seal"
    INDEX = "index"
    AUDIT = "audit"


class Place(Struct, frozen=True):
    """The place of a sealed value."""

    table: str
    column: str
    row: str


class DataKey(Struct, frozen=True):
    """An unwrapped key of a tenant. ``number`` counts a purpose's keys, from 1.

    ``created_at``: milliseconds since the Unix epoch; a later key than the first seals
    only once every process must have read it (``current_key``).
    """

    tenant: str
    purpose: Purpose
    number: int
    secret: bytes
    created_at: int = 0

    def __repr__(self) -> str:
        return f"DataKey({self.tenant!r}, {self.purpose.value}, {self.number})"


class KeyEncryptionKeys(Struct, frozen=True):
    """Keys that wrap data keys, by id: the first wraps, all unwrap."""

    keys: tuple[tuple[str, bytes], ...]

    def __repr__(self) -> str:
        return f"KeyEncryptionKeys({[name for name, _ in self.keys]})"

    @property
    def current_id(self) -> str:
        """The id of the one that wraps."""
        return self.keys[0][0]

    def wrap(self, secret: bytes) -> bytes:
        """A data key as it is stored, RFC 3394."""
        return aes_key_wrap(self.keys[0][1], secret)

    def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        """A stored data key. Raises KeyEncryptionKeyWrong."""
        for name, key in self.keys:
            if name == kek_id:
                try:
                    return aes_key_unwrap(key, wrapped)
                except InvalidUnwrap:
                    break
        raise KeyEncryptionKeyWrong(
            f"a data key is wrapped with key encryption key {kek_id!r}, which is "
            "missing here or has another value"
        )


def parsed_keys(text: str) -> KeyEncryptionKeys:
    """Key encryption keys as they are configured: ``id:base64,id:base64``.

    Each is 32 bytes; the first wraps, the others still unwrap.

    Raises:
        ValueError: it is not of this form; the message holds no key.
    """
    found = []
    for part in text.replace("\n", ",").split(","):
        if not part.strip():
            continue
        name, colon, encoded = part.strip().partition(":")
        try:
            key = b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not colon or not name or len(key) != KEY_BYTES:
            raise ValueError(
                "must be id:key, more of them after commas, each key 32 bytes in "
                "base64 (openssl rand -base64 32)"
            )
        found.append((name, key))
    if not found or len({name for name, _ in found}) != len(found):
        raise ValueError("must name at least one key, and each id once")
    return KeyEncryptionKeys(tuple(found))


def seal(key: DataKey, place: Place, text: str, nonce: bytes) -> bytes:
    """A text sealed for its place; ``nonce`` is 12 random bytes, never used again."""
    number = key.number.to_bytes(_NUMBER_BYTES, "big")
    sealed = AESGCM(key.secret).encrypt(nonce, text.encode(), _aad(place, key.number))
    return VERSION + number + nonce + sealed


def current_key(keys: Mapping[int, DataKey], now: int) -> DataKey:
    """Which of a tenant's keys seals: the newest that every process knows by now."""
    known = [n for n, key in keys.items() if key.created_at + SPREAD_MS <= now]
    return keys[max(known)] if known else keys[min(keys)]


def number_of(sealed: bytes) -> int:
    """The number of the key that a value was sealed with. Raises SealBroken."""
    if len(sealed) < _HEAD or sealed[:1] != VERSION:
        raise SealBroken("this is not a sealed value")
    return int.from_bytes(sealed[1 : 1 + _NUMBER_BYTES], "big")


def open_sealed(key: DataKey, place: Place, sealed: bytes) -> str:
    """The text of a sealed value.

    Raises:
        SealBroken: it was altered, moved, or sealed with another key.
    """
    number = number_of(sealed)
    nonce = sealed[_HEAD - NONCE_BYTES : _HEAD]
    try:
        text = AESGCM(key.secret).decrypt(nonce, sealed[_HEAD:], _aad(place, number))
    except InvalidTag:
        raise SealBroken(
            f"{place.table}.{place.column} of row {place.row} does not open"
        ) from None
    return text.decode()


def person_key(key: DataKey, salt: bytes) -> DataKey:
    """The key of one person of a tenant; without the salt it is gone."""
    derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"person")
    secret = derive.derive(key.secret)
    return DataKey(key.tenant, key.purpose, key.number, secret, key.created_at)


def blind_index(key: DataKey, text: str) -> str:
    """What a sealed text can be found by: 43 characters, equal for equal texts."""
    made = hmac.new(key.secret, text.encode(), sha256).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")


def _aad(place: Place, number: int) -> bytes:
    return f"{place.table}|{place.column}|{place.row}|{number}".encode()
