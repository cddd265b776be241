"""What a backup holds: written last, with a checksum over itself and every part."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import Struct

from cluster.backup.places import BEGUN, MANIFEST, BackupDamaged, BlobStore
from cluster.site.data_folder import Layout
from cluster.terminal.obstacle import Obstacle

FORMAT = 1
"""The format of backups that this code writes and reads."""

TABLES, CALENDARS, RECORDS = "sql", "snapshots", "journal"
PEOPLE = "records"
"""Rows of the records schema: accounts, notices, jobs."""
DOCUMENTS, SECRETS = "documents", "secrets"
ANCHORS = "anchors"
"""Heads of the audit trail, as they were written outside of the database."""


class Part(Struct, frozen=True):
    """One blob: ``lines`` JSON documents, compressed to ``bytes`` bytes."""

    name: str
    bytes: int
    lines: int
    sha256: str


class Section(Struct, frozen=True):
    """All parts of one table, or of one shard's snapshots or journal, in order."""

    kind: str
    name: str
    parts: tuple[Part, ...]

    @property
    def lines(self) -> int:
        """How many rows, calendars or records."""
        return sum(part.lines for part in self.parts)


class SavedShard(Struct, frozen=True):
    """A shard's positions. The journal reaches from ``first_seq`` to ``last_seq``.

    ``epoch`` is at least that of every record and calendar of the shard.
    """

    first_seq: int
    last_seq: int
    epoch: int
    snapshot_position: int
    projected_seq: int


class Manifest(Struct, frozen=True):
    """A whole backup. ``made_at`` is UTC; ``revision`` is that of the tables."""

    format: int
    made_at: str
    version: str
    revision: str
    layout: Layout
    shards: dict[str, SavedShard]
    columns: dict[str, list[str]]
    sections: tuple[Section, ...]
    has_secrets: bool
    records_revision: str = ""
    """The revision of the records; empty in backups that have none."""

    def of(self, kind: str) -> list[Section]:
        """The sections of a kind."""
        return [section for section in self.sections if section.kind == kind]

    @property
    def bytes(self) -> int:
        """Size of all parts together."""
        return sum(part.bytes for one in self.sections for part in one.parts)


class _Envelope(Struct, frozen=True):
    sha256: str
    manifest: msgspec.Raw


class _Form(Struct, frozen=True):
    format: int


async def write_manifest(place: BlobStore, manifest: Manifest) -> None:
    """Finish the backup."""
    body = msgspec.json.encode(manifest)
    envelope = _Envelope(sha256(body).hexdigest(), msgspec.Raw(body))
    await place.put(MANIFEST, msgspec.json.encode(envelope))


async def read_manifest(place: BlobStore) -> Manifest:
    """The manifest of a finished backup.

    Raises:
        Obstacle: it is missing, unfinished, damaged, or of a newer format.
    """
    raw = await place.get(MANIFEST)
    if raw is None:
        if await place.get(BEGUN) is not None:
            raise BackupDamaged(
                f"The backup in {place.name} was never finished: it has no manifest, "
                "which is written last."
            )
        raise Obstacle(
            f"There is no backup in {place.name}.",
            "Check the name: it must be the one passed to `slotcast backup`.",
        )
    try:
        envelope = msgspec.json.decode(raw, type=_Envelope)
        body = bytes(envelope.manifest)
        if sha256(body).hexdigest() != envelope.sha256:
            raise BackupDamaged(f"The manifest in {place.name} has changed.")
        _check_form(msgspec.json.decode(body, type=_Form).format)
        return msgspec.json.decode(body, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BackupDamaged(
            f"The manifest in {place.name} is damaged ({error})."
        ) from error


def _check_form(number: int) -> None:
    if number != FORMAT:
        raise Obstacle(
            f"The backup has form {number}; this Slotcast knows form {FORMAT}.",
            "Restore it with the version that made it, then upgrade.",
        )
