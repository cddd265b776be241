"""Tables and request body of the plain servers; each adds its own index."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LONGEST_MINUTES = 60
"""Longest visit in minutes: an overlapping one starts at most this much earlier."""


class Base(DeclarativeBase):
    """The tables."""


class Provider(Base):
    """A provider."""

    __tablename__ = "provider"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)


class Appointment(Base):
    """A booking; ``start`` and ``end`` in minutes since 1970."""

    __tablename__ = "appointment"
    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(ForeignKey("provider.id"))
    patient_id: Mapped[str] = mapped_column(String(64))
    start: Mapped[int]
    end: Mapped[int]


class Wish(BaseModel):
    """A requested booking."""

    provider_id: str
    patient_id: str
    start: datetime
    minutes: int = Field(5, ge=1, le=LONGEST_MINUTES)
