"""Which store a site's settings open, and the job that sweeps it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import Millis
from care.blobs.ports import one_piece
from care.jobs.jobs import Job
from cluster.site.azure import CONNECTION, KEY, SAS
from cluster.site.settings import read_settings
from cluster.site.site import Site, documents_of, site_made_if_needed
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.blobs import open_blobs
from cluster.work.photos import SWEEP_PHOTOS, sweeping_handlers_of
from persistence.directory.photos import SqlDirectoryPhotos
from persistence.files.blobs.azure import AzureBlobs
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.fakes.clocks import SteppedClock

FAR = Millis(1 << 45)
CONNECTED = (
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;"
    "EndpointSuffix=core.windows.net"
)


def site_with(folder: Path, **settings: Any) -> Site:
    made = read_settings(data=folder / "data", **settings)
    return site_made_if_needed(made, date(2026, 8, 10))


@pytest.fixture(autouse=True)
def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SAS, KEY, CONNECTION):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


async def test_photos_lie_in_the_data_folder_or_in_another(tmp_path: Path) -> None:
    """Backups save the folder that is used."""
    shared = tmp_path / "shared"
    for settings, folder in (
        ({}, tmp_path / "data" / "documents"),
        ({"blobs": str(shared)}, shared),
    ):
        site = site_with(tmp_path, **settings)
        blobs = open_blobs(site)
        await blobs.put("photos/a.large", one_piece(b"x"), size_max=9)
        assert documents_of(site.settings, site.folder) == folder
        assert (folder / "photos" / "a.large").read_bytes() == b"x"
        await blobs.close()


async def test_azure_needs_a_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment, or from a file that it names; never from the address."""
    site = site_with(tmp_path, blobs="azure://photos/site-1")
    with pytest.raises(Obstacle, match="no credential"):
        open_blobs(site)
    secret = tmp_path / "connection"
    secret.write_text(f"{CONNECTED}\n")
    monkeypatch.setenv(f"{CONNECTION}_FILE", str(secret))
    blobs = open_blobs(site)
    assert isinstance(blobs, AzureBlobs)
    await blobs.close()
    monkeypatch.setenv(SAS, "sv=2026&sig=secret")
    there = "https://a.blob.core.windows.net/photos/site-1"
    blobs = open_blobs(site_with(tmp_path, blobs=there))
    assert isinstance(blobs, AzureBlobs)
    await blobs.close()


@pytest.mark.parametrize(
    "blobs",
    [
        "documents",
        "../up",
        "s3://bucket",
        "azure://",
        "http://a.blob.core.windows.net/c",
        "https://a.blob.core.windows.net/c?sig=secret",
    ],
)
def test_a_place_that_cannot_be_meant_is_refused(blobs: str, tmp_path: Path) -> None:
    """At the start, without the secret in the sentence."""
    with pytest.raises(Obstacle) as caught:
        read_settings(data=tmp_path, blobs=blobs)
    assert "secret" not in str(caught.value)


async def test_the_worker_sweeps_photos(tmp_path: Path) -> None:
    """What no row names is removed once it is old; the rest stays."""
    site = site_with(tmp_path)
    await migrate(site.records_url, RECORDS)
    records, blobs = Records(site.records_url), open_blobs(site)
    await SqlDirectoryPhotos(records).put_photo("prv_1", "a1")
    for name in ("photos/a1.large", "photos/b2.large", "other/c3"):
        await blobs.put(name, one_piece(b"x"), size_max=9)
    handlers = sweeping_handlers_of(site, records, SteppedClock(FAR))
    await handlers[SWEEP_PHOTOS](Job(1, SWEEP_PHOTOS, "k", {}, FAR, 1, FAR))
    left = sorted([blob.name async for blob in blobs.list("")])
    await records.close()
    assert left == ["other/c3", "photos/a1.large"]
