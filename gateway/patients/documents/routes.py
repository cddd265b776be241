"""``/v1/documents``: files that patients and clinics hand in for a visit.

An upload begins with a POST that says how large the file is; PATCH sends its bytes,
from the offset on that the server has, so that an interrupted upload is resumed. When
the last byte is there the document is judged, and then it is available, or refused
with a reason.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Query, Request
from starlette.responses import Response

from gateway.access.rights import Action, Of
from gateway.http.features import ANYONE, CallerDep, FeatureRouter
from gateway.patients.documents.schemas import (
    DocumentAnswer,
    DocumentLinkAnswer,
    DocumentsAnswer,
    NewDocumentBody,
)
from gateway.patients.documents.service import DocumentService

router = FeatureRouter(prefix="/v1/documents", tags=["documents"], audited=False)
link_router = FeatureRouter(
    prefix="/v1/document-links", tags=["documents"], audited=False
)

DocumentPath = Annotated[str, Path(max_length=100, description="Which document.")]
LinkPath = Annotated[str, Path(max_length=200, description="The signed link.")]
OffsetHeader = Annotated[
    int,
    Header(
        alias="Upload-Offset",
        ge=0,
        description="Bytes that the server has: `received` of the document.",
    ),
]
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file's bytes from the offset on, all or some of them.",
        "content": {"application/octet-stream": _BINARY},
    }
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file, to be saved.",
        "content": dict.fromkeys(("application/pdf", "image/jpeg"), _BINARY),
    }
}


async def documents_of(request: Request) -> DocumentService:
    """This gateway's documents."""
    found: DocumentService = request.app.state.documents
    return found


DocumentsDep = Annotated[DocumentService, Depends(documents_of)]


@router.post(
    "",
    right=Action.WRITE_DOCUMENTS,
    status_code=201,
    refusals=[
        "booking_not_found",
        "data_restricted",
        "document_limit",
        "document_too_large",
        "patient_not_found",
    ],
)
async def begin_document(
    body: NewDocumentBody, caller: CallerDep, documents: DocumentsDep
) -> DocumentAnswer:
    """Begin to hand in a file for a visit: PDF, JPEG, PNG or WebP, at most 20 MiB."""
    made = await documents.begin(caller, body)
    return DocumentAnswer.of(made, by_staff=caller.is_staff)


@router.get(
    "",
    right=Action.READ_DOCUMENTS,
    refusals=["booking_not_found", "data_restricted"],
)
async def list_documents(
    booking_id: Annotated[str, Query(max_length=200, description="Of which visit.")],
    caller: CallerDep,
    documents: DocumentsDep,
) -> DocumentsAnswer:
    """The documents of a visit."""
    found = await documents.of_booking(caller, booking_id)
    return DocumentsAnswer(
        items=[DocumentAnswer.of(one, by_staff=caller.is_staff) for one in found]
    )


@router.get(
    "/{document_id}",
    right=Action.READ_DOCUMENTS,
    refusals=["document_not_found", "data_restricted"],
)
async def read_document(
    document_id: DocumentPath, caller: CallerDep, documents: DocumentsDep
) -> DocumentAnswer:
    """A document's state, and how many bytes of an upload are stored."""
    found = await documents.show(caller, document_id)
    return DocumentAnswer.of(found, by_staff=caller.is_staff)


@router.patch(
    "/{document_id}/content",
    right=Action.WRITE_DOCUMENTS,
    streamed=True,
    refusals=[
        "document_not_found",
        "data_restricted",
        "document_offset",
        "document_too_large",
        "request_timeout",
    ],
    openapi_extra=_UPLOAD,
)
async def send_document(
    document_id: DocumentPath,
    request: Request,
    caller: CallerDep,
    documents: DocumentsDep,
    offset: OffsetHeader = 0,
) -> DocumentAnswer:
    """Send bytes of a file, from where the server has them.

    After a broken line read the document, and go on from ``received``.
    """
    found = await documents.receive(caller, document_id, offset, request.receive)
    return DocumentAnswer.of(found, by_staff=caller.is_staff)


@router.get(
    "/{document_id}/content",
    right=Action.READ_DOCUMENTS,
    response_class=Response,
    responses=_FILE,
    refusals=["document_not_found", "data_restricted", "document_not_available"],
)
async def read_document_content(
    document_id: DocumentPath, caller: CallerDep, documents: DocumentsDep
) -> Response:
    """The file of an available document."""
    return await documents.content(caller, document_id)


@router.post(
    "/{document_id}/links",
    right=Action.READ_DOCUMENTS,
    status_code=201,
    idempotent=False,
    refusals=["document_not_found", "data_restricted", "document_not_available"],
)
async def link_document(
    document_id: DocumentPath, caller: CallerDep, documents: DocumentsDep
) -> DocumentLinkAnswer:
    """An address of the file that needs no token, for a minute: for a browser."""
    return await documents.link(caller, document_id)


@router.delete(
    "/{document_id}",
    right=Action.WRITE_DOCUMENTS,
    status_code=204,
    refusals=["document_not_found", "data_restricted"],
)
async def remove_document(
    document_id: DocumentPath, caller: CallerDep, documents: DocumentsDep
) -> None:
    """Remove a document that one's own side handed in."""
    await documents.remove(caller, document_id)


@link_router.get(
    "/{link}",
    right=ANYONE,
    of=Of.SECRET,
    response_class=Response,
    responses=_FILE,
    refusals=["link_expired"],
)
async def read_linked_document(link: LinkPath, documents: DocumentsDep) -> Response:
    """The file behind a signed link."""
    return await documents.linked(link)
