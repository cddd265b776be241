"""Judges what a file is by having a decoder read it in a bounded child process.

The first bytes say which decoder is asked; whether they tell the truth the decoder
says. Pictures are made again; a PDF cannot be, and is kept as it is. Implements
``care.patients.documents.ports.FileReader``.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from actors.errors import Unavailable
from care.blobs.pictures import PictureRefused, Pictures, PictureSize
from care.patients.documents.ports import ReadFile
from care.patients.documents.values import FileFault, FileKind, FileRefused
from persistence.files.pictures.reencoding import AT_ONCE, run_child

PDF_MARK: Final = b"%PDF-"
"""Where a file begins otherwise it may be of two kinds at once."""
PAGES_MAX: Final = 500
SIDE: Final = 3_000
"""Pixels of a kept picture: a page of A4 has 250 to the inch then."""
PDF_CHILD: Final = Path(__file__).with_name("pdf_child.py")


class ChildFileReader:
    """Files read by children of this process."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pdf")

    async def read(self, content: bytes) -> ReadFile:
        """See FileReader.read."""
        if content.startswith(PDF_MARK):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, _check_pdf, content)
            return ReadFile(FileKind.PDF, content)
        wanted = (PictureSize(SIDE, is_jpeg=True),)
        try:
            (made,) = await self._pictures.made(content, wanted)
        except PictureRefused as error:
            raise FileRefused(FileFault(error.fault.value)) from None
        return ReadFile(FileKind.JPEG, made)


def _check_pdf(content: bytes) -> None:
    """Raises FileRefused, Unavailable."""
    done = run_child(PDF_CHILD, [str(PAGES_MAX)], content)
    if done is None:  # its processor time is bounded apart: the machine is busy
        raise Unavailable("a child process took too long over a PDF")
    if done.returncode < 0:
        raise FileRefused(FileFault.PIXELS)  # ended by a bound
    if done.stdout:
        raise FileRefused(FileFault(done.stdout.decode()))
    if done.returncode:
        raise Unavailable("the child process for PDFs does not start")
