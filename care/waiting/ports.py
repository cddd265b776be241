"""What the worker and the routes of the waiting list need from its stores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from actors.domain.ids import BookingId, ClinicId, HoldId, Millis, PatientId, ProviderId
from care.waiting.entries import (
    OfferStatus,
    OpenSlot,
    SlotOffer,
    WaitingEntry,
    WaitingMove,
    WaitingScope,
)

REFRESH: Final = "waiting.refresh"
"""The kind of job that tells calendars what is waited for."""
SETTLE: Final = "waiting.settle"
"""The kind of job that looks what became of an offer."""
VACATE: Final = "waiting.vacate"
"""The kind of job that cancels the visit which an accepted offer takes the place of."""
COMPARE: Final = "waiting.compare"
"""The kind of job that compares what calendars were told with what is waited for."""
SWEEP: Final = "waiting.sweep"
"""The kind of job that ends entries whose time is over."""


class WaitingLimit(Exception):
    """The patient waits for as much as they may; leave an entry first."""


class WaitingList(Protocol):
    """Entries, offers, and the jobs that follow; every method may raise Unavailable.

    What changes what is waited for adds the job that tells the calendars, in the same
    transaction.
    """

    async def join(self, entry: WaitingEntry) -> None:
        """Add an entry; none of a patient who was erased. Raises WaitingLimit."""
        ...

    async def entry(self, entry_id: str) -> WaitingEntry | None:
        """An entry that waits, or None."""
        ...

    async def of_patient(self, patient_id: PatientId) -> Sequence[WaitingEntry]:
        """A patient's entries, the oldest first."""
        ...

    async def covering(
        self, provider_id: ProviderId, clinic_id: ClinicId, specialty: str
    ) -> Sequence[WaitingEntry]:
        """All entries that wait for times of this provider, in no order."""
        ...

    async def pause(self, entry_id: str, *, paused: bool, now: Millis) -> bool:
        """Pause an entry, or go on: then declined offers count no more.

        False if there is no such entry.
        """
        ...

    async def change(self, entry: WaitingEntry, *, now: Millis) -> bool:
        """Replace what an entry's patient wishes; its place in the list stays.

        False if there is no such entry.
        """
        ...

    async def leave(self, entry_id: str, *, now: Millis) -> bool:
        """Remove an entry; False if there is none."""
        ...

    async def prioritise(self, move: WaitingMove) -> bool:
        """Change an entry's priority to ``move.after``, or remove it if ``REMOVED``.

        False if there is none. The reason is kept either way.
        """
        ...

    async def moves(self, entry_ids: Collection[str]) -> Sequence[WaitingMove]:
        """Changes of priority of these entries, the oldest first."""
        ...

    async def begin_offers(self, offers: Sequence[SlotOffer]) -> Collection[str]:
        """Write offers down before the calendars are asked; the ids of those written.

        Not of entries that wait no more, nor of patients who were erased or have
        another offer outstanding, nor of slots that have another of this turn.
        """
        ...

    async def offers_of(self, hold_id: HoldId) -> Sequence[SlotOffer]:
        """All offers of a slot, in order."""
        ...

    async def outstanding(self, patient_id: PatientId) -> Sequence[SlotOffer]:
        """The patient's offers that are not answered, as far as is known here."""
        ...

    async def overdue(self, *, before: Millis, limit: int) -> Sequence[SlotOffer]:
        """Offers that ended before this instant, and of which nothing is known yet."""
        ...

    async def unavailable(
        self, patients: Collection[PatientId]
    ) -> Mapping[PatientId, str]:
        """Which of them cannot be offered anything now, and why.

        ``other_offer``: one is outstanding. ``restricted``: their data is not used, or
        their account is disabled.
        """
        ...

    async def settle(
        self, offer: SlotOffer, status: OfferStatus, *, now: Millis
    ) -> bool:
        """Note what became of an offer; False if that was known already.

        Accepted ends the entry; declined counts, and at last pauses it. ``OFFERED``
        adds the job that looks again when the offer is over.
        """
        ...

    async def withdraw(self, offer: SlotOffer) -> None:
        """Forget an offer that the calendar refused."""
        ...

    async def offers_to(
        self, entry_ids: Collection[str]
    ) -> Mapping[str, Sequence[SlotOffer]]:
        """The offers that these entries got, by entry, the oldest first."""
        ...

    async def begin_accepting(self, offer: SlotOffer, *, now: Millis) -> None:
        """Note that a patient accepts an offer which replaces their visit elsewhere.

        Adds the job that cancels that visit once the offered slot is booked, however
        the booking goes on.
        """
        ...

    async def with_visits(self, *, after: str, limit: int) -> Sequence[WaitingEntry]:
        """Entries that wait with a visit, by id."""
        ...

    async def expire(self, *, before: str, now: Millis, limit: int) -> int:
        """Remove entries whose last day is before this one, ``YYYY-MM-DD``."""
        ...

    async def forget(self, *, before: Millis, limit: int) -> int:
        """Remove answered offers, and changes of entries that are gone, of before."""
        ...


class WaitedCalendars(Protocol):
    """Whose calendars reserve for the list; every method may raise Unavailable."""

    async def any_waits(self) -> bool:
        """Whether there is an entry at all."""
        ...

    async def subjects(
        self, scope: WaitingScope, subject: str, *, after: str, limit: int
    ) -> Sequence[ProviderId]:
        """The providers that a scope means, as the read model knows them, by id."""
        ...

    async def covered(self, *, after: str, limit: int) -> Sequence[ProviderId]:
        """Providers that any entry means, and those that were told of one, by id."""
        ...

    async def reserving_in(
        self, clinic_id: ClinicId, *, limit: int
    ) -> Sequence[ProviderId]:
        """A clinic's providers whose calendars were told to reserve, by id."""
        ...

    async def note_told(self, provider_id: ProviderId, *, reserves: bool) -> None:
        """Note whether a calendar was told to reserve: before, and once it ended."""
        ...

    async def patient_of(self, booking_id: BookingId) -> PatientId | None:
        """Whose visit it was, as the read model knows."""
        ...

    async def opened(self, booking_id: BookingId, version: int) -> OpenSlot | None:
        """What a visit gave up at a version, as the read model knows."""
        ...
