"""An independent reading of a journal, with rules of its own; nothing is shared.

It replays events into agendas (agenda.py) and says when the log itself breaks a
promise: two owners at one minute, a cancelled visit that lives again, a hold that ended
before its time, a version or a key used twice. It never calls the code under test.

One file because it is one reading of one log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from actors.domain.messages import events as ev
from actors.domain.rules import Policy
from actors.ports import Record
from tests.simulation.agenda import NEVER, Agenda, Booked, Held, Owner
from tests.simulation.kernel import Violation
from tests.simulation.region import has_ground, is_offered
from tests.simulation.reserve_watch import FREEING, ReserveWatch, reserved_now
from tests.simulation.sharing import (
    SEAT,
    Sitting,
    has_two,
    lane_problem,
    seat_problem,
)

STAFF = "desk-"
"""How the keys of staff begin, for whom limits of patients do not hold."""

STATUSES_BEFORE = {
    "cancelled": {"booked", "arrived"},
    "arrived": {"booked", "noshow"},
    "fulfilled": {"booked", "arrived"},
    "noshow": {"booked"},
}
"""From which statuses each status may follow: the brief's table, written again."""


class LogJudge:
    """Replays one shard's records, in order, and refuses an impossible one.

    ``keys`` maps (provider, key) to the records that carry it; ``effects`` lists for
    each booking and hold the seqs that touched it.
    """

    def __init__(self, policy: Policy) -> None:
        self.agendas: dict[str, Agenda] = {}
        self.keys: dict[tuple[str, str], list[Record]] = {}
        self.offers: dict[str, list[ev.HoldOffered]] = {}
        """The offers of each reserved slot, in order."""
        self.over: set[str] = set()
        """Groups that their primaries here have decided against."""
        self.of_groups: set[str] = set()
        """Holds of groups."""
        self.together: dict[str, list[int]] = {}
        """Starts of the visits that were booked together, by the id of the last."""
        self.seq = 0
        self.epoch = 0
        self.at = 0
        self._policy = policy
        self._lately: list[tuple[int, str, str, range]] = []
        """When who held what of whom: provider, patient, busy minutes."""

    def replay(self, records: Iterable[Record]) -> None:
        """Read on; raises Violation at the first impossible record."""
        for record in records:
            self._order(record)
            event = record.event
            provider = event.provider_id
            if event.key:
                self.keys.setdefault((provider, event.key), []).append(record)
            if isinstance(event, ev.RefusalRecorded):
                known = self.agendas.get(provider)
                self._expect(event.version == (known.version if known else 0), record)
                if event.group_id:
                    self.over.add(event.group_id)
                continue
            agenda = self.agendas.get(provider)
            if agenda is None:
                self._expect(isinstance(event, ev.ProviderRegistered), record)
                agenda = self.agendas[provider] = Agenda(provider)
            agenda.version += 1
            self._expect(event.version == agenda.version, record, "version")
            if isinstance(event, ev.SlotReserved):
                agenda.reserving.append(event)
                continue
            is_next = not agenda.together or isinstance(event, ev.SlotBooked)
            self._expect(is_next, record, "between visits booked together")
            is_freeing = isinstance(event, FREEING)
            self._expect(is_freeing or not agenda.reserving, record, "frees nothing")
            watch = ReserveWatch(agenda, event.at, self._policy) if is_freeing else None
            _READERS[type(event)](self, agenda, event, record)
            self._reserve(agenda, record)
            if watch is not None:
                self._expect(watch.is_kept(agenda), record, watch.missing)

    def _order(self, record: Record) -> None:
        self._expect(record.seq == self.seq + 1, record, "seq")
        self._expect(record.epoch >= self.epoch, record, "epoch")
        is_refusal = isinstance(record.event, ev.RefusalRecorded)
        self._expect(record.event.at >= self.at, record, "time went back")
        self.seq, self.epoch = record.seq, record.epoch
        if not is_refusal:  # these do not carry time forward
            self.at = record.event.at

    def _expect(self, claim: bool, record: Record, what: str = "impossible") -> None:
        if not claim:
            raise Violation(f"log: {what} at seq {record.seq}: {record.event}")

    # --- the waiting list ----------------------------------------------------------

    def _reserve(self, agenda: Agenda, record: Record) -> None:
        """What was reserved is free now, of the list's kind, and the list's."""
        waiting = agenda.waiting
        for event in agenda.reserving:
            self._expect(waiting is not None, record, "none waits")
            wanted = event.visit_type in waiting.visit_types
            wanted = wanted and waiting.first <= event.start < waiting.until
            self._expect(wanted, record, "not waited for")
            self._expect(event.at == record.event.at, record, "reserved before")
            self._offered(agenda, event, record)
            cutoff = event.start * 60_000 - self._policy.reserve_cutoff_ms
            self._expect(event.at <= cutoff, record, "too near to be reserved")
            lasts = event.expires - event.at
            self._expect(0 < lasts <= self._policy.reserve_ms, record, "reserve's time")
            busy = range(event.busy_start, event.busy_end)
            self._take(agenda, event, ("hold", event.hold_id), busy, record)
            agenda.holds[event.hold_id] = Held(
                "",
                event.visit_type,
                event.start,
                event.end,
                busy,
                event.expires,
                event.location_id,
                event.at,
                reserved=True,
                lane=event.lane,
            )
        if agenda.reserving:
            live = reserved_now(agenda, record.event.at)
            self._expect(live <= waiting.most, record, "more than wait")
        agenda.reserving = []

    def _waiting(self, agenda: Agenda, event: ev.WaitingSet, record: Record) -> None:
        agenda.waiting = event.waiting

    def _offer(self, agenda: Agenda, event: ev.HoldOffered, record: Record) -> None:
        hold = agenda.holds.get(event.hold_id)
        if hold is None or not hold.reserved or event.at >= hold.expires:
            raise Violation(f"log: nothing to offer at seq {record.seq}: {event}")
        self._expect(hold.offered <= event.at, record, "offered already")
        self._expect(hold.patient == "", record, "not back yet")
        self._expect(bool(event.patient_id), record, "offered to none")
        at, begins = event.at, hold.start * 60_000
        self._expect(at < event.offered <= min(event.expires, begins), record, "until")
        self._expect(event.expires >= hold.expires, record, "shortened")
        hold.patient, hold.offered = event.patient_id, event.offered
        hold.expires = event.expires
        self.offers.setdefault(event.hold_id, []).append(event)

    def _returned(self, agenda: Agenda, event: ev.HoldReturned, record: Record) -> None:
        hold = agenda.holds.get(event.hold_id)
        if hold is None or hold.patient != event.patient_id or not hold.offered:
            raise Violation(f"log: no offer ended at seq {record.seq}: {event}")
        self._expect(event.at < hold.expires, record, "returned after its end")
        is_over = event.at >= hold.offered
        self._expect(is_over != event.declined, record, "ended before its time")
        hold.patient, hold.offered = "", 0

    # --- one reader per event ------------------------------------------------------

    def _registered(
        self, agenda: Agenda, event: ev.ProviderRegistered, record: Record
    ) -> None:
        agenda.profile = event.profile

    def _availability(
        self, agenda: Agenda, event: ev.AvailabilitySet, record: Record
    ) -> None:
        agenda.availability = event.availability

    def _off(self, agenda: Agenda, event: ev.TimeOffAdded, record: Record) -> None:
        leave = event.time_off
        self._expect(leave.time_off_id not in agenda.time_off, record, "leave twice")
        agenda.time_off[leave.time_off_id] = (leave.start, leave.end)

    def _on(self, agenda: Agenda, event: ev.TimeOffRemoved, record: Record) -> None:
        self._expect(event.time_off_id in agenda.time_off, record, "no such leave")
        del agenda.time_off[event.time_off_id]

    def _window(self, agenda: Agenda, event: ev.WindowAdvanced, record: Record) -> None:
        self._expect(event.until > agenda.until, record, "window went back")
        ahead = event.until * 60_000 - event.at
        self._expect(ahead < 5 * 60_000, record, "window beyond its cell")
        agenda.until = event.until

    def _take(
        self,
        agenda: Agenda,
        event: Any,
        owner: Owner,
        busy: range,
        record: Record,
        beside: Owner | None = None,
    ) -> None:
        """Take the time of a visit, a seat of it, or a lane over it."""
        if event.lane == 0:
            other = agenda.claim(busy, owner, beside)
            self._expect(other is None, record, f"double: {other} has it")
            return
        if event.lane > 0:
            rules = agenda.availability
            lanes = self._policy.lanes if rules.lanes is None else rules.lanes
            problem = lane_problem(agenda, event, busy, lanes)
            self._expect(not problem, record, problem)
            minutes = dict.fromkeys(busy, owner)
            agenda.lanes.setdefault(event.lane, {}).update(minutes)
            return
        problem = seat_problem(agenda, event, busy)
        self._expect(not problem, record, problem)
        sitting = agenda.sessions.get(event.start)
        if sitting is None:
            other = agenda.claim(busy, (SEAT, str(event.start)))
            self._expect(other is None, record, f"double: {other} has it")
            sitting = Sitting(event.visit_type, event.end, busy)
            agenda.sessions[event.start] = sitting
        sitting.seats[event.lane] = owner

    def _offered(self, agenda: Agenda, event: Any, record: Record) -> None:
        offered = is_offered(
            agenda.availability,
            tuple(agenda.time_off.values()),
            event.visit_type,
            event.start,
            event.at,
        )
        self._expect(offered, record, "not offered")

    def _held(self, agenda: Agenda, event: ev.HoldPlaced, record: Record) -> None:
        self._offered(agenda, event, record)
        self._expect(event.hold_id not in agenda.holds, record, "hold id twice")
        self._expect(event.hold_id not in agenda.spent_holds, record, "hold id again")
        busy = range(event.busy_start, event.busy_end)
        beside: Owner | None = None
        if event.moving is not None:
            moved = agenda.bookings.get(event.moving)
            is_own = moved is not None and moved.patient == event.patient_id
            self._expect(is_own, record, "to move another's visit")
            beside = ("booking", event.moving)
        twice = has_two(agenda, event.start, event.patient_id, booked=False)
        self._expect(not event.lane or not twice, record, "two seats of one patient")
        self._take(agenda, event, ("hold", event.hold_id), busy, record, beside)
        self._expect(event.expires > event.at, record, "expired at birth")
        group = event.group
        is_sticky = group is not None and group.primary != agenda.provider
        if group is not None:
            self.of_groups.add(event.hold_id)
        if not is_sticky:
            is_over = group is not None and group.group_id in self.over
            self._expect(not is_over, record, "it is over")
            self._counted(agenda, event, busy, record)
        agenda.holds[event.hold_id] = Held(
            event.patient_id,
            event.visit_type,
            event.start,
            event.end,
            busy,
            NEVER if is_sticky else event.expires,
            event.location_id,
            event.at,
            event.moving,
            offered=event.expires if is_sticky else 0,
            group=group,
            sticky=is_sticky,
            lane=event.lane,
        )

    def _doubted(self, agenda: Agenda, event: ev.HoldDoubted, record: Record) -> None:
        hold = agenda.holds.get(event.hold_id)
        if hold is None or not hold.sticky or not hold.offered:
            raise Violation(f"log: nothing to doubt at seq {record.seq}: {event}")
        self._expect(event.at >= hold.offered, record, "in doubt before its time")
        hold.offered = 0

    def _aborted(self, agenda: Agenda, event: ev.GroupAborted, record: Record) -> None:
        is_held = f"hld_{agenda.provider[4:]}.{event.group_id}" in agenda.holds
        self._expect(not is_held, record, "aborted and held")
        self._decided(agenda, event.group_id, record)
        self.over.add(event.group_id)

    def _settled_group(
        self, agenda: Agenda, event: ev.GroupSettled, record: Record
    ) -> None:
        self._expect(event.booking_id in agenda.bookings, record, "no such visit")
        self._expect(event.settled < event.version, record, "settled before")

    def _decided(self, agenda: Agenda, group_id: str, record: Record) -> None:
        """A group is decided once."""
        self._expect(group_id not in self.over, record, "it is over")
        booked = any(
            one.group is not None and not one.visit and one.group.group_id == group_id
            for one in agenda.bookings.values()
        )
        self._expect(not booked, record, "it is booked")

    def _counted(
        self, agenda: Agenda, event: ev.HoldPlaced, busy: range, record: Record
    ) -> None:
        """Simulated people are patients: the limits hold for all of them."""
        mine = sum(
            h.patient == event.patient_id and not h.reserved
            for h in agenda.holds.values()
        )
        most = self._policy.holds_per_patient
        self._expect(mine < most, record, "too many holds")
        before = sum(
            (provider, patient) == (agenda.provider, event.patient_id)
            and event.at - at < 3_600_000
            and span.start < busy.stop
            and busy.start < span.stop
            for at, provider, patient, span in self._lately
        )
        renewals = self._policy.booking_limits.renewals
        self._expect(before <= renewals, record, "held again and again")
        name = (event.at, agenda.provider, event.patient_id, busy)
        self._lately.append(name)
        if event.moving is None:
            self._visits_ahead(agenda, event, record)

    def _visits_ahead(self, agenda: Agenda, event: Any, record: Record) -> None:
        ahead = sum(
            visit.patient == event.patient_id
            and visit.status == "booked"
            and visit.start * 60_000 > event.at
            for visit in agenda.bookings.values()
        )
        most = self._policy.booking_limits.upcoming
        self._expect(ahead < most, record, "too many visits")

    def _settled(self, agenda: Agenda, booking: Booked) -> None:
        """Who has booked a time has not held it in vain."""
        self._lately = [
            one
            for one in self._lately
            if one[1:3] != (agenda.provider, booking.patient)
            or one[3].stop <= booking.busy.start
            or booking.busy.stop <= one[3].start
        ]

    def _extended(self, agenda: Agenda, event: ev.HoldExtended, record: Record) -> None:
        hold = self._live_hold(agenda, event.hold_id, event.at, record)
        hold.extensions += 1
        most = self._policy.hold_extensions
        self._expect(hold.extensions <= most, record, "extended too often")
        self._expect(event.expires >= hold.expires, record, "shortened")
        lasts = event.expires - hold.placed
        self._expect(lasts <= self._policy.hold_total_ms, record, "lasts too long")
        hold.expires = event.expires

    def _live_hold(self, agenda: Agenda, hold_id: str, at: int, record: Record) -> Held:
        hold = agenda.holds.get(hold_id)
        if hold is None or at >= hold.owned_until:
            raise Violation(f"log: no live hold at seq {record.seq}: {record.event}")
        return hold

    def _of_group(self, agenda: Agenda, event: Any, hold: Held, record: Record) -> None:
        """A group is booked by its hold, or joins another one, if it has none here."""
        joins = event.group not in (None, hold.group)
        own = joins and f"hld_{agenda.provider[4:]}.{event.group.group_id}"
        self._expect(own not in agenda.holds, record, "another's group")

    def _end_hold(self, agenda: Agenda, hold_id: str, how: str) -> None:
        hold = agenda.holds.pop(hold_id)
        agenda.spent_holds[hold_id] = how
        if hold.group is not None and not hold.sticky and how != "booked":
            self.over.add(hold.group.group_id)
        agenda.give_back(hold, ("hold", hold_id))

    def _released(self, agenda: Agenda, event: ev.HoldReleased, record: Record) -> None:
        self._expect(event.hold_id in agenda.holds, record, "no such hold")
        hold = agenda.holds[event.hold_id]
        self._expect(not hold.reserved or not hold.patient, record, "it is offered")
        self._end_hold(agenda, event.hold_id, "released")

    def _expired(self, agenda: Agenda, event: ev.HoldExpired, record: Record) -> None:
        hold = agenda.holds.get(event.hold_id)
        self._expect(hold is not None, record, "no such hold")
        assert hold is not None
        self._expect(event.at >= hold.expires, record, "ended before its time")
        self._end_hold(agenda, event.hold_id, "expired")

    def _together(self, agenda: Agenda, event: ev.SlotBooked, record: Record) -> None:
        """The visits of one command follow one another; the last has its key."""
        if event.group is not None and event.group.primary != event.provider_id:
            return  # told by its primary, without a key
        mine = agenda.together
        mine.append(event)
        who = {(one.patient_id, one.at, one.by) for one in mine}
        self._expect(len(who) == 1, record, "visits of two commands")
        if event.key:
            self.together[event.booking_id] = [one.start for one in mine]
            agenda.together = []

    def _booked(self, agenda: Agenda, event: ev.SlotBooked, record: Record) -> None:
        self._together(agenda, event, record)
        self._expect(event.booking_id not in agenda.bookings, record, "id twice")
        if event.hold_id is None:
            self._offered(agenda, event, record)
        elif event.visit is not None:
            self._part(agenda, event, record)
        else:
            hold = self._live_hold(agenda, event.hold_id, event.at, record)
            self._expect(hold.patient == event.patient_id, record, "another's hold")
            self._of_group(agenda, event, hold, record)
            if (hold.start, hold.end) != (event.start, event.end):
                meets = hold.busy.start < event.busy_end
                meets = meets and event.busy_start < hold.busy.stop
                self._expect(meets, record, "not what was held")
                self._offered(agenda, event, record)
            else:
                self._taken_up(agenda, hold, record)
            how = "confirmed" if event.group is None else "booked"
            self._end_hold(agenda, event.hold_id, how)
        if event.visit is None and not event.key.startswith(STAFF):
            self._visits_ahead(agenda, event, record)
        busy = range(event.busy_start, event.busy_end)
        twice = has_two(agenda, event.start, event.patient_id, booked=True)
        self._expect(event.lane >= 0 or not twice, record, "two seats of one patient")
        self._take(agenda, event, ("booking", event.booking_id), busy, record)
        agenda.bookings[event.booking_id] = Booked(
            event.patient_id,
            event.visit_type,
            event.start,
            event.end,
            busy,
            "booked",
            event.location_id,
            event.at,
            event.reason,
            group=event.group,
            visit=event.visit or "",
            history=[(record.seq, "booked")],
            lane=event.lane,
        )
        self._settled(agenda, agenda.bookings[event.booking_id])

    def _part(self, agenda: Agenda, event: ev.SlotBooked, record: Record) -> None:
        """A member's part of a visit: its hold, whatever its time and the rules."""
        hold = agenda.holds.get(event.hold_id or "")
        if hold is None or not hold.sticky or hold.group != event.group:
            raise Violation(f"log: no part is held at seq {record.seq}: {event}")
        same = (hold.start, hold.end) == (event.start, event.end)
        self._expect(same and not event.patient_id, record, "not what was held")
        self._end_hold(agenda, event.hold_id or "", "booked")

    def _status(
        self, agenda: Agenda, booking_id: str, status: str, record: Record
    ) -> Booked:
        booking = agenda.bookings.get(booking_id)
        if booking is None or booking.status not in STATUSES_BEFORE[status]:
            raise Violation(f"log: status at seq {record.seq}: {record.event}")
        event = record.event
        if status == "cancelled":
            booking.outcomes = []
        else:
            # UTC days here are no later than local ones are early: half a day off.
            opens = booking.start - (0 if status == "noshow" else 36 * 60)
            self._expect(event.at >= opens * 60_000, record, "before its time")
            booking.outcomes.append((booking.status, event.at))
        booking.status = status
        booking.history.append((record.seq, status))
        return booking

    def _undone(self, agenda: Agenda, event: ev.OutcomeUndone, record: Record) -> None:
        booking = agenda.bookings.get(event.booking_id)
        if booking is None or not booking.outcomes:
            raise Violation(f"log: nothing to undo at seq {record.seq}: {event}")
        before, at = booking.outcomes.pop()
        self._expect(event.status == before, record, "not the status before")
        self._expect(event.at - at <= 24 * 3_600_000, record, "undone too late")
        booking.status = before
        booking.history.append((record.seq, "undone"))

    def _confidential(
        self, agenda: Agenda, event: ev.ConfidentialSet, record: Record
    ) -> None:
        booking = agenda.bookings.get(event.booking_id)
        if booking is None or booking.patient != event.patient_id:
            raise Violation(f"log: hidden at seq {record.seq}: {event}")
        kind = "confidential" if event.confidential else "shown"
        booking.history.append((record.seq, kind))

    def _taken_up(self, agenda: Agenda, hold: Held, record: Record) -> None:
        in_time = record.event.at <= hold.start * 60_000
        self._expect(in_time, record, "it had begun")
        leaves = tuple(agenda.time_off.values())
        rules, span = agenda.availability, (hold.start, hold.end)
        ground = has_ground(rules, leaves, hold.visit_type, *span)
        self._expect(ground, record, "held, and not offered any more")

    def _in_time(self, booking: Booked, by_patient: bool, record: Record) -> None:
        in_time = record.event.at <= booking.start * 60_000
        self._expect(in_time or not by_patient, record, "the visit had begun")

    def _cancelled(
        self, agenda: Agenda, event: ev.BookingCancelled, record: Record
    ) -> None:
        booking = self._status(agenda, event.booking_id, "cancelled", record)
        self._in_time(booking, event.by_patient, record)
        booking.cancel_reason = event.reason
        agenda.give_back(booking, ("booking", event.booking_id))

    def _moved(
        self, agenda: Agenda, event: ev.BookingRescheduled, record: Record
    ) -> None:
        booking = agenda.bookings.get(event.booking_id)
        if booking is None or booking.status != "booked":
            raise Violation(f"log: moved at seq {record.seq}: {record.event}")
        owner = ("booking", event.booking_id)
        self._in_time(booking, True, record)  # here only patients move visits
        if event.hold_id is None:
            self._offered(agenda, event, record)
        else:
            hold = self._live_hold(agenda, event.hold_id, event.at, record)
            self._expect(hold.patient == booking.patient, record, "another's hold")
            self._of_group(agenda, event, hold, record)
            self._taken_up(agenda, hold, record)
            how = "confirmed" if event.group is None else "booked"
            self._end_hold(agenda, event.hold_id, how)
        with_members = booking.group is not None and bool(booking.group.members)
        left = booking.group if with_members and event.group is None else None
        self._expect(event.left == left, record, "moved without its members")
        booking.group = None if left is not None else event.group or booking.group
        agenda.give_back(booking, owner)
        busy = range(event.busy_start, event.busy_end)
        twice = has_two(agenda, event.start, booking.patient, booked=True)
        self._expect(event.lane >= 0 or not twice, record, "two seats of one patient")
        self._expect(event.lane <= 0, record, "moved into a lane of overbooked visits")
        self._take(agenda, event, owner, busy, record)
        booking.visit_type, booking.location = event.visit_type, event.location_id
        booking.start, booking.end, booking.busy = event.start, event.end, busy
        booking.lane = event.lane
        booking.history.append((record.seq, "rescheduled"))
        self._settled(agenda, booking)

    def _arrived(self, agenda: Agenda, event: Any, record: Record) -> None:
        self._status(agenda, event.booking_id, "arrived", record)

    def _fulfilled(self, agenda: Agenda, event: Any, record: Record) -> None:
        self._status(agenda, event.booking_id, "fulfilled", record)

    def _noshow(self, agenda: Agenda, event: Any, record: Record) -> None:
        self._status(agenda, event.booking_id, "noshow", record)


_READERS: dict[type, Callable[[LogJudge, Agenda, Any, Record], None]] = {
    ev.ProviderRegistered: LogJudge._registered,
    ev.AvailabilitySet: LogJudge._availability,
    ev.TimeOffAdded: LogJudge._off,
    ev.TimeOffRemoved: LogJudge._on,
    ev.WindowAdvanced: LogJudge._window,
    ev.HoldPlaced: LogJudge._held,
    ev.HoldExtended: LogJudge._extended,
    ev.HoldReleased: LogJudge._released,
    ev.HoldExpired: LogJudge._expired,
    ev.WaitingSet: LogJudge._waiting,
    ev.HoldOffered: LogJudge._offer,
    ev.HoldReturned: LogJudge._returned,
    ev.HoldDoubted: LogJudge._doubted,
    ev.GroupAborted: LogJudge._aborted,
    ev.GroupSettled: LogJudge._settled_group,
    ev.SlotBooked: LogJudge._booked,
    ev.BookingCancelled: LogJudge._cancelled,
    ev.BookingRescheduled: LogJudge._moved,
    ev.PatientArrived: LogJudge._arrived,
    ev.VisitCompleted: LogJudge._fulfilled,
    ev.NoShowMarked: LogJudge._noshow,
    ev.OutcomeUndone: LogJudge._undone,
    ev.ConfidentialSet: LogJudge._confidential,
}
