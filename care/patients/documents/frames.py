"""A file in sealed frames, so that it is sealed and opened as a stream; pure.

``head ‖ salt ‖ frame ‖ frame …``; each frame is FRAME_BYTES of the file, the last one
what is left of it, sealed with AES-256-GCM and 16 bytes longer. The key of a stream is
derived from the document's key, a salt of its own and its place, so no nonce is used
twice, and a file that was exchanged for another does not open. A nonce counts the
frames, and says whether it is the last one (the STREAM construction of Hoang,
Reyhanitabar, Rogaway and Vizár): frames that were left out, cut off, repeated or
reordered do not open either.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FRAME_BYTES: Final = 1024 * 1024
TAG_BYTES: Final = 16
SALT_BYTES: Final = 16
KEY_BYTES: Final = 32
HEAD: Final = b"SDF1"
_LEAD: Final = len(HEAD) + SALT_BYTES
_COUNTER_BYTES: Final = 11


class FileBroken(Exception):
    """A sealed file does not open: altered, cut off, exchanged, or of another key.

    The frames before were right, and may have been passed on already.
    """


def sealed_size(size: int) -> int:
    """The bytes of a sealed file of ``size`` bytes."""
    frames = max(1, -(-size // FRAME_BYTES))
    return _LEAD + size + frames * TAG_BYTES


async def sealed(
    key: bytes, place: str, salt: bytes, pieces: AsyncIterable[bytes]
) -> AsyncIterator[bytes]:
    """A file sealed for its place; ``salt`` is 16 random bytes, never used again."""
    cipher = _cipher(key, place, salt)
    yield HEAD + salt
    waiting, number = bytearray(), 0
    async for piece in pieces:
        waiting += piece
        # One frame is kept back: it may be the last one.
        while len(waiting) > FRAME_BYTES:
            frame = bytes(waiting[:FRAME_BYTES])
            del waiting[:FRAME_BYTES]
            yield cipher.encrypt(_nonce(number, is_last=False), frame, None)
            number += 1
    yield cipher.encrypt(_nonce(number, is_last=True), bytes(waiting), None)


async def opened(
    key: bytes, place: str, pieces: AsyncIterable[bytes]
) -> AsyncIterator[bytes]:
    """The file of these sealed bytes, frame by frame; no piece is empty.

    Raises:
        FileBroken: it does not open from here on.
    """
    waiting, number = bytearray(), 0
    cipher: AESGCM | None = None
    size = FRAME_BYTES + TAG_BYTES
    async for piece in pieces:
        waiting += piece
        if cipher is None and len(waiting) >= _LEAD:
            cipher = _cipher(key, place, _salt(waiting))
            del waiting[:_LEAD]
        while cipher is not None and len(waiting) > size:
            frame = bytes(waiting[:size])
            del waiting[:size]
            yield _frame(cipher, _nonce(number, is_last=False), frame)
            number += 1
    if cipher is None:
        raise FileBroken("a sealed file is shorter than its head")
    last = _frame(cipher, _nonce(number, is_last=True), bytes(waiting))
    if last:
        yield last


def _salt(lead: bytearray) -> bytes:
    if bytes(lead[: len(HEAD)]) != HEAD:
        raise FileBroken("this is no sealed file")
    return bytes(lead[len(HEAD) : _LEAD])


def _cipher(key: bytes, place: str, salt: bytes) -> AESGCM:
    about = b"slotcast document|" + place.encode()
    derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=about)
    return AESGCM(derive.derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes((is_last,))


def _frame(cipher: AESGCM, nonce: bytes, frame: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, frame, None)
    except InvalidTag:
        raise FileBroken("a frame of a sealed file does not open") from None
