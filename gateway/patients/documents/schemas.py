"""Bodies and answers of documents."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field

from care.patients.documents.values import (
    FILE_BYTES_MAX,
    Document,
    DocumentState,
    FileFault,
)
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text


class NewDocumentBody(Body):
    """A file that is about to be handed in for a visit."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "booking_id": "bkg_1.Xb3k",
                "name": "referral.jpg",
                "size": 1_048_576,
            }
        }
    )

    booking_id: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=255, description="The file's name.")
    size: int = Field(ge=1, description=f"Bytes of the file, at most {FILE_BYTES_MAX}.")


class DocumentAnswer(Answer):
    """A document of a visit.

    ``received`` bytes of ``size`` are stored: an upload is resumed there. ``kind`` is
    there once it is available, ``fault`` once it is refused. ``of_clinic``: it was
    handed in for the clinic. ``can_remove``: the caller's side handed it in.
    """

    document_id: str
    booking_id: str
    name: str
    state: DocumentState
    size: int
    received: int
    kind: str | None
    fault: FileFault | None
    of_clinic: bool
    can_remove: bool
    made_at: str

    @classmethod
    def of(cls, one: Document, *, by_staff: bool) -> Self:
        """The answer for a caller who is staff, or is not."""
        return cls(
            document_id=one.document_id,
            booking_id=one.booking_id,
            name=one.name,
            state=one.state,
            size=one.size,
            received=one.received,
            kind=one.kind or None,
            fault=FileFault(one.fault) if one.fault else None,
            of_clinic=one.by_staff,
            can_remove=one.by_staff is by_staff,
            made_at=millis_text(one.made_at),
        )


class DocumentsAnswer(Answer):
    """The documents of a visit, the oldest first."""

    items: list[DocumentAnswer]


class DocumentLinkAnswer(Answer):
    """Where the file is downloaded from, on this server, without a token."""

    address: str
    expires_at: str
