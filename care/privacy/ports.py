"""What the gateway needs from a store for privacy. Methods may raise Unavailable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from actors.domain.ids import Millis, PatientId
from care.accounts.ids import AccountId
from care.privacy.requests import (
    AccountHoldings,
    Consent,
    ErasureReport,
    PrivacyRequest,
    RequestKind,
)


class Privacy(Protocol):
    """Requests, consents, export and erasure."""

    async def ask(
        self, patient_id: PatientId, kind: RequestKind, asked_by: str, *, now: Millis
    ) -> PrivacyRequest:
        """Store a request; one of this kind that is open is returned instead."""
        ...

    async def ask_about_account(
        self, account_id: AccountId, *, now: Millis
    ) -> PrivacyRequest:
        """Store the account's request to be erased; an open one is returned instead."""
        ...

    async def requests_of_account(
        self, account_id: AccountId
    ) -> Sequence[PrivacyRequest]:
        """The requests about an account with all its roles, the newest first."""
        ...

    async def requests(self, patient_id: PatientId) -> Sequence[PrivacyRequest]:
        """A person's requests, the newest first."""
        ...

    async def open_requests(self, *, limit: int) -> Sequence[PrivacyRequest]:
        """Requests that are not done, those due first first."""
        ...

    async def request(self, request_id: str) -> PrivacyRequest | None:
        """One request; None if there is none."""
        ...

    async def finish(
        self, request_id: str, report: Mapping[str, Any], *, now: Millis
    ) -> None:
        """Note that a request is done, and what was."""
        ...

    async def consents(self, patient_id: PatientId) -> Sequence[Consent]:
        """The ledger of a person, the oldest line first."""
        ...

    async def record_consent(self, consent: Consent) -> None:
        """Add a line; none is ever changed."""
        ...

    async def restrict(
        self, patient_id: PatientId, by: str, *, restricted: bool, now: Millis
    ) -> bool:
        """Restrict the use of a person's data, or no more; False if there is none."""
        ...

    async def export(self, patient_id: PatientId) -> Mapping[str, Any] | None:
        """All that the records hold of a person, in the clear; None if there is none.

        Values of other people are not in it.
        """
        ...

    async def export_account(self, account_id: str) -> Mapping[str, Any]:
        """What the records hold of an account, in the clear; patients' data apart."""
        ...

    async def erase(
        self,
        patient_id: PatientId,
        by: str,
        bookings: Mapping[str, int],
        *,
        now: Millis,
    ) -> ErasureReport:
        """Erase a person in one transaction; again, it reports that it was done.

        Raises:
            ErasureRefused: the law forbids it for now, or there is no such person.
        """
        ...

    async def holdings(self, account_id: AccountId) -> AccountHoldings:
        """What decides whether an account can be erased now."""
        ...

    async def erase_account(
        self,
        account_id: AccountId,
        by: str,
        bookings: Mapping[str, int],
        *,
        now: Millis,
    ) -> ErasureReport:
        """Erase an account in all its roles, and its patient, in one transaction.

        Again, it reports that it was done. ``bookings`` are the patient's.

        Raises:
            ErasureRefused: the law forbids it for now, or there is no such account.
            SuccessorNeeded: a clinic, or the site, would be without administrators.
        """
        ...


class RetainedRows(Protocol):
    """What is kept for a time, in the tables that retention removes rows of."""

    async def oldest(self) -> Mapping[str, Millis]:
        """From when the oldest row of each table is; without empty ones.

        Of what was told of a visit: when that ended. Raises Unavailable.
        """
        ...
