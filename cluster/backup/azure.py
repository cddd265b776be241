"""A backup in Azure Blob Storage.

Two forms of address. Credentials come from the environment (or from the file named by
the variable with ``_FILE`` appended), never from the command line:

``azure://CONTAINER/PREFIX``
    the account is that of ``AZURE_STORAGE_CONNECTION_STRING``;
``https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX``
    ``AZURE_STORAGE_SAS_TOKEN`` or ``AZURE_STORAGE_KEY``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
from cluster.terminal.obstacle import Obstacle

CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
SAS, KEY = "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_KEY"
TIMEOUTS: Mapping[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    "retry_total": 4,
}
"""In seconds; a part is a few megabytes."""

logging.getLogger("azure.core.pipeline.policies").setLevel(logging.WARNING)


def open_azure_place(where: str, environment: Mapping[str, str]) -> AzurePlace:
    """The container and prefix named by ``where``.

    Raises Obstacle: invalid address, or no credential.
    """
    parts = urlsplit(where)
    if parts.query:
        raise Obstacle(
            "A backup's address must not carry a SAS token: "
            "every user of the machine can see it there.",
            f"Put the token into {SAS}, or into a file that {SAS}_FILE names.",
        )
    if parts.scheme == "azure":
        container, prefix = parts.netloc, parts.path.strip("/")
    else:
        container, _, prefix = parts.path.strip("/").partition("/")
    if not container:
        raise Obstacle(
            "The address names no container.", "Add it: azure://CONTAINER/PREFIX"
        )
    client = (
        _by_connection(container, environment)
        if parts.scheme == "azure"
        else _by_address(f"{parts.scheme}://{parts.netloc}", container, environment)
    )
    return AzurePlace(client, where, prefix)


def _by_connection(container: str, environment: Mapping[str, str]) -> ContainerClient:
    connection = _secret(CONNECTION, environment)
    if not connection:
        raise _no_secret(CONNECTION)
    try:
        return ContainerClient.from_connection_string(connection, container, **TIMEOUTS)
    except ValueError as error:
        raise Obstacle(
            f"{CONNECTION} is not a valid connection string: {error}",
            "Copy it again from the storage account's access keys.",
        ) from error


def _by_address(
    account: str, container: str, environment: Mapping[str, str]
) -> ContainerClient:
    if not account.startswith("https://"):
        raise Obstacle(
            "A backup travels over https only.", "Use https://, or azure://."
        )
    credential = _secret(SAS, environment) or _secret(KEY, environment)
    if not credential:
        raise _no_secret(f"{SAS} or {KEY}")
    return ContainerClient(account, container, credential=credential, **TIMEOUTS)


def _secret(name: str, environment: Mapping[str, str]) -> str:
    if environment.get(name):
        return environment[name]
    path = environment.get(f"{name}_FILE")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Obstacle(
            f"{name}_FILE names {path}, which cannot be read: {error}.",
            "Name a file that this user may read.",
        ) from error


def _no_secret(name: str) -> Obstacle:
    return Obstacle(
        f"There is no credential for Azure: {name} is not set.",
        f"Set {name.split()[0]}, or name a file with it in {name.split()[0]}_FILE.",
    )


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
