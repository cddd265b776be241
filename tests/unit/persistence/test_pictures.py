"""What strangers upload is made again, by a child that can do no harm."""

from __future__ import annotations

import asyncio
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from actors.errors import Unavailable
from care.blobs.pictures import PictureFault, PictureRefused, PictureSize
from persistence.files.pictures import reencoding
from persistence.files.pictures.reencoding import CHILD, ChildPictures

SQUARE, LARGE = PictureSize(192, is_square=True), PictureSize(1024)
RED, BLUE = (200, 0, 0), (0, 0, 200)
MIB = 1024 * 1024


def drawn(size: tuple[int, int] = (300, 200), mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def saved(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def camera(orientation: int = 1) -> bytes:
    """What a telephone's camera writes beside the pixels: here, where, held how."""
    exif = Image.Exif()
    exif[0x0110] = "Phone of Ada"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E"})
    return exif.tobytes()


async def made(content: bytes, *wanted: PictureSize) -> list[Image.Image]:
    files = await ChildPictures().made(content, wanted or (SQUARE, LARGE))
    return [Image.open(io.BytesIO(one)) for one in files]


async def fault(content: bytes) -> PictureFault:
    with pytest.raises(PictureRefused) as caught:
        await made(content)
    return caught.value.fault


def at(picture: Image.Image, x: float, y: float) -> str:
    """The colour at a place, in shares of width and height."""
    place = int(x * (picture.width - 1)), int(y * (picture.height - 1))
    pixel = picture.convert("RGB").getpixel(place)
    assert isinstance(pixel, tuple)
    return ["red", "green", "blue", "white"][
        3 if min(pixel) > 230 else pixel.index(max(pixel))
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_picture_is_made_again_in_each_size(kind: str) -> None:
    """A square of the size that was asked, a large one within its own; both WebP."""
    square, large = await made(saved(drawn((3000, 1500)), kind))
    assert (square.format, square.size) == ("WEBP", (192, 192))
    assert (large.format, large.size) == ("WEBP", (1024, 512))
    assert (at(square, 0.1, 0.5), at(square, 0.9, 0.5)) == ("red", "blue")
    (small,) = await made(saved(drawn((40, 30)), kind), LARGE)
    assert small.size == (40, 30), "it was not enlarged"


async def test_place_and_camera_are_gone() -> None:
    """Of what was beside the pixels nothing is left, in no form."""
    content = saved(drawn(), exif=camera(), comment=b"a secret", xmp=b"<x>Ada</x>")
    for word in (b"Exif", b"Phone of Ada", b"a secret", b"<x>Ada"):
        assert word in content
    for file in await ChildPictures().made(content, (SQUARE, LARGE)):
        picture = Image.open(io.BytesIO(file))
        assert not picture.getexif()
        assert not set(picture.info) & {"exif", "xmp", "icc_profile", "comment"}
        for word in (b"EXIF", b"Exif", b"XMP", b"ICCP", b"Ada", b"secret"):
            assert word not in file


@pytest.mark.parametrize(
    ("orientation", "corners"),
    [
        (1, ("red", "blue", "red", "blue")),
        (2, ("blue", "red", "blue", "red")),
        (3, ("blue", "red", "blue", "red")),
        (6, ("red", "red", "blue", "blue")),
        (8, ("blue", "blue", "red", "red")),
    ],
)
async def test_a_picture_is_upright_however_the_camera_was_held(
    orientation: int, corners: tuple[str, ...]
) -> None:
    """Corners: top left, top right, bottom left, bottom right."""
    (large,) = await made(saved(drawn(), exif=camera(orientation)), LARGE)
    found = tuple(at(large, x, y) for y in (0.05, 0.95) for x in (0.05, 0.95))
    assert found == corners
    assert large.size == ((200, 300) if orientation >= 5 else (300, 200))


async def test_what_hides_behind_a_picture_is_gone() -> None:
    """A file that is also an archive, or a page, is a picture alone afterwards."""
    for kind in ("JPEG", "PNG", "WEBP"):
        tail = b"PK\x03\x04 evil.exe <script>alert(1)</script>"
        for file in await ChildPictures().made(saved(drawn(), kind) + tail, (LARGE,)):
            assert b"PK\x03\x04" not in file
            assert b"script" not in file


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
async def test_pictures_of_every_kind_of_colour_are_taken(mode: str) -> None:
    """As they look on a white ground."""
    kind = "JPEG" if mode == "CMYK" else "PNG"
    picture = drawn(mode=mode)
    if mode in ("LA", "RGBA"):
        picture.putalpha(0)
    (large,) = await made(saved(picture, kind), LARGE)
    assert large.mode == "RGB"
    if mode in ("LA", "RGBA"):
        assert at(large, 0.5, 0.5) == "white"
    if mode in ("P", "CMYK"):
        assert (at(large, 0.1, 0.5), at(large, 0.9, 0.5)) == ("red", "blue")


async def test_what_cameras_write_is_taken() -> None:
    """Several pictures in a file, sixteen bits a pixel, facts that make no sense."""
    several = saved(drawn(), "MPO", save_all=True, append_images=[drawn((64, 64))])
    deep = saved(Image.new("I;16", (300, 200), 40_000), "PNG")
    broken = saved(drawn(), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x00 nothing")
    for content, colour in ((several, "red"), (broken, "red")):
        (large,) = await made(content, LARGE)
        assert (large.size, at(large, 0.1, 0.5)) == ((300, 200), colour)
    (large,) = await made(deep, LARGE)
    assert abs(large.convert("L").tobytes()[0] - 156) < 5


async def test_colours_are_those_of_the_web() -> None:
    """A picture in another profile's colours is converted, a broken profile ignored."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one in (profile, srgb, b"no profile"):
        (large,) = await made(saved(drawn(), "PNG", icc_profile=one), LARGE)
        assert (at(large, 0.1, 0.5), at(large, 0.9, 0.5)) == ("red", "blue")


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that says, truly, that it has side² pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", _crc(body))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _crc(content: bytes) -> int:
    return zlib.crc32(content)


_MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=sys.stdin, capture_output=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(done.returncode, done.stdout.decode(), used)
"""
"""A process counts what it was started from: this one is small."""


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """900 million pixels in 110 KB: refused by a child that takes less than 200 MB."""
    content = bomb(30_000)
    assert len(content) < 200_000
    child = (sys.executable, "-P", str(CHILD), "50000000", "192s", "1024")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *child],
        input=content,
        capture_output=True,
        check=True,
    )
    code, word, used_kib = done.stdout.decode().split()
    assert (code, word) == ("3", "pixels")
    assert int(used_kib) < 200 * 1024


async def test_what_is_no_picture_is_refused() -> None:
    """By what the decoder makes of it, whatever its first bytes or its name say."""
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)
    assert await fault(b"%PDF-1.7 no picture") is PictureFault.KIND
    assert await fault(b"<svg xmlns='http://www.w3.org/2000/svg'/>") is (
        PictureFault.KIND
    )
    assert await fault(saved(drawn(), "GIF")) is PictureFault.KIND
    assert await fault(saved(drawn(), "TIFF")) is PictureFault.KIND
    assert await fault(heic) is PictureFault.HEIC
    assert await fault(bomb(8_000)) is PictureFault.PIXELS
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = saved(Image.effect_noise((300, 200), 90).convert("RGB"), kind)
        assert await fault(whole[: len(whole) // 2]) is PictureFault.DAMAGED
    assert await fault(b"\xff\xd8\xff\xe0 no more") in (
        PictureFault.KIND,
        PictureFault.DAMAGED,
    )


async def test_the_child_has_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of memory it gets no more, of files none, and of our secrets it knows nothing."""
    source = CHILD.read_text("utf-8").replace(
        "    content = sys.stdin.buffer.read()\n",
        "    content = sys.stdin.buffer.read()\n    attack()\n",
    )
    attack = """
def attack():
    import os
    if "SLOTCAST_KEYS" in os.environ:
        os._exit(0)
    try:
        with open(__file__ + ".made", "wb") as file:
            file.write(b"x" * 100)
            file.flush()
    except OSError:
        pass
    bytearray(2 << 30)
"""
    child = tmp_path / "child.py"
    child.write_text(source.replace("\ndef main(", f"{attack}\n\ndef main("), "utf-8")
    monkeypatch.setattr(reencoding, "CHILD", child)
    monkeypatch.setenv("SLOTCAST_KEYS", "k1:secret")
    with pytest.raises(Unavailable):  # it had ended with a MemoryError
        await made(saved(drawn()))
    written = tmp_path / "child.py.made"
    assert not written.exists() or written.read_bytes() == b""


async def test_a_child_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the picture is refused; the next one is made."""
    child = tmp_path / "child.py"
    child.write_text("import time\nwhile True: time.sleep(9)\n", "utf-8")
    pictures = ChildPictures()
    with monkeypatch.context() as patched:
        patched.setattr(reencoding, "CHILD", child)
        patched.setattr(reencoding, "CHILD_S", 0.2)
        with pytest.raises(PictureRefused):
            await pictures.made(saved(drawn()), (SQUARE,))
    assert await pictures.made(saved(drawn()), (SQUARE,))


async def test_more_pictures_than_may_wait_are_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To come back later; one that waits is made."""
    monkeypatch.setattr(reencoding, "WAITING_MAX", 1)
    pictures = ChildPictures()
    first = asyncio.ensure_future(pictures.made(saved(drawn()), (SQUARE,)))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await pictures.made(saved(drawn()), (SQUARE,))
    assert len(await first) == 1
