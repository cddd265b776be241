"""What the jobs and routes of notices need from stores, and from the calendars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
)
from actors.domain.messages.answers import BookingView, HoldView
from care.notices.kinds import NoticeKind, Preferences
from care.notices.links import Stops
from care.notices.wording import VisitFacts
from care.waiting.entries import OpenSlot

REMIND: Final = "notices.remind"
"""The kind of job that reminds of a visit."""


class PersonErased(Exception):
    """The person's data was erased: what they choose is not kept any more."""


class OutboxEvent(Struct, frozen=True):
    """An event of the outbox that people may have to be told of."""

    kind: str
    payload: Mapping[str, Any]
    at: Millis


class Reminding(Struct, frozen=True):
    """A reminder that is due: of which visit, how many minutes before its start.

    ``view`` is the visit as its calendar has it. ``kind`` may be one of another kind
    than that of a visit that is near; ``step`` then tells them apart.
    """

    view: BookingView
    step: int
    kind: NoticeKind = NoticeKind.REMINDER


class Notice(Struct, frozen=True):
    """What a patient was told, as it lies in their inbox."""

    notice_id: str
    patient_id: PatientId
    kind: NoticeKind
    visit: VisitFacts
    created_at: Millis
    read_at: Millis | None = None


class Teller(Protocol):
    """Writes notices and the messages that carry them, each once."""

    async def tell(self, events: Sequence[OutboxEvent], *, now: Millis) -> None:
        """Tell of events; telling of one again has no effect.

        Raises:
            Unavailable: nothing was told, or it is unknown; tell again.
        """
        ...

    async def veil(self, bookings: Sequence[BookingId]) -> None:
        """Hide notices of confidential visits from proxies, or show them again.

        Which they are is read from the visits. Raises Unavailable.
        """
        ...

    async def remind(self, due: Sequence[Reminding], *, now: Millis) -> None:
        """Remind, once of each visit's kind, start and step. Raises Unavailable."""
        ...


class OfferTeller(Protocol):
    """Tells patients of what the waiting list offers them."""

    async def reached_at(
        self, patient_id: PatientId, time_zone: str, *, now: Millis, start: Millis
    ) -> Millis:
        """When a patient can be told of a visit at ``start``: after quiet hours.

        Raises:
            Unavailable: their choices cannot be read.
        """
        ...

    async def offer(self, hold: HoldView, turn: int, *, now: Millis) -> None:
        """Tell of an offer, once of each turn of a slot. Raises Unavailable."""
        ...

    async def first_come(
        self, slot: OpenSlot, patient_id: PatientId, *, now: Millis
    ) -> None:
        """Tell that a slot is free to all, once of each. Raises Unavailable."""
        ...


class Visits(Protocol):
    """The calendars, asked about single visits."""

    async def offered(
        self, provider_id: ProviderId, hold_id: HoldId
    ) -> HoldView | None:
        """A slot that is offered to a patient now; None if it is not.

        Raises:
            Unavailable: the calendar does not answer now.
        """
        ...

    async def find(
        self, provider_id: ProviderId, booking_id: BookingId
    ) -> BookingView | None:
        """A visit as its calendar has it; None if it has none of this id.

        Raises:
            Unavailable: the calendar does not answer now.
        """
        ...


class Inbox(Protocol):
    """Notices as their patients read them."""

    async def page(
        self,
        patient_id: PatientId,
        *,
        after: tuple[int, str] | None,
        limit: int,
        proxy: bool,
    ) -> Sequence[Notice]:
        """Notices, newest first, that follow ``after``: an instant and an id.

        ``proxy``: without those of confidential visits. Raises Unavailable.
        """
        ...

    async def unread(self, patient_id: PatientId, *, proxy: bool) -> int:
        """How many are unread. Raises Unavailable."""
        ...

    async def mark_read(
        self, patient_id: PatientId, notice_id: str, *, proxy: bool, now: Millis
    ) -> Notice | None:
        """Mark one as read; None if the patient has none of this id."""
        ...


class InboxChanges(Protocol):
    """Whose inboxes changed, for one gateway: it knows what it told of."""

    async def begin(self) -> None:
        """Start now: what changes from here on is told of. Raises Unavailable."""
        ...

    async def read(self) -> frozenset[PatientId] | None:
        """The patients whose inboxes changed; None if it may have been any.

        Raises:
            Unavailable: nothing is lost; ask again.
        """
        ...


class Choices(Protocol):
    """What people chose to hear of."""

    async def find(self, person: str) -> tuple[Preferences, int]:
        """Choices and their version; 0 before the first. Raises Unavailable.

        A person whose data was erased wants nothing.
        """
        ...

    async def save(
        self, person: str, chosen: Preferences, *, version: int | None, now: Millis
    ) -> int | None:
        """Save; the new version, or None if there is another one than ``version``.

        Raises:
            PersonErased: nothing is kept of them.
        """
        ...


class NoticeStores(Struct, frozen=True):
    """What the routes of notices need."""

    inbox: Inbox
    choices: Choices
    stops: Stops
    changes: InboxChanges


class VisitPlace(Struct, frozen=True):
    """Where a provider's visits take place, as notices say it."""

    provider: str
    clinic: str
    address: str
    phone: str
    time_zone: str


class VisitHistory(Struct, frozen=True):
    """A booking of the read model, and the starts that it had, by version."""

    view: BookingView
    starts: tuple[tuple[int, Minute], ...] = ()

    def start_before(self, version: int) -> Minute | None:
        """Where the visit was before the event of this version."""
        earlier = [start for at, start in self.starts if at < version]
        return earlier[-1] if earlier else None
