"""Audit entries of ordinary features, without code in their handlers.

Every write is one entry: the handler's own if it writes one, else it is named after its
route, with the ids in its path, the names of the fields that were sent, and how it
ended. A read whose path names a patient is an entry about that patient, and so is what
is refused there to others than patients. Handlers add
what only they know with ``note``: the account that signed in, the patients on a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import Request
from msgspec import Struct, field

from care.audit.entries import SITE_TENANT
from gateway.access.tokens import Caller
from gateway.access.trail import IDS_MAX, Act, AuditTrail, handler_acted
from gateway.wire.problems import status_of

_NOTES: Final = "audit_notes"
_CALLER: Final = "audit_caller"
_ID: Final = re.compile(r"[a-z]{3}_[A-Za-z0-9_.\-]{1,96}")
"""Only ids go into an entry, since a path may contain a secret."""
_PATIENT: Final = "patient_id"
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NO_ACT: Final = frozenset({404, 405, 406, 413, 415, 422, 429, 503})
"""Statuses of requests refused before a caller acted."""
_FAILED: Final = 400
_REFUSED: Final = frozenset({403, 404})
"""Hidden and missing alike: what staff try on patients who are not theirs."""
REFUSED: Final = "refused_"
"""Before the action of a read that was refused."""


class Notes(Struct):
    """A handler's additions to its entry; ids only."""

    actor: str = ""
    tenant: str = ""
    persons: Sequence[str] = ()
    ids: dict[str, str] = field(default_factory=dict)


def note(
    request: Request,
    *,
    actor: str = "",
    tenant: str = "",
    persons: Sequence[str] = (),
    **ids: str,
) -> None:
    """Add to the entry of this request.

    ``persons``: the patients that the answer shows, for a list of them.
    """
    notes = _notes(request)
    notes.actor = actor or notes.actor
    notes.tenant = tenant or notes.tenant
    notes.persons = persons or notes.persons
    notes.ids.update(ids)


def seen_caller(request: Request, caller: Caller | None) -> None:
    """Note the caller for the entry."""
    request.scope[_CALLER] = caller


async def audit_act(request: Request, action: str, code: str, **ids: str) -> None:
    """Write the entry of a GET that is an act all the same: a browser comes back.

    ``code`` is that of its refusal; empty if it was done. As with writes, what was
    refused before it was an act is no entry.
    """
    if code and status_of(code) in _NO_ACT:
        return
    trail: AuditTrail = request.app.state.services.trail
    notes = _notes(request)
    address = request.client.host if request.client else ""
    act = Act(
        action,
        code or "done",
        actor=notes.actor,
        address=address,
        ids={**ids, **notes.ids},
    )
    await trail.acted(None, act)


async def audited(request: Request, action: str, status: int, code: str = "") -> None:
    """Write the entry of a request before its answer is sent.

    Raises:
        Unavailable: the entry of a read by staff cannot be written.
    """
    trail: AuditTrail = request.app.state.services.trail
    if trail.spool is None:
        return
    caller: Caller | None = request.scope.get(_CALLER)
    notes = _notes(request)
    ids = {
        name: value
        for name, value in request.path_params.items()
        if isinstance(value, str) and _ID.fullmatch(value)
    }
    persons = list(notes.persons) or [v for k, v in ids.items() if k == _PATIENT]
    tenant = notes.tenant or _tenant_of(caller)
    address = request.client.host if request.client else ""
    if request.method not in WRITES:
        if caller is not None and persons and status < _FAILED:
            await trail.read(
                caller, action, persons, tenant=tenant, address=address, **notes.ids
            )
        return
    if status in _NO_ACT or (status < _FAILED and handler_acted.get()):
        return
    act = Act(
        action,
        code or "done",
        actor=notes.actor,
        person=persons[0] if persons else "",
        tenant=tenant,
        address=address,
        ids={**ids, **notes.ids},
        fields=_fields(request) if status < _FAILED else (),
    )
    await trail.acted(caller, act)


async def audit_refusal(request: Request, action: str, status: int, code: str) -> bool:
    """Write the entry of what is refused to others than patients about a patient.

    Whether there is one: the path names a patient, whom the caller may not know of.
    A refused read has another action, so that it is none of "who saw me".
    """
    caller: Caller | None = request.scope.get(_CALLER)
    patient = str(request.path_params.get(_PATIENT, ""))
    is_of_staff = caller is not None and caller.patient_id is None
    if not is_of_staff or not _ID.fullmatch(patient) or status not in _REFUSED:
        return False
    act = Act(
        action if request.method in WRITES else REFUSED + action,
        code,
        person=patient,
        tenant=_tenant_of(caller),
        address=request.client.host if request.client else "",
    )
    trail: AuditTrail = request.app.state.services.trail
    await trail.acted(caller, act)
    return True


def _notes(request: Request) -> Notes:
    found: Notes = request.scope.setdefault(_NOTES, Notes())
    return found


def _tenant_of(caller: Caller | None) -> str:
    clinic = None if caller is None else caller.clinic_id
    return clinic or SITE_TENANT


def _fields(request: Request) -> list[str]:
    """The names of the fields that were sent; the route has accepted them."""
    body: Any = getattr(request, "_body", b"")
    try:
        sent = msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    return sorted(sent)[:IDS_MAX] if isinstance(sent, dict) else []
