"""A backup in Azure Blob Storage; cluster/site/azure.py says how it is named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob.aio import ContainerClient

from cluster.backup.places import BEGUN, MANIFEST
from cluster.site.azure import container_at
from cluster.terminal.obstacle import Obstacle

TIMEOUTS: Mapping[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    "retry_total": 4,
}
"""In seconds; a part is a few megabytes."""


def open_azure_place(where: str, environment: Mapping[str, str]) -> AzurePlace:
    """The container and prefix named by ``where``.

    Raises Obstacle: invalid address, or no credential.
    """
    client, prefix = container_at(where, environment, TIMEOUTS)
    return AzurePlace(client, where, prefix)


class AzurePlace:
    """Blobs under one prefix of a container."""

    def __init__(self, client: ContainerClient, name: str, prefix: str) -> None:
        self._client = client
        self._prefix = f"{prefix}/" if prefix else ""
        self.name = name

    async def begin(self, content: bytes) -> None:
        """Nothing may be under the prefix; the container is made if it is missing."""
        with self._explained():
            # A token may be allowed to write blobs but not to create containers; if the
            # container is missing, the next request fails.
            with contextlib.suppress(AzureError):
                await self._client.create_container()
            names = self._client.list_blobs(name_starts_with=self._prefix)
            async for blob in names:
                what = "a backup" if blob.name.endswith(MANIFEST) else "something"
                raise Obstacle(
                    f"{self.name} holds {what} already.",
                    "Use a new prefix for each backup.",
                )
            # Of two backups that start at once, the second finds the blob.
            await self._client.upload_blob(self._prefix + BEGUN, content)

    async def put(self, name: str, content: bytes) -> None:
        """One request; a repeated one writes the same again."""
        with self._explained():
            await self._client.upload_blob(
                self._prefix + name, content, overwrite=True, validate_content=True
            )

    async def get(self, name: str) -> bytes | None:
        """None if there is no such blob, or no such container."""
        with self._explained():
            try:
                stream = await self._client.download_blob(self._prefix + name)
                return bytes(await stream.readall())
            except ResourceNotFoundError:
                return None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ClientAuthenticationError as error:
            raise Obstacle(
                f"Azure refuses the credential for {self.name} ({error.reason}).",
                "Check that it has not expired and may list, read, create and write.",
            ) from error
        except ResourceExistsError as error:
            raise Obstacle(
                f"Another backup to {self.name} started at the same time.",
                "Use a new prefix for each backup.",
            ) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            raise Obstacle(
                f"Azure Blob Storage does not answer for {self.name}: {_reason(error)}",
                "Check the address and the network, then run the command again.",
            ) from error
        except AzureError as error:
            raise Obstacle(
                f"Azure Blob Storage returned an error for {self.name}: "
                f"{_reason(error)}",
                "Check the address and the account, then run the command again.",
            ) from error


def _reason(error: AzureError) -> str:
    return (str(error.message).splitlines() or [type(error).__name__])[0]
