"""The tables of second factors and passkeys."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase

_ACCOUNT = "account.account_id"


class FactorRecord(RecordBase):
    """A factor; see ``care.accounts.factors.values.Factor``. ``secret`` is sealed."""

    __tablename__ = "factor"
    __table_args__ = (
        UniqueConstraint("credential_hash"),
        Index(None, "account_id"),
        c.ON_A_SERVER,
    )

    factor_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(c.key(), ForeignKey(_ACCOUNT))
    kind: Mapped[str] = mapped_column(c.key(16))
    label: Mapped[str] = mapped_column(c.words(60))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    credential_hash: Mapped[str | None] = mapped_column(c.key(43))
    """What a passkey is found by: its id may be a kilobyte long."""
    credential: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    public_key: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    user_handle: Mapped[bytes] = mapped_column(LargeBinary(64), default=b"")
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class FactorResetRecord(RecordBase):
    """An administrator asked that an account's factors be removed."""

    __tablename__ = "factor_reset"

    account_id: Mapped[str] = mapped_column(
        c.key(), ForeignKey(_ACCOUNT), primary_key=True
    )
    asked_by: Mapped[str] = mapped_column(c.key())
    asked_at: Mapped[int] = mapped_column(BigInteger)


class RecoveryCodeRecord(RecordBase):
    """A recovery code, by its keyed hash."""

    __tablename__ = "recovery_code"

    account_id: Mapped[str] = mapped_column(
        c.key(), ForeignKey(_ACCOUNT), primary_key=True
    )
    code_hash: Mapped[str] = mapped_column(c.key(43), primary_key=True)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
