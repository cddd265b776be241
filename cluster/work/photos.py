"""The job that removes blobs of photos which no row names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from actors.ports import Clock
from care.directory.photos import sweep
from care.jobs.jobs import Job
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler
from cluster.site.site import Site
from cluster.wiring.blobs import open_blobs
from persistence.directory.photos import SqlDirectoryPhotos
from persistence.sql.records import Records

SWEEP_PHOTOS: Final = "directory.sweep_photos"
SWEEPING: Final = (Periodic(SWEEP_PHOTOS, 3_600_000),)

log = logging.getLogger(__name__)


def sweeping_handlers_of(
    site: Site, records: Records, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of the jobs of photos."""
    photos = SqlDirectoryPhotos(records)

    async def sweep_photos(_job: Job) -> None:
        blobs = open_blobs(site)
        try:
            swept = await sweep(blobs, photos, clock.now())
        finally:
            await blobs.close()
        log.info(
            "photos swept",
            extra={"unused": swept.unused, "unfinished": swept.unfinished},
        )

    return {SWEEP_PHOTOS: sweep_photos}
