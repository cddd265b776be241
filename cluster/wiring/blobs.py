"""The store of a site's blobs: a folder, or Azure Blob Storage."""

from __future__ import annotations

import os

from care.blobs.ports import Blobs
from care.directory.photos import PhotoPorts
from care.patients.documents.values import MIB, DocumentQuotas
from cluster.site.settings import Settings
from cluster.site.site import Site, documents_of
from persistence.directory.photos import SqlDirectoryPhotos
from persistence.files.blobs.folder import FolderBlobs
from persistence.files.pictures.reencoding import ChildPictures
from persistence.sql.records import Records


def open_blobs(site: Site) -> Blobs:
    """The store that the settings name; must be closed.

    Raises Obstacle: the address cannot be used, or there is no credential for it.
    """
    where = site.settings.blobs
    if not where or where.startswith("/"):
        return FolderBlobs(documents_of(site.settings, site.folder))
    from cluster.site.azure import container_at
    from persistence.files.blobs.azure import OPTIONS, AzureBlobs

    return AzureBlobs(*container_at(where, os.environ, OPTIONS))


def photo_ports(records: Records, blobs: Blobs) -> PhotoPorts:
    """What a gateway needs for photos."""
    return PhotoPorts(SqlDirectoryPhotos(records), blobs, ChildPictures())


def document_quotas(settings: Settings) -> DocumentQuotas:
    """The room for documents that the settings give."""
    return DocumentQuotas(
        settings.document_mib_per_person * MIB, settings.document_mib_per_clinic * MIB
    )
