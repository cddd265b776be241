"""The child process that decodes a picture and writes it again.

Run as a program of its own, with no module of the product: a file on standard input,
the new files on standard output. Its memory, time and rights to write are bounded
before the file is read, so what a hostile file can do is to end this process.

Usage: python child.py PIXELS_MAX SIDE[s][j] ...    (s: cut to a square, j: a JPEG)
Output: a line with the lengths, and the files; or exit code 3 and a word.
"""

from __future__ import annotations

import io
import os
import resource
import sys
import warnings
from typing import Final

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MEMORY_BYTES: Final = 640 * 1024 * 1024
"""Address space: a decoded picture of 50 million pixels takes 200 MB, the interpreter
and the decoder 150."""
CPU_S: Final = 10
FILES: Final = 64
REFUSED: Final = 3
"""The exit code that goes with a word."""
FORMATS: Final = ("JPEG", "PNG", "WEBP")
HEIC: Final = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
"""Brands of the files that iPhones keep."""
ORIENTATION: Final = 0x0112
"""The EXIF tag that says how a camera was held."""
TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Its values, and what makes a picture upright."""


class ChildRefused(Exception):
    """The file is not taken; the argument is a word of PictureFault."""


def bound() -> None:
    """Give up what a decoder does not need; bookings go first."""
    os.nice(10)
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        # At its hard bound of time a process gets SIGKILL, as from outside.
        end = most + (what == resource.RLIMIT_CPU)
        end = end if hard == resource.RLIM_INFINITY else min(end, hard)
        resource.setrlimit(what, (min(most, end), end))


def made(content: bytes, pixels_max: int, wanted: list[str]) -> list[bytes]:
    """The picture in each size. Raises ChildRefused."""
    Image.MAX_IMAGE_PIXELS = pixels_max
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    sides = [int(one.rstrip("sj")) for one in wanted]
    most = 2 * max(sides)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            # A JPEG is decoded at a fraction of its size where that is enough.
            opened.draft("RGB", (most, most))
            opened.load()
            turn = TURNS.get(orientation_of(opened))
            picture = plain(opened, most)
    except UnidentifiedImageError:
        raise ChildRefused("heic" if is_heic(content) else "kind") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ChildRefused("pixels") from None
    upright = picture if turn is None else picture.transpose(turn)
    return [
        written(upright, side, is_square="s" in one, is_jpeg="j" in one)
        for side, one in zip(sides, wanted, strict=True)
    ]


def orientation_of(opened: Image.Image) -> int:
    """How the camera was held; 1, upright, where what it wrote cannot be read."""
    try:
        return int(opened.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - cameras write this badly, and pixels are whole
        return 1


def plain(opened: Image.Image, most: int) -> Image.Image:
    """The pixels in the web's colours, on white, and no larger than is needed."""
    profile = opened.info.get("icc_profile")
    picture = opened
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 256).convert("L")
    if picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        has_holes = "transparency" in picture.info or "A" in picture.getbands()
        picture = picture.convert("RGBA" if has_holes else "RGB")
    picture.thumbnail((most, most), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if profile and picture.mode in ("RGB", "CMYK"):
        picture = in_colours_of_the_web(picture, profile)
    if picture.mode == "RGBA":
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        return ground
    return picture.convert("RGB")


def in_colours_of_the_web(picture: Image.Image, profile: bytes) -> Image.Image:
    """Converted to sRGB; unchanged if the profile cannot be read."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        made = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return picture if made is None else made


def written(
    upright: Image.Image, side: int, *, is_square: bool, is_jpeg: bool
) -> bytes:
    """A new file of these pixels alone."""
    if is_square:
        # A little above the middle: that is where faces are.
        sized = ImageOps.fit(
            upright, (side, side), Image.Resampling.LANCZOS, centering=(0.5, 0.4)
        )
    else:
        sized = upright.copy()
        sized.thumbnail((side, side), Image.Resampling.LANCZOS)
    bare = Image.new("RGB", sized.size)
    bare.paste(sized)
    file = io.BytesIO()
    if is_jpeg:
        bare.save(file, format="JPEG", quality=88, optimize=True)
    else:
        bare.save(file, format="WEBP", quality=82, method=4)
    return file.getvalue()


def is_heic(content: bytes) -> bool:
    """Whether the file says that it is one of an iPhone."""
    return content[4:8] == b"ftyp" and content[8:12] in HEIC


def main(pixels_max: str, *wanted: str) -> int:
    """Read, make, write; the exit code."""
    bound()
    content = sys.stdin.buffer.read()
    try:
        files = made(content, int(pixels_max), list(wanted))
    except ChildRefused as error:
        sys.stdout.write(str(error))
        return REFUSED
    except MemoryError:
        sys.stdout.write("pixels")
        return REFUSED
    except Exception:  # noqa: BLE001 - whatever a decoder raises, the file is at fault
        sys.stdout.write("damaged")
        return REFUSED
    out = sys.stdout.buffer
    out.write(" ".join(str(len(one)) for one in files).encode() + b"\n")
    for one in files:
        out.write(one)
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
