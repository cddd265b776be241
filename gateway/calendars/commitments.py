"""Limits across calendars: a patient's live holds and visits ahead.

A calendar knows only itself. Each gateway therefore keeps the holds it saw placed, and
the visits ahead of patients who booked recently, loaded once from the read model and
updated from calendars' answers. Before a refusal both are verified: holds with their
calendars, visits with the read model. So no request is refused because of holds or
visits that have ended. Visits made through other gateways less than ``BELIEVED_MS`` ago
can be missed, and so can their holds until they are exchanged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
    provider_of,
)
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    HoldView,
    ProviderView,
)
from actors.domain.messages.reads import ReadHold, ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode, hold_limit
from actors.errors import Unavailable
from care.sharing import HoldNote
from gateway.calendars.continuations import become_task
from gateway.calendars.hold_exchange import HoldExchange
from gateway.calendars.recent import RecentBookings
from gateway.config import GatewayConfig, GatewayPorts
from gateway.wire.errors import Refused

PATIENTS_MAX: Final = 10_000
"""Patients remembered, of each kind; the least recently active is forgotten first."""
HOLDS_MAX: Final = 64
"""Holds remembered per patient, since staff may place any number."""
BELIEVED_MS: Final = 60_000
"""How long loaded visits are trusted."""
VISITS_MAX: Final = 200
PATIENCE_S: Final = 0.25
"""How long a booking waits for the read model; if it does not answer, nothing is
refused."""
DAY: Final = 24 * 60


class Slot(Struct, frozen=True):
    """A requested visit: at ``start``, of the type's length."""

    provider_id: ProviderId
    visit_type: VisitTypeId
    start: Minute
    end: Minute | None = None


class _Loaded(Struct):
    at: Millis
    visits: dict[BookingId, BookingView]


class Commitments:
    """One per gateway."""

    def __init__(
        self,
        ports: GatewayPorts,
        config: GatewayConfig,
        recent: RecentBookings,
        exchange: HoldExchange | None = None,
    ) -> None:
        self._exchange = exchange
        if exchange is not None:
            exchange.learned = self._learned
        self._calendars = ports.calendars
        self._history = ports.history
        self._waiting = ports.waiting
        self._recent = recent
        self._now = ports.clock.now
        self._holds_max = config.holds_per_person
        self._visits_max = config.visits_per_person
        self._overlaps = config.refuse_overlaps
        self._holds: OrderedDict[PatientId, OrderedDict[HoldId, HoldView | Millis]] = (
            OrderedDict()
        )
        """Holds by id: the last seen view, or only the time of expiry."""
        self._visits: OrderedDict[PatientId, _Loaded] = OrderedDict()

    # --- what calendars answered -------------------------------------------------

    def note_hold(self, view: HoldView) -> None:
        """Note a hold placed or extended here."""
        self._note(view)
        if self._exchange is not None:
            self._exchange.tell(view)

    def _note(self, view: HoldView) -> None:
        mine = self._of(view.patient_id)
        known = mine.get(view.hold_id)
        if not isinstance(known, HoldView) or known.version <= view.version:
            mine[view.hold_id] = view
        self._stay_bounded(mine)

    def _learned(self, patient_id: PatientId, notes: Sequence[HoldNote]) -> None:
        """Note holds placed or extended at other gateways."""
        if not notes:
            return
        mine = self._of(patient_id)
        for note in notes:
            if _until(mine.get(note.hold_id)) < note.expires:
                mine[note.hold_id] = note.expires
        self._stay_bounded(mine)

    def _of(self, patient_id: PatientId) -> OrderedDict[HoldId, HoldView | Millis]:
        mine = self._holds.setdefault(patient_id, OrderedDict())
        self._holds.move_to_end(patient_id)
        return mine

    def _stay_bounded(self, mine: OrderedDict[HoldId, HoldView | Millis]) -> None:
        while len(mine) > HOLDS_MAX:
            mine.popitem(last=False)
        if len(self._holds) > PATIENTS_MAX:
            self._holds.popitem(last=False)

    def note_visit(self, view: BookingView) -> None:
        """Note a new or changed booking."""
        loaded = self._visits.get(view.patient_id)
        if loaded is not None:
            loaded.visits[view.booking_id] = view

    # --- holds -------------------------------------------------------------------

    async def live_holds(
        self, patient_id: PatientId, known: Sequence[HoldView] = ()
    ) -> list[HoldView]:
        """The patient's live holds, in order of placing.

        Each is verified with its calendar.

        ``known`` were seen on a feed. A hold whose calendar does not answer is returned
        as last seen.
        """
        for view in known:
            self._note(view)
        await self._note_offers(patient_id)
        if self._exchange is not None:
            await self._exchange.look(patient_id)
        return await self._confirmed(patient_id)

    async def _note_offers(self, patient_id: PatientId) -> None:
        """The waiting list's worker makes offers: no gateway saw them placed."""
        if self._waiting is None:
            return
        await become_task()
        try:
            async with asyncio.timeout(PATIENCE_S):
                offers = await self._waiting.outstanding(patient_id)
        except (TimeoutError, Unavailable):
            return  # those that a feed told of are known nevertheless
        notes = [HoldNote("", one.hold_id, one.until) for one in offers]
        self._learned(patient_id, notes)

    async def _confirmed(self, patient_id: PatientId) -> list[HoldView]:
        """The known holds that their calendars still have."""
        mine = self._holds.get(patient_id)
        if mine is None:
            return []
        now = self._now()
        for hold_id in [one for one, known in mine.items() if _until(known) <= now]:
            del mine[hold_id]
        asked = list(mine.items())
        replies = await asyncio.gather(
            *(self._read(hold_id, patient_id) for hold_id, _ in asked),
            return_exceptions=True,
        )
        live = []
        for (hold_id, known), reply in zip(asked, replies, strict=True):
            if isinstance(reply, HoldView):
                live.append(reply)
                mine[hold_id] = reply  # it may have been extended elsewhere
            elif not isinstance(reply, Unavailable):
                mine.pop(hold_id, None)
            elif isinstance(known, HoldView):
                live.append(
                    known
                )  # as last seen: one silent calendar must not delay the rest
        if not mine and self._holds.get(patient_id) is mine:
            del self._holds[patient_id]
        return live

    async def _read(self, hold_id: HoldId, patient_id: PatientId) -> object:
        provider_id = provider_of(hold_id)
        if provider_id is None:
            return None
        return await self._calendars.ask(ReadHold(provider_id, hold_id, patient_id))

    async def check_hold(self, patient_id: PatientId, wanted: Slot) -> None:
        """Let a patient place a hold.

        Raises: Refused: the patient is at the limit of holds over all calendars.
        """
        limit = self._holds_max
        mine = self._holds.get(patient_id)
        if not limit or mine is None or len(mine) < limit:
            return
        found = await self._confirmed(patient_id)  # does not wait for shared state
        live = [hold for hold in found if not hold.offer]
        if len(live) < limit or any(_is_it(hold, wanted) for hold in live):
            return  # a retry is answered by its calendar
        raise Refused(hold_limit(limit))

    async def slot_of(self, patient_id: PatientId, hold_id: HoldId) -> Slot | None:
        """The slot of a hold; None if its calendar has no such hold."""
        mine = self._holds.get(patient_id)
        view: object = None if mine is None else mine.get(hold_id)
        if not isinstance(view, HoldView):
            view = await self._read(hold_id, patient_id)
        if not isinstance(view, HoldView):
            return None
        return Slot(view.provider_id, view.visit_type, view.start, view.end)

    # --- visits ------------------------------------------------------------------

    async def check_visit(
        self,
        patient_id: PatientId,
        wanted: Slot,
        *,
        moving: BookingId | None = None,
        allow_overlap: bool = False,
        proxy: bool = False,
        more: int = 1,
    ) -> None:
        """Let a patient book or move a visit.

        ``proxy``: confidential visits do not exist for the one who asks. ``more``: how
        many visits are booked together.

        Raises:
            Refused: the patient is at the limit of visits ahead, or has one at that
            time.
        """
        if not self._visits_max and not self._overlaps:
            return
        for fresh in (False, True):
            ahead = [
                view
                for view in await self._ahead(patient_id, fresh=fresh)
                if not (proxy and view.confidential)
            ]
            others = [view for view in ahead if view.booking_id != moving]
            for moved in ahead:
                if moved.booking_id == moving and wanted.end is None:
                    end = Minute(wanted.start + moved.end - moved.start)
                    wanted = replace(wanted, end=end)
            refusal = await self._refusal(
                others,
                wanted,
                more=more if moving is None else 0,
                allow_overlap=allow_overlap,
            )
            if refusal is None:
                return
            if fresh:
                raise Refused(refusal)

    async def _refusal(
        self,
        others: list[BookingView],
        wanted: Slot,
        *,
        more: int,
        allow_overlap: bool,
    ) -> Refusal | None:
        if any(_is_it(view, wanted) for view in others):
            return None  # a retry is answered by its calendar
        limit = self._visits_max
        if more and limit and len(others) + more > limit:
            return Refusal(
                RefusalCode.BOOKING_LIMIT,
                f"A patient may have {limit} visits ahead, and you have reached that. "
                "Cancel one, or ask a clinic to book for you.",
            )
        if allow_overlap or not self._overlaps:
            return None
        near = [
            view
            for view in others
            if view.provider_id != wanted.provider_id
            and view.start - DAY < wanted.start < view.end
        ]
        end = await self._end_of(wanted) if near else wanted.start
        for view in near:
            if view.start < end:
                return Refusal(
                    RefusalCode.OVERLAP,
                    "You have another visit at this time. Choose another slot, or "
                    "send allow_overlap if you mean it.",
                    view.booking_id,
                )
        return None

    async def _ahead(self, patient_id: PatientId, *, fresh: bool) -> list[BookingView]:
        now = self._now()
        loaded = self._visits.get(patient_id)
        if fresh or loaded is None or now - loaded.at > BELIEVED_MS:
            loaded = await self._load(patient_id, now)
        visits = dict(loaded.visits)
        for view in self._recent.of(patient_id).values():
            known = visits.get(view.booking_id)
            if known is None or known.version <= view.version:
                visits[view.booking_id] = view
        return [
            view
            for view in visits.values()
            if view.status is BookingStatus.BOOKED and view.end * 60_000 > now
        ]

    async def _load(self, patient_id: PatientId, now: Millis) -> _Loaded:
        await (
            become_task()
        )  # a socket command runs without a task, and a timeout needs one
        try:
            async with asyncio.timeout(PATIENCE_S):
                rows, _ = await self._history.of_patient(
                    patient_id,
                    first=Minute(now // 60_000 - DAY),
                    last=None,
                    status=BookingStatus.BOOKED,
                    after="",
                    limit=VISITS_MAX,
                )
        except Exception:  # noqa: BLE001 - bookings go on without the read model
            return _Loaded(now, {})
        loaded = _Loaded(now, {row.booking_id: row for row in rows})
        self._visits[patient_id] = loaded
        self._visits.move_to_end(patient_id)
        if len(self._visits) > PATIENTS_MAX:
            self._visits.popitem(last=False)
        return loaded

    async def _end_of(self, wanted: Slot) -> int:
        if wanted.end is not None:
            return wanted.end
        view = await self._calendars.ask(ReadProvider(wanted.provider_id))
        if isinstance(view, ProviderView):
            for kind in view.availability.visit_types:
                if kind.visit_type == wanted.visit_type:
                    return wanted.start + kind.minutes
        return wanted.start  # its calendar will answer with the error


def _until(known: HoldView | Millis | None) -> int:
    if isinstance(known, HoldView):
        return known.expires
    return known or 0


def _is_it(taken: HoldView | BookingView, wanted: Slot) -> bool:
    return (taken.provider_id, taken.start) == (wanted.provider_id, wanted.start)
