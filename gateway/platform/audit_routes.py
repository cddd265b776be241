"""Search, verification and export of the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from actors.domain.ids import Millis
from care.audit.entries import Entry
from care.audit.ports import AuditQuery, AuditStore
from gateway.access.rights import Access, Action, Relation
from gateway.access.tokens import Caller, Role
from gateway.config import GatewayPorts
from gateway.http.features import Answer, CallerDep, FeatureRouter, Page
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.formats import millis_text, parse_millis

router = FeatureRouter(prefix="/v1/audit", tags=["audit"])

EXPORT_PAGE = 500
EXPORT_MAX = 100_000
"""Entries of one export; narrow the time for more."""
_CLINIC = "cln_"
_ID = r"^[A-Za-z0-9_.\-]{0,100}$"


class Searched(BaseModel):
    """Which entries. Instants are half-open."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    tenant: str = Field("", pattern=_ID, description="A clinic's id, or site.")
    person: str = Field("", pattern=_ID, description="A patient, or a provider.")
    actor: str = Field("", pattern=_ID, description="An account, or a subject.")
    action: str = Field("", pattern=r"^[a-z_]{0,64}$")
    first: str | None = Field(None, alias="from", max_length=40)
    last: str | None = Field(None, alias="to", max_length=40)


class EntryAnswer(Answer):
    """An entry of a tenant's chain."""

    tenant: str
    seq: int
    at: str
    actor: str
    person: str
    action: str
    body: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> EntryAnswer:
        """An entry, as the wire has it."""
        return cls(
            tenant=entry.tenant,
            seq=entry.seq,
            at=millis_text(entry.at),
            actor=entry.actor,
            person=entry.person,
            action=entry.action,
            body=msgspec.json.decode(entry.body),
            hash=entry.hash,
        )


class EntriesAnswer(Answer):
    """Entries, the newest first."""

    items: list[EntryAnswer]
    next_cursor: str | None


class BadPlaceAnswer(Answer):
    """Where a chain is not what it should be."""

    tenant: str
    seq: int
    fault: str


class VerifiedTrailAnswer(Answer):
    """Whether every entry is as it was chained, and none is missing."""

    ok: bool
    entries: int
    anchors: int = Field(description="Heads outside of the database, compared.")
    first_bad: BadPlaceAnswer | None


async def audit_of(request: Request) -> AuditStore:
    """The gateway's audit trail."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.audit is not None, "mounted only where there is one"
    return ports.audit


AuditDep = Annotated[AuditStore, Depends(audit_of)]


class SearchedPage(Searched, Page):
    """The same, a page at a time."""


@router.get("", right=Action.READ_AUDIT, refusals=["clinic_not_found"])
async def search_audit(
    request: Request,
    wanted: Annotated[SearchedPage, Query()],
    caller: CallerDep,
    audit: AuditDep,
) -> EntriesAnswer:
    """Entries of the caller's tenant, the newest first."""
    query = _query(request, caller, Action.READ_AUDIT, wanted)
    await _note(request, caller, "read_audit", query)
    try:
        found, following = await audit.search(
            query, after=wanted.cursor or "", limit=wanted.limit
        )
    except ValueError:
        raise InvalidRequest("", FieldError("cursor", "is not valid")) from None
    return EntriesAnswer(
        items=[EntryAnswer.of(one) for one in found], next_cursor=following
    )


@router.get("/verify", right=Action.VERIFY_AUDIT, refusals=["clinic_not_found"])
async def verify_audit(
    request: Request,
    caller: CallerDep,
    audit: AuditDep,
    tenant: Annotated[
        str, Query(pattern=_ID, description="A clinic's id, or site.")
    ] = "",
) -> VerifiedTrailAnswer:
    """Check the chain of the caller's tenant against its heads and anchors."""
    allowed = _tenant(request, caller, Action.VERIFY_AUDIT, tenant)
    report = await audit.verify(allowed)
    bad = report.first_bad
    return VerifiedTrailAnswer(
        ok=report.ok,
        entries=report.entries,
        anchors=report.anchors,
        first_bad=None
        if bad is None
        else BadPlaceAnswer(tenant=bad.tenant, seq=bad.seq, fault=bad.fault.value),
    )


@router.get(
    "/export",
    right=Action.EXPORT_AUDIT,
    refusals=["clinic_not_found"],
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
    },
)
async def export_audit(
    request: Request,
    wanted: Annotated[Searched, Query()],
    caller: CallerDep,
    audit: AuditDep,
) -> StreamingResponse:
    """Entries as JSON lines, the newest first; the export is an entry itself."""
    query = _query(request, caller, Action.EXPORT_AUDIT, wanted)
    await _note(request, caller, "export_audit", query)
    return StreamingResponse(
        _lines(audit, query),
        media_type="application/x-ndjson",
        headers={"content-disposition": 'attachment; filename="audit.ndjson"'},
    )


async def _lines(audit: AuditStore, query: AuditQuery) -> AsyncIterator[bytes]:
    after: str | None = ""
    count = 0
    while after is not None and count < EXPORT_MAX:
        found, after = await audit.search(query, after=after, limit=EXPORT_PAGE)
        count += len(found)
        for one in found:
            yield msgspec.json.encode(EntryAnswer.of(one).model_dump()) + b"\n"


def _query(
    request: Request, caller: Caller, action: Action, wanted: Searched
) -> AuditQuery:
    return AuditQuery(
        tenant=_tenant(request, caller, action, wanted.tenant),
        person=wanted.person,
        actor=wanted.actor,
        action=wanted.action,
        first=_instant(wanted.first, "from"),
        last=_instant(wanted.last, "to"),
    )


def _tenant(request: Request, caller: Caller, action: Action, wanted: str) -> str:
    """The tenant whose trail is read; empty: all. Raises what ``decide`` raises."""
    access: Access = request.app.state.services.access
    is_everywhere = caller.role is Role.AUDITOR and not _is_clinic(caller.subject)
    own = caller.subject
    relation = Relation.OWN
    if not is_everywhere and wanted not in ("", own):
        relation = Relation.OTHER
    access.decide(caller, action, relation, "clinic_not_found")
    return wanted if is_everywhere else own


def _is_clinic(subject: str) -> bool:
    return subject.startswith(_CLINIC)


def _instant(text: str | None, name: str) -> Millis | None:
    try:
        return None if text is None else Millis(parse_millis(text, name))
    except FieldError as error:
        raise InvalidRequest("", error) from None


async def _note(
    request: Request, caller: Caller, action: str, query: AuditQuery
) -> None:
    """Who reads the trail is in it, too."""
    about = query.person or query.tenant or "site"
    await request.app.state.services.trail.read(
        caller, action, [about], tenant=query.tenant or "site"
    )
