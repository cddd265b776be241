"""Controls of photos and blobs: with its guard removed, each promise is broken."""

from __future__ import annotations

from collections.abc import AsyncIterable
from pathlib import Path

import pytest

from care.blobs.ports import check_name, read_whole
from care.directory import photos
from gateway.directory import photos as service
from persistence.files.blobs.folder import FolderBlobs
from tests.contracts import test_blobs_contract as contract
from tests.fakes.api import Api
from tests.unit.gateway.directory import test_photos as over_http
from tests.unit.gateway.directory.test_photos import api

__all__ = ["api"]


class InPlace(FolderBlobs):
    """Writes a stream where it will be read."""

    async def put(
        self, name: str, content: AsyncIterable[bytes], *, size_max: int
    ) -> int:
        path = self._folder / check_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as file:
            async for piece in content:
                file.write(piece)
            return file.tell()


async def test_a_stream_written_in_place_is_seen_before_it_is_whole(
    tmp_path: Path,
) -> None:
    """And what breaks off has replaced the former blob."""
    with pytest.raises(ExceptionGroup):
        await contract.test_nothing_is_seen_before_it_is_whole(InPlace(tmp_path / "a"))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await contract.test_what_breaks_off_is_never_seen(InPlace(tmp_path / "b"))


async def test_a_sweeper_that_knows_no_age_takes_what_is_being_uploaded(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its row is about to be written."""
    monkeypatch.setattr(photos, "UNUSED_MS", 0)
    with pytest.raises(AssertionError):
        await over_http.test_the_sweeper_removes_what_no_row_names(api)


async def test_an_address_by_content_alone_shows_what_was_taken_away(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gateway that does not look at the row serves a photo that was replaced."""

    async def by_name(
        self: service.PhotoService, _subject: str, photo: str, size: photos.PhotoSize
    ) -> bytes:
        name = photos.blob_name(photo, size)
        return await read_whole(self._ports.blobs, name, 1 << 20)

    monkeypatch.setattr(service.PhotoService, "shown", by_name)
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        await over_http.test_a_photo_is_replaced_and_taken_away(api, over_http.PROVIDER)
