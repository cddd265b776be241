"""What callers do with documents; who may is a matter of the visit they are for."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from starlette.responses import Response
from starlette.types import Receive

from actors.domain.ids import BookingId, ClinicId, Millis, PatientId
from actors.domain.messages.answers import BookingView
from actors.domain.messages.refusals import RefusalCode
from actors.errors import Unavailable
from actors.ports import Clock
from care.audit.entries import SITE_TENANT
from care.patients.documents.frames import KEY_BYTES
from care.patients.documents.keeping import drop, keep_part, new_document_id
from care.patients.documents.ports import DocumentPorts
from care.patients.documents.values import (
    FILE_BYTES_MAX,
    MIB,
    PART_BYTES,
    PARTS_MAX,
    Document,
    DocumentState,
    KeptDocument,
    PatientGone,
    QuotaReached,
    plain_name,
)
from gateway.access.rights import Access, Action, Relation
from gateway.access.tokens import Caller
from gateway.access.trail import Act
from gateway.bookings.service import BookingService
from gateway.patients.documents.files import DocumentFile, FileGone, file_of
from gateway.patients.documents.links import LINK_MS, DocumentLinks
from gateway.patients.documents.schemas import DocumentLinkAnswer, NewDocumentBody
from gateway.wire.errors import (
    FieldError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Refused,
    RequestError,
    TooLarge,
)
from gateway.wire.formats import millis_text

UPLOADS_MAX: Final = 32
"""Pieces of uploads that a gateway receives at a time: each holds a part in memory."""
OF_ACCOUNT_MAX: Final = 4
"""Of these, those of one account."""
FILES_MAX: Final = 32
"""Files that a gateway sends at a time: each holds frames in memory."""
OF_PATIENT_MAX: Final = 6
"""Of these, those of one patient; by a link it is not known who reads."""
PIECE_S: Final = 300.0
"""Seconds for one PATCH. What came until then is stored, and the upload is resumed."""
_MISSING: Final = "document_not_found"
_LINKS: Final = "/v1/document-links/"


class NoRoomForDocuments(RequestError):
    """There is no room for this file; remove documents that are not needed any more."""

    code = "document_limit"


class OffsetIsAnother(RequestError):
    """The upload stands at another byte. Read the document; go on from `received`."""

    code = "document_offset"


class DocumentNotAvailable(RequestError):
    """The document is not whole, not judged yet, or was refused: `state` says which."""

    code = "document_not_available"


class DocumentTooSlow(RequestError):
    """The bytes came too slowly. What came is stored: go on from `received`."""

    code = "request_timeout"


class LinkOver(RequestError):
    """This address worked for a minute; open the document from its list again."""

    code = "link_expired"


class DocumentService:
    """One per gateway. Every method may raise Unavailable, and the errors of a visit.

    A document that the caller may not know of is answered as one that is not there.
    """

    def __init__(
        self,
        ports: DocumentPorts,
        clock: Clock,
        bookings: BookingService,
        access: Access,
        keys: Sequence[bytes],
    ) -> None:
        self._ports = ports
        self._clock = clock
        self._bookings = bookings
        self._access = access
        self._links = DocumentLinks(keys)
        self._receiving: Counter[str] = Counter()
        self._sending: Counter[PatientId] = Counter()

    async def begin(self, caller: Caller, body: NewDocumentBody) -> Document:
        """Store that a file is to come.

        Raises:
            TooLarge, NoRoomForDocuments: it is too large, or there is no room.
            InvalidRequest: its name has nothing that can be kept.
        """
        caller, view = await self._bookings.about(
            caller, Action.WRITE_DOCUMENTS, body.booking_id
        )
        await self._access.restricted.check(caller, view.patient_id)
        if body.size > FILE_BYTES_MAX:
            raise _too_large()
        name = plain_name(body.name)
        if not name:
            raise InvalidRequest("", FieldError("name", "has no letter or digit"))
        document = Document(
            document_id=new_document_id(),
            patient_id=view.patient_id,
            booking_id=view.booking_id,
            provider_id=view.provider_id,
            clinic_id=await self._clinic_of(view),
            author=caller.account,
            by_staff=caller.is_staff,
            name=name,
            size=body.size,
            made_at=self._clock.now(),
        )
        key = secrets.token_bytes(KEY_BYTES)
        try:
            await self._ports.rows.add(document, key, self._ports.quotas)
        except PatientGone:
            raise NotFound(code="patient_not_found") from None
        except QuotaReached as error:
            raise _no_room(error) from None
        await self._acted(caller, "upload_document", document)
        return document

    async def of_booking(self, caller: Caller, booked: str) -> Sequence[Document]:
        """The documents of a visit that the caller may know of."""
        caller, view = await self._bookings.about(caller, Action.READ_DOCUMENTS, booked)
        await self._access.restricted.check(caller, view.patient_id)
        found = await self._ports.rows.of_booking(BookingId(booked))
        clinic_id = await self._clinic_of(view)
        await self._read(
            caller, "list_documents", view.patient_id, clinic_id, booking_id=booked
        )
        return [one for one in found if _is_shown(caller, one)]

    async def show(self, caller: Caller, document_id: str) -> Document:
        """A document. Raises NotFound."""
        kept = await self._about(caller, Action.READ_DOCUMENTS, document_id)
        await self._read_document(caller, "read_document", kept.document)
        return kept.document

    async def receive(
        self, caller: Caller, document_id: str, offset: int, receive: Receive
    ) -> Document:
        """Store the bytes of a request's body behind those that are there.

        Raises:
            NotFound: there is none that the caller hands in.
            OffsetIsAnother: others are there; nothing of the body was kept.
            TooLarge: it has more bytes than were declared.
            DocumentTooSlow, InvalidRequest: the body is not whole; what came is kept.
        """
        kept = await self._about(caller, Action.WRITE_DOCUMENTS, document_id)
        if kept.document.author != caller.account:
            raise Forbidden("Only the account that began an upload sends its bytes.")
        is_open = kept.document.state is DocumentState.RECEIVING
        if not is_open or kept.document.received != offset:
            raise OffsetIsAnother
        with self._one_piece(caller.account):
            try:
                async with asyncio.timeout(PIECE_S):
                    return await self._receive(kept, receive)
            except TimeoutError:
                raise DocumentTooSlow from None

    async def content(self, caller: Caller, document_id: str) -> Response:
        """The file. Raises NotFound, DocumentNotAvailable."""
        kept = await self._available(caller, document_id)
        try:
            return await self._file(kept)
        except FileGone:
            raise NotFound(code=_MISSING) from None

    async def link(self, caller: Caller, document_id: str) -> DocumentLinkAnswer:
        """An address of the file. Raises NotFound, DocumentNotAvailable.

        It is audited now as the reading that it is for.
        """
        kept = await self._available(caller, document_id)
        until = Millis(self._clock.now() + LINK_MS)
        return DocumentLinkAnswer(
            address=_LINKS + self._links.make(kept.document.document_id, until),
            expires_at=millis_text(until),
        )

    async def linked(self, link: str) -> Response:
        """The file behind an address. Raises LinkOver."""
        document_id = self._links.read(link, self._clock.now())
        kept = None
        if document_id is not None:
            kept = await self._ports.rows.find(document_id)
        if kept is None or kept.document.state is not DocumentState.AVAILABLE:
            raise LinkOver
        try:
            return await self._file(kept)
        except FileGone:
            raise LinkOver from None

    async def remove(self, caller: Caller, document_id: str) -> None:
        """Remove a document that the caller's side handed in. Raises NotFound."""
        kept = await self._about(caller, Action.WRITE_DOCUMENTS, document_id)
        if kept.document.by_staff is not caller.is_staff:
            raise Forbidden("Those who handed a document in remove it.")
        if not await self._ports.rows.remove(document_id):
            raise NotFound(code=_MISSING)
        tokens = [*kept.parts, *filter(None, [kept.blob])]
        await drop(self._ports.blobs, document_id, tokens)
        await self._acted(caller, "remove_document", kept.document)

    async def _receive(self, kept: KeptDocument, receive: Receive) -> Document:
        left = kept.document.size - kept.document.received
        async for part in _parts(receive, left):
            if len(kept.parts) >= PARTS_MAX:
                raise InvalidRequest("Send more bytes with each request.")
            token = await keep_part(self._ports.blobs, kept, part)
            after = await self._ports.rows.extend(
                kept, token, len(part), now=self._clock.now()
            )
            if after is None:
                await drop(self._ports.blobs, kept.document.document_id, [token])
                raise OffsetIsAnother
            kept = after
        return kept.document

    async def _about(
        self, caller: Caller, action: Action, document_id: str
    ) -> KeptDocument:
        """A document that a caller may do this to. Raises NotFound."""
        kept = await self._ports.rows.find(document_id)
        if kept is None:
            # To a patient every calendar is their own until it says whose a visit is:
            # what their scope does not hold is refused first, there as here.
            is_patient = caller.patient_id is not None
            relation = Relation.OWN if is_patient else Relation.OTHER
            self._access.decide(caller, action, relation, _MISSING)
            raise NotFound(code=_MISSING)
        document = kept.document
        try:
            await self._bookings.about(caller, action, document.booking_id)
        except NotFound:
            raise NotFound(code=_MISSING) from None
        except Refused as error:
            if error.refusal.code is not RefusalCode.BOOKING_NOT_FOUND:
                raise
            raise NotFound(code=_MISSING) from None
        if not _is_shown(caller, document):
            raise NotFound(code=_MISSING)
        await self._access.restricted.check(caller, document.patient_id)
        return kept

    async def _available(self, caller: Caller, document_id: str) -> KeptDocument:
        kept = await self._about(caller, Action.READ_DOCUMENTS, document_id)
        if kept.document.state is not DocumentState.AVAILABLE:
            raise DocumentNotAvailable
        await self._read_document(caller, "download_document", kept.document)
        return kept

    async def _file(self, kept: KeptDocument) -> DocumentFile:
        turn = self._one_file(kept.document.patient_id)
        return await file_of(self._ports, kept, turn)

    async def _read_document(self, caller: Caller, what: str, one: Document) -> None:
        await self._read(
            caller, what, one.patient_id, one.clinic_id, document_id=one.document_id
        )

    async def _read(
        self,
        caller: Caller,
        what: str,
        patient_id: PatientId,
        clinic_id: ClinicId,
        **ids: str,
    ) -> None:
        trail = self._access.trail
        if trail is not None:
            tenant = clinic_id or SITE_TENANT
            await trail.read(caller, what, [patient_id], tenant=tenant, **ids)

    async def _acted(self, caller: Caller, what: str, one: Document) -> None:
        trail = self._access.trail
        if trail is not None:
            ids = {"document_id": one.document_id, "booking_id": str(one.booking_id)}
            tenant = one.clinic_id or SITE_TENANT
            act = Act(what, "done", person=one.patient_id, tenant=tenant, ids=ids)
            await trail.acted(caller, act)

    async def _clinic_of(self, view: BookingView) -> ClinicId:
        facts = await self._access.facts(view.provider_id)
        return ClinicId("") if facts is None else facts.clinic_id

    @contextmanager
    def _one_piece(self, account: str) -> Iterator[None]:
        total = self._receiving.total()
        if total >= UPLOADS_MAX or self._receiving[account] >= OF_ACCOUNT_MAX:
            raise Unavailable("many files are being uploaded", retry_after_s=5)
        self._receiving[account] += 1
        try:
            yield
        finally:
            self._receiving[account] -= 1
            self._receiving += Counter()  # accounts at zero are left out

    @contextmanager
    def _one_file(self, patient_id: PatientId) -> Iterator[None]:
        total = self._sending.total()
        if total >= FILES_MAX or self._sending[patient_id] >= OF_PATIENT_MAX:
            raise Unavailable("many files are being downloaded", retry_after_s=5)
        self._sending[patient_id] += 1
        try:
            yield
        finally:
            self._sending[patient_id] -= 1
            self._sending += Counter()  # patients at zero are left out


def _is_shown(caller: Caller, document: Document) -> bool:
    """Whether a caller who may read a visit's documents may know of this one.

    What is not whole, or was refused, is the account's that handed it in.
    """
    is_of_all = document.state in (DocumentState.QUARANTINED, DocumentState.AVAILABLE)
    return is_of_all or document.author == caller.account


async def _parts(receive: Receive, left: int) -> AsyncIterator[bytes]:
    """A body in parts of PART_BYTES; the last one may be shorter.

    Raises:
        TooLarge: it has more than ``left`` bytes.
        InvalidRequest: the caller left before its end; what is no whole part is lost.
    """
    waiting, is_more = bytearray(), True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The body is incomplete.")
        waiting += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(waiting) > left:
            raise _too_large("The body has more bytes than the file was to have.")
        while len(waiting) >= PART_BYTES:
            yield bytes(waiting[:PART_BYTES])
            del waiting[:PART_BYTES]
            left -= PART_BYTES
    if waiting:
        yield bytes(waiting)


def _too_large(why: str = "") -> TooLarge:
    detail = why or f"A file has at most {FILE_BYTES_MAX // MIB} MiB."
    return TooLarge(detail, code="document_too_large")


def _no_room(error: QuotaReached) -> NoRoomForDocuments:
    if error.of_visit:
        return NoRoomForDocuments("This visit has as many documents as it can have.")
    if error.of_clinic:
        return NoRoomForDocuments(
            "The clinic's room for documents is used up; it must make room, or the "
            "operator give more."
        )
    return NoRoomForDocuments()
