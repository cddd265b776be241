"""Containers of Azure Blob Storage, and the credentials for them.

Two forms of address. Credentials come from the environment (or from the file named by
the variable with ``_FILE`` appended), never from a command line or an address:

``azure://CONTAINER/PREFIX``
    the account is that of ``AZURE_STORAGE_CONNECTION_STRING``;
``https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX``
    ``AZURE_STORAGE_SAS_TOKEN`` or ``AZURE_STORAGE_KEY``.

Imported only where it is needed: the SDK is heavy.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.storage.blob.aio import ContainerClient

from cluster.terminal.obstacle import Obstacle

CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
SAS, KEY = "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_KEY"

logging.getLogger("azure.core.pipeline.policies").setLevel(logging.WARNING)


def container_at(
    where: str, environment: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[ContainerClient, str]:
    """The container and the prefix named by ``where``; ``options`` are the client's.

    Raises Obstacle: invalid address, or no credential.
    """
    parts = urlsplit(where)
    if parts.query:
        raise Obstacle(
            "An address must not carry a SAS token: "
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
        _by_connection(container, environment, options)
        if parts.scheme == "azure"
        else _by_address(
            f"{parts.scheme}://{parts.netloc}", container, environment, options
        )
    )
    return client, prefix


def _by_connection(
    container: str, environment: Mapping[str, str], options: Mapping[str, Any]
) -> ContainerClient:
    connection = _secret(CONNECTION, environment)
    if not connection:
        raise _no_secret(CONNECTION)
    try:
        return ContainerClient.from_connection_string(connection, container, **options)
    except ValueError as error:
        raise Obstacle(
            f"{CONNECTION} is not a valid connection string: {error}",
            "Copy it again from the storage account's access keys.",
        ) from error


def _by_address(
    account: str,
    container: str,
    environment: Mapping[str, str],
    options: Mapping[str, Any],
) -> ContainerClient:
    if not account.startswith("https://"):
        raise Obstacle("Data travels over https only.", "Use https://, or azure://.")
    credential = _secret(SAS, environment) or _secret(KEY, environment)
    if not credential:
        raise _no_secret(f"{SAS} or {KEY}")
    return ContainerClient(account, container, credential=credential, **options)


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
