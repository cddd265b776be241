"""Sealed files: what was changed in any way does not open."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from care.patients.documents import frames
from care.patients.documents.frames import FileBroken, opened, sealed, sealed_size
from care.patients.documents.values import FileKind, name_of_kind, plain_name

KEY, SALT, PLACE = b"k" * 32, b"s" * 16, "doc_1|file"
FRAME, SEALED, LEAD = 64, 80, 20
SIZES = (0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 5)


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of 64 bytes, 80 with their tag, behind a head of 20."""
    monkeypatch.setattr(frames, "FRAME_BYTES", FRAME)


async def pieces(content: bytes, step: int) -> AsyncIterator[bytes]:
    file = io.BytesIO(content)
    while piece := file.read(step):
        yield piece


async def seal(content: bytes, step: int = 7, place: str = PLACE) -> bytes:
    found = sealed(KEY, place, SALT, pieces(content, step))
    return b"".join([piece async for piece in found])


async def unseal(content: bytes, step: int = 11, **other: object) -> bytes:
    key = other.get("key", KEY)
    place = other.get("place", PLACE)
    assert isinstance(key, bytes)
    assert isinstance(place, str)
    found = opened(key, place, pieces(content, step))
    return b"".join([piece async for piece in found])


def some(size: int) -> bytes:
    return bytes(i % 251 for i in range(size))


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_comes_back_however_it_is_cut(size: int) -> None:
    """Whatever the pieces are that go in and out; its size is known beforehand."""
    for step in (1, 7, FRAME, SEALED, 1000):
        file = await seal(some(size), step)
        assert len(file) == sealed_size(size)
        assert await unseal(file, step) == some(size)


async def test_what_was_cut_off_repeated_or_reordered_does_not_open() -> None:
    """Also at the end of a frame, and a file that was extended."""
    file = await seal(some(3 * FRAME + 5))
    lead, body = file[:LEAD], file[LEAD:]
    one, two, three, last = (body[n : n + SEALED] for n in range(0, 4 * SEALED, SEALED))
    for wrong in (
        [one],
        [one, two, three],
        [one, two, three, last[:-1]],
        [two, one, three, last],
        [one, one, two, three, last],
        [one, three, last],
        [one, two, three, last, last],
        [last],
        [],
    ):
        with pytest.raises(FileBroken):
            await unseal(lead + b"".join(wrong))
    for cut in (b"", lead[:-1], b"X" + file[1:]):
        with pytest.raises(FileBroken):
            await unseal(cut)


async def test_one_changed_bit_does_not_open() -> None:
    """Wherever it is: in the head, the salt, a frame or a tag."""
    file = await seal(some(FRAME + 9))
    for at in range(len(file)):
        broken = bytearray(file)
        broken[at] ^= 1
        with pytest.raises(FileBroken):
            await unseal(bytes(broken))


async def test_a_file_of_another_place_or_key_does_not_open() -> None:
    """A blob that was exchanged for another of the same document, or of another one."""
    file = await seal(some(9))
    with pytest.raises(FileBroken):
        await unseal(file, place="doc_2|file")
    with pytest.raises(FileBroken):
        await unseal(file, key=b"x" * 32)


async def test_frames_are_what_the_decision_says() -> None:
    """Opened with the primitives alone: so a file can be read without this code."""
    file = await seal(some(FRAME + 5))
    salt, body = file[4:LEAD], file[LEAD:]
    info = b"slotcast document|" + PLACE.encode()
    key = HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(KEY)
    first = AESGCM(key).decrypt(bytes(12), body[:SEALED], None)
    last_nonce = (1).to_bytes(11, "big") + b"\x01"
    last = AESGCM(key).decrypt(last_nonce, body[SEALED:], None)
    assert (file[:4], first + last) == (b"SDF1", some(FRAME + 5))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("referral.pdf", "referral.pdf"),
        ("C:\\Users\\mira\\scan 1.PDF", "scan 1.PDF"),
        ("../../etc/passwd", "passwd"),
        ("a\u202efdp.exe", "afdp.exe"),
        ('Befund "Müller"\r\nX: y.jpg', "Befund Müller X y.jpg"),
        ("تقرير.pdf", "تقرير.pdf"),
        ("...", ""),
        ("\u200b", ""),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_a_name_keeps_nothing_that_deceives(given: str, kept: str) -> None:
    """No folder, no control, no mark of direction; letters of every script."""
    assert plain_name(given) == kept


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("scan.png", FileKind.JPEG, "scan.jpg"),
        ("scan.JPEG", FileKind.JPEG, "scan.JPEG"),
        ("letter.pdf.exe", FileKind.PDF, "letter.pdf.pdf"),
        ("letter", FileKind.PDF, "letter.pdf"),
        (".png", FileKind.JPEG, ".png.jpg"),
    ],
)
def test_an_ending_says_what_the_file_is(name: str, kind: FileKind, shown: str) -> None:
    """Whatever its sender called it."""
    assert name_of_kind(name, kind) == shown
