"""Backups in Azure Blob Storage, on a real Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob.aio import ContainerClient

from cluster.backup.manifest import RECORDS, read_manifest
from cluster.backup.opening import opened_place
from cluster.backup.places import MANIFEST
from cluster.site.azure import CONNECTION, KEY, SAS
from cluster.site.site import existing_site
from cluster.terminal.obstacle import Obstacle
from tests.fixtures.azurite import AzuriteServer
from tests.fixtures.reserved import free_port
from tests.fixtures.server import run_command
from tests.fixtures.small_site import lived_in, made_site

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzuriteServer]:
    with AzuriteServer(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(autouse=True)
def connected(azurite: AzuriteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SAS, KEY, f"{CONNECTION}_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(CONNECTION, azurite.connection_string)


async def test_a_site_travels_by_blob_storage(tmp_path: Path) -> None:
    """Backed up to a container that is made, and restored from it, by the commands."""
    site = await lived_in(made_site(data=tmp_path / "data"))
    where = "azure://nightly/2026/monday"
    made = run_command("backup", where, SLOTCAST_DATA=str(site.folder.path))
    assert made.returncode == 0, made.stderr
    back = run_command("restore", where, SLOTCAST_DATA=str(tmp_path / "new"))
    assert back.returncode == 0, back.stderr
    assert existing_site(tmp_path / "new").layout == site.layout
    async with opened_place(where) as place:
        manifest = await read_manifest(place)
        part = next(s for s in manifest.of(RECORDS) if s.parts).parts[0]
        content = await place.get(part.name)
        assert content is not None
        await place.put(part.name, content[:-1])
    spoilt = run_command("restore", where, SLOTCAST_DATA=str(tmp_path / "other"))
    assert spoilt.returncode == 2
    assert "has changed" in spoilt.stderr
    assert not (tmp_path / "other" / "journal").exists()


async def test_an_unfinished_backup_is_recognised(azurite: AzuriteServer) -> None:
    """Without a manifest there is no backup, and the prefix stays taken."""
    async with opened_place("azure://nightly/broken") as place:
        await place.begin(b"{}")
        await place.put("sql/clinic/000001.jsonl.gz", b"half")
        with pytest.raises(Obstacle, match="never finished"):
            await read_manifest(place)
        with pytest.raises(Obstacle, match="already"):
            await place.begin(b"{}")
    client = ContainerClient.from_connection_string(
        azurite.connection_string, "nightly"
    )
    async with client:
        names = [blob.name async for blob in client.list_blobs("broken/")]
    assert not [name for name in names if name.endswith(MANIFEST)]


async def test_a_place_that_is_not_there_holds_no_backup() -> None:
    """An unknown container or prefix is told as such."""
    for where in ("azure://elsewhere", "azure://nightly/unknown"):
        async with opened_place(where) as place:
            with pytest.raises(Obstacle, match="There is no backup"):
                await read_manifest(place)


async def test_azure_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong address is a sentence, not a trace; the key is not in it."""
    monkeypatch.setattr("cluster.backup.azure.TIMEOUTS", {"retry_total": 0})
    server = AzuriteServer(Path("/nowhere"))
    server.port = free_port()
    monkeypatch.setenv(CONNECTION, server.connection_string)
    async with opened_place("azure://nightly/x") as place:
        with pytest.raises(
            Obstacle, match="Azure Blob Storage does not answer"
        ) as caught:
            await place.begin(b"{}")
    assert "AccountKey" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("azure://", "names no container"),
        ("https://a.blob.core.windows.net/", "names no container"),
        ("https://a.blob.core.windows.net/c/p?sig=secret", "must not carry"),
        ("https://a.blob.core.windows.net/c/p", "no credential"),
        ("http://a.blob.core.windows.net/c/p", "https only"),
        ("s3://bucket/prefix", "is not a supported place"),
    ],
)
async def test_an_address_that_cannot_work_is_told(where: str, reason: str) -> None:
    """Each mistake has its sentence and its remedy."""
    with pytest.raises(Obstacle, match=reason) as caught:
        async with opened_place(where):
            pytest.fail("opened")
    assert caught.value.remedy


async def test_a_credential_may_come_from_a_file(
    azurite: AzuriteServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where secrets are files, as in a container, the variable names the file."""
    secret = tmp_path / "connection"
    secret.write_text(azurite.connection_string + "\n")
    monkeypatch.delenv(CONNECTION)
    with pytest.raises(Obstacle, match="no credential"):
        async with opened_place("azure://nightly/x"):
            pytest.fail("opened")
    monkeypatch.setenv(f"{CONNECTION}_FILE", str(secret))
    async with opened_place("azure://nightly/from-file") as place:
        await place.begin(b"{}")
        assert await place.get("begun.json") == b"{}"
