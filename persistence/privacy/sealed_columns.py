"""Every sealed column, for all that must touch each sealed value.

A test compares this list with the columns of bytes that the schema has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct


class SealedColumn(Struct, frozen=True):
    """A column of sealed values.

    ``rows``: the columns of the primary key, which name the row in the place of a
    value, joined by a space. ``by_person``: the key is that of the patient whom the
    row's ``patient_id`` names, else the site's.
    """

    table: str
    column: str
    rows: tuple[str, ...]
    by_person: bool = False


SEALED: Final[Sequence[SealedColumn]] = (
    SealedColumn("account", "email", ("account_id",)),
    SealedColumn("auth_flow", "payload", ("flow_hash",)),
    SealedColumn("busy_calendar", "address", ("provider_id",)),
    SealedColumn("doctor_application", "content", ("application_id",)),
    SealedColumn("doctor_application", "reason", ("application_id",)),
    SealedColumn("document", "content", ("document_id",), by_person=True),
    SealedColumn("factor", "secret", ("factor_id",)),
    SealedColumn("identity", "label", ("identity_id",)),
    SealedColumn("glass", "reason", ("glass_id",)),
    SealedColumn("invitation", "email", ("invitation_id",)),
    SealedColumn("medical_note", "body", ("note_id",), by_person=True),
    SealedColumn("notice", "content", ("notice_id",)),
    SealedColumn("outgoing_message", "recipient", ("message_id",)),
    SealedColumn("outgoing_message", "content", ("message_id",)),
    SealedColumn("patient", "profile", ("patient_id",), by_person=True),
    SealedColumn("patient_clinic", "number", ("patient_id", "clinic_id")),
    SealedColumn("push_subscription", "content", ("subscription_id",)),
    SealedColumn("review", "body", ("review_id",), by_person=True),
    SealedColumn("review", "why", ("review_id",), by_person=True),
    SealedColumn("review", "reply", ("review_id",), by_person=True),
    SealedColumn("suspension", "reason", ("provider_id",)),
    SealedColumn("waiting_move", "reason", ("move_id",)),
)

NOT_SEALED: Final = frozenset(
    {
        ("data_key", "wrapped"),  # wrapped with the key encryption key
        ("factor", "credential"),
        ("factor", "public_key"),
        ("factor", "user_handle"),
        ("idempotency", "body"),  # sealed, but for a day: older keys stay
        ("patient", "key_salt"),
        ("session", "salt"),
    }
)
"""Columns of bytes that hold no sealed value, or one that need not be sealed again."""
