"""What a store of blobs promises: a folder, and Azure Blob Storage by Azurite."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob.aio import ContainerClient

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.blobs.ports import (
    BLOCK_BYTES,
    BlobMissing,
    Blobs,
    BlobTooLarge,
    check_name,
    one_piece,
    read_whole,
)
from persistence.files.blobs.azure import OPTIONS, AzureBlobs
from persistence.files.blobs.folder import FolderBlobs
from tests.architecture.sources import ROOT
from tests.fixtures.azurite import AzuriteServer
from tests.fixtures.endless_upload import NAME, store_at
from tests.fixtures.reserved import free_port

MOST = 8 * BLOCK_BYTES
LONG_AFTER = Millis(1 << 45)


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, AzuriteServer]]:
    """Azurite, started by the first test that needs it."""
    started: dict[str, AzuriteServer] = {}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture(params=("folder", "azure"))
def where(
    request: pytest.FixtureRequest,
    servers: dict[str, AzuriteServer],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, str]:
    """The kind of store, and its place."""
    if request.param == "folder":
        return "folder", str(tmp_path / "blobs")
    if not servers:
        servers["blob"] = AzuriteServer(tmp_path_factory.mktemp("azurite"))
        servers["blob"].start()
    return "azure", servers["blob"].connection_string


@pytest.fixture
async def blobs(
    where: tuple[str, str], request: pytest.FixtureRequest
) -> AsyncIterator[Blobs]:
    """An empty store of this kind."""
    kind, place = where
    if kind == "folder":
        yield FolderBlobs(Path(place))
        return
    name = f"t{abs(hash(request.node.name)):x}"
    client = ContainerClient.from_connection_string(place, name, **OPTIONS)
    opened = AzureBlobs(client, "site-1")
    yield opened
    await opened.close()


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def broken(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    raise ConnectionResetError


async def names(blobs: Blobs, prefix: str = "") -> list[str]:
    return sorted([blob.name async for blob in blobs.list(prefix)])


async def test_a_stream_is_kept_whole(blobs: Blobs) -> None:
    """Whatever its pieces are, also none at all; it is listed with its size."""
    block = bytes(range(256)) * 5_000
    given = (block, b"", block, block, b"end")
    size = await blobs.put("a/b.webp", pieces(*given), size_max=MOST)
    assert size == 3 * len(block) + 3
    assert await read_whole(blobs, "a/b.webp", MOST) == b"".join(given)
    assert await blobs.put("a/nothing", pieces(), size_max=MOST) == 0
    assert await read_whole(blobs, "a/nothing", MOST) == b""
    found = {blob.name: blob.size async for blob in blobs.list("a/")}
    assert found == {"a/b.webp": size, "a/nothing": 0}
    with pytest.raises(BlobTooLarge):
        await read_whole(blobs, "a/b.webp", size - 1)


async def test_a_range_is_read_as_it_was_asked(blobs: Blobs) -> None:
    """Across blocks, up to the end, and nothing beyond it; the size is the whole's."""
    content = bytes(i % 251 for i in range(2 * BLOCK_BYTES + 777))
    await blobs.put("r", one_piece(content), size_max=MOST)
    end = len(content)
    for start, length in (
        (0, 1),
        (5, BLOCK_BYTES + 9),
        (BLOCK_BYTES - 1, 2),
        (end - 3, None),
        (end - 3, 100),
        (end, None),
        (end + 50, 10),
    ):
        async with blobs.opened("r", start=start, length=length) as blob:
            read = [piece async for piece in blob.pieces]
        stop = None if length is None else start + length
        assert (blob.size, b"".join(read)) == (end, content[start:stop]), start
        assert all(read)
        assert max(map(len, read), default=0) <= BLOCK_BYTES


async def test_what_breaks_off_is_never_seen(blobs: Blobs) -> None:
    """A stream that fails, or is too long, leaves the former blob or none."""
    await blobs.put("kept", one_piece(b"former"), size_max=MOST)
    for name in ("kept", "new"):
        with pytest.raises(ConnectionResetError):
            await blobs.put(name, broken(b"x" * BLOCK_BYTES, b"y"), size_max=MOST)
        with pytest.raises(BlobTooLarge):
            await blobs.put(name, pieces(b"x" * BLOCK_BYTES, b"y"), size_max=9)
    assert await names(blobs) == ["kept"]
    assert await read_whole(blobs, "kept", MOST) == b"former"
    with pytest.raises(BlobMissing):
        await read_whole(blobs, "new", MOST)


async def test_nothing_is_seen_before_it_is_whole(blobs: Blobs) -> None:
    """Neither listed nor readable while it is being written; afterwards both."""
    may_end = asyncio.Event()
    has_begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * BLOCK_BYTES
        has_begun.set()
        await may_end.wait()
        yield b"end"

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(blobs.put("slow", slow(), size_max=MOST))
        await has_begun.wait()
        assert await names(blobs) == []
        with pytest.raises(BlobMissing):
            await read_whole(blobs, "slow", MOST)
        may_end.set()
    assert await names(blobs) == ["slow"]


async def test_a_cancelled_upload_leaves_nothing(blobs: Blobs) -> None:
    """As when its client leaves; the store goes on."""
    has_begun = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x" * (BLOCK_BYTES + 1)
        has_begun.set()
        await asyncio.Event().wait()

    upload = asyncio.ensure_future(blobs.put("stuck", stuck(), size_max=MOST))
    await has_begun.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await names(blobs) == []
    assert await blobs.tidy(LONG_AFTER) == 0
    await blobs.put("stuck", one_piece(b"again"), size_max=MOST)
    assert await read_whole(blobs, "stuck", MOST) == b"again"


async def test_an_upload_that_is_killed_leaves_nothing_to_be_seen(
    where: tuple[str, str],
) -> None:
    """Killed with three blocks at the store: not listed, not readable; the rest of it
    is removed by ``tidy`` (or by the service, after a week)."""
    kind, place = where
    upload = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fixtures.endless_upload", kind, place),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert upload.stdout is not None
    assert b"three" in await upload.stdout.readline()
    upload.kill()
    await upload.wait()
    blobs = store_at(kind, place)
    assert await names(blobs) == []
    with pytest.raises(BlobMissing):
        await read_whole(blobs, NAME, MOST)
    assert await blobs.tidy(Millis(0)) == 0, "it may be under way"
    assert await blobs.tidy(LONG_AFTER) == (1 if kind == "folder" else 0)
    await blobs.put(NAME, one_piece(b"again"), size_max=MOST)
    assert await names(blobs, "photos/") == [NAME]
    await blobs.close()


async def test_a_blob_is_replaced_and_removed(blobs: Blobs) -> None:
    """By the next of its name; removing what is gone is no error."""
    await blobs.put("one", one_piece(b"first"), size_max=MOST)
    await blobs.put("one", one_piece(b"second"), size_max=MOST)
    assert await read_whole(blobs, "one", MOST) == b"second"
    await blobs.delete("one")
    await blobs.delete("one")
    await blobs.delete("never/was")
    assert await names(blobs) == []
    with pytest.raises(BlobMissing):
        await read_whole(blobs, "one", MOST)


async def test_a_list_has_the_names_with_a_prefix(blobs: Blobs) -> None:
    """Those alone, and when each was written, by the store's clock."""
    for name in ("photos/a.large", "photos/b.square", "other/c", "photo"):
        await blobs.put(name, one_piece(b"x"), size_max=MOST)
    assert await names(blobs, "photos/") == ["photos/a.large", "photos/b.square"]
    assert await names(blobs, "photos/b") == ["photos/b.square"]
    assert await names(blobs, "nothing/") == []
    (blob,) = [one async for one in blobs.list("other/")]
    (later,) = [one async for one in blobs.list("photo") if one.name == "photo"]
    assert 0 < blob.written_at <= later.written_at


@pytest.mark.parametrize(
    "name",
    [
        *("", "/etc/passwd", "../up", "a/../b", "a//b", ".hidden", "a/"),
        *("A", "é", "a\\b", "a\0", "a\n", "a" * 201),
    ],
)
async def test_a_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    """No name leaves the folder, or means another one on another store."""
    with pytest.raises(ValueError, match="not a blob's name"):
        check_name(name)
    blobs = FolderBlobs(tmp_path / "blobs")
    for act in (
        blobs.put(name, one_piece(b"x"), size_max=9),
        read_whole(blobs, name, 9),
        blobs.delete(name),
    ):
        with pytest.raises(ValueError, match="not a blob's name"):
            await act
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    """A file in its place: the reason is told, nothing else breaks."""
    (tmp_path / "blobs").write_bytes(b"")
    blobs = FolderBlobs(tmp_path / "blobs")
    with pytest.raises(Unavailable, match="cannot be used"):
        await blobs.put("a", one_piece(b"x"), size_max=9)
    with pytest.raises(BlobMissing):
        await read_whole(blobs, "a", 9)
    with pytest.raises(Unavailable, match="cannot be used"):
        await names(blobs)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_file_that_opens_too_late_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Its caller was cancelled meanwhile, by a client that left and once more by a
    server that stops: no file stays open."""
    blobs = FolderBlobs(tmp_path)
    await blobs.put("a", one_piece(b"x"), size_max=9)
    begun, may_open, opened = threading.Event(), threading.Event(), list[int]()
    real = os.open

    def slow(path: Any, flags: int, *mode: int) -> int:
        begun.set()
        may_open.wait()
        opened.append(real(path, flags, *mode))
        return opened[-1]

    monkeypatch.setattr(os, "open", slow)
    reading = asyncio.ensure_future(read_whole(blobs, "a", 9))
    await asyncio.to_thread(begun.wait)
    for _ in range(times):
        reading.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    is_early = reading.done()
    may_open.set()
    assert not is_early
    with pytest.raises(asyncio.CancelledError):
        await reading
    monkeypatch.undo()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


async def test_azure_that_is_away_is_unavailable() -> None:
    """The reason names neither the account nor its key."""
    server = AzuriteServer(Path("/nowhere"))
    server.port = free_port()
    client = ContainerClient.from_connection_string(
        server.connection_string, "away", **{**OPTIONS, "retry_total": 0}
    )
    blobs = AzureBlobs(client)
    for act in (
        blobs.put("a", one_piece(b"x"), size_max=9),
        read_whole(blobs, "a", 9),
        blobs.delete("a"),
        names(blobs),
    ):
        with pytest.raises(Unavailable) as caught:
            await act
        logged = "".join(traceback.format_exception(caught.value))
        assert "Azure Blob Storage: " in logged
        assert str(server.port) not in logged
    await blobs.close()
