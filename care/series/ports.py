"""What is kept of a series, and what gateway and worker need of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from care.jobs.jobs import NewJob
from care.series.ids import SeriesId, visit_id
from care.series.rules import SeriesRule

PLACE: Final = "series.place"
"""The kind of job that books one series' visits that are due; its payload names it."""
TELL: Final = "series.tell"
"""The kind of job that tells a patient of a visit that could not be booked."""
TRYING_MS: Final = 60_000
"""How long a visit belongs to who began to book it: longer than the deadline of any
command, so that it is certain afterwards what its calendar did."""
OF_ONE_MAX: Final = 200
"""Series of a patient or a provider that are listed."""
PLACED_MAX: Final = 20
PLACED_MS: Final = 30 * 24 * 3_600_000
"""How many series a patient may place within these milliseconds: limits of visits do
not count what lies beyond the horizon. Staff may place any number."""


class SeriesLimit(Exception):
    """The patient has placed as many series lately as they may."""


class SeriesState(StrEnum):
    """How far a series is."""

    PLACING = "placing"
    """All its visits are booked by one command, whose outcome is not recorded yet."""
    ACTIVE = "active"


class SeriesVisitState(StrEnum):
    """What became of a visit of a series; once it is placed, its calendar says it."""

    WAITING = "waiting"
    """To be booked: at ``due_at``, when the horizon reaches it."""
    PLACED = "placed"
    FAILED = "failed"
    """It could not be booked: ``code`` says why. A person chooses another time."""
    DROPPED = "dropped"
    """Cancelled before it was booked, or after it failed."""


class SeriesVisit(Struct, frozen=True):
    """One visit of a series. ``reason`` is sealed as its calendar gets it.

    ``tried_at``: when its booking was last begun; for ``TRYING_MS`` it belongs to who
    began it.
    """

    number: int
    start: Minute
    state: SeriesVisitState = SeriesVisitState.WAITING
    due_at: Millis = Millis(0)
    tried_at: Millis | None = None
    code: str = ""
    reason: str = ""

    def is_tried(self, now: Millis) -> bool:
        """Whether a request or a worker is booking it."""
        return self.tried_at is not None and now < self.tried_at + TRYING_MS


class Series(Struct, frozen=True):
    """A series. ``key`` and ``fingerprint`` are those of its commands.

    ``by``, ``by_staff`` and ``proxy``: who placed it, as in commands.
    """

    series_id: SeriesId
    provider_id: ProviderId
    patient_id: PatientId
    visit_type: VisitTypeId
    visits: tuple[SeriesVisit, ...]
    created_at: Millis
    key: str
    fingerprint: int
    rule: SeriesRule | None = None
    by: str = ""
    by_staff: bool = False
    proxy: bool = False
    confidential: bool = False
    state: SeriesState = SeriesState.ACTIVE

    @property
    def count(self) -> int:
        """How many visits it was planned with."""
        return len(self.visits)

    def booking_of(self, number: int) -> BookingId:
        """The id of a visit's booking, whether it is booked or not."""
        return visit_id(self.series_id, number, self.count)


class SeriesMove(Struct, frozen=True):
    """Where visits go that move together, by number; None: the clock skips that time.

    ``key`` is the request's. ``back``: later, so that the last ones move first.
    """

    key: str
    back: bool
    starts: dict[int, Minute | None]


class Settled(Struct, frozen=True):
    """What became of an attempt to book a visit; ``code``: of its refusal."""

    state: SeriesVisitState
    code: str = ""


class SeriesStore(Protocol):
    """Series of visits. All may raise Unavailable."""

    async def begin(self, series: Series, *, now: Millis) -> Series:
        """Keep a new series; if it is there already, its present state.

        Its visits whose booking was begun and not recorded are the caller's again.
        Raises SeriesLimit: of a new one.
        """
        ...

    async def find(self, series_id: SeriesId) -> Series | None:
        """A series; None if there is none."""
        ...

    async def of_patient(self, patient_id: PatientId) -> Sequence[Series]:
        """A patient's, the newest first."""
        ...

    async def unplaced(self, provider_id: ProviderId) -> Sequence[Series]:
        """A provider's with visits that could not be booked, the newest first."""
        ...

    async def claim(
        self, series_id: SeriesId, numbers: Sequence[int], *, now: Millis
    ) -> Sequence[int]:
        """Begin to book waiting visits; those that are not another's just now."""
        ...

    async def settle(
        self,
        series_id: SeriesId,
        outcomes: Mapping[int, Settled],
        *,
        now: Millis,
        tells: bool = False,
    ) -> Sequence[int]:
        """Record what became of visits; those that were waiting until now.

        The placing of the series as a whole is over. ``tells``: the patient is told of
        what failed, by jobs that are added with it.
        """
        ...

    async def drop(
        self, series_id: SeriesId, numbers: Sequence[int], *, now: Millis
    ) -> Sequence[int]:
        """Give up visits that wait or failed; those that were not another's."""
        ...

    async def replan(
        self, series_id: SeriesId, visits: Sequence[SeriesVisit], *, now: Millis
    ) -> Sequence[int]:
        """Give visits that wait or failed other starts and instants: they wait.

        Returns those that were not another's.
        """
        ...

    async def begin_move(self, series_id: SeriesId, move: SeriesMove) -> SeriesMove:
        """Keep where visits are to go, before any is moved.

        If a move with this key was begun last, what was kept then: some have moved
        since, and the others must not be counted from these.
        """
        ...

    async def discard(self, series: Series) -> bool:
        """Forget a series of which nothing was booked, unless it was begun again."""
        ...

    async def due(self, *, now: Millis, limit: int) -> Sequence[NewJob]:
        """The jobs of series with visits to be booked now.

        Not of those that staff placed while their patient restricts the use of data.
        """
        ...
