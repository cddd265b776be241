"""Imports every model of the records, so that their schema is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from persistence.accounts.client_models import ApiClientRecord
from persistence.accounts.factor_models import FactorRecord
from persistence.accounts.identity_models import IdentityRecord
from persistence.accounts.models import AccountRecord
from persistence.audit.models import AuditEntryRecord
from persistence.directory.busy.models import BusyCalendarRecord
from persistence.directory.leave.models import LeaveRecord
from persistence.directory.models import ProviderEntryRecord
from persistence.directory.reviews.models import ReviewRecord
from persistence.grants.models import InvitationRecord
from persistence.idempotency.models import IdempotencyRecord
from persistence.jobs.models import JobRecord
from persistence.keys.models import DataKeyRecord
from persistence.notices.models import OutgoingMessageRecord
from persistence.patients.documents.models import DocumentRecord
from persistence.patients.models import PatientClinicRecord
from persistence.patients.series.models import SeriesRecord
from persistence.patients.waiting_models import WaitingEntryRecord
from persistence.privacy.models import ConsentRecord
from persistence.sql.base import RecordBase
from persistence.sql.schema import Schema

__all__ = [
    "RECORDS",
    "AccountRecord",
    "ApiClientRecord",
    "AuditEntryRecord",
    "BusyCalendarRecord",
    "ConsentRecord",
    "DataKeyRecord",
    "DocumentRecord",
    "FactorRecord",
    "IdempotencyRecord",
    "IdentityRecord",
    "InvitationRecord",
    "JobRecord",
    "LeaveRecord",
    "OutgoingMessageRecord",
    "PatientClinicRecord",
    "ProviderEntryRecord",
    "ReviewRecord",
    "SeriesRecord",
    "WaitingEntryRecord",
]

RECORDS: Final = Schema(
    "records", RecordBase.metadata, Path(__file__).parent / "migrations"
)
