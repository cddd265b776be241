"""Opens the place of a backup from its address on the command line."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cluster.backup.places import BlobStore, FolderPlace
from cluster.terminal.obstacle import Obstacle


@asynccontextmanager
async def opened_place(where: str) -> AsyncIterator[BlobStore]:
    """Open the place named on the command line.

    Raises:
        Obstacle: the address is invalid, or its credentials are missing.
    """
    place: BlobStore
    if where.startswith(("https://", "http://", "azure://")):
        from cluster.backup.azure import open_azure_place

        place = open_azure_place(where, os.environ)
    elif "://" in where:
        raise Obstacle(
            f"{where.partition('://')[0]}:// is not a supported place for a backup.",
            "Name a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX, "
            "or azure://CONTAINER/PREFIX.",
        )
    else:
        place = FolderPlace(Path(where))
    try:
        yield place
    finally:
        await place.close()
