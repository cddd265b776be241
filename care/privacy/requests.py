"""What people may ask about their data, when it is due, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from actors.domain.ids import Millis, PatientId, ProviderId

DAY_MS: Final = 24 * 3_600_000
DUE_MS: Final = 30 * DAY_MS
"""A month, as article 12 of the GDPR has it; reckoned short."""
PURPOSE_MAX: Final = 40


class RequestKind(StrEnum):
    """What is asked."""

    EXPORT = "export"
    ERASE = "erase"
    RESTRICT = "restrict"
    CORRECT = "correct"


class PrivacyRequest(Struct, frozen=True):
    """A request; ``report`` says what was done, without personal data.

    It is about a patient, or about the account ``account_id`` with all its roles; then
    ``patient_id`` is empty.
    """

    request_id: str
    patient_id: PatientId
    kind: RequestKind
    asked_by: str
    asked_at: Millis
    due_at: Millis
    done_at: Millis | None = None
    report: Mapping[str, Any] | None = None
    account_id: str = ""


class Consent(Struct, frozen=True):
    """One line of the ledger of consents; a later one of the same purpose counts."""

    patient_id: PatientId
    purpose: str
    given: bool
    at: Millis
    channel: str = ""
    version: str = ""
    """Of the text that was agreed to."""
    source: str = ""
    """Who or what recorded it: an account, an import."""


class ErasureRefused(Exception):
    """The person cannot be erased now; ``reason`` is a sentence for them."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SuccessorNeeded(Exception):
    """The account is the last administrator of ``places``: clinics, or the site."""

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(", ".join(places))
        self.places = tuple(places)


class KeptRows(Struct, frozen=True):
    """Rows that name the erased person's id and stay: how many, and by which law."""

    what: str
    rows: int
    why: str


class ErasureReport(Struct, frozen=True):
    """What an erasure did.

    ``rows``: rows emptied or removed, by table. ``bookings``: how many visits stay, by
    status, under an id without a name. ``left``: where copies end by themselves.
    ``kept``: what must stay. ``patient_id`` is empty for an account without a patient,
    ``account_id`` for a patient whose account stays.
    """

    patient_id: PatientId
    account_id: str
    erased_at: Millis
    rows: Mapping[str, int]
    sessions: Sequence[str] = ()
    bookings: Mapping[str, int] = {}
    left: Sequence[str] = ()
    kept: Sequence[KeptRows] = ()


class AccountHoldings(Struct, frozen=True):
    """What decides whether an account can be erased now.

    ``calendars`` are those it is the only doctor of. ``alone``: the clinics, or the
    site, that have no other administrator who can sign in.
    """

    patient_id: PatientId | None = None
    calendars: Sequence[ProviderId] = ()
    alone: Sequence[str] = ()


class Retention(Struct, frozen=True):
    """How long what is no medical record is kept, and documents, in days."""

    messages: int = 90
    sessions: int = 90
    attempts: int = 30
    outbox: int = 7
    documents: int = 3_653
