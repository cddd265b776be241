"""Starts the child process that makes a picture again; see child.py."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from actors.errors import Unavailable
from care.blobs.pictures import (
    PIXELS_MAX,
    PictureFault,
    PictureRefused,
    PictureSize,
)

AT_ONCE: Final = 1
"""Children of one process at a time: each may use a core and half a gigabyte."""
WAITING_MAX: Final = 16
"""Pictures that wait for a child, those being made included."""
CHILD_S: Final = 20.0
"""Longest life of a child in seconds, on a busy machine."""
CHILD: Final = Path(__file__).with_name("child.py")
_REFUSED: Final = 3


class ChildPictures:
    """Pictures made by children of this process."""

    def __init__(
        self, pixels_max: int = PIXELS_MAX, *, tries_again: bool = False
    ) -> None:
        """``tries_again``: a child that takes too long is Unavailable, not refused.

        Its processor time is bounded apart from that: the machine may be busy.
        """
        self._pixels_max = pixels_max
        self._tries_again = tries_again
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pictures")
        self._waiting = 0

    async def made(
        self, content: bytes, wanted: tuple[PictureSize, ...]
    ) -> list[bytes]:
        """See Pictures.made."""
        if self._waiting >= WAITING_MAX:
            raise Unavailable("many pictures are being made", retry_after_s=5)
        self._waiting += 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._made, content, wanted)
        work.add_done_callback(self._ended)
        return await work

    def _ended(self, work: asyncio.Future[list[bytes]]) -> None:
        self._waiting -= 1
        if not work.cancelled():
            work.exception()  # the client may be gone, and asyncio would complain

    def _made(self, content: bytes, wanted: tuple[PictureSize, ...]) -> list[bytes]:
        sizes = [_word(one) for one in wanted]
        done = run_child(CHILD, [str(self._pixels_max), *sizes], content)
        if done is None and self._tries_again:
            raise Unavailable("a child process took too long over a picture")
        # None or below 0: ended by a bound, or by what the file did to it.
        if done is None or done.returncode < 0:
            raise PictureRefused(PictureFault.PIXELS)
        if done.returncode == _REFUSED:
            raise PictureRefused(PictureFault(done.stdout.decode()))
        if done.returncode:
            raise Unavailable("the child process for pictures does not start")
        return _files(done.stdout, len(wanted))


_GIVEN: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
_OF_THE_FILE: Final = frozenset(
    {
        signal.SIGXCPU,
        signal.SIGXFSZ,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGABRT,
        signal.SIGSYS,
    }
)
"""Signals of a child that a bound, or what the file did to the decoder, has ended.
Others come from outside: a site that stops, or a machine without memory."""


def run_child(
    program: Path, words: Sequence[str], content: bytes
) -> subprocess.CompletedProcess[bytes] | None:
    """Run a program that bounds itself over a file; None if it took too long.

    Raises:
        Unavailable: no process can be started, or it was ended from outside.
    """
    # Nothing of this process's environment: secrets are in it.
    given = {name: os.environ[name] for name in _GIVEN if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603  # nosec B603
            [sys.executable, "-P", str(program), *words],
            input=content,
            capture_output=True,
            timeout=CHILD_S,
            env=given,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise Unavailable("no child process can be started") from error
    if done.returncode < 0 and -done.returncode not in _OF_THE_FILE:
        raise Unavailable("a child process was ended from outside")
    return done


def _word(size: PictureSize) -> str:
    """A size as the child reads it."""
    return f"{size.side}{'s' * size.is_square}{'j' * size.is_jpeg}"


def _files(output: bytes, count: int) -> list[bytes]:
    head, _, rest = output.partition(b"\n")
    files, at = [], 0
    for size in map(int, head.split()):
        files.append(rest[at : at + size])
        at += size
    assert (len(files), at) == (count, len(rest)), "the child's answer is not whole"
    return files
