"""What notices are written from: the facts of a visit, and the links of a message."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from actors.domain.ids import BookingId, Minute
from care.notices.kinds import NoticeKind


class VisitFacts(Struct, frozen=True):
    """What may be said of a visit, and nothing medical.

    Neither what kind of visit it is, nor the provider's specialty, nor a reason.
    """

    booking_id: BookingId
    provider: str
    clinic: str
    address: str
    phone: str
    time_zone: str
    start: Minute
    end: Minute
    was_start: Minute | None = None

    @property
    def place(self) -> str:
        """Clinic and address in one line."""
        return ", ".join(part for part in (self.clinic, self.address) if part)


class Letter(Struct, frozen=True):
    """What is to be written: to whom, in which language, of what."""

    kind: NoticeKind
    visit: VisitFacts
    language: str
    name: str = ""
    """Whom it greets; may be empty."""
    of_whom: str = ""
    """Whose visit it is, in letters to a guardian."""
    visit_url: str = ""
    choose_url: str = ""
    """Where the person chooses what they hear of."""
    stop_url: str = ""
    """Where they stop these messages."""
    instead_url: str = ""
    """Where they choose another time for the visit, without signing in."""


class Written(Struct, frozen=True):
    """A letter: for mails; ``short`` for phones, ``push`` for locked screens."""

    subject: str
    text: str
    html: str
    short: str
    body: str
    push: str


class LetterWriter(Protocol):
    """Writes letters."""

    def write(self, letter: Letter) -> Written:
        """A letter, in its language."""
        ...
