"""What clients send and receive about privacy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from care.audit.entries import Entry
from care.privacy.requests import PURPOSE_MAX, Consent, PrivacyRequest
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text

RequestWord = Literal["export", "erase", "restrict", "correct"]


class RequestBody(Body):
    """What is asked. ``erase`` needs two factors, proved within ten minutes."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "correct"}})

    kind: Literal["export", "restrict", "correct"]


class RequestAnswer(Answer):
    """A request about one's data, and until when it must be answered."""

    request_id: str
    patient_id: str = Field(description="Empty if it is about an account.")
    account_id: str = Field(
        description="The account that is to be erased in all its roles, or empty."
    )
    kind: RequestWord
    asked_at: str
    due_at: str
    done_at: str | None
    report: dict[str, Any] | None = Field(description="What was done; ids and counts.")

    @classmethod
    def of(cls, found: PrivacyRequest) -> RequestAnswer:
        """A request, as the wire has it."""
        return cls(
            request_id=found.request_id,
            patient_id=found.patient_id,
            account_id=found.account_id,
            kind=found.kind.value,
            asked_at=millis_text(found.asked_at),
            due_at=millis_text(found.due_at),
            done_at=None if found.done_at is None else millis_text(found.done_at),
            report=None if found.report is None else dict(found.report),
        )


class RequestsAnswer(Answer):
    """Requests."""

    items: list[RequestAnswer]


class ConsentBody(Body):
    """A consent that is given, or taken back."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"purpose": "reminders", "given": True, "version": "2026-11"}
        }
    )

    purpose: str = Field(pattern=rf"^[a-z][a-z0-9_]{{0,{PURPOSE_MAX - 1}}}$")
    given: bool
    channel: str = Field("", pattern=r"^[a-z]{0,16}$")
    version: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,40}$")


class ConsentAnswer(Answer):
    """A line of the ledger."""

    purpose: str
    given: bool
    at: str
    channel: str
    version: str

    @classmethod
    def of(cls, found: Consent) -> ConsentAnswer:
        """A line, as the wire has it."""
        return cls(
            purpose=found.purpose,
            given=found.given,
            at=millis_text(found.at),
            channel=found.channel,
            version=found.version,
        )


class ConsentsAnswer(Answer):
    """The ledger, the oldest line first; the last one of a purpose counts."""

    items: list[ConsentAnswer]


class RestrictionBody(Body):
    """Whether the use of one's data is restricted."""

    restricted: bool


class AccessAnswer(Answer):
    """That another read about the caller."""

    at: str
    by: str = Field(description="The account, or the subject of a token without one.")
    role: str
    clinic_id: str
    what: str = Field(description="What was done; read_schedule is a whole schedule.")

    @classmethod
    def of(cls, entry: Entry, body: dict[str, Any]) -> AccessAnswer:
        """An entry of the audit trail, as the person sees it."""
        return cls(
            at=millis_text(entry.at),
            by=entry.actor,
            role=str(body.get("role", "")),
            clinic_id=entry.tenant,
            what=entry.action,
        )


class AccessesAnswer(Answer):
    """Who read about the caller, the newest first."""

    items: list[AccessAnswer]
    next_cursor: str | None
