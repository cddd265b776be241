"""The child process that reads a PDF to its end.

Run as a program of its own, with no module of the product: a file on standard input,
nothing on standard output if it can be read. Its memory, time and rights to write are
bounded before the file is read, so what a hostile file can do is to end this process.

Usage: python pdf_child.py PAGES_MAX
Output: nothing; or exit code 3 and a word.
"""

from __future__ import annotations

import io
import logging
import os
import resource
import sys
from typing import Final

from pypdf import PasswordType, PdfReader

MEMORY_BYTES: Final = 512 * 1024 * 1024
"""Address space: the interpreter takes a tenth of it."""
CPU_S: Final = 10
FILES: Final = 64
REFUSED: Final = 3
"""The exit code that goes with a word."""


class PdfRefused(Exception):
    """The file is not taken; the argument is a word of FileFault."""


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


def check(content: bytes, pages_max: int) -> None:
    """Read every page. Raises PdfRefused, or whatever the decoder raises."""
    reader = PdfReader(io.BytesIO(content))
    # Many are only protected against changes: they open without a password.
    if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
        raise PdfRefused("locked")
    count = len(reader.pages)
    if count > pages_max:
        raise PdfRefused("pixels")
    if count == 0:
        raise PdfRefused("damaged")
    for page in reader.pages:
        drawn = page.get_contents()
        if drawn is not None:
            drawn.get_data()


def main(pages_max: str) -> int:
    """Read and judge; the exit code."""
    bound()
    logging.disable()
    try:
        check(sys.stdin.buffer.read(), int(pages_max))
    except PdfRefused as error:
        sys.stdout.write(str(error))
        return REFUSED
    except MemoryError:
        sys.stdout.write("pixels")
        return REFUSED
    except Exception:  # noqa: BLE001 - whatever a decoder raises, the file is at fault
        sys.stdout.write("damaged")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
