"""What documents need of stores and programs. Every method may raise Unavailable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import BookingId, Millis
from care.blobs.ports import Blobs
from care.patients.documents.values import (
    Document,
    DocumentQuotas,
    FileFault,
    FileKind,
    KeptDocument,
)


class DocumentRows(Protocol):
    """The rows of documents. What names a blob here is not swept away."""

    async def add(self, document: Document, key: bytes, quotas: DocumentQuotas) -> None:
        """Store a document that is to be received.

        Raises:
            QuotaReached: there is no room for its size.
            PatientGone: there is no such patient.
        """
        ...

    async def find(self, document_id: str) -> KeptDocument | None:
        """A document and its key; None if there is none, or its patient is erased."""
        ...

    async def of_booking(self, booking_id: BookingId) -> Sequence[Document]:
        """The documents of a visit, the oldest first; at most OF_BOOKING_MAX."""
        ...

    async def extend(
        self, kept: KeptDocument, token: str, size: int, *, now: Millis
    ) -> KeptDocument | None:
        """Add a part that is stored already, after those that ``kept`` has.

        With its last byte the document is quarantined, and the job that judges it is
        added in the same transaction. None: it has gone on otherwise meanwhile.
        """
        ...

    async def release(
        self, document_id: str, blob: str, kind: FileKind, size: int, name: str
    ) -> bool:
        """Make a quarantined document available; whether it was quarantined."""
        ...

    async def refuse(self, document_id: str, fault: FileFault) -> bool:
        """Refuse a quarantined document; whether it was quarantined."""
        ...

    async def remove(self, document_id: str) -> bool:
        """Remove a document; whether there was one."""
        ...

    async def used(self, names: Collection[str]) -> Collection[str]:
        """Which of these blobs' names a row names."""
        ...

    async def abandon(self, before: Millis) -> int:
        """Remove uploads that got no byte since then; how many."""
        ...

    async def waiting(self, before: Millis, limit: int) -> Sequence[str]:
        """Ids of documents that are quarantined since before, the oldest first."""
        ...


class ReadFile(Struct, frozen=True):
    """A file that was judged: pictures are made again, without place and camera."""

    kind: FileKind
    content: bytes


class FileReader(Protocol):
    """Judges what a file is by reading it to its end, apart from this process."""

    async def read(self, content: bytes) -> ReadFile:
        """The file as it is kept. Raises FileRefused."""
        ...


class Scanner(Protocol):
    """Looks for malware."""

    async def is_clean(self, content: bytes) -> bool:
        """Whether nothing is known of the file.

        Raises:
            Unavailable: it was not scanned, or not to its end.
        """
        ...


class DocumentPorts(Struct, frozen=True):
    """What a gateway needs for documents."""

    rows: DocumentRows
    blobs: Blobs
    quotas: DocumentQuotas = DocumentQuotas()


class JudgePorts(Struct, frozen=True):
    """What judging needs. ``scanner``: None where the site has none."""

    rows: DocumentRows
    blobs: Blobs
    reader: FileReader
    scanner: Scanner | None = None
