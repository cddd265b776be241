"""A site: a data folder, its layout, and the settings that hold for it."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from care.keys.sealing import KeyEncryptionKeys, parsed_keys
from cluster.site.data_folder import DataFolder, Layout
from cluster.site.key_file import keys_of_file, secret_of_file
from cluster.site.settings import Settings, read_settings
from cluster.site.shared_layout import agreed_layout, begin_shared_layout
from cluster.site.stores import StoresConfig
from cluster.terminal.obstacle import Obstacle

MIB = 1024 * 1024


class Site(Struct, frozen=True):
    """A site's settings, layout and data folder, as every command needs them."""

    settings: Settings
    folder: DataFolder
    layout: Layout

    @property
    def made_on(self) -> date:
        """The UTC date on which the site was made; the demo region counts from it."""
        return date.fromisoformat(self.layout.made_on)

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the read model."""
        return self.settings.database or self.folder.sqlite_url

    @property
    def reader_url(self) -> str:
        """The address for heavy reads that may lag a little.

        The replica, if there is one.
        """
        return self.settings.database_reader or self.database_url

    @property
    def records_url(self) -> str:
        """SQLAlchemy's address of the records."""
        return records_url_of(self.settings, self.folder)

    @property
    def audit_anchors(self) -> Path:
        """The folder of the audit trail's anchors."""
        return audit_anchors_of(self.settings, self.folder)

    @property
    def stores(self) -> StoresConfig:
        """Location of the active generation's journal and snapshots."""
        return self.stores_of(self.layout.generation)

    def stores_of(self, generation: int) -> StoresConfig:
        """Location of a generation's journal and snapshots."""
        settings, folder = self.settings, self.folder
        return StoresConfig(
            journal=settings.journal
            if settings.journal_is_redis
            else str(folder.journal_of(generation)),
            snapshots=str(folder.snapshots_of(generation)),
            site=settings.site,
            generation=generation,
            replicas=settings.journal_replicas,
            budget_bytes=settings.journal_budget_mib * MIB,
        )

    def cluster_secret(self) -> bytes:
        """The cluster's secret; empty if this site is no cluster.

        Raises:
            Obstacle: its file can be read by others.
        """
        if self.settings.cluster_secret:
            return self.settings.cluster_secret.encode()
        return self.folder.cluster_secret()

    def key_encryption_keys(self) -> KeyEncryptionKeys:
        """The key encryption keys.

        Configured, derived from the cluster's secret, or from a file.

        Raises:
            Obstacle: the file cannot be used, or can be read by others.
        """
        if self.settings.keys:
            return parsed_keys(self.settings.keys)
        secret = self.cluster_secret()
        if secret:
            return KeyEncryptionKeys((("cluster", derived(secret, "keys")),))
        return keys_of_file(self.folder.keys_file)

    def token_key(self) -> bytes:
        """The key that signs tokens: the folder's own, or the cluster's.

        Raises:
            Obstacle: a file with a secret is missing, or can be read by others.
        """
        secret = self.cluster_secret()
        return derived(secret, "tokens") if secret else self.folder.token_key()

    def vapid_secret(self) -> bytes:
        """What the key pair is made of that push services know this site by.

        Raises:
            Obstacle: its file cannot be used, or can be read by others.
        """
        secret = self.cluster_secret()
        if secret:
            return derived(secret, "vapid")
        return secret_of_file(self.folder.vapid_file)


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose from the cluster's secret: HMAC-SHA256, 32 bytes."""
    return hmac.new(secret, f"slotcast {purpose}".encode(), hashlib.sha256).digest()


def documents_of(settings: Settings, folder: DataFolder) -> Path:
    """The folder of photos and documents; with Azure there is nothing in it."""
    is_folder = settings.blobs.startswith("/")
    return Path(settings.blobs) if is_folder else folder.path / "documents"


def audit_anchors_of(settings: Settings, folder: DataFolder) -> Path:
    """The folder of the audit trail's anchors: configured, or in the data folder."""
    return settings.audit_anchors or folder.path / "audit" / "anchors"


def records_url_of(settings: Settings, folder: DataFolder) -> str:
    """SQLAlchemy's address of the records: in the folder, or beside the read model."""
    if settings.records or not settings.database:
        return settings.records or folder.records_url
    parsed = urlsplit(settings.database)
    if parsed.scheme.startswith("sqlite"):
        return folder.records_url
    return urlunsplit(parsed._replace(path=parsed.path.rstrip("/") + "_records"))


def existing_site(data: Path | None) -> Site:
    """The site of this data folder (or the one in the environment).

    Raises:
        Obstacle: there is none yet, or something is wrong with it.
    """
    settings = read_settings(data=data)
    folder = DataFolder(settings.data)
    layout = folder.examine()
    if layout is None:
        raise Obstacle(
            f"There is no data folder at {folder.path} yet.",
            "Name a node's or a server's with --data or SLOTCAST_DATA; or make one: "
            "slotcast serve (or make run), slotcast cluster up.",
        )
    layout = agreed_layout(folder, settings, layout) or layout
    return Site(folder.check_matches(layout, settings), folder, layout)


def site_made_if_needed(settings: Settings, today: date) -> Site:
    """The site of these settings; its folder is made if there is none.

    Raises:
        Obstacle: the folder cannot be used, or another process makes it.
    """
    folder = DataFolder(settings.data)
    layout = agreed_layout(folder, settings, folder.examine())
    if layout is not None:
        settings = folder.check_matches(layout, settings)
    if folder.examine() is None:
        with folder.locked():
            layout = make_site(folder, settings, today, layout)
    assert layout is not None
    return Site(folder.check_matches(layout, settings), folder, layout)


def make_site(
    folder: DataFolder, settings: Settings, today: date, shared: Layout | None
) -> Layout:
    """Make the folder, and the site if it is new. Needs the folder's lock."""
    if shared is None and settings.journal_is_redis:
        shared = begin_shared_layout(folder, settings, today.isoformat())
    return folder.make(settings, today.isoformat(), shared)
