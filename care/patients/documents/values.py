"""What a document is, the states it goes through, and how much there may be."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from actors.domain.ids import BookingId, ClinicId, Millis, PatientId, ProviderId

MIB: Final = 1024 * 1024
FILE_BYTES_MAX: Final = 20 * MIB
"""The largest file: a scanned letter of many pages is smaller."""
PART_BYTES: Final = MIB // 2
"""What is stored of an upload at a time: all that a broken line loses."""
PARTS_MAX: Final = 200
"""Parts of one upload: a client that sends a few bytes at a time is told so."""
NAME_MAX: Final = 120
"""Characters of a file's name."""
OF_BOOKING_MAX: Final = 100
"""Documents of one visit, those refused included."""
JUDGE: Final = "documents.judge"
"""The kind of the job that judges a document; its key begins with the id."""


class DocumentState(StrEnum):
    """How far a document has come."""

    RECEIVING = "receiving"
    """Its bytes are arriving."""
    QUARANTINED = "quarantined"
    """It is whole, and not judged yet: it is shown to no reader."""
    AVAILABLE = "available"
    REFUSED = "refused"
    """It was judged, and its bytes are gone."""


class FileKind(StrEnum):
    """The kinds of files that are kept."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"


ENDINGS: Final = MappingProxyType({FileKind.PDF: ".pdf", FileKind.JPEG: ".jpg"})


class FileFault(StrEnum):
    """Why a document was refused."""

    KIND = "kind"
    """It is no PDF, JPEG, PNG or WebP."""
    HEIC = "heic"
    """It is of the kind that iPhones keep."""
    PIXELS = "pixels"
    """It is a picture of too many pixels, or needs too much memory or time."""
    DAMAGED = "damaged"
    """It cannot be read to its end."""
    LOCKED = "locked"
    """It is a PDF that opens with a password alone, so that it cannot be judged."""
    MALWARE = "malware"
    """The scanner knows it."""


class FileRefused(Exception):
    """A file is not kept; ``fault`` says why."""

    def __init__(self, fault: FileFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Document(Struct, frozen=True):
    """A document, as its readers see it.

    ``size``: bytes of the file, as declared until it is judged. ``received``: how many
    of them are stored. ``kind`` and ``fault`` are empty until it is judged. ``author``
    is the account that handed it in, ``by_staff`` whether it did so for the clinic.
    """

    document_id: str
    patient_id: PatientId
    booking_id: BookingId
    provider_id: ProviderId
    clinic_id: ClinicId
    author: str
    by_staff: bool
    name: str
    size: int
    made_at: Millis
    state: DocumentState = DocumentState.RECEIVING
    received: int = 0
    kind: str = ""
    fault: str = ""


class KeptDocument(Struct, frozen=True):
    """A document with what opens its file: never shown, never logged.

    ``parts`` are the tokens of an upload's stored parts, in order; ``blob`` that of the
    file, once it is available.
    """

    document: Document
    key: bytes
    parts: tuple[str, ...] = ()
    blob: str = ""

    def __repr__(self) -> str:
        return f"KeptDocument({self.document.document_id})"


class DocumentQuotas(Struct, frozen=True):
    """How many bytes all documents of one patient, or of one clinic, may have."""

    person_bytes: int = 500 * MIB
    clinic_bytes: int = 50_000 * MIB


class QuotaReached(Exception):
    """There is no room for another document; ``of_clinic`` says whose room it is."""

    def __init__(self, *, of_clinic: bool, of_visit: bool = False) -> None:
        super().__init__("clinic" if of_clinic else "patient")
        self.of_clinic = of_clinic
        self.of_visit = of_visit


class PatientGone(Exception):
    """There is no such patient, or they were erased: nothing is kept for them."""


_SPACES: Final = re.compile(r"\s+")
_FORBIDDEN: Final = frozenset('<>:"|?*')
"""Characters that some system takes in no file's name."""


def plain_name(text: str) -> str:
    """A file's name as it is kept: without folders, controls, and marks of direction.

    Empty if nothing of it is left. A mark of direction could show an ending that the
    file has not.
    """
    last = re.split(r"[/\\]", text)[-1]
    kept = "".join(
        " " if one in _FORBIDDEN or unicodedata.category(one) == "Zs" else one
        for one in unicodedata.normalize("NFC", last)
        if unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    name = _SPACES.sub(" ", kept).strip(" .")
    stem, dot, ending = name.rpartition(".")
    if dot and len(name) > NAME_MAX:
        return f"{stem[: NAME_MAX - len(ending) - 1]}.{ending}"[:NAME_MAX]
    return name[:NAME_MAX]


def name_of_kind(name: str, kind: FileKind) -> str:
    """The name with the ending of what the file is: a picture is made again as JPEG."""
    ending = ENDINGS[kind]
    if name.casefold().endswith((ending, ".jpeg" if kind is FileKind.JPEG else ending)):
        return name
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name) or name
    return stem[: NAME_MAX - len(ending)] + ending
