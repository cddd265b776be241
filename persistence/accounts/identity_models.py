"""The table of identities at other providers."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class IdentityRecord(RecordBase):
    """An identity; see ``care.accounts.identities.LinkedIdentity``.

    ``identity_i`` is the blind index of issuer and subject; ``label`` is sealed.
    """

    __tablename__ = "identity"
    __table_args__ = (
        UniqueConstraint("identity_i"),
        UniqueConstraint("account_id", "issuer"),
        c.ON_A_SERVER,
    )

    identity_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    account_id: Mapped[str] = mapped_column(
        c.key(), ForeignKey("account.account_id"), nullable=False
    )
    provider: Mapped[str] = mapped_column(c.key(32))
    issuer: Mapped[str] = mapped_column(c.key(255))
    identity_i: Mapped[str] = mapped_column(c.key(43))
    label: Mapped[bytes] = mapped_column(LargeBinary)
    linked_at: Mapped[int] = mapped_column(BigInteger)
