"""What judges files: decoders in bounded children, and clamd over its protocol."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from actors.errors import Unavailable
from care.patients.documents.values import FileFault, FileKind, FileRefused
from persistence.files.documents import clamd, reading
from persistence.files.documents.clamd import CHUNK_BYTES, ClamdScanner
from persistence.files.documents.reading import PDF_CHILD, SIDE, ChildFileReader
from persistence.files.pictures import reencoding
from persistence.files.pictures.reencoding import CHILD, ChildPictures
from tests.fixtures.documents import a_pdf, a_photo
from tests.fixtures.reserved import free_port


def reader() -> ChildFileReader:
    return ChildFileReader(ChildPictures())


def locked(user: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(a_pdf())))
    writer.encrypt(user, "the owner's", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


async def test_a_pdf_is_kept_as_it_is() -> None:
    """Also one that is only protected against changes."""
    for content in (a_pdf(3), locked("")):
        found = await reader().read(content)
        assert (found.kind, found.content) == (FileKind.PDF, content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_picture_is_kept_as_pixels(kind: str) -> None:
    """A JPEG of at most 3,000 pixels a side, without place and camera."""
    found = await reader().read(a_photo(kind, (3_200, 1_600)))
    picture = Image.open(io.BytesIO(found.content))
    assert (found.kind, picture.format) == (FileKind.JPEG, "JPEG")
    assert picture.size == (SIDE, SIDE // 2)
    assert not picture.getexif()
    assert b"Phone of Ada" not in found.content


async def _fault(content: bytes) -> FileFault:
    with pytest.raises(FileRefused) as refused:
        await reader().read(content)
    return refused.value.fault


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a plain text", FileFault.KIND),
        (b"PK\x03\x04 a word processor's file", FileFault.KIND),
        (b"\x00\x00\x00\x18ftypheic", FileFault.HEIC),
        (b"%PDF-1.7\nnothing else", FileFault.DAMAGED),
        (b"GIF89a " + a_pdf(), FileFault.KIND),
        (a_photo()[:500], FileFault.DAMAGED),
    ],
)
async def test_what_cannot_be_read_is_refused(content: bytes, fault: FileFault) -> None:
    """Whatever it claims to be; a PDF begins with its first byte."""
    assert await _fault(content) is fault


async def test_a_pdf_that_cannot_be_judged_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that needs a password, one of too many pages, one that is cut off within a
    page, one whose page needs more memory than there is."""
    assert await _fault(locked("secret")) is FileFault.LOCKED
    bomb = a_pdf(drawn=b" " * 700_000_000)
    assert len(bomb) < 1_000_000
    assert await _fault(bomb) in (FileFault.PIXELS, FileFault.DAMAGED)
    monkeypatch.setattr(reading, "PAGES_MAX", 2)
    assert await _fault(a_pdf(3)) is FileFault.PIXELS


class FakeClamd:
    """Speaks clamd's protocol as its manual has it; written from that alone."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.taken, self.after = answer, bytearray(), -1
        """``after``: answer once so many bytes have come, before the end."""

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        command = await reader.readuntil(b"\0")
        if command == b"zPING\0":
            writer.write(b"PONG\0")
        else:
            assert command == b"zINSTREAM\0"
            while size := int.from_bytes(await reader.readexactly(4), "big"):
                self.taken += await reader.readexactly(size)
                if 0 <= self.after <= len(self.taken):
                    writer.write(self.answer)
                    self.answer, self.after = b"", -1
            writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def clamd_at(
    answer: bytes, path: Path | None = None
) -> AsyncIterator[tuple[FakeClamd, ClamdScanner]]:
    fake = FakeClamd(answer)
    if path is None:
        port = free_port()
        server = await asyncio.start_server(fake.serve, "127.0.0.1", port)
        address = f"127.0.0.1:{port}"
    else:
        server = await asyncio.start_unix_server(fake.serve, path)
        address = str(path)
    async with server:
        yield fake, ClamdScanner(address)


async def test_clamd_is_sent_the_whole_file(tmp_path: Path) -> None:
    """In chunks with their lengths, over TCP and over a socket of this machine."""
    content = bytes(i % 251 for i in range(2 * CHUNK_BYTES + 5))
    for path in (None, tmp_path / "clamd.ctl"):
        async with clamd_at(b"stream: OK\0", path) as (fake, scanner):
            await scanner.ping()
            assert await scanner.is_clean(content)
            assert bytes(fake.taken) == content
        async with clamd_at(b"stream: Eicar-Signature FOUND\0", path) as (_, scanner):
            assert not await scanner.is_clean(content)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"INSTREAM size limit exceeded. ERROR\0", "StreamMaxLength"),
        (b"stream: Can't allocate memory ERROR\0", "to its end"),
        (b"", "to its end"),
        (b"UNKNOWN COMMAND\0", "to its end"),
        (b"stream: OK but FOUND nothing\0", "to its end"),
    ],
)
async def test_what_was_not_scanned_is_not_clean(answer: bytes, says: str) -> None:
    """Every other answer, none, an answer in the middle, and no clamd at all."""
    async with clamd_at(answer) as (fake, scanner):
        fake.after = CHUNK_BYTES
        with pytest.raises(Unavailable, match=says):
            await scanner.is_clean(b"x" * 3 * CHUNK_BYTES)


async def test_clamd_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """On a port, and on a socket that is not there; or it breaks off."""

    async def reset(_reader: object, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_unix_server(reset, tmp_path / "broken"):
        with pytest.raises(Unavailable):
            await ClamdScanner(str(tmp_path / "broken")).is_clean(b"x" * 5_000_000)
    for address in (f"127.0.0.1:{free_port()}", str(tmp_path / "nothing")):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await ClamdScanner(address).is_clean(b"x")


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([b"stream: Ei", b"car FOUND\0"], b"stream: Eicar FOUND"),
        ([b"stream: OK", b"\n\0"], b"stream: OK"),
        ([b"stream: OK"], b""),
        ([b"x" * 3_000] * 3, b""),
    ],
)
async def test_an_answer_of_clamd_is_whole_or_none(
    pieces: list[bytes], whole: bytes
) -> None:
    """It ends with a NUL, in however many pieces it comes, and is not long."""
    reader = asyncio.StreamReader()
    answer = asyncio.ensure_future(clamd._answered(reader))
    for piece in pieces:
        reader.feed_data(piece)
        for _ in range(3):  # it is waiting for more by now, or has ended
            await asyncio.sleep(0)
    reader.feed_eof()
    assert await answer == whole


async def test_a_busy_machine_refuses_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that gets no time is Unavailable: the file is judged again later."""
    monkeypatch.setattr(reencoding, "CHILD_S", 0.0)
    patient = ChildFileReader(ChildPictures(tries_again=True))
    for content in (a_pdf(), a_photo()):
        with pytest.raises(Unavailable, match="took too long"):
            await patient.read(content)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_a_site_that_stops_refuses_no_file(
    how: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends its processes ends the child too: the file is judged again later."""
    child = tmp_path / "child.py"
    child.write_text(f"import os\nos.kill(os.getpid(), {int(how)})\n")
    monkeypatch.setattr(reading, "PDF_CHILD", child)
    monkeypatch.setattr(reencoding, "CHILD", child)
    for content in (a_pdf(), a_photo()):
        with pytest.raises(Unavailable, match="from outside"):
            await reader().read(content)


async def test_a_file_that_takes_too_much_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the processor's time, by both children; then it is the file's fault."""
    monkeypatch.setattr(reencoding, "CHILD_S", 60.0)
    for module, name, source in (
        (reading, "PDF_CHILD", PDF_CHILD),
        (reencoding, "CHILD", CHILD),
    ):
        text = source.read_text("utf-8")
        for old, new in (
            ("CPU_S: Final = 10", "CPU_S: Final = 1"),
            ("    bound()\n", "    bound()\n    while True:\n        pass\n"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        child = tmp_path / "busy.py"
        child.write_text(text, "utf-8")
        monkeypatch.setattr(module, name, child)
        content = a_pdf() if module is reading else a_photo()
        assert await _fault(content) is FileFault.PIXELS
